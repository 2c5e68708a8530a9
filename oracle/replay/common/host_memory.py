"""Whether there is the memory that a geometry takes."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_limits import require

BITMAP = 4  # bits a frame: whether it is free, whether it exists, whether it is never free; and while these are made
MARK = 16  # bits a frame, where runs of them are found: whether it is free; and while this is made
LIMITS = resource.RLIMIT_AS, resource.RLIMIT_DATA
# What a container may have (https://docs.kernel.org/admin-guide/cgroup-v2.html; the second is the first version's).
GROUP_LIMITS = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
MOST_STATED = 300_000_000  # bytes that a trace alone may ask for
MOST_OF_IT = 0.75  # of the memory, for frames: the rest of the state, and the program, need some
MEGA = 1_000_000


def refuse_more_than_memory(geometry: Geometry, bits: int) -> None:
    """Raises GeometryError if so many bits a frame are more than most of the memory that this process may have.

    Asked before any of it is taken, since the system may grant more than it has and then end the process.
    """
    due, memory = geometry.frames * bits // 8, memory_there()
    told = (
        f"{geometry.frames:,} take {due // MEGA:,} MB, and there are {memory // MEGA:,} MB of memory for all there is"
    )
    require(due <= memory * MOST_OF_IT, "frames", told)


def refuse_more_than_a_trace_may(geometry: Geometry, bits: int) -> None:
    """Raises GeometryError if so many bits a frame are more than a trace may ask for, which may be anybody's."""
    due = geometry.frames * bits // 8
    told = f"{geometry.frames:,} take {due // MEGA:,} MB, and a trace may ask for {MOST_STATED // MEGA:,} MB"
    require(due <= MOST_STATED, "frames", f"{told}: --geometry FILE.toml may for more")


def memory_there() -> int:
    """How many bytes this process may have: of the machine, of its container, and by its own limits."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    found += [soft for soft, _ in map(resource.getrlimit, LIMITS) if soft != resource.RLIM_INFINITY]
    for each in GROUP_LIMITS:
        with suppress(OSError, ValueError):  # there is no such file, or it says `max`
            found.append(int(each.read_text(encoding="ascii")))
    return min(found)
