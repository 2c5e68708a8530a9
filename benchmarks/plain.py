"""The peer that anybody would write: what is in use in a dictionary, what is free in lists.

It answers yes or no, and nothing more: not which rule broke, nor where.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Protocol

from msgspec import UNSET

from benchmarks.workloads import ALLOCATORS, FRAMES, IMAGE, PAGE, PAGES, Workload
from memoracle.trace.decoding import EVENT
from memoracle.trace.events import AnyEvent, FrameAllocate, FrameFree, ProcessCreate, RangeAllocate, RangeFree, number


class Model(Protocol):
    def accepts(self, event: AnyEvent) -> bool:
        """Whether the event is right; what it says is taken to have happened."""


def model(workload: Workload, exact: bool) -> Model:
    """The plain model of a workload's frames, or of its range."""
    if workload.kind in ALLOCATORS:
        return PlainRuns(workload.bits)
    if workload.kind == PAGES:
        return PlainPages(workload.bits, exact)
    kind = PlainFrames if workload.kind == FRAMES else PlainRange
    return kind(workload.bits, exact)


def refused(plain: Model, lines: Iterable[bytes]) -> int:
    """How many of these events a model refuses; they are decoded as `check` does it."""
    return sum(not plain.accepts(EVENT.decode(line)) for line in lines)


class PlainFrames:
    """The frames in use in a dictionary; those that were given back in a heap, beside those that never were taken."""

    def __init__(self, bits: int, exact: bool) -> None:
        self.frames = 1 << bits
        self.exact = exact
        self.in_use: dict[int, bool] = {}
        self.returned: list[int] = []
        self.fresh = IMAGE

    def accepts(self, event: AnyEvent) -> bool:
        if isinstance(event, FrameAllocate):
            if event.result is None:
                return len(self.in_use) == self.frames - IMAGE
            return self.allocated(number(event.result))
        return isinstance(event, FrameFree) and self.freed(number(event.address))

    def allocated(self, address: int) -> bool:
        frame, offset = divmod(address, PAGE)
        if offset or not IMAGE <= frame < self.frames or frame in self.in_use:
            return False
        if self.exact and frame != self.lowest():
            return False
        self.in_use[frame] = True
        return True

    def lowest(self) -> int:
        if self.returned:
            return heappop(self.returned)
        self.fresh += 1
        return self.fresh - 1

    def freed(self, address: int) -> bool:
        frame, offset = divmod(address, PAGE)
        if offset or self.in_use.pop(frame, None) is None:
            return False
        if self.exact:
            heappush(self.returned, frame)
        return True


class PlainRuns:
    """Runs of frames: those in use in a set. That a refusal is right it knows only where too few frames are free."""

    def __init__(self, bits: int) -> None:
        self.frames = 1 << bits
        self.in_use = set(range(IMAGE))

    def accepts(self, event: AnyEvent) -> bool:
        if not isinstance(event, FrameAllocate | FrameFree) or event.count is UNSET:
            return False
        count = number(event.count)
        if isinstance(event, FrameFree):
            run = self.run(number(event.address), count)
            if run is None or not self.in_use.issuperset(run):
                return False
            self.in_use.difference_update(run)
            return True
        if event.result is None:
            return self.frames - len(self.in_use) < count
        run = self.run(number(event.result), count)
        if run is None or not self.in_use.isdisjoint(run):
            return False
        self.in_use.update(run)
        return True

    def run(self, address: int, count: int) -> range | None:
        first, offset = divmod(address, PAGE)
        return range(first, first + count) if offset == 0 and IMAGE <= first <= self.frames - count else None


class PlainRange:
    """A buddy system: the order of each free and each allocated block in dictionaries, by its first page.

    To know the lowest, it also keeps a sorted list of the free blocks of each order.
    """

    def __init__(self, bits: int, exact: bool) -> None:
        self.top = bits
        self.exact = exact
        self.in_use: dict[int, int] = {}
        self.free: dict[int, int] = {}
        self.lists: list[list[int]] = [[] for _ in range(bits + 1)]
        self.put(0, bits)

    def accepts(self, event: AnyEvent) -> bool:
        if isinstance(event, RangeAllocate):
            order = (number(event.pages) - 1).bit_length()
            if event.result is None:
                return not any(free >= order for free in self.free.values())
            return self.allocated(number(event.result), order)
        if isinstance(event, RangeFree):
            return self.freed(number(event.address), (number(event.pages) - 1).bit_length())
        return isinstance(event, ProcessCreate)

    def allocated(self, address: int, order: int) -> bool:
        page, offset = divmod(address, PAGE)
        if offset or page % (1 << order) or (self.exact and page != self.best(order)):
            return False
        found = order
        while self.free.get(page >> found << found) != found:
            if found == self.top:
                return False
            found += 1
        self.take(page >> found << found, found)
        while found > order:
            found -= 1
            self.put((page >> found ^ 1) << found, found)
        self.in_use[page] = order
        return True

    def best(self, order: int) -> int | None:
        return next((blocks[0] for blocks in self.lists[order:] if blocks), None)

    def freed(self, address: int, order: int) -> bool:
        page, offset = divmod(address, PAGE)
        if offset or self.in_use.get(page) != order:
            return False
        del self.in_use[page]
        while order < self.top and self.free.get(page ^ 1 << order) == order:
            self.take(page ^ 1 << order, order)
            page &= ~(1 << order)
            order += 1
        self.put(page, order)
        return True

    def put(self, page: int, order: int) -> None:
        self.free[page] = order
        if self.exact:
            insort(self.lists[order], page)

    def take(self, page: int, order: int) -> None:
        del self.free[page]
        if self.exact:
            blocks = self.lists[order]
            del blocks[bisect_left(blocks, page)]


class PlainPages:
    """Runs of pages: the intervals in use, in a list in address order. Which is the lowest that fits is searched."""

    def __init__(self, bits: int, exact: bool) -> None:
        self.pages = 1 << bits
        self.exact = exact
        self.in_use: list[tuple[int, int]] = []

    def accepts(self, event: AnyEvent) -> bool:
        if isinstance(event, RangeAllocate):
            pages = number(event.pages)
            return self.lowest(pages) is None if event.result is None else self.allocated(number(event.result), pages)
        if isinstance(event, RangeFree):
            return self.freed(number(event.address), number(event.pages))
        return isinstance(event, ProcessCreate)

    def lowest(self, pages: int) -> int | None:
        """The first page of the first gap that holds so many."""
        page = 0
        for first, end in self.in_use:
            if page + pages <= first:
                return page
            page = end
        return page if page + pages <= self.pages else None

    def allocated(self, address: int, pages: int) -> bool:
        page, offset = divmod(address, PAGE)
        if offset or page < 0 or (self.exact and page != self.lowest(pages)):
            return False
        place = bisect_left(self.in_use, (page, 0))
        end = self.pages if place == len(self.in_use) else self.in_use[place][0]
        if page + pages > end or (place and self.in_use[place - 1][1] > page):
            return False
        self.in_use.insert(place, (page, page + pages))
        return True

    def freed(self, address: int, pages: int) -> bool:
        page, offset = divmod(address, PAGE)
        place = bisect_left(self.in_use, (page, 0))
        if offset or self.in_use[place : place + 1] != [(page, page + pages)]:
            return False
        del self.in_use[place]
        return True
