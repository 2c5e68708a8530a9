"""What is said of a range operation that broke a clause: what was seen, what was legal, and the blocks around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import REFUSAL, since
from memoracle.impl.buddy import Buddy, order_for
from memoracle.proofs.abstraction.objects import blocks_of
from memoracle.spec import addresses, manager_ranges
from memoracle.spec import buddy as law
from memoracle.spec.blocks import Blocks
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import Range

NEIGHBOURS = 3  # blocks drawn on either side


@dataclass(frozen=True)
class RangeRequest:
    """What an operation asked for, of which space. made: the line that allocated the block at a page, or 0."""

    geometry: Geometry
    buddy: Buddy
    made: Callable[[int], int]
    process: int
    address: int
    pages: int

    @property
    def area(self) -> Range:
        """The root of the range: what of it does not lie in the range does not exist."""
        return self.geometry.range_of(self.process).root(self.geometry.page_size)

    @property
    def lies_inside(self) -> bool:
        """Whether all of the block lies in the range."""
        first, last = inside(self.geometry, self.process)
        return first <= self.page and self.page + (1 << self.order) <= last

    @property
    def page(self) -> int:
        """The page in which the address lies, counted from the root's start; it may lie outside."""
        return (self.address - self.area.start) >> self.geometry.page_shift

    @property
    def state(self) -> Blocks:
        return blocks_of(self.buddy)

    @property
    def order(self) -> int:
        return order_for(self.pages) or 0

    def at(self, page: int) -> int:
        """The address of a page."""
        return self.area.start + (page << self.geometry.page_shift)


def inside(geometry: Geometry, process: int) -> tuple[int, int]:
    """The first page of a range, counted from where its root starts, and the one after its last."""
    area = geometry.range_of(process)
    first = (area.start - area.root(geometry.page_size).start) >> geometry.page_shift
    return first, first + area.pages


def describe(clause: Clause, asked: RangeRequest) -> str:
    """What was seen, where this clause broke."""
    page, pages, buddy = asked.page, asked.pages, asked.buddy
    at, size, be = f"{asked.address:#x}", counted(pages, "page"), agreeing(pages, "is", "are")
    if clause is addresses.address_is_aligned:
        return f"{at} is not a multiple of the page size, {asked.geometry.page_size:#x}"
    if clause is law.rounds_up:
        return f"a block of {size} was asked for"
    if clause is law.is_a_power_of_two:
        return f"{size} {be} no power of two"
    if clause is law.block_is_no_larger:
        return f"{size} {be} more than the largest block has, {1 << buddy.highest:,}"
    if clause is law.block_lies_in_range:
        first, last = inside(asked.geometry, asked.process)
        return f"{size} at {at} {be} not within the range, {asked.at(first):#x} to {asked.at(last) - 1:#x}"
    if clause is law.block_is_aligned:
        return f"page {page} ({at}) is not a multiple of the block's {counted(1 << asked.order, 'page')}"
    if clause is law.block_is_free:
        other = first_allocated(asked)
        taken = counted(1 << buddy.allocated[other], "page")
        overlap = agreeing(pages, "overlaps", "overlap")
        return f"{size} at {at} {overlap} the block of {taken} at {asked.at(other):#x}, {origin(asked, other)}"
    if clause is law.never_frees_fixed:
        return f"the block at {at} was taken at start"
    if clause is manager_ranges.frees_no_kernel_block:
        return f"the block at {at} is one of kernel pages{since(asked.made(page), 'allocated by')}"
    size_there = buddy.size(page)
    if not size_there:
        return f"no allocated block starts at {at}"
    return f"the block at {at} has {counted(size_there, 'page')}, not {pages:,}"


def found_at(asked: RangeRequest) -> str:
    """What starts at an address in truth."""
    page = asked.page
    order = order_at(asked, page)
    size = counted(1 << order, "page")
    be = agreeing(1 << order, "is", "are")
    return f"{size} {be} {origin(asked, page) if page in asked.buddy.allocated else 'free'} there"


def origin(asked: RangeRequest, page: int) -> str:
    """Where an allocated block comes from."""
    return "taken at start" if page in asked.buddy.fixed else f"allocated{since(asked.made(page))}"


def state_of(allocated: bool) -> str:
    return "allocated" if allocated else "free"


def first_allocated(asked: RangeRequest) -> int:
    """The first page of the allocated block that covers this page, or else of the first one after it."""
    page, order = asked.page, order_at(asked, asked.page)
    start = page >> order << order
    return start if start in asked.buddy.allocated else min(p for p in asked.buddy.allocated if p >= page)


def choices(asked: RangeRequest) -> str:
    """What an allocation of so many pages may return."""
    wanted = order_for(asked.pages)
    if wanted is None or wanted > asked.buddy.highest:
        return REFUSAL
    large_enough = sum(map(len, asked.buddy.free_blocks[wanted:]))
    if not large_enough:
        return REFUSAL
    pages = "page" if wanted == 0 else f"aligned {counted(1 << wanted, 'page')}"
    return f"any {pages} in {counted(large_enough, 'free block')} large enough"


def around(asked: RangeRequest) -> dict[str, Any]:
    """The blocks around an address, in address order."""
    first, end = inside(asked.geometry, asked.process)
    last = end - 1
    page = min(max(asked.page, first), last)
    order = order_at(asked, page)
    starts = [page >> order << order]
    for _ in range(NEIGHBOURS):
        if starts[0] > first:
            order = order_at(asked, starts[0] - 1)
            starts.insert(0, starts[0] - 1 >> order << order)
        following = starts[-1] + (1 << order_at(asked, starts[-1]))
        if following <= last:
            starts.append(following)
    return {"process": asked.process, "blocks": [block(asked, start) for start in starts]}


def order_at(asked: RangeRequest, page: int) -> int:
    """The order of the block in which a page of the range lies."""
    return cast(int, asked.state.order_at(page))


def block(asked: RangeRequest, page: int) -> dict[str, Any]:
    allocated, pages = page in asked.buddy.allocated, 1 << order_at(asked, page)
    told = {"address": f"{asked.at(page):#x}", "page": page, "pages": pages, "allocated": allocated}
    line = asked.made(page)
    return told | ({"line": line} if line else {})
