"""What there are vectors of: calls, the reference that answers them, and small machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from memoracle.cover import kernel_pages
from memoracle.cover.boots import BootStates
from memoracle.cover.entries import EntryStates
from memoracle.cover.family import Asks, Family
from memoracle.cover.frames import FrameStates
from memoracle.cover.graph import Reference
from memoracle.cover.heap import HeapStates
from memoracle.cover.kernel_pages import KernelPageStates
from memoracle.cover.pages import PageStates
from memoracle.cover.ranges import RangeStates
from memoracle.cover.reference_arena import ArenaBlocks, ResizedInArena
from memoracle.cover.reference_frames import frames_of
from memoracle.cover.reference_manager import (
    Booted,
    HeapBlocks,
    MappedPages,
    ResizedBlocks,
    ShownPages,
    WholeManager,
)
from memoracle.cover.reference_tables import Entries, KernelRange, TopLevelTables
from memoracle.cover.releases import ReleaseStates
from memoracle.cover.tables import TableStates
from memoracle.spec import heap as heap_law
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY, CHECKED, NATURAL, RUNS, SINGLE, TRUSTING, WHOLE


@dataclass(frozen=True)
class Component:
    """What vectors are made of. geometry: the small machine of which they are, if no other is named.

    fits: why another geometry is not one of this component; None if it is.
    anywhere: whether what is handed out may lie anywhere, since no call tells of all that is taken; then only where one
    block lies beside another is required.  unit: in how many bytes it is counted; a page, if it is not said.
    """

    geometry: Mapping[str, Any]
    family: Callable[[Asks, Geometry], Family]
    reference: Callable[[Geometry], Reference]
    fits: Callable[[Geometry], str | None]
    anywhere: bool = False
    unit: int | None = None


def _not(found: int) -> str:
    """How many there are instead, and what helps."""
    return f", not {found:,}: name another machine with --geometry"


def _frames(allocator: str, most: int) -> Callable[[Geometry], str | None]:
    def fits(geometry: Geometry) -> str | None:
        if geometry.frame_allocator != allocator:
            return f"frame_allocator: these are of {allocator!r}"
        if allocator == BUDDY and not geometry.frees_whole_runs:
            return f"frame_free_parts: these are of {WHOLE!r}"
        if allocator != SINGLE and geometry.frame_free == TRUSTING:
            return f"frame_free: these are of {CHECKED!r}"
        return f"frames: at most {most} can be covered{_not(geometry.frames)}" if geometry.frames > most else None

    return fits


def _range(geometry: Geometry) -> str | None:
    area = geometry.kernel_range
    if (
        geometry.range_allocator != BUDDY
        or area.pages & area.pages - 1
        or area.start % (area.pages * geometry.page_size)
    ):
        return "kernel_range: these are of a buddy system, a power of two of pages, aligned to its size"
    return f"kernel_range: at most 4 pages can be covered{_not(area.pages)}" if area.pages > 4 else None


def _any(geometry: Geometry) -> None:
    return None


def _manager(geometry: Geometry) -> str | None:
    """Of these machines the reference's manager is one, with frames enough for its tables."""
    for key in ("kernel_range", "process_range"):
        pages = getattr(geometry, key).pages
        if geometry.range_allocator != BUDDY or pages & pages - 1:
            return f"{key}: these are of a buddy system, a power of two of pages"
    if geometry.frame_allocator != SINGLE or (0, 1) > min(geometry.never_free_frames, default=(1, 1)):
        return f"frame_allocator: these are of {SINGLE!r}"
    if all(first for first, _ in geometry.never_free_frames):
        return "never_free: frame 0 is among these"
    return f"frames: at least {MANAGED}, so that none is lacking" if geometry.frames < MANAGED else None


def _kernel_pages(geometry: Geometry) -> str | None:
    pages, spare = geometry.kernel_range.pages, geometry.frames - MANAGED
    if pages < KERNEL_ROOM or geometry.kernel_reserved:
        return f"kernel_range: at least {KERNEL_ROOM} pages, none of them reserved, so that none is lacking"
    if spare < min(pages, kernel_pages.MOST_PAGES):
        return f"frames: at least {MANAGED} more than the kernel's range has pages, so that none is lacking"
    return _manager(geometry)


def _arena(geometry: Geometry) -> str | None:
    arena, most = geometry.heap_arena, MOST_LIVE * heap_law.LEAST
    if arena is None:
        return "heap_arena: these are of a heap that has just this memory"
    if arena.bytes > most:
        return f"heap_arena: at most {most:,} bytes can be covered{_not(arena.bytes)}"
    return _alignment(geometry)


def _alignment(geometry: Geometry) -> str | None:
    if geometry.heap_alignment != NATURAL and int(geometry.heap_alignment) < heap_law.LEAST:
        return f"heap_alignment: at least {heap_law.LEAST}"
    return None


