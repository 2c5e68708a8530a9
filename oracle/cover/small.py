"""What of a target is small enough to be covered whole, and what would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from memoracle.cover import entries, heap, kernel_pages, pages, ranges, tables, uses
from memoracle.cover.entries import EntryStates
from memoracle.cover.family import Asks, Family
from memoracle.cover.frames import ALLOCATE, FrameStates
from memoracle.cover.heap import HeapStates
from memoracle.cover.kernel_pages import KernelPageStates
from memoracle.cover.memory import ADD, MemoryStates
from memoracle.cover.pages import PageStates
from memoracle.cover.ranges import RangeStates
from memoracle.cover.stretches import Stretch, StretchStates
from memoracle.cover.tables import TableStates
from memoracle.cover.uses import UseStates
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import RUNS, SINGLE

MOST_SINGLE = 10  # frames that are handed out one by one: each is free or not
MOST_IN_BLOCKS = 8  # frames or pages of which runs or blocks are handed out
MOST_REACHED = 64  # with those that are never free
PROCESSES = 2  # besides the kernel
TABLE_PROCESSES = 3  # an update must reach each of them
HEAP_BLOCKS = KERNEL_BLOCKS = 3
STATES_OF_MISSING = 2  # of a frame that is added, binary digits: it is missing, free, or not
USED_FRAMES = 2  # whose uses are counted


@dataclass(frozen=True)
class Covered:
    """families: to cover.  too_large: of the others, what is too large, and how large it may be."""

    families: Sequence[Family]
    too_large: Sequence[str]


def covered(asks: Asks, geometry: Geometry, free_frames: int, missing: Sequence[Stretch]) -> Covered:
    """What of a target with these operations is covered.

    free_frames: that are free when it was started.  missing: the stretches of frames that are not there then.
    """
    found: list[Family] = []
    large: list[str] = []
    for makes, fault in _parts(asks, geometry, free_frames, missing):
        if fault is None:
            found += [make() for make in makes]
        else:
            large.append(fault)
    return Covered(found, large)


def _parts(
    asks: Asks, geometry: Geometry, free_frames: int, missing: Sequence[Stretch]
) -> Iterator[tuple[list[Callable[[], Family]], str | None]]:
    """The families of each part, and why it is too large."""
    processes = PROCESSES if ranges.CREATE in asks else 0
    if ALLOCATE in asks:
        most = MOST_SINGLE if geometry.frame_allocator == SINGLE else MOST_IN_BLOCKS
        fault = _fault("frames", free_frames, geometry.frames, most, "may be free")
        is_whole = ADD in asks and not missing  # each state has the calls that would add what is there, too
        yield [lambda: MemoryStates(asks, geometry, ()) if is_whole else FrameStates(asks, geometry)], fault
        if ADD in asks and (missing or fault is not None):
            lacking = sum(end - first for first, end in missing)
            grown = free_frames + lacking * STATES_OF_MISSING
            if fault is None and grown <= MOST_IN_BLOCKS:
                frames = [frame for first, end in missing for frame in range(first, end)]
                yield [lambda: MemoryStates(asks, geometry, frames)], None
            else:
                yield [lambda: StretchStates(asks, geometry, missing)], None
        if uses.GET in asks:
            yield [lambda: UseStates(asks, geometry, USED_FRAMES)], None
    if ranges.ALLOCATE in asks:
        kernel, process = (
            (geometry.range_of(who).pages, sum(piece.pages for piece in geometry.reserved_of(who))) for who in (0, 1)
        )
        has_processes = "process" in asks[ranges.ALLOCATE] and processes
        fault = _fault("kernel_range.pages", kernel[0] - kernel[1], kernel[0], MOST_IN_BLOCKS, "are not reserved")
        yield [lambda: RangeStates(asks, geometry, True, 0)], fault
        if has_processes:
            whole = process[0]
            fault = _fault("process_range.pages", whole - process[1], whole, MOST_IN_BLOCKS, "are not reserved")
            coarse: tuple[int, ...] = (whole,) if whole == 1 else (whole // 2, whole)
            if geometry.range_allocator != RUNS:
                coarse = tuple(each for each in coarse if each & each - 1 == 0)
            yield (
                [
                    lambda: RangeStates(asks, geometry, False, 1),
                    lambda: RangeStates(asks, geometry, False, PROCESSES, coarse),
                ],
                fault,
            )
    if not {tables.READ, tables.DUMP}.isdisjoint(asks):
        yield [lambda: TableStates(asks, geometry, TABLE_PROCESSES if processes else 0)], None
    if pages.MAP in asks:
        yield [lambda: PageStates(asks, geometry, processes)], None
    if kernel_pages.ALLOCATE in asks:
        yield [lambda: KernelPageStates(asks, geometry, KERNEL_BLOCKS)], None
    if heap.NEW in asks:
        yield [lambda: HeapStates(asks, geometry, HEAP_BLOCKS)], None
    for of, named in (
        ("pat", (entries.SELECT, entries.DECODE, entries.REGISTER)),
        ("pte", (entries.ENCODE, entries.READ)),
    ):
        if not asks.keys().isdisjoint(named):
            yield [partial(EntryStates, asks, geometry, of)], None


def _fault(key: str, counted: int, reached: int, most: int, which: str) -> str | None:
    if counted <= most and reached <= MOST_REACHED:
        return None
    return f"{key} = {reached:,}, of which {counted:,} {which}: at most {MOST_REACHED} and {most} are covered"
