"""Whether this machine has the memory that a geometry takes."""

from __future__ import annotations

import os

from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_limits import require

BITMAP = 3  # bits a frame: whether it is free, whether it exists, and whether it is never free
MARK = 8  # bits a frame, where runs of them are found: whether it is free
GIB = 1 << 30


def refuse_more_than_memory(geometry: Geometry, bits: int) -> None:
    """Raises GeometryError if so many bits a frame are more than the memory of this machine.

    Asked before any of it is taken, since the system may grant more than it has and then end the process.
    """
    due, memory = geometry.frames * bits // 8, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    told = f"{geometry.frames:,} take {due / GIB:,.0f} GiB, and this machine has {memory / GIB:,.0f} GiB of memory"
    require(due <= memory, "frames", told)
