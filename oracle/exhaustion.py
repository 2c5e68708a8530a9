"""Whether a trace leaves what an operation needs that the trace does not speak of: frames for tables and slabs, and
kernel range to reach them by."""

from __future__ import annotations

from memoracle.replay_frames import FrameReplay
from memoracle.replay_ranges import RangeReplay


def exhausted(frames: FrameReplay, ranges: RangeReplay) -> bool:
    """Whether no frame is free, or no kernel range: then `process.create`, `page.map` and `heap.new` may fail."""
    kernel_space = ranges.spaces.spaces[0]
    return frames.free_frames <= 0 or not any(kernel_space.free_blocks)
