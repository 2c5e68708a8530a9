"""A small machine: what tests of replays leave open is what they change in it."""

from __future__ import annotations

from typing import Any

from memoracle.spec.geometry import Geometry
from memoracle.trace.geometry import geometry_from

# 16 frames, of which the image has 2; 16 kernel pages, of which 2 are taken at start; 16 pages a process.
SMALL: dict[str, Any] = {
    "preset": "x64-2m",
    "frames": 16,
    "kernel_range": {"start": "0xffffffff00000000", "pages": 16},
    "kernel_reserved": [{"page": 0, "pages": 2}],
    "process_range": {"start": 0, "pages": 16},
}


def small(frames: int, pages_of_process: int = 16) -> Geometry:
    return geometry_from(SMALL | {"frames": frames, "process_range": {"start": 0, "pages": pages_of_process}})
