"""What each operation of a recording is about: which places of which spaces, and whether it may change them.

The states that frames, blocks of ranges and blocks of the heap pass through are *determined*: they follow from which
operations happened, whatever their order, since an operation names what it takes or gives back, and taking and giving
back the same place alternate. Of other operations (`ordered` ones: pages, uses, entries, a block that is resized, a
process that ends) the last one may decide. So it may where blocks of several sizes were given at one address, and what
gives them back does not say which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from msgspec import UNSET

from memoracle.concurrent.about import (
    ENTRIES,
    EVERYTHING,
    FRAMES,
    HEAP,
    LAST,
    PAGES,
    PROCESS,
    RANGE,
    About,
    Space,
    Touch,
    whole,
)
from memoracle.concurrent.recording import Operation
from memoracle.diagnostics.levels import EXACT, Rules
from memoracle.replay.frames.frame_requests import rounded
from memoracle.spec.geometry_keys import BUDDY, LOWER_HALF_END, REFUSE, RUNS, SINGLE, TRUSTING, WHOLE
from memoracle.trace import events
from memoracle.trace.events import AnyEvent, operation_of
from memoracle.trace.numbers import Number, number

LARGEST = 64  # order of a block: a larger one is none


@dataclass
class Touches:
    """Says what operations of a recording are about.

    kinds: of the events that there are.  sizes: by space and address, of how many places blocks were given there.
    unsized: where something is given back that may be of several sizes.
    of_block: by space and address, each call that takes or gives back a block there: when, its line, whether it takes;
    only where misuse may succeed.  proper: the lines of those that are no misuse.
    shown: by space and page, what it may show: a frame, and how.  uses_matter: whether it says anything of a frame how
    many pages show it.
    """

    rules: Rules
    operations: list[Operation]
    kinds: set[type] = field(default_factory=set)
    sizes: dict[tuple[Space, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    unsized: set[tuple[Space, int]] = field(default_factory=set)
    proper: set[int] = field(default_factory=set)
    shown: dict[tuple[Space, int], set[tuple[object, ...]]] = field(default_factory=lambda: defaultdict(set))
    uses_matter: bool = False
    of_block: dict[tuple[Space, int], list[tuple[int, int, int, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        self.kinds = {type(each.event) for each in self.operations}
        self.maps = any(
            kind.__name__.startswith(("Page", "KernelPages", "FrameGet", "FramePut")) for kind in self.kinds
        )
        self.has_entries = any(kind.__name__.startswith("Pml4") for kind in self.kinds)
        geometry = self.rules.geometry
        self.shift = geometry.page_shift
        self.exact = self.rules.level == EXACT
        self.lenient = {operation for operation, policy in geometry.misuse if policy != REFUSE}
        self.undone_whole: set[type] = {events.HeapNew, events.HeapDelete}
        if geometry.frame_allocator == SINGLE or geometry.frees_whole_runs:
            self.undone_whole |= {events.FrameAllocate, events.FrameFree}
        if geometry.range_allocator == BUDDY or geometry.range_free == WHOLE:
            self.undone_whole |= {events.RangeAllocate, events.RangeReserve, events.RangeFree}

    def note_blocks(self, operation: Operation) -> None:
        """Notes which blocks are taken and given back, and when, where misuse may succeed; raises BadNumber."""
        event = operation.event
        if not self.lenient or isinstance(event, events.Crash) or event.error is not UNSET:
            return
        if type(event) in self.undone_whole or isinstance(event, events.HeapResize):
            changed = [each for each in self.touched(event) if each.changes]
            for place, touch in enumerate(changed):
                takes = type(event) in TAKING or place > 0  # a resize gives back, and then takes
                self.of_block[touch.space, touch.first].append(
                    (operation.call, operation.returned, operation.line, takes)
                )

    def note_proper_ones(self) -> None:
        """Notes which operations give back, in any order that is legal up to them, what another one took.

        So it is where all that takes or gives back the same block returned before, or is called after, and the last of
        the former takes it. Otherwise an operation may be a misuse in one order and not in another, and what becomes
        of everything else, where that is undefined, depends on it.
        """
        for calls in self.of_block.values():
            calls.sort()
            latest = -LAST  # return of those before
            was_taken = False
            for place, (call, returned, line, takes) in enumerate(calls):
                is_last = place + 1 == len(calls) or calls[place + 1][0] > returned
                if not takes and was_taken and latest < call and is_last:
                    self.proper.add(line)
                was_taken = takes and call > latest
                latest = max(latest, returned)
        self.of_block.clear()

    def note(self, operation: Operation) -> None:
        """Notes how long a block is that an operation gave, and what a page may show; raises BadNumber."""
        event = operation.event
        self.uses_matter |= self.asks_for_uses(event)
        if isinstance(event, events.PageMap):
            attributes = event.cache, event.writable, event.executable, event.global_
            self.shown[self.page_of(event)].add((number(event.physical) >> self.shift, *attributes))
            return
        match event:
            case events.FrameAllocate() if event.result is not None:
                count = self.frames_of(event)
                count = rounded(count) if self.rules.geometry.frame_allocator == BUDDY else count
                self.sizes[self.frame_at(event.result)].add(count)
            case events.FrameReserve():
                self.sizes[self.frame_at(event.address)].add(max(number(event.count), 1))
            case events.FrameFree() if self.may_be_of_several_sizes(event):
                self.unsized.add(self.frame_at(event.address))
            case events.HeapNew() if event.result is not None:
                self.sizes[(HEAP, 0), number(event.result)].add(number(event.bytes))
            case events.HeapResize() if event.result is not None:
                self.sizes[(HEAP, 0), number(event.result)].add(number(event.bytes))
            case events.HeapDelete():
                self.unsized.add(((HEAP, 0), number(event.address)))

    def frame_at(self, address: Number) -> tuple[Space, int]:
        return (FRAMES, 0), number(address) >> self.shift

    def may_be_of_several_sizes(self, event: events.FrameFree) -> bool:
        """Whether it gives back what was given there, or what it says as it is or rounded up."""
        geometry = self.rules.geometry
        if geometry.frame_allocator == SINGLE or not geometry.frees_whole_runs or event.order is not UNSET:
            return False
        return event.count is UNSET or geometry.frame_allocator == BUDDY

    def longest(self, space: Space, first: int) -> int:
        """The most places that were given at one."""
        return max(self.sizes.get((space, first), ()), default=1)

    def has_several_sizes(self, about: About) -> bool:
        """Whether it is about places where what is given back may be of several sizes."""
        keys = ((each.space, each.first) for each in about.touches if each.changes)
        return any(key in self.unsized and len(self.sizes.get(key, ())) > 1 for key in keys)

    def asks_for_uses(self, event: AnyEvent | events.Crash) -> bool:
        """Whether it may matter to an operation, or to a later one, how many pages show a frame."""
        if isinstance(event, events.FrameFree):
            return self.rules.geometry.free_while_mapped == REFUSE
        if isinstance(event, events.PageUnmap):
            return event.release is True
        return isinstance(event, ASK_FOR_USES)

    def teaches(self, event: AnyEvent) -> bool:
        """Whether what an answer says binds later ones, until something changes: it matters where it stands."""
        if isinstance(event, events.Pml4Read | events.Pml4Dump):
            return self.maps
        return bool(self.kinds & KERNEL_PAGES) and isinstance(event, TEACH_FRAMES)

    def page_of(self, event: events.PageMap | events.PageUnmap) -> tuple[Space, int]:
        virtual = number(event.virtual)
        process = number(event.process) if 0 <= virtual < LOWER_HALF_END else 0
        return (PAGES, process), virtual >> self.shift

    def is_determined(self, event: events.PageMap | events.PageUnmap) -> bool:
        """Whether a page shows the same after the same operations on it: it is mapped in one way, and unmapped."""
        return not self.uses_matter and len(self.shown[self.page_of(event)]) == 1

    def of(self, operation: Operation) -> About:
        """Raises BadNumber."""
        event = operation.event
        if isinstance(event, events.Crash):
            return About((Touch(EVERYTHING, 0, LAST, True),), changes=True, ordered=True)
        found = About(tuple(self.touched(event)))
        kind, failed = type(event), event.error is not UNSET
        if failed or (isinstance(event, events.QUERIES) and not self.teaches(event)):
            found.touches = tuple(Touch(each.space, each.first, each.end, False) for each in found.touches)
            found.lacks = failed and kind in LACKING
            return found
        found.changes = any(each.changes for each in found.touches)
        found.takes = kind in TAKING
        found.ordered = kind not in DETERMINED or (
            (kind is events.FrameFree and self.rules.geometry.frame_free == TRUSTING) or self.has_several_sizes(found)
        )
        if isinstance(event, events.PageMap | events.PageUnmap) and self.is_determined(event):
            found.ordered = False
        sets = isinstance(event, SETTING) or (kind in DETERMINED and self.has_several_sizes(found))
        found.sets = sets and sum(each.changes for each in found.touches) == 1
        found.undone_whole = not found.ordered and kind in self.undone_whole
        if operation_of(event) in self.lenient and operation.line not in self.proper:
            found.touches, found.ordered, found.undone_whole = (Touch(EVERYTHING, 0, LAST, True),), True, False
            found.sets = False
        return found

    def touched(self, event: AnyEvent) -> Iterator[Touch]:
        """The places that an event names; of those that it names none, all of the space."""
        process = number(getattr(event, "process", 0))
        failed = event.error is not UNSET
        tables = getattr(event, "tables", UNSET)
        for table in () if tables is UNSET else tables:
            yield Touch((FRAMES, 0), number(table) >> self.shift, (number(table) >> self.shift) + 1, True)
        if tables and self.exact and isinstance(event, events.ProcessCreate | events.PageMap):
            yield whole((FRAMES, 0), changes=False)  # which frames are the reference's choice
        match event:
            case events.FrameAllocate():
                if failed or event.result is None or self.exact:
                    yield whole((FRAMES, 0), changes=False)
                if event.result is not None:
                    yield self.run((FRAMES, 0), number(event.result) >> self.shift, self.frames_of(event))
            case events.FrameReserve():
                yield self.run((FRAMES, 0), number(event.address) >> self.shift, number(event.count))
            case events.FrameFree():
                first = number(event.address) >> self.shift
                yield self.run((FRAMES, 0), first, max(self.frames_of(event), self.longest((FRAMES, 0), first)))
            case events.FrameGet() | events.FramePut():
                yield self.run((FRAMES, 0), number(event.address) >> self.shift, 1)
            case events.MemoryAdd():
                yield self.run((FRAMES, 0), number(event.start) >> self.shift, (number(event.length) >> self.shift) + 2)
            case events.FrameIsFree():
                yield self.run((FRAMES, 0), number(event.address) >> self.shift, 1)
            case events.FrameFreeCount():
                yield whole((FRAMES, 0))
            case events.ProcessCreate() | events.ProcessExit():
                yield from self.of_process(event, process)
            case (
                events.RangeAllocate()
                | events.RangeReserve()
                | events.RangeFree()
                | events.RangeSize()
                | events.RangeList()
            ):
                yield Touch((PROCESS, process), 0, 1, False)
                yield from self.of_range(event, process, failed)
            case events.HeapNew() | events.HeapDelete() | events.HeapResize():
                yield from self.of_heap(event)
            case events.PageMap() | events.PageUnmap() | events.PageTranslate() | events.PageAttributes():
                yield Touch((PROCESS, process), 0, 1, False)
                yield from self.of_pages(event, process, failed)
            case events.Pml4Write() | events.Pml4Read() | events.Pml4Dump():
                yield Touch((PROCESS, process), 0, 1, False)
                yield whole((ENTRIES, 0))
            case events.KernelPagesAllocate() | events.KernelPagesFree():
                for space in ((FRAMES, 0), (RANGE, 0), (PAGES, 0), (ENTRIES, 0)):
                    yield whole(space)
            case events.Boot():
                yield whole(EVERYTHING)
            case _:
                return  # it is about no state: an entry, or the page attribute table

    def frames_of(self, event: events.FrameAllocate | events.FrameFree) -> int:
        """How many frames it names, at the most."""
        if event.order is not UNSET:
            return 1 << min(max(number(event.order), 0), LARGEST)
        return 1 if event.count is UNSET else max(number(event.count), 1)

    def run(self, space: Space, first: int, count: int) -> Touch:
        """So many places from the first on, and those of the block of a buddy system that they may be rounded up to."""
        count = min(max(count, 1), 1 << LARGEST)
        geometry = self.rules.geometry
        allocator = geometry.frame_allocator if space[0] == FRAMES else geometry.range_allocator
        if allocator == BUDDY:
            count = rounded(count)
        return Touch(space, first, first + count, True)

    def of_process(self, event: events.ProcessCreate | events.ProcessExit, process: int) -> Iterator[Touch]:
        if isinstance(event, events.ProcessCreate):
            if event.result is None:
                yield whole((FRAMES, 0), changes=False)
                yield whole((RANGE, 0), changes=False)
                return
            process = number(event.result)
        yield Touch((PROCESS, process), 0, 1, True)
        if self.has_entries:
            yield whole((ENTRIES, 0))
        if isinstance(event, events.ProcessExit) and self.maps:
            for space in ((RANGE, process), (PAGES, process), (FRAMES, 0)):
                yield whole(space)
        elif isinstance(event, events.ProcessExit):
            yield whole((RANGE, process))

    def of_range(self, event: AnyEvent, process: int, failed: bool) -> Iterator[Touch]:
        space, size = (RANGE, process), self.rules.geometry.page_size
        if isinstance(event, events.RangeList) or (isinstance(event, events.RangeAllocate) and (failed or self.exact)):
            yield whole(space, changes=False)
        if isinstance(event, events.RangeAllocate) and event.result is not None:
            yield self.run(space, number(event.result) // size, number(event.pages))
        elif isinstance(event, events.RangeReserve | events.RangeFree):
            yield self.run(space, number(event.address) // size, number(event.pages))
        elif isinstance(event, events.RangeSize):
            if self.rules.geometry.range_allocator == RUNS:
                yield whole(space, changes=False)
            else:
                yield self.run(space, number(event.address) // size, 1)

    def of_heap(self, event: events.HeapNew | events.HeapDelete | events.HeapResize) -> Iterator[Touch]:
        space = (HEAP, 0)
        if not isinstance(event, events.HeapNew) and number(event.address):
            first = number(event.address)
            yield Touch(space, first, first + max(1, self.longest(space, first)), True)
        if isinstance(event, events.HeapDelete):
            return
        if event.result is not None:
            first = number(event.result)
            yield Touch(space, first, first + max(1, number(event.bytes)), True)
        elif self.rules.geometry.heap_arena is not None:
            yield whole(space, changes=False)
        else:
            yield whole((FRAMES, 0), changes=False)
            yield whole((RANGE, 0), changes=False)

    def of_pages(self, event: AnyEvent, process: int, failed: bool) -> Iterator[Touch]:
        virtual: Number = getattr(event, "virtual", 0)
        page = number(virtual) >> self.shift
        space = (PAGES, process if 0 <= number(virtual) < LOWER_HALF_END else 0)
        yield Touch(space, page, page + 1, True)
        if isinstance(event, events.PageMap) and failed:
            yield whole((FRAMES, 0), changes=False)
            yield whole((RANGE, 0), changes=False)
        if self.uses_matter and isinstance(event, events.PageMap | events.PageUnmap):
            yield from self.frames_shown(event)
        if self.has_entries:
            yield whole((ENTRIES, 0))

    def frames_shown(self, event: events.PageMap | events.PageUnmap) -> Iterator[Touch]:
        """The frames of which an operation may change how many pages show them."""
        if isinstance(event, events.PageMap):
            yield self.run((FRAMES, 0), number(event.physical) >> self.shift, 1)
        elif self.kinds & KERNEL_PAGES or (shown := self.shown[self.page_of(event)]) == set():
            yield whole((FRAMES, 0))
        else:
            yield from (self.run((FRAMES, 0), frame, 1) for frame in {cast(int, frame) for frame, *_ in shown})


TAKING = {events.FrameAllocate, events.FrameReserve, events.RangeAllocate, events.RangeReserve, events.HeapNew}
LACKING = {events.FrameAllocate, events.RangeAllocate, events.HeapNew}
SETTING = (events.PageMap, events.PageUnmap)
KERNEL_PAGES = {events.KernelPagesAllocate, events.KernelPagesFree}
# Answers that tell which frames kernel pages have that were not named.
TEACH_FRAMES = (events.PageTranslate, events.FrameIsFree, events.FrameFreeCount)
ASK_FOR_USES = (
    events.FrameGet,
    events.FramePut,
    events.KernelPagesAllocate,
    events.KernelPagesFree,
    events.ProcessExit,
    events.Crash,
)
DETERMINED = {
    *TAKING,
    events.FrameFree,
    events.MemoryAdd,
    events.RangeFree,
    events.HeapDelete,
    events.ProcessCreate,
}