def _heap(geometry: Geometry) -> str | None:
    if geometry.heap_arena is not None:
        return "heap_arena: these are of a heap that has as many pages as it needs"
    if (fault := _alignment(geometry)) is not None:
        return fault
    if geometry.kernel_range.pages - sum(piece.pages for piece in geometry.kernel_reserved) < KERNEL_ROOM:
        return f"kernel_range: at least {KERNEL_ROOM} pages that are not reserved, so that none is lacking"
    return _manager(geometry)


def _boot(geometry: Geometry) -> str | None:
    return f"frames: 8 to 64 can be covered{_not(geometry.frames)}" if not 8 <= geometry.frames <= 64 else None


MOST_LIVE = 2048  # units of what is in use, of which the files in C keep a list
MANAGED = 64  # frames: of two processes, few pages and all of their tables
KERNEL_ROOM = 32
_MACHINE: dict[str, Any] = {
    "preset": "x64-4k",
    "frames": 2 * MANAGED,
    "kernel_image_frames": 4,
    "kernel_range": {"start": "0xFFFFFFFF00000000", "pages": KERNEL_ROOM},
    "kernel_reserved": [],
}
_SMALL: dict[str, Any] = {"preset": "x64-4k", "frames": 6, "kernel_image_frames": 2}
_ARENA: dict[str, Any] = {
    "preset": "x64-4k",
    "heap_arena": {"start": "0xFFFF800000001000", "bytes": 16384, "overhead": 16, "minimum": 32},
}


def _of_kernel_pages(reference: Callable[[Geometry], Reference]) -> Component:
    """Of kernel pages, as that reference answers."""

    def family(asks: Asks, geometry: Geometry) -> Family:
        return KernelPageStates(asks, geometry, 2)

    return Component(_MACHINE, family, reference, _kernel_pages, anywhere=True)


def _of_heap(
    machine: Mapping[str, Any],
    reference: Callable[[Geometry], Reference],
    fits: Callable[[Geometry], str | None],
) -> Component:
    """Of a heap, as that reference answers."""

    def family(asks: Asks, geometry: Geometry) -> Family:
        return HeapStates(asks, geometry, 2, few=True)

    return Component(machine, family, reference, fits, anywhere=True, unit=heap_law.LEAST)


COMPONENTS: dict[str, Component] = {
    "bitmap": Component(_SMALL, lambda asks, geometry: FrameStates(asks, geometry), frames_of, _frames(SINGLE, 8)),
    "runs": Component(
        _SMALL | {"frame_allocator": "runs"},
        lambda asks, geometry: FrameStates(asks, geometry),
        frames_of,
        _frames(RUNS, 6),
    ),
    "frame_buddy": Component(
        {"preset": "x64-4k", "frames": 4, "frame_allocator": "buddy", "never_free": []},
        lambda asks, geometry: FrameStates(asks, geometry),
        frames_of,
        _frames(BUDDY, 6),
    ),
    "buddy": Component(
        {
            "preset": "x64-4k",
            "kernel_range": {"start": "0xFFFFFFFF00000000", "pages": 4},
            "kernel_reserved": [],
        },
        lambda asks, geometry: RangeStates(asks, geometry, True, 0),
        KernelRange,
        _range,
    ),
    "boot": Component(
        {"preset": "x64-4k", "frames": 8, "kernel_image_frames": 1},
        lambda asks, geometry: BootStates(asks, geometry),
        Booted,
        _boot,
    ),
    "kernel_half": Component(
        {"preset": "x64-4k"},
        lambda asks, geometry: TableStates(asks, geometry, 2),
        lambda geometry: TopLevelTables(),
        _any,
    ),
    "paging": Component(_MACHINE, lambda asks, geometry: PageStates(asks, geometry, 1), MappedPages, _manager),
    "manager": Component(
        _MACHINE,
        lambda asks, geometry: ReleaseStates(asks, geometry),
        WholeManager,
        _manager,
        anywhere=True,
    ),
    "kernel_pages": _of_kernel_pages(WholeManager),
    "kernel_frames": _of_kernel_pages(ShownPages),
    "heap": _of_heap(_MACHINE, HeapBlocks, _heap),
    "heap_resize": _of_heap(_MACHINE, ResizedBlocks, _heap),
    "heap_arena": _of_heap(_ARENA, ArenaBlocks, _arena),
    "heap_arena_resize": _of_heap(_ARENA, ResizedInArena, _arena),
    "pat": Component({"preset": "x64-4k"}, lambda asks, geometry: EntryStates(asks, geometry, "pat"), Entries, _any),
    "pte": Component(
        {"preset": "x64-4k"},
        lambda asks, geometry: EntryStates(asks, geometry, "pte", few=True),
        Entries,
        _any,
    ),
}
