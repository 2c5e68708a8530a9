"""Which operations look legal where a search stands. A hint decides only in which order they are tried: all are, in
the end, and what is legal the replay says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from memoracle.replay.dispatch import Replay
from memoracle.replay.ranges.process_ranges import AnyRanges
from memoracle.replay.ranges.run_space import RunSpace
from memoracle.spec import heap_room
from memoracle.trace import events
from memoracle.trace.numbers import number


def looks_legal(replay: Replay, event: Any) -> bool:
    """Whether an event seems to be legal where the replay stands."""
    hint = HINTS.get(type(event))
    return hint is None or hint(replay, event)


def is_free(replay: Replay, frame: int) -> bool:
    bitmap = replay.frames.bitmap
    return 0 <= frame < bitmap.frames and bitmap.is_free(frame)


def frame_allocate(replay: Replay, event: events.FrameAllocate) -> bool:
    if event.result is not None:
        return is_free(replay, number(event.result) >> replay.frames.geometry.page_shift)
    runs = replay.runs_of_frames
    if runs is None:
        named = (event.alignment, event.from_, event.below)
        return replay.frames.free_frames <= 0 or any(each is not UNSET for each in named)
    asked = runs.requests.asked(event)
    return asked.refused is not None or runs.runs.find(asked.searches) is None


def frame_free(replay: Replay, event: events.FrameFree) -> bool:
    frame = number(event.address) >> replay.frames.geometry.page_shift
    bitmap = replay.frames.bitmap
    is_used = 0 <= frame < bitmap.frames and not bitmap.is_free(frame)
    return is_used if event.succeeded else not is_used or bitmap.is_never_free(frame)


def frame_is_free(replay: Replay, event: events.FrameIsFree) -> bool:
    frame = number(event.address) >> replay.frames.geometry.page_shift
    return is_free(replay, frame) == event.result


def frame_free_count(replay: Replay, event: events.FrameFreeCount) -> bool:
    if event.result is None or event.zone is not UNSET:
        return True
    free = replay.frames.free_frames
    return number(event.result) <= free if replay.rules.hides_frames else number(event.result) == free


def range_taken(replay: Replay, event: events.RangeAllocate | events.RangeReserve | events.RangeFree) -> bool:
    space = replay.ranges.known.get(number(event.process))
    if space is None:
        return number(event.process) in replay.tables.tables.live
    if isinstance(event, events.RangeAllocate):
        if event.result is None:
            ranges: AnyRanges = replay.ranges
            return not ranges.has_room(space, number(event.pages))
        address = number(event.result)
    else:
        address = number(event.address)
    if isinstance(space, RunSpace):
        page = space.pages.page_at(address)
        taken = page is not None and next(iter(space.pages.pieces.overlapping(page, page + 1)), None) is not None
    else:
        page = space.area.page_at(address, replay.frames.geometry.page_size)
        taken = page is not None and space.line(page) > 0
    return (taken == isinstance(event, events.RangeFree)) == event.succeeded


def range_size(replay: Replay, event: events.RangeSize) -> bool:
    space = replay.ranges.known.get(number(event.process))
    if space is None or event.result is None or isinstance(space, RunSpace):
        return True
    page = space.area.page_at(number(event.address), replay.frames.geometry.page_size)
    return bool((0 if page is None else space.buddy.size(page)) == number(event.result))


def process_create(replay: Replay, event: events.ProcessCreate) -> bool:
    return event.result is None or number(event.result) not in replay.tables.tables.live


def process_exit(replay: Replay, event: events.ProcessExit) -> bool:
    return (number(event.process) in replay.tables.tables.live) == event.succeeded


def heap_new(replay: Replay, event: events.HeapNew) -> bool:
    heap, live, size = replay.heap, replay.heap.live, number(event.bytes)
    if event.result is None:
        if live.room is not None and live.gaps is not None and size > 0:
            alignment = heap.alignment(event.alignment, size)
            return not heap_room.gap_holds_it(live.room, size, alignment, *live.gaps.largest())
        return replay.rules.lacking_passes or replay.frames.free_frames <= 0
    address = number(event.result)
    before, after = live.starts.around(address)
    return (
        address not in live.sizes
        and (before is None or before + live.sizes[before] <= address)
        and (after is None or address + size <= after)
    )


def heap_delete(replay: Replay, event: events.HeapDelete | events.HeapResize) -> bool:
    address = number(event.address)
    return not address or (address in replay.heap.live.sizes) == event.succeeded


def page_map(replay: Replay, event: events.PageMap | events.PageUnmap) -> bool:
    shown = replay.pages.paging.translate(number(event.process), number(event.virtual))
    return ((shown is None) == isinstance(event, events.PageMap)) == event.succeeded


def page_translate(replay: Replay, event: events.PageTranslate) -> bool:
    shown = replay.pages.paging.translate(number(event.process), number(event.virtual))
    return shown == (None if event.result is None else number(event.result))


def pml4_read(replay: Replay, event: events.Pml4Read) -> bool:
    value = replay.tables.tables.read(number(event.process), number(event.index))
    return event.result is None or value == number(event.result)


HINTS: dict[type, Callable[[Replay, Any], bool]] = {
    events.FrameAllocate: frame_allocate,
    events.FrameFree: frame_free,
    events.FrameIsFree: frame_is_free,
    events.FrameFreeCount: frame_free_count,
    events.RangeAllocate: range_taken,
    events.RangeReserve: range_taken,
    events.RangeFree: range_taken,
    events.RangeSize: range_size,
    events.ProcessCreate: process_create,
    events.ProcessExit: process_exit,
    events.PageMap: page_map,
    events.PageUnmap: page_map,
    events.PageTranslate: page_translate,
    events.Pml4Read: pml4_read,
    events.HeapNew: heap_new,
    events.HeapDelete: heap_delete,
}
