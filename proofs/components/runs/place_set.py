"""Proofs of the code of `impl/place_set.py`: its runs are those of the set, merged as far as can be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from memoracle.impl import place_set as code
from memoracle.impl.place_set import PlaceSet
from memoracle.proofs.components.runs.law import FARTHEST, MOST_PLACES, proved
from memoracle.proofs.components.runs.symbolic_place_set import (
    ATTRIBUTES,
    Contents,
    SymbolicPlaceSet,
    all_before_the_next_are_in,
    contents,
    is_the_set,
    look_at,
    members_lie_among_places,
    the_next_is_not_in,
    unknown_set,
    untouched,
)
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.values import Function, Property
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import runs as law
from memoracle.spec.clauses import Number, Truth, at_least, implies, neg, when


def next_after_adding(next_out: Function, first: Number, last: Number) -> Function:
    """Of each place, the next that is not in the set once these are, none of which was."""
    return lambda place: when(law.among(first, last - first, next_out(place)), next_out(last), next_out(place))


def next_after_removing(next_out: Function, first: Number, last: Number) -> Function:
    """Of each place, the next that is not in the set once these are not, all of which were."""
    return lambda place: when((place < last) & (first <= next_out(place)), at_least(place, first), next_out(place))


def added(due: Contents, first: Number, last: Number) -> Contents:
    """The set with places added to it, none of which it had."""
    start = when((1 <= first) & due.has(first - 1), due.start_of(first - 1), first)

    def in_run(place: Number) -> Truth:
        return (start <= place) & (place < due.next_out(last))

    return Contents(
        next_after_adding(due.next_out, first, last), lambda place: when(in_run(place), start, due.start_of(place))
    )


def removed(due: Contents, first: Number, last: Number) -> Contents:
    """The set without places, all of which it had."""

    def behind(place: Number) -> Truth:
        return (last <= place) & (place < due.next_out(first))

    return Contents(
        next_after_removing(due.next_out, first, last), lambda place: when(behind(place), last, due.start_of(place))
    )


@proved("set.add.refines", "refinement", "places are added that were not in the set, and merge with their neighbours")
def add_refines(run: Run) -> None:
    found, due = unknown_set(run)
    first, last, before = run.any_number("place"), run.any_number("place"), contents(found)
    place, other = run.point("place"), run.point("place")
    look_at(due, first - 1, last, place, other)
    lie = (0 <= first) & (first < last) & (last <= found.places)

    def meets(place: Number) -> Truth:
        return (first <= place) & (place < last) & due.has(place)

    if run.answers(found.add, first, last):
        run.assert_goal("it succeeds only if they lie among all places", lie)
        run.assert_goal("it succeeds only if none is in the set", neg(meets(place)))
        is_the_set(run, found, before, added(due, first, last), place, other)
        return
    met = at_least(found.runs.found[-1], first) if found.runs.found else first
    run.assert_goal("it fails only if one is in the set, or they do not lie among all", neg(lie) | meets(met))
    untouched(run, found, before)


@proved(
    "set.remove.refines", "refinement", "places are removed that were all in the set, and leave what lies beside them"
)
def remove_refines(run: Run) -> None:
    found, due = unknown_set(run)
    first, last, before = run.any_number("place"), run.any_number("place"), contents(found)
    place, other = run.point("place"), run.point("place")
    look_at(due, first, last, place, other)
    may = (0 <= first) & (first < last) & (last <= due.next_out(first))
    if run.answers(found.remove, first, last):
        run.assert_goal("it succeeds only if there are such places, and all are in the set", may)
        is_the_set(run, found, before, removed(due, first, last), place, other)
        return
    run.assert_goal("it fails only if one is not in the set, or there are none", neg(may))
    untouched(run, found, before)


@proved(
    "set.asked.refines", "refinement", "what the code answers when asked is so, of any numbers, and changes nothing"
)
def asked_refines(run: Run) -> None:
    found, due = unknown_set(run)
    first, last, before = run.any_number("place"), run.any_number("place"), contents(found)
    place = run.point("place")
    look_at(due, first, place)
    covers = run.answers(found.covers, first, last)
    may = (0 <= first) & (first < last) & (last <= due.next_out(first))
    run.assert_goal("whether all of them are in the set", may if covers else neg(may))
    following = run.call(found.next_out, first)
    run.assert_goal("the next that is not in the set", following == when(first < 0, first, due.next_out(first)))
    most = run.call(found.most)
    run.assert_goal("no run is longer than the longest", due.next_out(place) - place <= most)
    longest = found.runs.longest  # where it begins, if there is one
    run.assert_goal("there is a run as long", most == (0 if longest is None else due.next_out(longest) - longest))
    untouched(run, found, before)


@proved("set.contents.refines", "refinement", "of each place that is in a set, the next that is not is not")
def contents_refine(run: Run) -> None:
    found, due = unknown_set(run)
    place, other = run.point("place"), run.point("place")
    look_at(due, place, other, due.next_out(place))
    run.assert_goal("the next that is not in it is not in it", the_next_is_not_in(due.next_out, place))
    run.assert_goal("it lies among all places", members_lie_among_places(due.next_out, found.places, place))
    run.assert_goal("all before it are", all_before_the_next_are_in(due.next_out, place, other))


def alignments(run: Run, alignment: Number) -> Function:
    """The lowest multiple of a power of two that is no lower than a place: see `bitmap.aligned-up.refines`."""
    lowest = run.function("aligned", "place", high=FARTHEST, gives="place")
    is_power = bitmap_law.alignment_is_a_power_of_two(None, alignment)  # of other numbers nothing was shown

    def is_found(place: Number) -> Truth:
        found = (place <= lowest(place)) & law.run_is_aligned(None, alignment, lowest(place))
        return implies(is_power & (place <= 2 * HIGHEST), found)

    def none_lies_between(place: Number, other: Number) -> Truth:
        lies_behind = (place <= other) & law.run_is_aligned(None, alignment, other)
        shown = is_power & (place <= 2 * HIGHEST) & (other <= 2 * HIGHEST)
        return implies(shown & lies_behind, lowest(place) <= other)

    run.assume_for_all(("place",), is_found)
    run.assume_for_all(("place", "other"), none_lies_between)

    def stand_in(place: Number, given: Number) -> Number:
        with run.reading_law():
            run.assert_goal("what is asked for is a power of two", is_power)
            run.assert_goal("it is the alignment that was asked for", given == alignment)
            run.assert_goal("a number is asked about that it was shown of", (0 <= place) & (place <= 2 * HIGHEST))
        return lowest(place)

    run.replace(code, "aligned_up", stand_in)
    return lowest


class Trying:
    """The loop that tries one run after another: no run before the one at hand holds places as asked for."""

    def __init__(
        self, found: SymbolicPlaceSet, due: Contents, count: Number, lowest: Number, would_do: Property
    ) -> None:
        self.found, self.due, self.count, self.lowest, self.would_do = found, due, count, lowest, would_do

    def is_one(self, at_hand: Number) -> Truth:
        return (self.lowest <= at_hand) & (self.count <= self.found.runs.at(at_hand))

    def passed(self, at_hand: Number | None, each: Number) -> Truth:
        none_before: Truth = (
            neg(self.would_do(each)) if at_hand is None else implies(self.would_do(each), at_hand <= each)
        )
        return none_before

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        return self.on_back_edge(run, arguments[0])

    def havoc(self, run: Run) -> Number | None:
        at_hand = run.point("place") if run.fork() else None
        if at_hand is not None:
            run.suppose(self.is_one(at_hand))
        run.assume_for_all(("place",), lambda each: self.passed(at_hand, each))
        return at_hand

    def on_back_edge(self, run: Run, result: Number | None) -> Measure:
        places = self.found.places
        return Rises(places if result is None else result, places)

    def look_at(self, place: Number) -> None:
        look_at(self.due, place)

    def witnesses(self, result: Number | None) -> list[object]:
        return [False] if result is None else [True, result]


@proved(
    "set.find.refines",
    "refinement",
    "the lowest places that fit are found, aligned and within limits, if there are any",
)
def find_refines(run: Run) -> None:
    found, due = unknown_set(run)
    count, alignment = run.any_number("count"), run.any_number("alignment")
    lowest, below, before = run.any_number("lowest"), run.any_number("below"), contents(found)
    other, lowest_aligned = run.point("place"), alignments(run, alignment)
    from_here = at_least(lowest, 0)
    run.touch(("place",), (from_here,))
    look_at(due, other, lowest_aligned(from_here))

    def would_do(place: Number) -> Truth:
        aligned_there = law.run_is_aligned(None, alignment, place) & (from_here <= place)
        return aligned_there & (1 <= count) & (place + count <= due.next_out(place))

    cut(run, found, "_next", lambda at_hand, count: Trying(found, due, count, from_here, would_do))
    place = run.call(found.find, count, alignment, lowest, below)

    def may(place: Number) -> Truth:
        return bitmap_law.alignment_is_a_power_of_two(None, alignment) & would_do(place) & (place + count <= below)

    if place is None:
        run.assert_goal("it fails only if there are none", neg(may(other)))
    else:
        run.assert_goal("they are aligned, within limits, and in the set", may(place))
        run.assert_goal("there are no lower ones", implies(may(other), place <= other))
    del vars(found)["_next"]
    untouched(run, found, before)


@proved("set.start.refines", "refinement", "a new set is empty, and has an index of its own")
def start_refines(run: Run) -> None:
    places = [run.fresh("places", 1, MOST_PLACES)] * 2
    made: list[object] = []

    def index(asked: Number) -> object:
        made.append(asked)
        return SimpleNamespace(places=asked)

    run.replace(code, "RunIndex", index)
    both: list[Any] = [run.call(PlaceSet, each) for each in places]
    for found, asked in zip(both, places, strict=True):
        run.assert_goal("it has the attributes that proofs compare", vars(found).keys() == ATTRIBUTES)
        run.assert_goal("it has as many places as asked for", found.places is asked and found.runs.places is asked)
    run.assert_goal("each has an index of its own", len(made) == 2 and both[0].runs is not both[1].runs)


CODE = (
    add_refines,
    remove_refines,
    asked_refines,
    contents_refine,
    find_refines,
    start_refines,
)
