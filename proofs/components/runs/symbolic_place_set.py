"""A set of places with unknown contents: what stands in for its index of runs, and what must be so of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from memoracle.impl.place_set import PlaceSet
from memoracle.proofs.components.runs.law import FARTHEST, MOST_PLACES
from memoracle.proofs.components.runs.symbolic_run_index import may_be_asked
from memoracle.proofs.symbolic.constructed import constructed
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function
from memoracle.spec.clauses import Number, Truth, implies, when

ATTRIBUTES = frozenset({"places", "runs"})  # all of which `is_the_set` and `untouched` compare


class Index:
    """Stands in for an index of runs, as `index.….refines` show it to be: how long a run begins at each place."""

    def __init__(self, run: Run, places: Number, at: Function) -> None:
        self.run, self.places, self.at = run, places, at
        self.found: list[Number] = []  # what searches found
        self.longest: Number | None = None  # where the longest run begins, once it was asked for

    def _are_asked(self, *numbers: Number) -> None:
        for each in numbers:
            self.run.assert_goal("the index is asked about a number that it was shown of", may_be_asked(each))

    def length(self, place: Number) -> Number:
        self._are_asked(place)
        return self.at(place)

    def put(self, place: Number, length: Number) -> bool:
        self._are_asked(place, length)
        if not (0 <= place) & (place < self.places) & (0 <= length) & (length <= self.places - place):
            return False
        before = self.at
        self.at = lambda other: when(other == place, length, before(other))
        return True

    def first(self, least: Number, place: Number) -> Number | None:
        self._are_asked(least, place)
        at, least = self.at, when(least < 1, 1, least)
        return self._found(lambda other: (place <= other) & (least <= at(other)), lambda one, other: one <= other)

    def last(self, place: Number) -> Number | None:
        self._are_asked(place)
        at = self.at
        return self._found(lambda other: (other <= place) & (1 <= at(other)), lambda one, other: other <= one)

    def most(self) -> Number:
        at, most = self.at, self.run.fresh("most", 0, MOST_PLACES)
        if self.run.fork():
            self.longest = self.run.point("place")
            self.run.suppose(at(self.longest) == most, 1 <= most)
        else:
            self.run.suppose(most == 0)
        self.run.assume_for_all(("place",), lambda other: at(other) <= most)
        return most

    def _found(self, is_one: Callable[[Number], Truth], is_before: Callable[[Number, Number], Truth]) -> Number | None:
        """The one of these places that is before all others; None if there is none."""
        if self.run.fork():
            found = self.run.point("place")
            self.run.suppose(is_one(found), found < self.places)
            self.run.assume_for_all(("place",), lambda other: implies(is_one(other), is_before(found, other)))
            self.found.append(found)
            return found
        self.run.assume_for_all(("place",), lambda other: implies(is_one(other), False))
        return None


class SymbolicPlaceSet(Protocol):
    """The reference with a stand-in in the place of its index."""

    places: Number
    runs: Index

    def covers(self, first: Number, last: Number) -> Truth: ...
    def add(self, first: Number, last: Number) -> Truth: ...
    def remove(self, first: Number, last: Number) -> Truth: ...
    def find(self, count: Number, alignment: Number, lowest: Number, below: Number) -> Number | None: ...
    def next_out(self, place: Number) -> Number: ...
    def most(self) -> Number: ...


@dataclass(frozen=True)
class Contents:
    """Which places are in a set: those with a later one that is the next that is not.

    start_of: of a place that is in it, where its run begins.
    """

    next_out: Function
    start_of: Function

    def has(self, place: Number) -> Truth:
        return place < self.next_out(place)


def look_at(due: Contents, *places: Number) -> None:
    """Reads of which runs these places are, so that what is given of places is given of where these begin and end."""
    for place in places:
        due.start_of(place)
        due.next_out(place)


def runs_lie_among_places(places: Number, at: Function, place: Number) -> Truth:
    """A run that is noted ends where the places end at the latest."""
    return implies(1 <= at(place), place + at(place) <= places)


def runs_are_apart(at: Function, place: Number, other: Number) -> Truth:
    """Between two runs that are noted lies a place."""
    return implies((1 <= at(place)) & (1 <= at(other)) & (place < other), place + at(place) < other)


def places_of_runs_are_in(at: Function, due: Contents, place: Number, other: Number) -> Truth:
    """Each place of a run that is noted is in the set, up to where the run ends."""
    end = place + at(place)
    return implies((place <= other) & (other < end), due.next_out(other) == end)


def places_have_runs(at: Function, due: Contents, place: Number) -> Truth:
    """Each place that is in the set is one of a run that is noted."""
    start = due.start_of(place)
    noted = (start <= place) & (1 <= at(start)) & (start + at(start) == due.next_out(place))
    return (place <= due.next_out(place)) & implies(due.has(place), noted)


def the_next_is_not_in(next_out: Function, place: Number) -> Truth:
    """The next place that is not in a set is not in it, whatever the place."""
    there = next_out(place)
    return (place <= there) & (next_out(there) == there)


def members_lie_among_places(next_out: Function, places: Number, place: Number) -> Truth:
    """No place past the last is in a set."""
    return implies(place < next_out(place), next_out(place) <= places)


def all_before_the_next_are_in(next_out: Function, place: Number, other: Number) -> Truth:
    """Every place before it is in the set."""
    return implies((place <= other) & (other < next_out(place)), other < next_out(other))


def unknown_set(run: Run) -> tuple[SymbolicPlaceSet, Contents]:
    """Any set of any number of places, and what is in it."""
    places, at = run.number("places", 1, MOST_PLACES), run.function("length", "place", high=MOST_PLACES)
    due = Contents(
        run.function("next_out", "place", high=FARTHEST, gives="place"),
        run.function("start_of", "place", gives="place"),
    )
    run.assume_for_all(("place",), lambda place: runs_lie_among_places(places, at, place))
    run.assume_for_all(("place", "other"), lambda place, other: runs_are_apart(at, place, other))
    run.assume_for_all(("place", "other"), lambda place, other: places_of_runs_are_in(at, due, place, other))
    run.assume_for_all(("place",), lambda place: places_have_runs(at, due, place))
    return cast("SymbolicPlaceSet", constructed(PlaceSet, places=places, runs=Index(run, places, at))), due


def contents(found: SymbolicPlaceSet) -> tuple[object, ...]:
    """What each attribute has: who writes to the index puts other contents in the place of these."""
    return found.places, found.runs, found.runs.at


def untouched(run: Run, found: SymbolicPlaceSet, before: tuple[object, ...]) -> None:
    """Claims that the object is what it was."""
    same = all(now is was for now, was in zip(contents(found), before, strict=True))
    run.assert_goal("nothing changes", same and vars(found).keys() == ATTRIBUTES)


def is_the_set(
    run: Run, found: SymbolicPlaceSet, before: tuple[object, ...], due: Contents, place: Number, other: Number
) -> None:
    """Claims that the object is a set of just these places; place, other: any two, of which it is claimed."""
    at = found.runs.at
    kept = found.places is before[0] and found.runs is before[1] and vars(found).keys() == ATTRIBUTES
    run.assert_goal("it has the places and the index that it had", kept)
    run.assert_goal("each run lies among the places", runs_lie_among_places(found.places, at, place))
    run.assert_goal("no run touches another", runs_are_apart(at, place, other))
    run.assert_goal("each run is of places that are in it", places_of_runs_are_in(at, due, place, other))
    run.assert_goal("each place that is in it has a run", places_have_runs(at, due, place))
