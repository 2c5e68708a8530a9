"""From the firmware's memory map to the frames that exist.

The records may overlap, come in any order, be empty, or run past 2^64, where they end. A page is usable if it lies
wholly in usable records and no other record touches it. The way there: whatever no usable record covers is a hole; a page
that a hole or another record touches is spoilt; every other page is usable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memoracle.impl.bitmap import Bitmap

USABLE = 1
TOP = 1 << 64


class Interval(NamedTuple):
    """Bytes, or pages, from start up to but not including end."""

    start: int
    end: int


class Record(NamedTuple):
    """One record of the firmware's memory map (ACPI specification, address range descriptor): bytes, bytes, type."""

    start: int
    length: int
    type: int


def boot(records: Sequence[Record], page_shift: int, frames: int, image: int, trusting: bool = False) -> Bitmap:
    """The bitmap of a machine with this memory map: usable frames are free, but for the kernel image's."""
    bitmap = Bitmap(frames, image, trusting)
    for run in usable_pages(records, page_shift):
        bitmap.add(run.start, run.end)
    return bitmap


def usable_pages(records: Sequence[Record], page_shift: int) -> list[Interval]:
    """The runs of usable pages of 2^page_shift bytes, disjoint, in address order; a shift of 0 gives the usable bytes."""
    holes = [Interval(0, TOP)]
    for record in records:
        holes = without_usable(holes, record)
    runs = [Interval(0, TOP >> page_shift)]
    for hole in holes:
        runs = without_touched(runs, hole, page_shift)
    for record in records:
        runs = without_other(runs, record, page_shift)
    return runs


def without_usable(holes: list[Interval], record: Record) -> list[Interval]:
    """The holes that a record leaves: a usable one fills what it covers."""
    return without(holes, extent(record)) if record.type == USABLE else holes


def without_other(runs: list[Interval], record: Record, page_shift: int) -> list[Interval]:
    """The runs of pages that a record leaves: any but a usable one spoils what it touches."""
    return runs if record.type == USABLE else without_touched(runs, extent(record), page_shift)


def without_touched(runs: list[Interval], spoiler: Interval, page_shift: int) -> list[Interval]:
    """The runs of pages that are left without each page that has a byte in common with the spoiler."""
    if spoiler.start >= spoiler.end:
        return runs
    return without(runs, Interval(spoiler.start >> page_shift, (spoiler.end - 1 >> page_shift) + 1))


def extent(record: Record) -> Interval:
    """The bytes of a record, up to the end of the address space."""
    return Interval(record.start, min(record.start + record.length, TOP))


def without(intervals: list[Interval], cut: Interval) -> list[Interval]:
    """Disjoint intervals without the points of one more."""
    left: list[Interval] = []
    for interval in intervals:
        left = beside(left, interval, cut)
    return left


def beside(left: list[Interval], interval: Interval, cut: Interval) -> list[Interval]:
    """What is left so far, and the pieces of one more interval, none of them empty, that lie outside the cut."""
    before = Interval(interval.start, min(interval.end, cut.start))
    after = Interval(max(interval.start, cut.end), interval.end)
    return left + [piece for piece in (before, after) if piece.start < piece.end]
