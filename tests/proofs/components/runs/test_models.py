"""What stands in for the parts of runs behaves as these do (see `standin_trials.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import (
    KEYS,
    MODES,
    PLACE,
    PROBES,
    SORTS,
    VALUES,
    agree,
    can_fail,
    fails_on_some_path,
    has_of,
    possible,
    touch_all,
    value_of,
)

from memoracle.impl.place_set import PlaceSet
from memoracle.impl.run_index import RunIndex
from memoracle.impl.runs import Runs
from memoracle.impl.zones import Zone
from memoracle.proofs.abstraction.objects import places_of
from memoracle.proofs.components.runs.symbolic_place_set import Index
from memoracle.proofs.components.runs.symbolic_run_index import Maps
from memoracle.proofs.components.runs.symbolic_runs import Members
from memoracle.proofs.components.runs.zones import LawfulRuns, Named
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import EndOfRunError, Run, explore
from memoracle.proofs.symbolic.numbers import number
from memoracle.spec.clauses import neg, when
from memoracle.spec.zones import Zoned

MAP_STEPS = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: lambda mapping: mapping.__setitem__(*pair)),
    KEYS.map(lambda key: lambda mapping: mapping.get(key, 0)),
    KEYS.map(lambda key: lambda mapping: mapping.get(key)),
    KEYS.map(lambda key: lambda mapping: key in mapping),
    KEYS.map(lambda key: lambda mapping: mapping.__delitem__(key)),
)
Contents = list[dict[int, int]]


def maps_of(contents: Contents, run: Run) -> Maps:
    def has(index: Any, key: Any) -> Any:
        return any_of([(number(index) == place) & has_of([*each])(key) for place, each in enumerate(contents)])

    at = value_of({(place, key): value for place, each in enumerate(contents) for key, value in each.items()})
    return Maps(run, has, at, number(len(contents)))


@MODES
@settings(max_examples=20, deadline=None)
@given(
    contents=st.lists(st.dictionaries(KEYS, VALUES, max_size=3), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.integers(0, 3), MAP_STEPS), max_size=5),
)
def test_a_list_of_dictionaries(integers: bool, contents: Contents, steps: list[tuple[int, Any]]) -> None:
    def same(stand_in: Maps, real: Contents) -> Iterator[Any]:
        for place, each in enumerate(real):
            for probe in PROBES:
                has, at = (partial(of, number(place), number(probe)) for of in (stand_in.has, stand_in.at))
                yield has() & (at() == each[probe]) if probe in each else neg(has())

    at = [lambda lists, index=index, step=step: step(lists[index]) for index, step in steps]
    agree(integers, lambda run: (maps_of(contents, run), [dict(each) for each in contents]), at, same)


@MODES
def test_no_other_dictionary_is_looked_at(integers: bool) -> None:
    fails_on_some_path(lambda run: run.call(lambda: maps_of([{1: 2}], run)[1].get(1, 0)), integers)


# An index of runs


PLACES = 6
WHOLE = st.lists(st.integers(0, 3), min_size=PLACES, max_size=PLACES)  # the length of the run at each place


def index_of(lengths: list[int]) -> RunIndex:
    index = RunIndex(PLACES)
    for place, length in enumerate(lengths):
        index.put(place, length)
    return index


INDEX_STEPS = st.one_of(
    st.tuples(st.integers(-1, 6), st.integers(-1, 6)).map(lambda pair: lambda index: bool(index.put(*pair))),
    st.tuples(st.integers(-1, 4), st.integers(-1, 6)).map(lambda pair: lambda index: index.first(*pair)),
    st.integers(-1, 6).map(lambda place: lambda index: index.last(place)),
    st.integers(0, 6).map(lambda place: lambda index: index.length(place)),
    st.just(lambda index: index.most()),
)


@MODES
@settings(max_examples=20, deadline=None)
@given(lengths=WHOLE, steps=st.lists(INDEX_STEPS, max_size=4))
def test_an_index_of_runs(integers: bool, lengths: list[int], steps: list[Any]) -> None:
    real = index_of(lengths)
    noted = [real.length(place) for place in range(PLACES)]

    def both(run: Run) -> tuple[Index, RunIndex]:
        touch_all(run, "place")
        return Index(run, number(PLACES), value_of(dict(enumerate(noted)))), index_of(lengths)

    def same(stand_in: Index, real: RunIndex) -> Iterator[Any]:
        for place in range(PLACES):
            yield stand_in.at(number(place)) == real.length(place)

    agree(integers, both, steps, same)


# A set of places


def set_of(items: set[int]) -> PlaceSet:
    places = PlaceSet(PLACES)
    for item in items:
        places.add(item, item + 1)
    return places


def next_out(places: PlaceSet, place: int) -> int:
    return next(each for each in range(place, PLACES + 2) if not places.covers(each, each + 1))


FROM_TO = st.tuples(st.integers(-1, 6), st.integers(-1, 7))
SET_STEPS = st.one_of(
    FROM_TO.map(lambda pair: lambda places: bool(places.add(*pair))),
    FROM_TO.map(lambda pair: lambda places: bool(places.remove(*pair))),
    FROM_TO.map(lambda pair: lambda places: bool(places.covers(*pair))),
    st.tuples(st.integers(0, 3), st.just(1), st.integers(-1, 4), st.integers(2, 7)).map(
        lambda asked: lambda places: places.find(*asked)
    ),
)


@MODES
@settings(max_examples=20, deadline=None)
@given(items=st.sets(st.integers(0, PLACES - 1)), steps=st.lists(SET_STEPS, max_size=3))
def test_a_set_of_places(integers: bool, items: set[int], steps: list[Any]) -> None:
    following = {place: next_out(set_of(items), place) for place in range(PLACES + 1)}

    def both(run: Run) -> tuple[Members, PlaceSet]:
        touch_all(run, "place")
        at = value_of(following)
        later = lambda place: when(number(place) > PLACES, number(place), at(place))  # noqa: E731
        return Members(run, number(PLACES), later), set_of(items)

    def same(stand_in: Members, real: PlaceSet) -> Iterator[Any]:
        for place in range(PLACES):
            yield stand_in.has(number(place)) == real.covers(place, place + 1)

    agree(integers, both, steps, same)


# Runs, and the zones of a request


def runs_with(free: set[int]) -> Runs:
    runs = Runs(PLACES)
    runs.add(0, PLACES)
    for place in set(range(PLACES)) - free:
        runs.reserve(place, 1)
    return runs


def zoned(runs: Runs) -> Zoned:
    """The law's state for them, read at terms, too; no zone is named."""
    state = places_of(runs)
    truths = {
        name: has_of([place for place in range(PLACES) if getattr(state, name)(place)])
        for name in ("exists", "never_free", "is_free", "in_use")
    }
    numbers = {
        name: value_of({place: getattr(state, name)(place) for place in range(PLACES + 1)})
        for name in ("next_free", "next_taken", "free_below")
    }
    return Zoned(reach=PLACES, count=state.count, is_named=lambda start, end: False, **truths, **numbers)


