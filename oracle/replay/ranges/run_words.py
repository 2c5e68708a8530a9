"""What is said of an operation on runs of a range that broke a clause: what was seen, what was legal, what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import REFUSAL, since
from memoracle.replay.ranges.run_limits import NONE, RunLimits
from memoracle.replay.ranges.run_space import RunSpace
from memoracle.spec import addresses, manager_ranges
from memoracle.spec import runs as law
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.boot import TOP
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import Geometry

NEIGHBOURS = 3  # stretches drawn on either side
SHOWN = 8  # and in all


@dataclass(frozen=True)
class RunRequest:
    """What an operation asked for, of which space."""

    geometry: Geometry
    space: RunSpace
    address: int
    pages: int
    limits: RunLimits = NONE

    @property
    def page(self) -> int:
        """The page in which the address lies, counted from the range's start; it may lie outside."""
        return (self.address - self.space.area.start) >> self.geometry.page_shift

    @property
    def page_limits(self) -> tuple[int, int]:
        """The limits as pages: the first that may be given, and the one after the last, if one is named."""
        start, shift = self.space.area.start, self.geometry.page_shift
        below = self.page + self.pages if self.limits.below == TOP else (self.limits.below - start) >> shift
        return -((start - self.limits.lowest) >> shift), below

    def at(self, page: int) -> int:
        """The address of a page."""
        return self.space.area.start + (page << self.geometry.page_shift)


def describe(clause: Clause, asked: RunRequest) -> str:
    """What was seen, where this clause broke."""
    pages, size = asked.pages, counted(asked.pages, "page")
    at, be = f"{asked.address:#x}", agreeing(asked.pages, "is", "are")
    first, last = asked.space.pages.within(asked.page, pages)
    if clause is addresses.address_is_aligned:
        return f"{at} is not a multiple of the page size, {asked.geometry.page_size:#x}"
    if clause is law.run_has_a_place:
        return f"a run of {size} was asked for"
    if clause is alignment_is_a_power_of_two:
        return f"{asked.limits.alignment} is not a power of two"
    if clause is law.run_is_aligned:
        return f"the run begins at {at}, which is not a multiple of {asked.limits.alignment:#x}"
    if clause is law.run_lies_within_limits:
        return outside_limits(asked)
    if clause is law.run_lies_in_reach:
        end = asked.at(asked.space.area.pages) - 1
        return f"{size} at {at} {be} not within the range, {asked.space.area.start:#x} to {end:#x}"
    if clause is law.run_is_free:
        return f"{size} at {at} {agreeing(pages, 'overlaps', 'overlap')} {in_the_way(asked, first, last)}"
    if clause is law.frees_only_what_may_be_free:
        taken = next(begin for begin in asked.space.pages.pieces.overlapping(first, last) if is_fixed(asked, begin))
        return f"the page at {asked.at(max(taken, first)):#x} was taken at start"
    if clause is law.frees_only_allocated:
        return freed_twice(asked, first, last)
    if clause is manager_ranges.frees_no_kernel_block:
        blocks = asked.space.kernel_blocks
        page = next(begin for begin in asked.space.pages.pieces.overlapping(first, last) if begin in blocks)
        return f"{in_the_way(asked, page, last)} is one of kernel pages"
    there = asked.space.pages.size(asked.page)
    if there:
        line = since(asked.space.pages.pieces.line(asked.page))
        return f"{counted(there, 'page')}, not {pages:,}, {agreeing(there, 'was', 'were')} handed out at {at}{line}"
    return f"no run begins at {at} that was handed out{inside(asked)}"


def outside_limits(asked: RunRequest) -> str:
    end = asked.address + asked.pages * asked.geometry.page_size
    if asked.address < asked.limits.lowest:
        return f"the run begins at {asked.address:#x}, below {asked.limits.lowest:#x}"
    return f"the run ends at {end:#x}, above {asked.limits.below:#x}"


def in_the_way(asked: RunRequest, first: int, last: int) -> str:
    """The first run that has one of these pages."""
    pieces = asked.space.pages.pieces
    begin = next(pieces.overlapping(first, last))
    return f"the run of {counted(pieces.pages(begin), 'page')} at {asked.at(begin):#x}, {origin(asked, begin)}"


def inside(asked: RunRequest) -> str:
    """In which run a page lies that begins none."""
    pieces = asked.space.pages.pieces
    begin = next(pieces.overlapping(asked.page, asked.page + 1), None)
    return "" if begin is None else f": it is within {in_the_way(asked, asked.page, asked.page + 1)}"


def freed_twice(asked: RunRequest, first: int, last: int) -> str:
    """Which page is free already, and since when."""
    page = next(asked.space.pages.free_ones(first, last))[0]
    line = asked.space.freed_by(page)
    freed = " (it was never handed out)" if line is None else since(line, "freed by")
    return f"the page at {asked.at(page):#x} is free already{freed}"


def is_fixed(asked: RunRequest, begin: int) -> bool:
    return not asked.space.pages.pieces.line(begin)


def origin(asked: RunRequest, begin: int) -> str:
    """Where a run comes from."""
    line = asked.space.pages.pieces.line(begin)
    return f"allocated{since(line)}" if line else "taken at start"


def choices(asked: RunRequest, lowest: int | None, exact: bool) -> str:
    """What an allocation may return. lowest: the page of the lowest run that may be given."""
    if lowest is None:
        return REFUSAL
    if exact:
        return f"the lowest: {asked.at(lowest):#x}"
    longest = asked.space.pages.longest()
    which = f"any free run of {counted(asked.pages, 'page')}{asked.limits.words}, the lowest at {asked.at(lowest):#x}"
    return f"{which}; the longest has {counted(longest, 'page')}"


def around(asked: RunRequest) -> dict[str, Any]:
    """The stretches of pages around a run, in address order."""
    pages = asked.space.pages
    first, last = pages.within(asked.page, max(asked.pages, 1))
    first = min(first, pages.area.pages - 1)
    for _ in range(NEIGHBOURS):
        if first > 0:
            first = stretch_at(asked, first - 1)[0]
    stretches = list[dict[str, Any]]()
    for _ in range(NEIGHBOURS):
        if last < pages.area.pages:
            last = stretch_at(asked, last)[1]
    page = stretch_at(asked, first)[0]
    while page < last and len(stretches) < SHOWN:
        begin, end = stretch_at(asked, page)
        stretches.append(stretch(asked, begin, end))
        page = end
    return {"process": asked.space.process, "longest_free_run": pages.longest(), "stretches": stretches}


def stretch_at(asked: RunRequest, page: int) -> tuple[int, int]:
    """The first and the one after the last of the pages that are in one run with this one, or free with it."""
    pages = asked.space.pages
    pieces = pages.pieces
    begin = next(pieces.overlapping(page, page + 1), None)
    if begin is not None:
        return begin, pieces.end(begin)
    before, after = pieces.before(page), pieces.after(page)
    return 0 if before is None else pieces.end(before), pages.area.pages if after is None else after


def stretch(asked: RunRequest, begin: int, end: int) -> dict[str, Any]:
    pieces = asked.space.pages.pieces
    allocated = begin in pieces.at
    told = {"address": f"{asked.at(begin):#x}", "page": begin, "pages": end - begin, "allocated": allocated}
    line = pieces.line(begin) if allocated else asked.space.freed_by(begin)
    return told | ({"line": line} if line else {})
