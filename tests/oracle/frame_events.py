"""Machines that hand out runs of frames, and events on these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PAGE = 1 << 12
LEVELS = ("safe", "legal", "exact")
KERNEL = "0xffffffff00000000"
MACHINE: dict[str, Any] = {
    "preset": "x64-4k",
    "frames": 32,
    "kernel_image_frames": 4,
    "frame_allocator": "runs",
    "kernel_range": {"start": KERNEL, "pages": 16},
    "kernel_reserved": [],
}
WHOLE = MACHINE | {"frame_free_parts": "whole"}
BUDDY = MACHINE | {"frame_allocator": "buddy", "frame_max_order": 3}
PARTS = BUDDY | {"frame_free_parts": "partial"}

Check = Callable[..., Any]
Event = dict[str, Any]


def op(name: str, **keys: Any) -> Event:
    return {"op": name} | keys


def allocate(count: int | None, frame: int | None, **keys: Any) -> Event:
    asked = {} if count is None else {"count": count}
    return op("frame.allocate", **asked, **keys) | ({"error": "none"} if frame is None else {"result": frame * PAGE})


def free(frame: int, count: int | None = None, **keys: Any) -> Event:
    return op("frame.free", address=frame * PAGE, **({} if count is None else {"count": count}), **keys)


def reserve(frame: int, count: int, **keys: Any) -> Event:
    return op("frame.reserve", address=frame * PAGE, count=count, **keys)


def count(frames: int) -> Event:
    return op("frame.free_count", result=frames)


def is_free(frame: int, answer: bool) -> Event:
    return op("frame.is_free", address=frame * PAGE, result=answer)


def boot(*records: tuple[int, int]) -> Event:
    return op("boot", memory_map=[{"start": a * PAGE, "length": n * PAGE, "type": 1} for a, n in records])


def add(frame: int, count: int, **keys: Any) -> Event:
    return op("memory.add", start=frame * PAGE, length=count * PAGE, **keys)


BOOT = boot((0, 16), (20, 4))  # frames 16 to 19, and 24 to 31, do not exist
TAKEN = [reserve(8, 4)]
