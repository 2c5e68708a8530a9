"""Runs with unknown contents: what stands in for their sets of places, and the law's state for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, cast

from memoracle.impl.runs import Runs
from memoracle.proofs.abstraction.objects import places_of
from memoracle.proofs.components.runs.law import FARTHEST, LAW, MOST_PLACES
from memoracle.proofs.components.runs.place_set import next_after_adding, next_after_removing
from memoracle.proofs.components.runs.symbolic_place_set import (
    all_before_the_next_are_in,
    members_lie_among_places,
    the_next_is_not_in,
)
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.symbolic.constructed import constructed
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import runs as law
from memoracle.spec.clauses import Number, Truth, implies, neg

ATTRIBUTES = frozenset({"places", "existing", "changing", "available", "free_places"})
SETS = ("existing", "changing", "available")
MATTERS = (  # of the law's invariants, those that the code relies on
    law.only_existing_places_are_free,
    law.never_free_places_are_not_free,
    law.next_free_is_free,
    law.none_is_free_before_the_next,
)
NOT_KEPT = ("in_use", "next_free", "free_below")  # by the reference


class Members:
    """Stands in for a set of places, as `set.….refines` show it to be: of each place, the next that is not in it.

    parameter: what the places are.
    """

    def __init__(self, run: Run, places: Number, next_out: Function, parameter: str = "place") -> None:
        self.run, self.places, self.next_out, self.parameter = run, places, next_out, parameter
        self.met: list[Number] = []  # places that could not be added, for the set had them

    def has(self, place: Number) -> Truth:
        return (0 <= place) & (place < self.next_out(place))

    def covers(self, first: Number, last: Number) -> Truth:
        return (0 <= first) & (first < last) & (last <= self.next_out(first))

    def add(self, first: Number, last: Number) -> bool:
        if not (0 <= first) & (first < last) & (last <= self.places):
            return False

        def among(place: Number) -> Truth:
            return (first <= place) & (place < last)

        before = self.next_out
        if self.run.fork():
            place = self.run.point(self.parameter)
            self.run.suppose(among(place), place < before(place))
            self.met.append(place)
            return False
        self.run.assume_for_all((self.parameter,), lambda place: implies(among(place), before(place) == place))
        self.next_out = next_after_adding(before, first, last)
        return True

    def remove(self, first: Number, last: Number) -> bool:
        if not self.covers(first, last):
            return False
        self.next_out = next_after_removing(self.next_out, first, last)
        return True

    def find(self, count: Number, alignment: Number, lowest: Number, below: Number) -> Number | None:
        next_out = self.next_out

        def fits(place: Number) -> Truth:
            asked = (1 <= count) & bitmap_law.alignment_is_a_power_of_two(None, alignment)
            limited = law.run_is_aligned(None, alignment, place) & (lowest <= place) & (place + count <= below)
            return asked & limited & (place + count <= next_out(place))

        if self.run.fork():
            found = self.run.point(self.parameter)
            self.run.suppose(fits(found))
            self.run.assume_for_all((self.parameter,), lambda place: implies(fits(place), found <= place))
            return found
        self.run.assume_for_all((self.parameter,), lambda place: neg(fits(place)))
        return None


class SymbolicRuns(Protocol):
    """The reference with stand-ins in the place of its attributes."""

    places: Number
    existing: Members
    changing: Members
    available: Members
    free_places: Number

    def add(self, first: Number, count: Number) -> Truth: ...
    def add_never_free(self, first: Number, count: Number) -> Truth: ...
    def allocate(self, count: Number, alignment: Number, lowest: Number, below: Number) -> Number | None: ...
    def reserve(self, first: Number, count: Number) -> Truth: ...
    def free(self, first: Number, count: Number) -> Truth: ...
    def is_free(self, place: Number) -> Truth: ...
    def exists(self, place: Number) -> Truth: ...
    def count(self) -> Number: ...
    def count_within(self, lowest: Number, below: Number) -> Number: ...


def unknown_code(run: Run) -> tuple[SymbolicRuns, law.Places]:
    """The reference on unknown sets, and the state that it stands for before anything is run."""
    places, count = run.number("places", 1, MOST_PLACES), run.number("count")
    run.touch(("place",), (places,))
    run.touch(("place",), (0,))
    following = {name: run.function(f"next_not_{name}", "place", high=FARTHEST, gives="place") for name in SETS}

    def reference() -> SymbolicRuns:
        sets = {name: Members(run, places, following[name]) for name in SETS}
        return cast("SymbolicRuns", constructed(Runs, places=places, free_places=count, **sets))

    before = reference()
    state = replace(
        places_of(before),
        in_use=run.relation("in_use", "place"),
        next_free=run.function("next_free", "place", high=FARTHEST, gives="place"),
        free_below=run.function("free_below", "place", high=FARTHEST),
    )
    run.assume_all(MATTERS, state)
    for next_out in following.values():
        run.assume_for_all(("place",), lambda place, next_out=next_out: the_next_is_not_in(next_out, place))
        run.assume_for_all(
            ("place",), lambda place, next_out=next_out: members_lie_among_places(next_out, places, place)
        )
    both = ("place", "other")
    run.assume_for_all(both, lambda p, o: all_before_the_next_are_in(following["changing"], p, o))
    run.assume_for_all(("place",), lambda place: changing_places_exist(before, place))
    return reference(), state


def changing_places_exist(runs: SymbolicRuns, place: Number) -> Truth:
    """The places that may be free are some of those that exist."""
    return implies(runs.changing.has(place), runs.existing.has(place))


def is_the_laws(run: Run, runs: SymbolicRuns, state: law.Places) -> None:
    """Claims that the reference stands for this state."""
    law_obligations.same_state(run, LAW, places_of(runs), state, NOT_KEPT)
    run.assert_goal("every attribute is compared", vars(runs).keys() == ATTRIBUTES)
    run.assert_goal("places that may be free exist", changing_places_exist(runs, run.point("place")))
    sets = [getattr(runs, name) for name in SETS]
    run.assert_goal("its sets are three", len({id(each) for each in sets}) == len(SETS))
