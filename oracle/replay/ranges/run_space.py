"""The address space of one process of which runs of pages are handed out, and what is in doubt of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from memoracle.replay.containers.stretches import Stretches
from memoracle.replay.ranges.address_space import AddressSpace
from memoracle.replay.ranges.run_limits import NONE, RunLimits
from memoracle.replay.ranges.run_pages import RunPages
from memoracle.spec.geometry_keys import Range

REMEMBERED = 1 << 16  # frees, at the most
SUSPECTS = 1 << 10  # of them, which may have done something else than was asked
MOST_RUNS = 16  # that may have leaked where none was found; where more would do, others were passed over on purpose


class RunSpace(AddressSpace):
    """The address space of one process.

    doubted: pages that may be in use or free, whatever the trace explains.
    freed: the first page, how many, and the line, of the latest frees.  shared: by address and pages.
    """

    def __init__(self, process: int, area: Range, pages: RunPages) -> None:
        """pages: those that exist, at the start."""
        super().__init__(process, area)
        self.pages = pages
        self.doubted = Stretches()
        self.freed: deque[tuple[int, int, int]] = deque(maxlen=REMEMBERED)

    @property
    def doubts(self) -> int:
        return self.doubted.changes

    def freed_by(self, page: int) -> int | None:
        """The line that freed a page last, or 0 if that is not known; None if none did."""
        unknown = 0 if len(self.freed) == REMEMBERED else None
        return next((line for first, pages, line in reversed(self.freed) if first <= page < first + pages), unknown)

    def remember_freed(self, page: int, pages: int, line: int) -> None:
        self.freed.append((page, pages, line))

    # What is in doubt

    def doubt_pages(self, page: int, pages: int) -> None:
        """These pages may be in use, and may be free.

        So may all that was handed out with one of them, or freed with it: one operation is in doubt, not a page.
        """
        first, last = self.pages.within(page, pages)
        if first == last:
            return
        for begin, count, _ in [*self.freed][-SUSPECTS:]:
            if begin < last and first < begin + count:
                for part in self.pages.free_ones(begin, begin + count):
                    self.doubted.add(*part)
        for begin in self.pages.pieces.overlapping(first, last):
            if self.pages.pieces.line(begin):
                self.doubted.add(begin, self.pages.pieces.end(begin))
        self.doubted.add(first, last)

    def settle(self, page: int, pages: int) -> None:
        """What these pages are is known."""
        if self.doubted:
            self.doubted.remove(page, page + pages)

    def may_be_free(self, page: int, pages: int) -> bool:
        """Whether all of these pages may be free; those that are in use by the trace are free from then on."""
        first, last = self.pages.within(page, pages)
        if (first, last) != (page, page + pages):
            return False
        used = [*self.pages.in_use(first, last)]
        kept = self.taken_at_start(first, last)
        if kept or not all(self.doubted.cover(*stretch) for stretch in used):
            return False
        for begin in [*self.pages.pieces.overlapping(first, last)]:
            self.lose_kernel_block(begin)
        self.pages.free_all(page, pages)
        return True

    def may_be_in_use(self, page: int, pages: int, line: int) -> bool:
        """Whether all of these pages may be in use; those that are free by the trace are in use from then on."""
        first, last = self.pages.within(page, pages)
        if (first, last) != (page, page + pages) or self.taken_at_start(first, last):
            return False
        if not all(self.doubted.cover(*stretch) for stretch in self.pages.free_ones(first, last)):
            return False
        self.pages.take_all(page, pages, line)
        return True

    def taken_at_start(self, first: int, last: int) -> bool:
        pieces = self.pages.pieces
        return any(not pieces.line(begin) for begin in pieces.overlapping(first, last))

    @contextmanager
    def surely_free(self) -> Iterator[RunPages]:
        """The pages as they are if none of those in doubt is free."""
        doubted = [part for stretch in self.doubted for part in self.pages.free_ones(*stretch)]
        for first, last in doubted:
            self.pages.reserve(first, last - first, 0)
        yield self.pages
        for first, last in doubted:
            self.pages.free(first, last - first)

    def surely_lowest(self, pages: int, limits: RunLimits = NONE) -> int | None:
        """Where the lowest run that may be given begins, if nothing that is in doubt is free."""
        if not self.doubted:
            return self.pages.lowest(pages, limits)
        with self.surely_free() as sure:
            return sure.lowest(pages, limits)

    def runs_that_fit(self, pages: int, limits: RunLimits, below: int) -> Iterable[tuple[int, int]]:
        """The free stretches in which a run that may be given begins before a page: at most MOST_RUNS."""
        found = list[tuple[int, int]]()
        page = self.pages.lowest(pages, limits)
        while page is not None and page < below and len(found) < MOST_RUNS:
            following = self.pages.pieces.after(page)
            end = self.pages.area.pages if following is None else following
            found.append((page, min(end, below + pages)))
            lowest = max(self.pages.area.start + end * self.pages.page_size, limits.lowest)
            page = self.pages.lowest(pages, limits._replace(lowest=lowest))
        return found

    def has_lost(self, pages: int, limits: RunLimits, below: int) -> None:
        """No run was found, or only from this page on, where there are others: they may be in use still."""
        for first, last in self.runs_that_fit(pages, limits, below):
            self.doubt_pages(first, last - first)

    # As all spaces do

    def is_allocated_whole(self, page: int, pages: int) -> bool:
        return self.pages.size(page) == pages or self.doubted.cover(page, page + pages)

    def seems_allocated(self, page: int, pages: int) -> bool:
        first, last = self.pages.within(page, pages)
        return not any(self.pages.pieces.overlapping(first, last))

    def take_back(self, page: int, pages: int) -> None:
        self.pages.free_all(page, pages)

    def having(self, page: int) -> list[tuple[int, int]]:
        size = self.pages.size(page)
        return [(page, page + size)] if size else []

    def doubt(self, others: Iterable[tuple[int, int]]) -> None:
        for first, last in others:
            self.doubt_pages(first, last - first)

    def may_be_there(self, page: int, pages: int) -> None:
        if not self.is_allocated_whole(page, pages):
            self.doubt_pages(page, pages)

    def may_have(self, other: RunSpace) -> None:
        self.doubt(other.pages.in_use(0, other.area.pages))

    def has_lost_room(self, pages: int) -> None:
        self.has_lost(pages, NONE, self.area.pages)

    def free_stretches(self) -> Iterator[tuple[int, int]]:
        return self.pages.free_ones(0, self.area.pages)
