"""An index of runs with unknown contents: what stands in for its dictionaries, and what must be so of these."""

from __future__ import annotations

from typing import Protocol, cast

from memoracle.impl.run_index import RunIndex
from memoracle.proofs.components.runs.law import FARTHEST, MOST_PLACES
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.constructed import constructed
from memoracle.proofs.symbolic.containers import Map, Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, Sort
from memoracle.proofs.symbolic.values import Function, Property, Relation, Table
from memoracle.spec.clauses import Number, Truth, implies, when

DEEPEST = 52  # the levels of an index of as many places as there can be
LEVEL = Sort("level", 63)
SORTS = {"place": Sort("place"), "block": Sort("block"), "level": LEVEL, "higher": LEVEL, "length": Sort("length")}
ATTRIBUTES = frozenset({"places", "depth", "longest"})  # all of which `contents` compares

proved = Claims("runs", SORTS, integers=True, once=True)


class Maps(Unasked):
    """A list whose items are dictionaries from numbers to numbers."""

    def __init__(self, run: Run, has: Relation, at: Table, length: Number) -> None:
        self.run, self.has, self.at, self.length = run, has, at, length

    def __getitem__(self, index: Number) -> Map:
        self.run.assert_and_assume("an index lies in its list", (0 <= index) & (index < self.length))
        return OneMap(self, index)


class OneMap(Map):
    """One of the dictionaries of such a list. It shares the list's contents: a write to either is seen by both."""

    def __init__(self, maps: Maps, index: Number) -> None:
        self.run, self.whole, self.index, self.high = maps.run, maps, index, HIGHEST

    @property
    def has(self) -> Property:
        has, index = self.whole.has, self.index
        return lambda key: has(index, key)

    @has.setter
    def has(self, has: Property) -> None:
        others, index = self.whole.has, self.index
        self.whole.has = lambda i, key: when(i == index, has(key), others(i, key))

    @property
    def at(self) -> Function:
        at, index = self.whole.at, self.index
        return lambda key: at(index, key)

    @at.setter
    def at(self, at: Function) -> None:
        others, index = self.whole.at, self.index
        self.whole.at = lambda i, key: when(i == index, at(key), others(i, key))


class SymbolicRunIndex(Protocol):
    """The reference with stand-ins in the place of its attributes."""

    places: Number
    depth: Number
    longest: Maps

    def length(self, place: Number) -> Number: ...
    def put(self, place: Number, length: Number) -> Truth: ...
    def first(self, least: Number, place: Number) -> Number | None: ...
    def last(self, place: Number) -> Number | None: ...
    def most(self) -> Number: ...
    def _lower_half(self, level: Number, block: Number, least: Number) -> tuple[Number, Number]: ...


def known(maps: Maps, level: Number, block: Number) -> Number:
    """The length of the longest run that a block knows of, as the code reads it."""
    length: Number = when(maps.has(level, block), maps.at(level, block), 0)
    return length


def no_run_is_empty(index: SymbolicRunIndex, level: Number, block: Number) -> Truth:
    """What a block knows is the length of a run, which has a place."""
    return implies(index.longest.has(level, block), 1 <= index.longest.at(level, block))


def runs_lie_among_the_places(index: SymbolicRunIndex, place: Number) -> Truth:
    """A run ends where the places end at the latest."""
    return implies(index.longest.has(0, place), place + index.longest.at(0, place) <= index.places)


def blocks_know_the_longest(index: SymbolicRunIndex, level: Number, block: Number) -> Truth:
    """A block knows the longer of what its halves know."""
    halves = [known(index.longest, level - 1, half) for half in (block + block, block + block + 1)]
    longest = when(halves[0] < halves[1], halves[1], halves[0])
    return implies((1 <= level) & (level <= index.depth), known(index.longest, level, block) == longest)


def parts_know_no_longer(index: SymbolicRunIndex, level: Number, higher: Number, place: Number) -> Truth:
    """The block of a higher level over a place knows of a run as long as any that a part of it knows."""
    part, whole = (known(index.longest, each, place >> each) for each in (level, higher))
    return implies((level <= higher) & (higher <= index.depth), part <= whole)


