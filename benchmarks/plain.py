"""The peer that anybody would write: what is in use in a dictionary or a list of intervals, what is free in lists.

It answers yes or no, and nothing more: not which rule broke, nor where.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Protocol

from msgspec import UNSET

from benchmarks.workloads import ALLOCATORS, BLOCKS, FRAMES, IMAGE, MAPPINGS, PAGE, PAGES, Workload
from memoracle.trace.decoding import EVENT
from memoracle.trace.events import (
    AnyEvent,
    FrameAllocate,
    FrameFree,
    PageMap,
    PageUnmap,
    ProcessCreate,
    RangeAllocate,
    RangeFree,
)
from memoracle.trace.numbers import number


class Model(Protocol):
    def accepts(self, event: AnyEvent) -> bool:
        """Whether the event is right; what it says is taken to have happened."""


def model(workload: Workload, exact: bool) -> Model:
    """The plain model of a workload's frames, of its range, or of what it maps."""
    kind, bits = workload.kind, workload.bits
    if kind == MAPPINGS:
        return PlainMappings(bits)
    if kind in (PAGES, *ALLOCATORS):
        return PlainIntervals(bits, IMAGE if kind in ALLOCATORS else 0, kind == BLOCKS, exact)
    return PlainFrames(bits, exact) if kind == FRAMES else PlainRange(bits, exact)


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


class PlainIntervals:
    """Runs of frames or pages: the intervals in use, in a list in address order.

    Which is the lowest that fits is searched; where many are in use, that takes longer than all else.
    """

    def __init__(self, bits: int, fixed: int = 0, aligned: bool = False, exact: bool = False) -> None:
        """fixed: how many of the first are never free.  aligned: each run to its size, a power of two."""
        self.places = 1 << bits
        self.aligned = aligned
        self.exact = exact
        self.in_use: list[tuple[int, int]] = [(0, fixed)] if fixed else []

    def accepts(self, event: AnyEvent) -> bool:
        if isinstance(event, FrameAllocate | RangeAllocate):
            count = counted(event)
            return self.lowest(count) is None if event.result is None else self.allocated(number(event.result), count)
        if isinstance(event, FrameFree | RangeFree):
            return self.freed(number(event.address), counted(event))
        return isinstance(event, ProcessCreate)

    def lowest(self, count: int) -> int | None:
        """The first place of the first gap that holds so many."""
        place = 0
        for first, end in self.in_use:
            if place + count <= first:
                return place
            place = end if not self.aligned else -(-end // count) * count
        return place if place + count <= self.places else None

    def allocated(self, address: int, count: int) -> bool:
        first, offset = divmod(address, PAGE)
        if offset or first < 0 or (self.aligned and first % count) or (self.exact and first != self.lowest(count)):
            return False
        place = bisect_left(self.in_use, (first, 0))
        end = self.places if place == len(self.in_use) else self.in_use[place][0]
        if first + count > end or (place and self.in_use[place - 1][1] > first):
            return False
        self.in_use.insert(place, (first, first + count))
        return True

    def freed(self, address: int, count: int) -> bool:
        first, offset = divmod(address, PAGE)
        place = bisect_left(self.in_use, (first, 0))
        if offset or self.in_use[place : place + 1] != [(first, first + count)]:
            return False
        del self.in_use[place]
        return True


def counted(event: FrameAllocate | FrameFree | RangeAllocate | RangeFree) -> int:
    """How many frames or pages an event is about."""
    if isinstance(event, RangeAllocate | RangeFree):
        return number(event.pages)
    return 1 if event.count is UNSET else number(event.count)


class PlainMappings:
    """The frame that each mapped page shows, in a dictionary."""

    def __init__(self, bits: int) -> None:
        self.pages = 1 << bits
        self.shown: dict[int, int] = {}

    def accepts(self, event: AnyEvent) -> bool:
        if isinstance(event, PageMap):
            page, offset = divmod(number(event.virtual), PAGE)
            frame, beside = divmod(number(event.physical), PAGE)
            if offset or beside or page in self.shown or not 0 <= page < self.pages:
                return False
            self.shown[page] = frame
            return True
        if isinstance(event, PageUnmap):
            page, offset = divmod(number(event.virtual), PAGE)
            return not offset and self.shown.pop(page, None) is not None
        return isinstance(event, ProcessCreate)