ASKED = st.tuples(st.integers(0, 3), st.sampled_from([1, 2, 3, 4]), st.integers(-1, 4), st.integers(2, 7))


@MODES
@settings(max_examples=20, deadline=None)
@given(free=st.sets(st.integers(0, PLACES - 1)), asked=ASKED)
def test_runs_that_do_what_their_law_says(integers: bool, free: set[int], asked: tuple[int, int, int, int]) -> None:
    def both(run: Run) -> tuple[LawfulRuns, Runs]:
        touch_all(run, "place")
        return LawfulRuns(run, zoned(runs_with(free))), runs_with(free)

    def same(stand_in: LawfulRuns, real: Runs) -> Iterator[Any]:
        for place in range(PLACES):
            yield stand_in.state.is_free(number(place)) == real.is_free(place)

    agree(integers, both, [lambda runs: runs.allocate(*asked)], same)


@settings(max_examples=15, deadline=None)
@given(zones=st.lists(st.builds(Zone, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=2))
def test_going_through_zones_comes_upon_all_that_are_named(zones: list[Zone]) -> None:
    def among(some: list[Zone], start: Any, end: Any) -> Any:
        return any_of([(start == each.start) & (end == each.end) for each in some])

    def body(run: Run) -> None:
        for start, end in zones:
            run.touch(("start", "end"), (number(start), number(end)))
        named, found = Named(run, lambda start, end: among(zones, number(start), number(end))), list[Zone]()

        def go_through() -> None:
            for zone in named:
                found.append(zone)
                named.advance()
                if len(found) > len(zones):
                    raise EndOfRunError

        run.call(go_through)
        for zone in zones:
            run.assert_goal("each is come upon", among(found, number(zone.start), number(zone.end)))
        for zone in found:
            run.assert_goal("each is named", among(zones, zone.start, zone.end))

    runs = explore(SORTS | dict.fromkeys(("start", "end"), PLACE), body, True)
    assert not any(can_fail(run, True) for run in runs)
    assert any(run.goals and possible(run, True, *run.conditions) for run in runs)
