"""Proofs that the reference starts as the law says, at every depth and with every largest order.

A real buddy system of each depth whose largest block is the whole range is constructed, and compared with the law's
initial state block by block. One of another depth is constructed beside it, with which it must share no container.
Where the largest order is lower, the range has any number of the largest blocks: for each such order the depth is an
unknown number. All pages exist, or none.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from memoracle.impl import buddy as code
from memoracle.impl.buddy import Buddy
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.buddy.law import DEEPEST, any_block, proved
from memoracle.proofs.components.buddy.symbolic_buddy import ATTRIBUTES
from memoracle.proofs.components.runs.place_set import next_after_adding
from memoracle.proofs.components.runs.symbolic_runs import Members
from memoracle.proofs.symbolic.containers import Set, any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.blocks import Blocks, empty, whole
from memoracle.spec.clauses import Number, at_least


@proved(
    "whole.refines", "refinement", "the reference starts as the law says, at every depth, with containers of its own"
)
def whole_refines(run: Run) -> None:
    other = Buddy(DEEPEST)
    for depth, is_whole in product(range(DEEPEST + 1), (True, False)):
        buddy: Any = Buddy(depth, whole=is_whole)
        free = [(order, block) for order, blocks in enumerate(buddy.free_blocks) for block in blocks]
        run.assert_goal("it has the attributes that proofs compare", vars(buddy).keys() == ATTRIBUTES)
        run.assert_goal("nothing is allocated", not buddy.allocated and not buddy.fixed and buddy.depth == depth)
        run.assert_goal("the largest block is the whole range", buddy.highest == depth)
        run.assert_goal("there are blocks of each order", len(buddy.free_blocks) > depth)
        run.assert_goal("no two containers are one", not share(buddy, other) and buddy.existing is not other.existing)
        pages = buddy.existing.places == 1 << depth and buddy.existing.most() == is_whole << depth
        run.assert_goal("all pages of the range exist, or none", pages)
        order, block = any_block(run)
        found = any_of([(order == o) & (block == b) for o, b in free])
        due = initially(depth, depth, is_whole)
        run.assert_goal("the free blocks are the law's", found == due.is_free(order, block))
        other = buddy


def initially(depth: Number, highest: Number, is_whole: bool) -> Blocks:
    """The law's state at the start."""
    return whole(depth, highest) if is_whole else empty(depth, highest)


class FirstNumbers:
    """Stands in for a range: of an unknown number of numbers, from 0 on."""

    def __init__(self, count: Number) -> None:
        self.count = count


class SetConstructor:
    """Stands in for the class `SortedSet`: a new set is empty, or has the numbers that it is given."""

    def __init__(self, run: Run) -> None:
        self.run = run
        run.replace(code, "SortedSet", self)
        run.replace(code, "range", lambda count: range(count) if isinstance(count, int) else FirstNumbers(count))

    def __call__(self, numbers: FirstNumbers | range = range(0)) -> Set:
        count = numbers.count if isinstance(numbers, FirstNumbers) else len(numbers)
        return Set(self.run, lambda item: (0 <= item) & (item < count), "block")


class NewMembers(Members):
    """Stands in for a new set of places: it is empty, so what is added first is in it from then on."""

    def __init__(self, run: Run, places: Number) -> None:
        super().__init__(run, places, lambda place: at_least(place, 0), "page")
        self.is_new = True

    def add(self, first: Number, last: Number) -> bool:
        run, there = self.run, (0 <= first) & (first < last) & (last <= self.places)
        run.assert_and_assume("what is added to a new set are some of its places", self.is_new & there)
        self.next_out, self.is_new = next_after_adding(self.next_out, first, last), False
        return True


@proved("largest-blocks.refines", "refinement", "the reference starts as the law says, with every largest order, too")
def largest_blocks_refines(run: Run) -> None:
    SetConstructor(run)
    run.replace(code, "PlaceSet", lambda places: NewMembers(run, places))
    for highest, is_whole in product(range(DEEPEST + 1), (True, False)):
        depth = run.fresh("depth", highest, DEEPEST)
        buddy: Any = run.call(Buddy, depth, highest, is_whole)
        due = initially(depth, highest, is_whole)
        containers = [*buddy.free_blocks, buddy.allocated, buddy.fixed, buddy.existing]
        run.assert_goal("it has the attributes that proofs compare", vars(buddy).keys() == ATTRIBUTES)
        run.assert_goal("its sizes are those that were asked for", buddy.depth is depth and buddy.highest == highest)
        run.assert_goal("nothing is allocated", not buddy.allocated and not buddy.fixed)
        run.assert_goal("there are blocks of each order", len(buddy.free_blocks) == highest + 1)
        run.assert_goal("no two containers are one", len({id(each) for each in containers}) == len(containers))
        (order, block), page = any_block(run), run.point("page")
        free = [(order == o) & blocks.has(block) for o, blocks in enumerate(buddy.free_blocks)]
        run.assert_goal("the free blocks are the law's", any_of(free) == due.is_free(order, block))
        run.assert_goal("so are the pages", buddy.existing.has(page) == due.is_page(page))
        run.assert_goal("it has room for all pages of the range", buddy.existing.places == 1 << depth)


CODE = (whole_refines, largest_blocks_refines)
