"""Proofs of the code of `impl/run_index.py`: what was noted is found, the lowest or the highest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from memoracle.impl.run_index import RunIndex
from memoracle.proofs.components.runs.law import MOST_PLACES
from memoracle.proofs.components.runs.symbolic_run_index import (
    ATTRIBUTES,
    DEEPEST,
    SymbolicRunIndex,
    any_asked,
    as_it_is,
    blocks_are_halved,
    blocks_count_from_zero,
    blocks_know_the_longest,
    contents,
    known,
    lowest_blocks_are_places,
    no_run_is_empty,
    parts_know_no_longer,
    parts_stay_together,
    proved,
    runs_lie_among_the_places,
    the_highest_block_has_all,
    unknown_index,
    untouched,
)
from memoracle.proofs.symbolic.constructed import constructed
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec.clauses import Number, Truth, at_least, at_most, implies, neg, when

Place = tuple[Number, Number]  # in the tree: a level, and a block of it


@dataclass
class Search:
    """What both loops of a search for the lowest run know: of what lies before the block, all was searched."""

    index: SymbolicRunIndex
    least: Number
    place: Number  # where the search begins

    def searched(self, level: Number, block: Number, each: Number) -> Truth:
        before = (self.place <= each) & (each >> level < block)
        return implies(before, known(self.index.longest, 0, each) < self.least)

    def begins_behind(self, level: Number, block: Number) -> Truth:
        """Whether the block has no place before that where the search begins."""
        return (0 <= block) & implies(1 <= self.place, at_least(self.place - 1, 0) >> level < block)

    def claim(self, run: Run, level: Number, block: Number) -> None:
        run.assert_goal("the level is one of the tree", (0 <= level) & (level <= self.index.depth))
        run.assert_goal("the block has no place before the search begins", self.begins_behind(level, block))
        run.assert_goal("no run was passed that would do", self.searched(level, block, run.point("place")))

    def havoc(self, run: Run) -> Place:
        level, block = run.point("level"), run.point("block")
        run.suppose(level <= self.index.depth, self.begins_behind(level, block))
        run.assume_for_all(("place",), lambda each: self.searched(level, block, each))
        return level, block


class Rising(Search):
    """The loop that looks at larger and larger blocks, until one has a run that would do."""

    def on_entry(self, run: Run, arguments: Place) -> Measure:
        return self.on_back_edge(run, arguments)

    def on_back_edge(self, run: Run, result: Place) -> Measure:
        self.claim(run, *result)
        return Rises(result[0], self.index.depth)


class Falling(Search):
    """The loop that looks at smaller and smaller blocks, each of which has a run that would do."""

    def has_one(self, level: Number, block: Number) -> Truth:
        return known(self.index.longest, level, block) >= self.least

    def on_entry(self, run: Run, arguments: tuple[Number, Number, Number]) -> Measure:
        return self.on_back_edge(run, arguments[:2])

    def havoc(self, run: Run) -> Place:
        level, block = super().havoc(run)
        run.suppose(self.has_one(level, block))
        return level, block

    def on_back_edge(self, run: Run, result: Place) -> Measure:
        self.claim(run, *result)
        run.assert_goal("the block has a run that would do", self.has_one(*result))
        return result[0]


@proved("index.first.refines", "refinement", "the lowest run that is long enough is found, from any place on")
def first_refines(run: Run) -> None:
    index, before = of_any_runs(run)
    least, place = any_asked(run, "length"), any_asked(run, "place")
    due = at_least(least, 1), at_least(place, 0)
    run.touch(("place",), (at_least(due[1] - 1, 0),))
    cut(run, index, "_rightwards", lambda level, block: Rising(index, *due))
    cut(run, index, "_lower_half", lambda level, block, least: Falling(index, *due))
    found, other = run.call(index.first, least, place), run.point("place")
    would_do = (due[1] <= other) & (known(index.longest, 0, other) >= due[0])
    if found is None:
        run.assert_goal("it fails only if there is none", neg(would_do))
    else:
        run.assert_goal("a run begins there that is long enough", known(index.longest, 0, found) >= due[0])
        run.assert_goal("it is no lower than asked for", due[1] <= found)
        run.assert_goal("it is the lowest", implies(would_do, found <= other))
    untouched(run, without_steps(index, "_rightwards", "_lower_half"), before)


@dataclass
class SearchDown:
    """What both loops of a search for the highest run know: of what lies behind the block, all was searched."""

    index: SymbolicRunIndex
    place: Number  # where the search begins

    def searched(self, level: Number, block: Number, each: Number) -> Truth:
        behind = (each <= self.place) & (block < each >> level)
        return implies(behind, neg(self.index.longest.has(0, each)))

    def ends_before(self, level: Number, block: Number) -> Truth:
        """Whether the block has no place behind that where the search begins."""
        return block < self.place + 1 >> level

    def claim(self, run: Run, level: Number, block: Number) -> None:
        run.assert_goal("the level is one of the tree", (0 <= level) & (level <= self.index.depth))
        run.assert_goal("there is such a block", 0 <= block)
        run.assert_goal("the block has no place behind the search", self.ends_before(level, block))
        run.assert_goal("no run was passed", self.searched(level, block, run.point("place")))

    def havoc(self, run: Run) -> Place:
        level, block = run.point("level"), run.point("block")
        run.suppose(level <= self.index.depth, self.ends_before(level, block))
        run.assume_for_all(("place",), lambda each: self.searched(level, block, each))
        return level, block


class RisingDown(SearchDown):
    """The loop that looks at larger and larger blocks, until a run begins in one."""

    def on_entry(self, run: Run, arguments: Place) -> Measure:
        return self.on_back_edge(run, arguments)

    def on_back_edge(self, run: Run, result: Place) -> Measure:
        self.claim(run, *result)
        return Rises(result[0], self.index.depth)


class FallingDown(SearchDown):
    """The loop that looks at smaller and smaller blocks, in each of which a run begins."""

    def on_entry(self, run: Run, arguments: Place) -> Measure:
        return self.on_back_edge(run, arguments)

    def havoc(self, run: Run) -> Place:
        level, block = super().havoc(run)
        run.suppose(self.index.longest.has(level, block))
        return level, block

    def on_back_edge(self, run: Run, result: Place) -> Measure:
        self.claim(run, *result)
        run.assert_goal("a run begins in the block", self.index.longest.has(*result))
        return result[0]


@proved("index.last.refines", "refinement", "the highest place at which a run begins is found, up to any place")
def last_refines(run: Run) -> None:
    index, before = of_any_runs(run)
    place = any_asked(run, "place")
    due = at_most(place, index.places - 1)
    run.touch(("place",), (due + 1,))
    cut(run, index, "_leftwards", lambda level, block: RisingDown(index, due))
    cut(run, index, "_upper_half", lambda level, block: FallingDown(index, due))
    found, other = run.call(index.last, place), run.point("place")
    begins = (other <= place) & index.longest.has(0, other)
    if found is None:
        run.assert_goal("it fails only if there is none", neg(begins))
    else:
        run.assert_goal("a run begins there", index.longest.has(0, found))
        run.assert_goal("it is no higher than asked for", found <= place)
        run.assert_goal("it is the highest", implies(begins, other <= found))
    untouched(run, without_steps(index, "_leftwards", "_upper_half"), before)


@proved("index.asked.refines", "refinement", "the length of the run at a place is answered, and nothing changes")
def asked_refines(run: Run) -> None:
    index, before = of_any_runs(run)
    place = any_asked(run, "place")
    length = run.call(index.length, place)
    run.assert_goal("it is the run's that begins there", length == known(index.longest, 0, place))
    untouched(run, index, before)


@proved("index.most.refines", "refinement", "the length of the longest run is answered, and nothing changes")
def most_refines(run: Run) -> None:
    index, before = of_any_runs(run)
    most, other = run.call(index.most), run.point("place")
    untouched(run, index, before)
    run.assert_goal("no run is longer than the longest", known(index.longest, 0, other) <= most)
    if not run.call(lambda: bool(1 <= most)):
        run.assert_goal("it is 0 if there is no run", most == 0)
        return
    cut(run, index, "_lower_half", lambda level, block, least: Falling(index, most, 0))
    run.exits.elsewhere.add("RunIndex._lower_half")  # by `index.first.refines`
    found = run.call(a_longest_run, index, most)
    run.touch(("place",), (found,))
    run.assert_goal("there is a run as long", known(index.longest, 0, found) == most)


def a_longest_run(index: SymbolicRunIndex, most: Number) -> Number:
    """Where a run as long as the longest begins: some half of each block that has one has one."""
    block: Number
    level, block = index.depth, 0
    while level > 0:
        level, block = index._lower_half(level, block, most)
    return block


class Telling:
    """The loop that tells of a run that was noted: the blocks over its place know of it up to some level."""

    points: ClassVar[Points] = {"has": ("level", "block"), "at": ("level", "block")}

    def __init__(self, index: SymbolicRunIndex, place: Number) -> None:
        self.index, self.place = index, place
        self.noted, self.length = index.longest.has, index.longest.at

    def is_told(self, index: SymbolicRunIndex, level: Number, at: Number, block: Number) -> Truth:
        """Whether a block knows the longer of what its halves know, if it is not the next that is to be told."""
        next_told = (at == level + 1) & (block == self.place >> level + 1)
        return next_told | blocks_know_the_longest(index, at, block)

    def is_no_shorter(self, index: SymbolicRunIndex, level: Number, at: Number, higher: Number, each: Number) -> Truth:
        """Whether what a block knows, those know that it is a part of, if it is not one that is still to be told."""
        to_tell = (at <= level) & (level < higher) & (each >> level == self.place >> level)
        return (to_tell & (level < index.depth)) | parts_know_no_longer(index, at, higher, each)

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        self.told = arguments[0]
        return Rises(self.told, self.index.depth)

    def havoc(self, run: Run) -> Number:
        level, maps = run.point("level"), self.index.longest
        noted, length = self.noted, self.length
        has = run.relation("noted~", "level", "block")
        at = run.function("longest~", "level", "block", high=MOST_PLACES)
        maps.has = lambda i, block: when(i == 0, noted(0, block), has(i, block))
        maps.at = lambda i, block: when(i == 0, length(0, block), at(i, block))
        given, blocks = as_it_is(self.index), ("level", "block")
        run.suppose(level <= self.index.depth)
        run.assume_for_all(blocks, lambda i, block: no_run_is_empty(given, i, block))
        run.assume_for_all(blocks, lambda i, block: self.is_told(given, level, i, block))
        both = ("level", "higher", "place")
        run.assume_for_all(both, lambda i, higher, each: self.is_no_shorter(given, level, i, higher, each))
        return level

    def witnesses(self, result: Number) -> list[object]:
        return [result, self.index.longest.has, self.index.longest.at]

    def look_at(self, level: Number, *points: Number) -> None:
        """Says of which three points together, two levels and a place, a proof at these needs to know."""
        if len(points) == 2:
            (higher, each), run, told = points, self.index.longest.run, self.told
            run.touch(("level",), (level - 1,))  # of whose blocks those of the level are halves
            for levels in ((level, higher), (level, told), (told, told + 1), (told + 1, higher)):
                run.touch(("level", "higher", "place"), (*levels, each))

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        return Rises(result, self.index.depth)


@proved("index.put.refines", "refinement", "a run is noted, in place of the one noted there, and all blocks know of it")
def put_refines(run: Run) -> None:
    index, before = of_any_runs(run)
    place, length = any_asked(run, "place"), any_asked(run, "length")
    noted, lengths = index.longest.has, index.longest.at
    together = ("level", "higher", "place")
    run.assume_for_all(together, lambda level, higher, each: parts_stay_together(level, higher, each, place))
    points = run.point("level"), run.point("level"), run.point("place")
    run.touch(together, points)
    cut(run, index, "_tell_parent", lambda level, place: Telling(index, place))
    lies = (0 <= place) & (place < index.places) & (0 <= length) & (length <= index.places - place)
    if not run.answers(index.put, place, length):
        run.assert_goal("it fails only if the run does not lie among the places", neg(lies))
        untouched(run, without_steps(index, "_tell_parent"), before)
        return
    run.assert_goal("it succeeds only if the run lies among the places", lies)
    other = points[-1]
    due = when(other == place, length, when(noted(0, other), lengths(0, other), 0))
    run.assert_goal("this run is noted, and the others are as they were", known(index.longest, 0, other) == due)
    is_an_index(run, without_steps(index, "_tell_parent"), before, points)


def is_an_index(
    run: Run, index: SymbolicRunIndex, before: tuple[object, ...], points: tuple[Number, Number, Number]
) -> None:
    """Claims that the object is still one that finds its runs."""
    run.assert_goal("it has the attributes that proofs compare", vars(index).keys() == ATTRIBUTES)
    sizes = (index.places, index.depth, index.longest, index.longest.length)
    run.assert_goal(
        "its sizes are what they were",
        all(now is was for now, was in zip(sizes, (*before[:3], before[-1]), strict=True)),
    )
    level, higher, place = points
    run.assert_goal("a block knows a run's length", no_run_is_empty(index, level, place >> level))
    run.assert_goal("all runs lie among the places", runs_lie_among_the_places(index, place))
    run.assert_goal("each block knows its longest run", blocks_know_the_longest(index, level, place >> level))
    run.assert_goal("no part of a block knows a longer one", parts_know_no_longer(index, level, higher, place))


@proved("index.blocks.refines", "refinement", "blocks are what proofs of the index take them to be", integers=False)
def blocks_refine(run: Run) -> None:
    numbers = [run.fresh("place", -1, HIGHEST + 1) for _ in range(2)]
    level, higher = run.point("level"), run.point("level")
    places, depth = run.number("places", 1, MOST_PLACES), run.number("depth", 0, DEEPEST)
    run.assume(places - 1 >> depth == 0)
    place, other = numbers
    run.assert_goal("those of the lowest level are places", lowest_blocks_are_places(level, place))
    run.assert_goal("a block has two of the level below", blocks_are_halved(level, place))
    run.assert_goal("they count from 0", blocks_count_from_zero(level, place))
    run.assert_goal("the highest has all places", the_highest_block_has_all(places, depth, place))
    run.assert_goal("places are in one block if they differ below it", are_together(level, place, other))
    run.assert_goal("what has no higher bits has none yet higher", none_are_left(level, higher, place ^ other))


def are_together(level: Number, place: Number, other: Number) -> Truth:
    return implies(0 <= level, (place >> level == other >> level) == ((place ^ other) >> level == 0))


def none_are_left(level: Number, higher: Number, bits: Number) -> Truth:
    return implies((0 <= level) & (level <= higher) & (bits >> level == 0), bits >> higher == 0)


@proved("index.together.refines", "refinement", "places in one block are in one block of each higher level")
def together_refines(run: Run) -> None:
    level, higher, place, other = (run.point(each) for each in ("level", "level", "place", "place"))
    run.assume(are_together(level, place, other), are_together(higher, place, other))  # see `index.blocks.refines`
    run.assume(none_are_left(level, higher, place ^ other))
    run.assert_goal("what is together stays together", parts_stay_together(level, higher, place, other))


def of_any_runs(run: Run) -> tuple[SymbolicRunIndex, tuple[object, ...]]:
    """An index of any runs, and what it has."""
    index = unknown_index(run)
    return index, contents(index)


def without_steps(index: SymbolicRunIndex, *names: str) -> SymbolicRunIndex:
    """The object without the steps that a proof put in the place of its own."""
    left = {name: value for name, value in vars(index).items() if name not in names}
    return cast("SymbolicRunIndex", constructed(RunIndex, **left))


CODE = (
    first_refines,
    last_refines,
    asked_refines,
    most_refines,
    put_refines,
    blocks_refine,
    together_refines,
)