HOLDS = (  # of an index between two calls, and the points that each speaks of
    (no_run_is_empty, ("level", "block")),
    (runs_lie_among_the_places, ("place",)),
    (blocks_know_the_longest, ("level", "block")),
    (parts_know_no_longer, ("level", "higher", "place")),
)


# What is known of the block of a level over a place, which the solver takes as an unknown function of both. All of it
# is proved of shifts: see `index.blocks.refines`.


def lowest_blocks_are_places(level: Number, place: Number) -> Truth:
    return implies(level == 0, place >> level == place)


def blocks_are_halved(level: Number, place: Number) -> Truth:
    return implies(0 <= level, place >> level + 1 == (place >> level) >> 1)


def blocks_count_from_zero(level: Number, place: Number) -> Truth:
    return implies((0 <= level) & (0 <= place), (0 <= place >> level) & (place >> level <= place))


def the_highest_block_has_all(places: Number, depth: Number, place: Number) -> Truth:
    """Given that the last place is in it."""
    inside = implies((0 <= place) & (place < places), place >> depth == 0)
    return inside & implies(place <= places, place >> depth <= 1)


def parts_stay_together(level: Number, higher: Number, place: Number, other: Number) -> Truth:
    """Places in one block are in one block of each higher level."""
    together = (0 <= level) & (level <= higher) & (place >> level == other >> level)
    return implies(together, place >> higher == other >> higher)


def blocks_are_known(run: Run, places: Number, depth: Number) -> None:
    """Takes all of that as given."""
    for each in (lowest_blocks_are_places, blocks_are_halved, blocks_count_from_zero):
        run.assume_for_all(("level", "place"), each)
    run.assume_for_all(("place",), lambda place: the_highest_block_has_all(places, depth, place))


def may_be_asked(number: Number) -> Truth:
    """Whether calls are proved of this number: an aligned place may lie behind all that callers of a set pass."""
    may_be: Truth = (-HIGHEST <= number) & (number <= FARTHEST)
    return may_be


def any_asked(run: Run, parameter: str) -> Number:
    """Any of these numbers."""
    asked = run.fresh(parameter, -HIGHEST, FARTHEST)
    run.touch((parameter,), (asked,))
    return asked


def unknown_index(run: Run) -> SymbolicRunIndex:
    """An index of any runs among any number of places."""
    places, depth = run.number("places", 1, MOST_PLACES), run.number("depth", 0, DEEPEST)
    has = run.relation("noted", "level", "block")
    at = run.function("longest", "level", "block", high=MOST_PLACES)
    run.touch(("level",), (depth,))
    run.touch(("level",), (0,))
    blocks_are_known(run, places, depth)
    longest = Maps(run, has, at, depth + 1)
    index = cast("SymbolicRunIndex", constructed(RunIndex, places=places, depth=depth, longest=longest))
    given = as_it_is(index)
    for holds, points in HOLDS:
        run.assume_for_all(points, lambda *at, holds=holds: holds(given, *at))
    return index


def as_it_is(index: SymbolicRunIndex) -> SymbolicRunIndex:
    """The same index, which does not change with it."""
    maps = index.longest
    copied = Maps(maps.run, maps.has, maps.at, maps.length)
    same = constructed(RunIndex, places=index.places, depth=index.depth, longest=copied)
    return cast("SymbolicRunIndex", same)


def contents(index: SymbolicRunIndex) -> tuple[object, ...]:
    """What each attribute has: who writes to a container puts other contents in the place of these."""
    return index.places, index.depth, index.longest, index.longest.has, index.longest.at, index.longest.length


def untouched(run: Run, index: SymbolicRunIndex, before: tuple[object, ...]) -> None:
    """Claims that the object is what it was."""
    same = all(now is was for now, was in zip(contents(index), before, strict=True))
    run.assert_goal("nothing changes", same and vars(index).keys() == ATTRIBUTES)
