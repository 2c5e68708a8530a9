"""What stands in for a container behaves as the container: the same operations on both, on every path that there is.

The contents are constants, so the solver can tell on each path what the stand-in knows. On paths that the container can
take, every claim must hold; a path that it does not take must contradict itself; and where the container raises an
error, what the stand-in claims there must fail.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st
from sortedcontainers import SortedSet

from memoracle.proofs import terms
from memoracle.proofs.paths import EndOfRunError, Run, explore
from memoracle.proofs.standins import WORD, Map, Set, Sets, Tables, Words, any_of
from memoracle.proofs.terms import number, truth
from memoracle.proofs.world import HIGHEST, Sort
from memoracle.spec.clauses import neg, when

SORTS = {"item": Sort("item"), "key": Sort("key"), "list": Sort("list")}
KEYS = st.integers(0, 5)
ROWS = st.integers(0, 2)
VALUES = st.one_of(st.integers(0, 3), st.sampled_from([WORD, WORD - 1]))
ANY_VALUE = st.one_of(VALUES, st.sampled_from([WORD + 1, -1]))
PROBES = [*range(7), HIGHEST]
MODES = pytest.mark.parametrize("integers", [False, True])
Body = Callable[[Run], None]


@pytest.fixture(autouse=True)
def bits_again() -> Iterator[None]:
    yield
    terms.integers = False


def possible(run: Run, integers: bool, *formulas: Any) -> bool:
    """Whether formulas can hold together in a run."""
    solver = z3.SolverFor("QF_UFLIA" if integers else "QF_UFBV")
    solver.set("rlimit", 50_000_000)
    solver.add(*run.hypotheses(2), *formulas)
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.sat)


def holds_on_every_path(body: Body, integers: bool) -> None:
    """Every goal of every path holds, and some path can be taken to its end."""
    runs = explore(SORTS, body, integers)
    assert not any(can_fail(run, integers) for run in runs)
    assert any(run.goals and possible(run, integers, *run.conditions) for run in runs)


def can_fail(run: Run, integers: bool) -> bool:
    """Whether some goal of a run can fail."""
    return possible(run, integers, z3.Or([z3.And(*goal.conditions, z3.Not(goal.holds)) for goal in run.goals]))


def fails_on_some_path(body: Body, integers: bool) -> None:
    """What the code must not do is noticed."""
    assert any(can_fail(run, integers) for run in explore(SORTS, body, integers))


def agree(integers: bool, both: Callable[[Run], tuple[Any, Any]], steps: Sequence[Any], same: Any) -> None:
    """Runs the same steps on a stand-in and on what it stands for, and compares what they answer and what is left.

    A step takes a run, a stand-in or a container, and what the container has answered.
    """
    raised = False

    def body(run: Run) -> None:
        nonlocal raised
        stand_in, real = both(run)
        for step in steps:
            try:
                due = step(real)
            except (KeyError, IndexError, OverflowError):
                raised = True
                run.call(step, stand_in)
                raise EndOfRunError from None
            got = run.call(step, stand_in)
            run.claim(f"{due!r} is answered", same_answer(got, due))
        for claim in same(stand_in, real):
            run.claim("what is left is the same", claim)

    runs = explore(SORTS, body, integers)
    if raised:
        assert any(can_fail(run, integers) for run in runs)
    else:
        assert not any(can_fail(run, integers) for run in runs)
        assert any(possible(run, integers, *run.conditions) for run in runs)


def same_answer(got: Any, due: Any) -> Any:
    if due is None or isinstance(due, bool) or got is None:
        return got is due
    return got == due


def has_of(items: Sequence[int]) -> Callable[[Any], Any]:
    """Whether a number is one of these, whatever the number."""
    return lambda item: any_of([number(item) == each for each in items])


def sets_agree(stand_in: Set, real: Any) -> Iterator[Any]:
    for probe in PROBES:
        yield stand_in.has(number(probe)) == (probe in real) if real else neg(stand_in.has(number(probe)))


# Sets.


def first_of(items: Any) -> Any:
    """As the code takes the least item of a sorted set that it found not empty."""
    return items[0] if items else None


def apart(items: Any) -> None:
    """What is done to a copy is not done to the original."""
    copied = items.copy()
    copied.discard(0)
    copied.add(1)


SET_STEPS = st.lists(
    st.one_of(
        KEYS.map(lambda item: lambda items: items.add(item)),
        KEYS.map(lambda item: lambda items: items.discard(item)),
        KEYS.map(lambda item: lambda items: item in items),
        st.just(first_of),
        st.just(lambda items: bool(items)),
        st.just(apart),
    ),
    max_size=4,
)
REMOVAL = st.lists(KEYS.map(lambda item: lambda items: items.remove(item)), max_size=2)


@MODES
@settings(max_examples=30, deadline=None)
@given(items=st.sets(KEYS), steps=SET_STEPS, removals=REMOVAL)
def test_a_set(integers: bool, items: set[int], steps: list[Any], removals: list[Any]) -> None:
    def both(run: Run) -> tuple[Set, Any]:
        touch_all(run, "item")
        return Set(run, has_of(sorted(items)), "item"), SortedSet(items)

    agree(integers, both, [*steps, *removals], sets_agree)


def touch_all(run: Run, *parameters: str) -> None:
    """Clauses given of all items are given of these at least."""
    for parameter in parameters:
        for probe in PROBES:
            run.touch((parameter,), (probe,))


@MODES
@settings(max_examples=20, deadline=None)
@given(items=st.sets(KEYS, min_size=1), again=st.booleans())
def test_any_item_is_popped(integers: bool, items: set[int], again: bool) -> None:
    popped: list[tuple[Run, Any, Set]] = []

    def body(run: Run) -> None:
        popped.clear()
        touch_all(run, "item")
        stand_in = Set(run, has_of(sorted(items)), "item")

        def code() -> Any:
            return stand_in.pop() if stand_in else None

        item = run.call(code)
        if item is None:
            run.claim("a set that has an item is not empty", False)
            raise EndOfRunError
        run.claim("what is popped was in the set", has_of(sorted(items))(item))
        for probe in PROBES:
            left = stand_in.has(number(probe))
            run.claim("all others are left", left == ((item != probe) & (probe in items)))
        popped.append((run, item, stand_in))

    holds_on_every_path(body, integers)
    for run in explore(SORTS, body, integers):
        if popped and popped[-1][0] is run:
            for each in items:
                assert possible(run, integers, *run.conditions, truth(popped[-1][1] == each)), "any item may be popped"


@MODES
def test_an_empty_set_gives_no_item(integers: bool) -> None:
    for take in (lambda items: items.pop(), lambda items: items[0]):
        fails_on_some_path(lambda run, take=take: run.call(take, Set(run, has_of([]), "item")), integers)


@MODES
@pytest.mark.parametrize("item", [-1, HIGHEST + 1])
def test_what_is_no_64_bit_number_is_no_key(integers: bool, item: int) -> None:
    fails_on_some_path(lambda run: run.call(Set(run, has_of([]), "item").add, item), integers)
    empty = has_of([])
    fails_on_some_path(lambda run: run.call(Map(run, empty, number).__setitem__, item, 0), integers)
    fails_on_some_path(lambda run: run.call(Map(run, empty, number, 5).__setitem__, 0, 6), integers)


# Lists of sets.


@MODES
@settings(max_examples=30, deadline=None)
@given(
    contents=st.lists(st.sets(KEYS), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.integers(0, 3), SET_STEPS.filter(bool)), max_size=2),
)
def test_a_list_of_sets(integers: bool, contents: list[set[int]], steps: list[tuple[int, list[Any]]]) -> None:
    def both(run: Run) -> tuple[Sets, Any]:
        touch_all(run, "item")

        def has(index: Any, item: Any) -> Any:
            lists = enumerate(map(sorted, contents))
            return any_of([(number(index) == place) & has_of(each)(item) for place, each in lists])

        return Sets(run, has, number(len(contents)), "item"), [SortedSet(each) for each in contents]

    def same(stand_in: Sets, real: list[Any]) -> Iterator[Any]:
        for place, each in enumerate(real):
            yield from sets_agree(Set(stand_in.run, partial(stand_in.has, number(place)), "item"), each)

    at = [lambda lists, index=index, step=step: step(lists[index]) for index, several in steps for step in several]
    agree(integers, both, at, same)


# Dictionaries.


def delete(key: int) -> Callable[[Any], None]:
    return lambda mapping: mapping.__delitem__(key)


MAP_STEPS = st.lists(
    st.one_of(
        st.tuples(KEYS, VALUES).map(lambda pair: lambda mapping: mapping.__setitem__(*pair)),
        KEYS.map(lambda key: lambda mapping: mapping.get(key)),
        KEYS.map(lambda key: lambda mapping: key in mapping),
        KEYS.map(lambda key: lambda mapping: mapping.__delitem__(key) if key in mapping else None),
    ),
    max_size=8,
)
MAP_ENDS = st.lists(
    st.one_of(KEYS.map(delete), KEYS.map(lambda key: lambda mapping: mapping[key])),
    max_size=2,
)


@MODES
@settings(max_examples=30, deadline=None)
@given(contents=st.dictionaries(KEYS, VALUES), steps=MAP_STEPS, ends=MAP_ENDS)
def test_a_dictionary(integers: bool, contents: dict[int, int], steps: list[Any], ends: list[Any]) -> None:
    def at(key: Any) -> Any:
        value = number(0)
        for each, holds in contents.items():
            value = when(number(key) == each, holds, value)
        return value

    def same(stand_in: Map, real: dict[int, int]) -> Iterator[Any]:
        for probe in PROBES:
            if probe in real:
                yield stand_in.maps(number(probe), real[probe])
            else:
                yield neg(stand_in.has(number(probe)))

    agree(integers, lambda run: (Map(run, has_of([*contents]), at), dict(contents)), [*steps, *ends], same)


# Arrays.


def at_of(words: Sequence[int]) -> Callable[[Any], Any]:
    def at(index: Any) -> Any:
        value = number(0)
        for place, word in enumerate(words):
            value = when(number(index) == place, word, value)
        return value

    return at


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
@settings(max_examples=30, deadline=None)
@given(words=st.lists(VALUES, min_size=1, max_size=6), steps=WORD_STEPS)
def test_an_array(integers: bool, words: list[int], steps: list[Any]) -> None:
    agree(integers, lambda run: (Words(run, at_of(words), number(len(words))), array("Q", words)), steps, words_agree)


@MODES
@settings(max_examples=30, deadline=None)
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
@settings(max_examples=30, deadline=None)
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
            run.claim("it is the same list", claim)

    holds_on_every_path(body, integers)


# Dictionaries of lists.


@MODES
@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=3, max_size=3),
    steps=st.lists(
        st.one_of(
            st.tuples(ROWS, ROWS, VALUES).map(lambda s: lambda tables: tables[s[0]].__setitem__(*s[1:])),
            st.tuples(ROWS, ROWS).map(lambda s: lambda tables: tables[s[0]][s[1]]),
            st.tuples(KEYS, ROWS).map(lambda s: lambda tables: tables.__setitem__(s[0], tables[s[1]].copy())),
        ),
        max_size=5,
    ),
    ends=st.lists(
        st.one_of(KEYS.map(delete), st.tuples(KEYS, KEYS).map(lambda s: lambda tables: tables[s[0]][s[1]])), max_size=2
    ),
)
def test_a_dictionary_of_lists(integers: bool, rows: list[list[int]], steps: list[Any], ends: list[Any]) -> None:
    contents = dict(enumerate(rows))

    def entry(key: Any, index: Any) -> Any:
        value = number(0)
        for each, row in contents.items():
            value = when(number(key) == each, at_of(row)(index), value)
        return value

    def same(stand_in: Tables, real: dict[int, list[int]]) -> Iterator[Any]:
        for probe in PROBES:
            if probe not in real:
                yield neg(stand_in.has(number(probe)))
                continue
            yield stand_in.has(number(probe))
            yield from words_agree(stand_in.at(number(probe)), real[probe])

    def both(run: Run) -> tuple[Tables, Any]:
        return Tables(run, has_of([*contents]), entry, 3), {key: list(row) for key, row in contents.items()}

    agree(integers, both, [*steps, *ends], same)
