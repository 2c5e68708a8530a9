"""From the firmware's memory map to the frames that exist.

The records may overlap, come in any order, be empty, or run past 2^64, where they are cut off. A page is usable if it
lies wholly in usable records and no other record touches it. The method: whatever no usable record covers is a hole; a
page that a hole or a record of another type touches is spoilt; every other page is usable.
"""

from __future__ import annotations

from bisect import bisect_left
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


def boot(
    records: Sequence[Record],
    page_shift: int,
    frames: int,
    never_free: Sequence[tuple[int, int]],
    trusting: bool = False,
) -> Bitmap:
    """The bitmap of a machine with this memory map: usable frames are free, except those that are never free.

    never_free: of each pair, the frames from the first up to the second.

    pre: 1 <= frames and all(0 <= first < last <= frames for first, last in never_free)
    pre: 0 <= page_shift <= 64 and all(0 <= record.start < TOP and record.length >= 0 for record in records)
    post: (__return__.frames, __return__.trusting) == (frames, trusting)
    post: all(__return__.is_never_free(f) == any(a <= f < b for a, b in never_free) for f in range(frames))
    post: all(__return__.exists(f) == (__return__.is_never_free(f) or __return__.is_free(f)) for f in range(frames))
    post: all(__return__.is_free(f) == (any(s <= f < e for s, e in usable_pages(records, page_shift)) and not __return__.is_never_free(f)) for f in range(frames))
    """  # noqa: E501
    bitmap = Bitmap(frames, never_free, trusting)
    runs = usable_pages(records, page_shift)
    for first, last in never_free:
        runs = without(runs, Interval(first, last))
    for run in runs:
        bitmap.add(run.start, run.end)
    return bitmap


def usable_pages(records: Sequence[Record], page_shift: int) -> list[Interval]:
    """The runs of usable pages of 2^page_shift bytes, disjoint, in address order.

    A shift of 0 gives the usable bytes: those that lie in some record, and only in usable ones. A page is usable if
    each of its bytes is.

    pre: 0 <= page_shift <= 64 and all(0 <= record.start < TOP and record.length >= 0 for record in records)
    post: all(s < e for s, e in __return__) and all(a.end <= b.start for a, b in zip(__return__, __return__[1:]))
    post: page_shift or all({t for s, n, t in records if s <= b < s + n} == {USABLE} for run in __return__ for b in range(*run))
    post: page_shift or all(any(s <= b < e for s, e in __return__) or {t for s, n, t in records if s <= b < s + n} != {USABLE} for record in records for b in range(*extent(record)))
    post: all(any(x <= s << page_shift and e << page_shift <= y for x, y in usable_pages(records, 0)) for s, e in __return__)
    post: sum(e - s for s, e in __return__) == sum(max(0, (y >> page_shift) + (-x >> page_shift)) for x, y in usable_pages(records, 0))
    """  # noqa: E501
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
    """The holes that a record leaves: a usable one fills what it covers. Shared on purpose: holes.

    pre: 0 <= record.start < TOP and record.length >= 0
    post: record.type == USABLE or __return__ == holes
    post: record.type != USABLE or __return__ == without(holes, extent(record))
    """
    return without(holes, extent(record)) if record.type == USABLE else holes


def without_other(runs: list[Interval], record: Record, page_shift: int) -> list[Interval]:
    """The runs of pages that a record leaves: one that is not usable spoils what it touches. Shared on purpose: runs.

    pre: 0 <= record.start < TOP and record.length >= 0
    post: record.type != USABLE or __return__ == runs
    post: record.type == USABLE or __return__ == without_touched(runs, extent(record), page_shift)
    """
    return runs if record.type == USABLE else without_touched(runs, extent(record), page_shift)


def without_touched(runs: list[Interval], spoiler: Interval, page_shift: int) -> list[Interval]:
    """The runs of pages without each page that has a byte in common with the spoiler.

    Shared on purpose: runs.

    pre: 0 <= spoiler.start
    post: not any(s <= byte >> page_shift < e for s, e in __return__ for byte in range(*spoiler))
    post: {p for run in __return__ for p in range(*run)} <= {p for run in runs for p in range(*run)}
    post: all(any(s <= p < e for s, e in __return__) or p in {b >> page_shift for b in range(*spoiler)} for s, e in runs for p in range(s, e))
    post: all(s < e for s, e in __return__)
    """  # noqa: E501
    if spoiler.start >= spoiler.end:
        return runs
    return without(runs, Interval(spoiler.start >> page_shift, (spoiler.end - 1 >> page_shift) + 1))


def extent(record: Record) -> Interval:
    """The bytes of a record, up to the end of the address space.

    pre: 0 <= record.start < TOP and record.length >= 0
    post: __return__.start == record.start and __return__.end <= TOP
    post: __return__.end == record.start + record.length or __return__.end == TOP < record.start + record.length
    """
    return Interval(record.start, min(record.start + record.length, TOP))


def without(intervals: list[Interval], cut: Interval) -> list[Interval]:
    """Disjoint intervals, in order, without the points of one more. Those that do not meet it are not looked at.

    pre: cut.start <= cut.end and all(s < e for s, e in intervals)
    pre: all(a.end <= b.start for a, b in zip(intervals, intervals[1:]))
    post: [p for i in __return__ for p in range(*i)] == [p for i in intervals for p in range(*i) if p not in range(*cut)]
    post: all(s < e for s, e in __return__)
    """  # noqa: E501
    first, last = meeting(intervals, cut)
    left: list[Interval] = []
    for interval in intervals[first:last]:
        left = beside(left, interval, cut)
    return intervals[:first] + left + intervals[last:]


def meeting(intervals: list[Interval], cut: Interval) -> tuple[int, int]:
    """Between which places of a list of disjoint intervals in order those are that may meet a cut.

    pre: cut.start <= cut.end and all(s < e for s, e in intervals)
    pre: all(a.end <= b.start for a, b in zip(intervals, intervals[1:]))
    post: 0 <= __return__[0] <= __return__[1] <= len(intervals)
    post: all(e <= cut.start for s, e in intervals[: __return__[0]])
    post: all(cut.end <= s for s, e in intervals[__return__[1] :])
    """
    # The last that starts before the cut may reach into it.
    first = bisect_left(intervals, Interval(cut.start, 0))
    return max(first - 1, 0), bisect_left(intervals, Interval(cut.end, 0))


def beside(left: list[Interval], interval: Interval, cut: Interval) -> list[Interval]:
    """The intervals left so far, and the nonempty pieces of one more interval that lie outside the cut.

    pre: cut.start <= cut.end
    post: __return__[: len(left)] == left
    post: [p for i in __return__[len(left) :] for p in range(*i)] == [p for p in range(*interval) if p not in range(*cut)]
    post: all(s < e for s, e in __return__[len(left) :])
    """  # noqa: E501
    before = Interval(interval.start, min(interval.end, cut.start))
    after = Interval(max(interval.start, cut.end), interval.end)
    return left + [piece for piece in (before, after) if piece.start < piece.end]
