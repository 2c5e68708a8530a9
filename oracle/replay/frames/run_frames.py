"""The frames of a machine whose allocator hands out runs of them, on the reference's `Runs`.

One frame at a time they are asked and changed as a `Bitmap` is, so that whatever replays pages needs no other words for
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from memoracle.impl import zones
from memoracle.impl.boot import Interval, Record, usable_pages, without
from memoracle.impl.zones import Zone
from memoracle.replay.containers.block_map import BlockMap
from memoracle.replay.containers.place_map import PlaceMap, Spans
from memoracle.replay.containers.run_lines import RunLines
from memoracle.replay.containers.stretches import Stretches
from memoracle.replay.frames.runs_in_use import RunsInUse
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY
from memoracle.spec.geometry_limits import require

MOST_BLOCKS = 1 << 18  # of the largest order


class RunFrames(RunsInUse[Spans]):
    """The frames of a machine of which it is known which exist.

    lines: the line that last allocated or freed each, or 0.
    believed: those that do not exist, but were freed on trust, and are handed out as if they did.
    """

    def __init__(self, geometry: Geometry, exact: bool = False) -> None:
        """Only the frames exist that are never free. exact: it is asked what the reference would give."""
        frames = geometry.frames
        if exact and geometry.frame_allocator == BUDDY:
            refuse_many_blocks(geometry)
            self.available: PlaceMap = BlockMap(frames, geometry.frame_max_order)
        else:
            self.available = PlaceMap(frames)
        given: dict[int, int] | None = {} if geometry.frees_whole_runs else None
        super().__init__(frames, Spans(frames), Spans(frames), self.available, given)
        self.lines = RunLines(frames)
        self.believed = Stretches()
        for first, last in joined(geometry.never_free_frames):
            self.runs.add_never_free(first, last - first)

    @property
    def free_frames(self) -> int:
        return self.runs.free_places

    # Runs

    def run_of(self, frame: int) -> int | None:
        """The first frame of the run, given by one allocation, that this frame lies in."""
        given = self.given or {}
        starts = range(frame, -1, -1) if frame < len(given) else sorted(given, reverse=True)
        return next((first for first in starts if first <= frame < first + given.get(first, 0)), None)

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, int, bool]]:
        """The stretches of frames that are free, and that are not: the first of each, the one after its last."""
        first, last = max(first, 0), min(last, self.frames)
        while first < last:
            end = self.available.next_out(first)
            free = first < end
            end = min(end if free else self.available.next_in(first), last)
            yield first, end, free
            first = end

    def take_free_ones(self, first: int, count: int) -> None:
        """Allocates those of these frames that are free; all of them are one run that was given."""
        for start, end, free in list(self.pieces(first, first + count)):
            if free:
                self.runs.reserve(start, end - start)
        if self.given is not None:
            self.given[first] = count

    def free_used_ones(self, first: int, count: int) -> list[tuple[int, int]]:
        """Frees those of these frames that are in use, which it answers; what is left of their runs stays in use."""
        if self.given is not None:
            self.divide(first, first + count)
        used = self.in_use(first, first + count)
        for start, end in used:
            self.runs.free(start, end - start)
        return used

    def free_on_trust(self, first: int, count: int) -> None:
        """Frees all of these frames, none of which is never free, whether or not they were in use or ever existed."""
        for start, end in list(self.missing(first, first + count)):
            self.runs.add(start, end - start)
            self.believed.add(start, end)
        self.free_used_ones(first, count)

    def turn_up(self, first: int, last: int) -> int:
        """These frames, none of which exists, exist from now on, and are free; how many of them were so already."""
        free = sum(end - start for start, end, is_free in self.pieces(first, last) if is_free)
        self.believed.remove(first, last)
        for start, end in list(self.missing(first, last)):
            self.runs.add(start, end - start)
        self.free_used_ones(first, last - first)
        return free

    def missing(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The stretches of these frames that do not exist, nor were freed on trust."""
        while first < last:
            end = min(self.existing.next_in(first), last)
            if first < end:
                yield first, end
            first = self.existing.next_out(end)

    def next_existing(self, frame: int) -> int:
        """The first frame from this one on that exists; past all frames, if none does."""
        found = self.existing.next_in(frame)
        for first, last in self.believed:
            if first <= found < last:
                found = self.existing.next_in(last)
        return found

    def next_missing(self, frame: int) -> int:
        """The first frame from this one on that does not exist."""
        end = self.existing.next_out(frame)
        return min([end, *(max(first, frame) for first, last in self.believed if frame < last)])

    def next_believed(self, first: int, last: int) -> int | None:
        """The first of these frames that is free although it does not exist."""
        found = (self.available.next_in(max(start, first)) for start, end in self.believed if first < end)
        return next((frame for frame in found if frame < last and not self.exists(frame)), None)

    def in_use(self, first: int, last: int) -> list[tuple[int, int]]:
        """The stretches of these frames that are in use and may become free."""
        pieces = [(start, end) for start, end, free in self.pieces(first, last) if not free]
        return [inner for start, end in pieces for inner in self.used(start, end)]

    def not_in_use(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The other stretches: free, missing or never free."""
        for start, end in [*self.in_use(first, last), (last, last)]:
            if first < start:
                yield first, start
            first = end

    def used(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The stretches of these frames, none of which is free, that may become free."""
        while (first := self.changing.next_in(first)) < last:
            end = min(self.changing.next_out(first), last)
            yield first, end
            first = end

    def divide(self, first: int, last: int) -> None:
        """What one allocation gave of these frames, and beside them, are runs of their own from now on."""
        assert self.given is not None
        begun = self.run_of(first)
        among = range(first, last) if last - first < len(self.given) else sorted(self.given)
        for run in [*([begun] if begun is not None and begun < first else []), *among]:
            count = self.given.get(run, 0)
            if not count or run >= last or run + count <= first:
                continue
            del self.given[run]
            for start, end in ((run, min(run + count, first)), (max(run, last), run + count)):
                if start < end:
                    self.given[start] = end - start

    def find(self, searches: Iterable[tuple[int, int, int, int]]) -> int | None:
        """The first frame of the lowest run that the first search finds which finds any."""
        found = (self.available.find(*search) for search in searches)
        return next((first for first in found if first is not None), None)

    def preferred(self, searches: Iterable[tuple[int, int, int, int]]) -> int | None:
        """The block that the reference's buddy system would give, by the first search that finds any."""
        if not isinstance(self.available, BlockMap):
            return None
        found = (self.available.preferred(*search) for search in searches)
        return next((first for first in found if first is not None), None)

    # As a bitmap has it

    def is_free(self, frame: int) -> bool:
        return self.runs.is_free(frame)

    def exists(self, frame: int) -> bool:
        return self.runs.exists(frame) and not (self.believed and self.believed.cover(frame, frame + 1))

    def is_never_free(self, frame: int) -> bool:
        return self.runs.exists(frame) and not self.changing.covers(frame, frame + 1)

    def allocate(self) -> int | None:
        """Allocates the lowest free frame; None if no frame is free."""
        return self.allocate_run(1, 1, 0, self.frames)

    def allocate_within(self, alignment: int, first: int, last: int) -> int | None:
        """Allocates the lowest free frame within these limits; None if there is none."""
        return self.allocate_run(1, alignment, first, last)

    def allocate_run(self, count: int, alignment: int, lowest: int, below: int) -> int | None:
        """Allocates the lowest run that is aligned, and lies within these limits; None if there is none."""
        first = self.runs.allocate(count, alignment, lowest, below)
        if first is not None and self.given is not None:
            self.given[first] = count
        return first

    def allocate_block(self, count: int) -> int | None:
        """Allocates the block that the reference's buddy system gives for so many frames; None if there is none."""
        assert isinstance(self.available, BlockMap), "it is asked which block that would give"
        first = self.available.give(count)
        if first is not None:
            self.runs.free_places -= count
            if self.given is not None:
                self.given[first] = count
        return first

    def allocate_zoned(self, named: Sequence[Zone], count: int, alignment: int, lowest: int, below: int) -> int | None:
        """Likewise, in the first of the zones that can serve."""
        found = zones.allocate(self.runs, named, count, alignment, lowest, below)
        if found is None:
            return None
        if self.given is not None:
            self.given[found[1]] = count
        return found[1]

    def take(self, frame: int) -> bool:
        """Allocates just this frame; False if it is not free."""
        return self.take_run(frame, 1)

    def free(self, frame: int) -> bool:
        """Frees a frame that was allocated alone, or any in use where a part of a run may be freed."""
        return self.free_run(frame, 1)

    def hotplug(self, first: int, last: int) -> bool:
        """Adds frames that turn up; False if one of them exists, or there are none."""
        return self.runs.add(first, last - first)

    def bits(self, first: int, count: int) -> str:
        """Which of these frames are free: 1, or not: 0."""
        return "".join("1" if self.is_free(frame) else "0" for frame in range(first, first + count))


def booted(records: Iterable[Record], geometry: Geometry, exact: bool = False) -> RunFrames:
    """The frames of a machine with this memory map: usable ones are free, except those that are never free."""
    frames = RunFrames(geometry, exact)
    pages = usable_pages(list(records), geometry.page_shift)
    for first, last in geometry.never_free_frames:
        pages = without(pages, Interval(first, last))
    for first, last in pages:
        frames.hotplug(first, min(last, frames.frames))
    return frames


def refuse_many_blocks(geometry: Geometry) -> None:
    """Raises GeometryError where a buddy system would have more blocks of the largest order than are kept apart."""
    order = geometry.frames.bit_length() if geometry.frame_max_order is None else geometry.frame_max_order
    blocks = geometry.frames >> order
    fault = f"at level exact there may be {MOST_BLOCKS:,} blocks of the largest order at most, not {blocks:,}"
    require(blocks <= MOST_BLOCKS, "frame_max_order", fault, "frames")


def joined(pieces: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same frames in pieces that do not overlap."""
    apart: list[tuple[int, int]] = []
    for first, last in sorted(pieces):
        start = max(first, apart[-1][1]) if apart else first
        if start < last:
            apart.append((start, last))
    return apart
