"""What stands in for a container behaves as the container (see `standin_trials.py`)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import (
    ANY_VALUE,
    KEYS,
    MODES,
    PROBES,
    ROWS,
    SORTS,
    VALUES,
    agree,
    at_of,
    fails_on_some_path,
    has_of,
    holds_on_every_path,
    is_key,
    possible,
    touch_all,
    value_of,
)

from memoracle.proofs.components.boot.interval_lists import Bag
from memoracle.proofs.components.heap.models import ListedNotes
from memoracle.proofs.symbolic.containers import Map, Set, Sets, Tables, Unasked, Uncompared, Words, any_of
from memoracle.proofs.symbolic.execution import Run, explore
from memoracle.proofs.symbolic.extents import Extents
from memoracle.proofs.symbolic.numbers import number, truth
from memoracle.spec.clauses import neg

# Dictionaries.


def delete(key: int) -> Callable[[Any], None]:
    return lambda mapping: mapping.__delitem__(key)


MAP_STEPS = st.lists(
    st.one_of(
        st.tuples(KEYS, VALUES).map(lambda pair: lambda mapping: mapping.__setitem__(*pair)),
        KEYS.map(lambda key: lambda mapping: mapping.get(key)),
        KEYS.map(lambda key: lambda mapping: key in mapping),
        KEYS.map(lambda key: lambda mapping: mapping.__delitem__(key) if key in mapping else None),
        KEYS.map(lambda key: lambda mapping: mapping.pop(key) if key in mapping else None),
    ),
    max_size=8,
)
MAP_ENDS = st.lists(
    st.one_of(
        KEYS.map(delete),
        KEYS.map(lambda key: lambda mapping: mapping[key]),
        KEYS.map(lambda key: lambda mapping: mapping.pop(key)),
    ),
    max_size=2,
)


@MODES
@settings(max_examples=15, deadline=None)
@given(contents=st.dictionaries(KEYS, VALUES), steps=MAP_STEPS, ends=MAP_ENDS)
def test_a_dictionary(integers: bool, contents: dict[int, int], steps: list[Any], ends: list[Any]) -> None:
    at = value_of(contents)

    def same(stand_in: Map, real: dict[int, int]) -> Iterator[Any]:
        for probe in PROBES:
            if probe in real:
                yield stand_in.maps(number(probe), real[probe])
            else:
                yield neg(stand_in.has(number(probe)))

    agree(integers, lambda run: (Map(run, has_of([*contents]), at), dict(contents)), [*steps, *ends], same)


# Arrays.


def words_agree(stand_in: Words, real: Sequence[int]) -> Iterator[Any]:
    yield stand_in.length == len(real)
    for place, word in enumerate(real):
        yield stand_in.at(number(place)) == word


WORD_STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 6), ANY_VALUE).map(lambda pair: lambda words: words.__setitem__(*pair)),
        st.integers(0, 6).map(lambda index: lambda words: words[index]),
    ),
    max_size=6,
)
SLICES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), VALUES), max_size=3)


@MODES
@settings(max_examples=15, deadline=None)
@given(words=st.lists(VALUES, min_size=1, max_size=6), steps=WORD_STEPS)
def test_an_array(integers: bool, words: list[int], steps: list[Any]) -> None:
    agree(integers, lambda run: (Words(run, at_of(words), number(len(words))), array("Q", words)), steps, words_agree)


@MODES
@settings(max_examples=15, deadline=None)
@given(words=st.lists(VALUES, min_size=5, max_size=6), slices=SLICES, steps=WORD_STEPS)
def test_slices_of_an_array(
    integers: bool, words: list[int], slices: list[tuple[int, int, int]], steps: list[Any]
) -> None:
    def fill(one: int, other: int, word: int) -> Callable[[Any], None]:
        start, stop = sorted((one, other))

        def step(container: Any) -> None:
            symbolic = isinstance(container, Words)
            times: Any = number(stop - start) if symbolic else stop - start
            first: Any = number(start) if symbolic else start
            container[first:stop] = array("Q", [word]) * times

        return step

    filled = [fill(*each) for each in slices]
    both = lambda run: (Words(run, at_of(words), number(len(words))), array("Q", words))  # noqa: E731
    agree(integers, both, [*filled, *steps], words_agree)


@MODES
@pytest.mark.parametrize(("start", "stop", "times"), [(0, 2, 3), (3, 2, 0), (4, 6, 2), (-1, 2, 3)])
def test_a_slice_that_would_move_words_is_noticed(integers: bool, start: int, stop: int, times: int) -> None:
    def body(run: Run) -> None:
        words = Words(run, at_of([1] * 5), number(5))

        def code() -> None:
            words[number(start) : number(stop)] = array("Q", [7]) * number(times)

        run.call(code)

    fails_on_some_path(body, integers)


@MODES
@settings(max_examples=15, deadline=None)
@given(words=st.lists(VALUES, min_size=1, max_size=4), word=VALUES, before=st.integers(1, 3), steps=WORD_STEPS)
def test_lists_put_together_and_copied(
    integers: bool, words: list[int], word: int, before: int, steps: list[Any]
) -> None:
    def body(run: Run) -> None:
        original = Words(run, at_of(words), number(len(words)))
        copied = original.copy()
        run.call(copied.__setitem__, 0, 9)
        whole = [word] * before + copied
        for claim in (*words_agree(original, words), *words_agree(whole, [word] * before + [9, *words[1:]])):
            run.assert_goal("it is the same list", claim)

    holds_on_every_path(body, integers)


def compared(word: int, length: int) -> Callable[[Any], bool]:
    return lambda words: bool(words == [word] * length)


FEW = st.lists(st.integers(0, 1), min_size=1, max_size=4)


@MODES
@settings(max_examples=15, deadline=None)
@given(words=FEW, writes=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=2), word=st.integers(0, 1))
def test_a_list_compared_with_one_number_repeated(
    integers: bool, words: list[int], writes: list[tuple[int, int]], word: int
) -> None:
    def both(run: Run) -> tuple[Words, Any]:
        touch_all(run, "index")
        return Words(run, at_of(words), number(len(words))), list(words)

    written = [lambda words, each=each: words.__setitem__(*each) for each in writes if each[0] < len(words)]
    agree(integers, both, [*written, compared(word, len(words))], words_agree)


@MODES
@settings(max_examples=10, deadline=None)
@given(rows=st.lists(FEW.filter(lambda row: len(row) == 3), min_size=2, max_size=2), key=st.integers(0, 1))
def test_where_a_row_differs(integers: bool, rows: list[list[int]], key: int) -> None:
    differs = [(key, place) for place, word in enumerate(rows[key]) if word != 0]
    noted: list[tuple[Run, Any]] = []

    def body(run: Run) -> None:
        touch_all(run, "index")
        tables = Tables(run, has_of([*range(len(rows))]), entry_of(dict(enumerate(rows))), 3)
        same = run.call(lambda: tables[number(key)] == [0] * 3)
        run.assert_goal("the row is compared", same is (not differs))
        run.assert_goal("where it differs is noted once", len(tables.differing) == len(differs[:1]))
        for at in tables.differing:
            run.assert_goal("it differs there", any_of([is_key(at, each) for each in differs]))
            noted.append((run, at))

    holds_on_every_path(body, integers)
    noted.clear()
    explore(SORTS, body, integers)
    for each in differs:
        assert any(possible(run, integers, *run.conditions, truth(is_key(at, each))) for run, at in noted)


# Dictionaries of lists.


def entry_of(contents: dict[int, list[int]]) -> Callable[[Any, Any], Any]:
    return value_of({(key, place): word for key, row in contents.items() for place, word in enumerate(row)})


def made_and_deleted(tables: Any) -> None:
    """What was put in and deleted is noted in order."""
    tables[7] = [1] * 3
    del tables[7]
    assert not isinstance(tables, Tables) or (tables.made[-1], tables.deleted[-1]) == (7, 7)


@MODES
@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=3, max_size=3),
    steps=st.lists(
        st.one_of(
            st.tuples(ROWS, ROWS, VALUES).map(lambda s: lambda tables: tables[s[0]].__setitem__(*s[1:])),
            st.tuples(ROWS, ROWS).map(lambda s: lambda tables: tables[s[0]][s[1]]),
            st.tuples(KEYS, ROWS).map(lambda s: lambda tables: tables.__setitem__(s[0], tables[s[1]].copy())),
            st.tuples(KEYS, VALUES).map(lambda s: lambda tables: tables.__setitem__(s[0], [s[1]] * 3)),
            st.tuples(ROWS, VALUES).map(lambda s: lambda tables: bool(tables[s[0]] == [s[1]] * 3)),
            st.just(made_and_deleted),
        ),
        min_size=1,
        max_size=5,
    ),
    ends=st.one_of(
        st.just([]),  # often, for an error says nothing of what is left
        st.just([]),
        st.lists(
            st.one_of(KEYS.map(delete), st.tuples(KEYS, KEYS).map(lambda s: lambda tables: tables[s[0]][s[1]])),
            max_size=2,
        ),
    ),
)
def test_a_dictionary_of_lists(integers: bool, rows: list[list[int]], steps: list[Any], ends: list[Any]) -> None:
    contents = dict(enumerate(rows))

    def same(stand_in: Tables, real: dict[int, list[int]]) -> Iterator[Any]:
        for probe in PROBES:
            if probe not in real:
                yield neg(stand_in.has(number(probe)))
                continue
            yield stand_in.has(number(probe))
            yield from words_agree(stand_in.at(number(probe)), real[probe])

    def both(run: Run) -> tuple[Tables, Any]:
        touch_all(run, "index")
        real = {key: list(row) for key, row in contents.items()}
        return Tables(run, has_of([*contents]), entry_of(contents), 3), real

    agree(integers, both, [*steps, *ends], same)


MADE: list[Callable[[Run], Unasked]] = [
    lambda run: Words(run, at_of([1]), 1),
    lambda run: Map(run, has_of([1]), value_of({1: 2})),
    lambda run: Sets(run, lambda index, item: False, 1, "item"),
    lambda run: Tables(run, has_of([1]), value_of({(1, 0): 2}), 1),
]


@pytest.mark.parametrize("stand_in", MADE)
def test_whether_it_is_empty_is_refused_where_it_is_not_known(stand_in: Callable[[Run], Unasked]) -> None:
    fails_on_some_path(lambda run: run.call(bool, stand_in(run)), integers=False)


@pytest.mark.parametrize("compare", [lambda one, other: one == other, lambda one, other: one != other])
def test_what_stands_in_for_containers_is_not_compared(compare: Callable[[object, object], object]) -> None:
    """Python would ask whether they are one object, and of real containers it asks what they hold."""

    def kinds(kind: type[object]) -> list[type[object]]:
        return [kind, *(each for inner in kind.__subclasses__() for each in kinds(inner))]

    assert {Set, Sets, Map, Tables, Extents, Bag, ListedNotes} <= {*kinds(Uncompared)}
    for kind in kinds(Uncompared):
        one, other = (object.__new__(kind) for _ in range(2))
        with pytest.raises((TypeError, AssertionError)):
            compare(one, other)


def test_a_slice_keeps_what_was_written_to_it() -> None:
    """What the value becomes later is not written to the array that was given it."""

    def body(run: Run) -> None:
        one, other = (Words(run, run.function(name, "place"), number(4)) for name in ("one", "other"))
        written = other[number(0)]
        one[number(0) : number(4)] = other
        other[number(0)] = number(3)
        run.assert_goal("the word is the one that was written", one[number(0)] == written)

    holds_on_every_path(body, False)
