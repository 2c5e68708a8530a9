"""What stands in for sets and lists of sets, held against these by random steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sortedcontainers import SortedSet
from standin_trials import (
    KEYS,
    MODES,
    PROBES,
    SORTS,
    agree,
    fails_on_some_path,
    has_of,
    holds_on_every_path,
    possible,
    sets_agree,
    touch_all,
)

from memoracle.proofs.symbolic.containers import Map, Set, Sets, any_of
from memoracle.proofs.symbolic.execution import EndOfRunError, Run, explore
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.numbers import number, truth
from memoracle.spec.clauses import neg

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
@settings(max_examples=15, deadline=None)
@given(items=st.sets(KEYS), steps=SET_STEPS, removals=REMOVAL)
def test_a_set(integers: bool, items: set[int], steps: list[Any], removals: list[Any]) -> None:
    def both(run: Run) -> tuple[Set, Any]:
        touch_all(run, "item")
        return Set(run, has_of(sorted(items)), "item"), SortedSet(items)

    agree(integers, both, [*steps, *removals], sets_agree)


def first_in_turn(items: Any) -> Any:
    """As the code takes some item of a set."""
    return next(iter(items))


@MODES
@pytest.mark.parametrize("take", [lambda items: items.pop(), first_in_turn])
@settings(max_examples=10, deadline=None)
@given(items=st.sets(KEYS, min_size=1))
def test_any_item_is_taken(integers: bool, take: Callable[[Any], Any], items: set[int]) -> None:
    taken: list[tuple[Run, Any]] = []

    def body(run: Run) -> None:
        touch_all(run, "item")
        stand_in, real = Set(run, has_of(sorted(items)), "item"), items.copy()
        take(real)
        item = run.call(lambda: take(stand_in) if stand_in else None)
        if item is None:
            run.assert_goal("a set that has an item is not empty", False)
            raise EndOfRunError
        run.assert_goal("what is taken was in the set", has_of(sorted(items))(item))
        for probe in PROBES:
            goes = (item == probe) & (len(real) < len(items))
            run.assert_goal("the same are left", stand_in.has(number(probe)) == (neg(goes) & (probe in items)))
        taken.append((run, item))

    holds_on_every_path(body, integers)
    taken.clear()
    explore(SORTS, body, integers)
    for each in items:
        assert any(possible(run, integers, *run.conditions, truth(item == each)) for run, item in taken)


@MODES
def test_an_empty_set_gives_no_item(integers: bool) -> None:
    for take in (lambda items: items.pop(), lambda items: items[0], first_in_turn):
        fails_on_some_path(lambda run, take=take: run.call(take, Set(run, has_of([]), "item")), integers)


@MODES
def test_no_second_item_is_looked_at(integers: bool) -> None:
    def all_of(items: Any) -> list[Any]:
        return [*items] if items else []

    fails_on_some_path(lambda run: run.call(all_of, Set(run, has_of([3]), "item")), integers)


@MODES
@pytest.mark.parametrize("item", [-1, HIGHEST + 1])
def test_what_is_no_64_bit_number_is_no_key(integers: bool, item: int) -> None:
    fails_on_some_path(lambda run: run.call(Set(run, has_of([]), "item").add, item), integers)
    empty = has_of([])
    fails_on_some_path(lambda run: run.call(Map(run, empty, number).__setitem__, item, 0), integers)
    fails_on_some_path(lambda run: run.call(Map(run, empty, number, 5).__setitem__, 0, 6), integers)


# Lists of sets.


@MODES
@settings(max_examples=15, deadline=None)
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
