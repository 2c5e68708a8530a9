"""Whether a trace leaves what an operation needs that the trace does not speak of: frames for tables and slabs, and
kernel range to reach them by."""

from __future__ import annotations

from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.ranges.process_ranges import AnyRanges


def exhausted(frames: FrameReplay, ranges: AnyRanges, pages: int = 1) -> bool:
    """Whether fewer frames are free than these, at least 1, or no kernel range has as many pages in a row.

    Then `process.create`, `page.map` and `heap.new` may fail.
    """
    return frames.are_short(pages) or not ranges.has_room(ranges.known[0], pages)


def seem_exhausted(frames: FrameReplay, ranges: AnyRanges) -> None:
    """What needs a frame, or kernel range, has failed: one of the latest operations may have left none."""
    if frames.free_frames <= frames.most_missing():
        frames.doubts.seem_fewer_than(1)
    ranges.known[0].has_lost_room(1)
