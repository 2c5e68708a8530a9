"""Finds the lowest run of places that is long enough, where each place is a byte.

The places are divided into blocks, and of each block it is kept how long a run that begins there may be. A search
passes over the blocks that have none, and learns of those in which it looks in vain. What becomes free may be part of a
longer run; what is taken changes nothing that is kept.
"""

from __future__ import annotations

import re

from memoracle.impl.bitmap import aligned_up

IN, OUT = 1, 0
BLOCK = 10  # bits of the places of a block
TOLD_APART = 128  # lengths; of longer ones, two kinds to each power of two
LONGEST = 256  # places on end that are looked at where some become free, until longer runs are searched for
SHORT = 64  # places on end that are sought as bytes: for long patterns that takes more than linear time
ALL_IN = [bytearray(b"\1" * count) for count in range(SHORT + 1)]  # a bytearray is assigned faster than bytes are
AT_LEAST = [re.compile(b"[" + re.escape(bytes([kind])) + b"-\xff]", re.DOTALL).search for kind in range(256)]


class RunSearch:
    """marks: of each place, IN or OUT.  longest: longer runs are not told apart.

    bounds: by the alignment that was asked for, of each block, the kind of the longest run that may begin there.
    """

    def __init__(self, marks: bytearray) -> None:
        self.marks = marks
        self.longest = LONGEST
        self.bounds: dict[int, bytearray] = {}

    def find(self, count: int, alignment: int, lowest: int, below: int) -> int | None:
        """The lowest place, aligned to a power of two, of which so many on end are IN, within limits; or None."""
        if count > self.longest:
            self.longest = 1 << count.bit_length()
            self.bounds.clear()
        bounds = self.bounds.get(alignment)
        if bounds is None:
            bounds = self.bounds[alignment] = bytearray(b"\xff" * ((len(self.marks) >> BLOCK) + 1))
        kind = count if count < TOLD_APART else kind_of(count)
        block, at_least = lowest >> BLOCK, AT_LEAST[kind]
        while (found := at_least(bounds, block)) is not None:
            block = found.start()
            begin = block << BLOCK
            place = self._begins(count, alignment, lowest if begin < lowest else begin, begin + (1 << BLOCK))
            if place is not None:
                return place if place + count <= below else None
            if begin >= lowest:
                bounds[block] = count - 1 if count <= TOLD_APART else kind_of(count - 1)
            block += 1
        return None

    def added(self, first: int, last: int) -> None:
        """These places are IN from now on."""
        marks, longest = self.marks, self.longest
        before = first - longest if first > longest else 0
        start = marks.rfind(OUT, before, first) + 1 or before
        end = marks.find(OUT, last, last + longest)
        if end < 0:
            end = min(last + longest, len(marks))
        while start < last:
            block, length = start >> BLOCK, end - start
            kind = length if length < TOLD_APART else kind_of(length if length < longest else longest)
            for bounds in self.bounds.values():
                if bounds[block] < kind:
                    bounds[block] = kind
            start = block + 1 << BLOCK

    def _begins(self, count: int, alignment: int, place: int, end: int) -> int | None:
        """The lowest place, from this one on and before the other, at which what is searched for begins."""
        marks, sought = self.marks, count if count < SHORT else SHORT
        wanted, last = ALL_IN[sought], end + sought - 1
        while (found := marks.find(wanted, place, last)) >= 0:
            place = found if alignment == 1 else aligned_up(found, alignment)
            if place == found and count == sought:
                return place
            if place >= end or place + count > len(marks):
                return None
            out = marks.find(OUT, found, place + count)
            if out < 0:
                return place
            place = out
        return None


def kind_of(count: int) -> int:
    """The kind of the runs that have so many places: those of the next kind have more."""
    if count < TOLD_APART:
        return count
    bits = count.bit_length()
    return TOLD_APART + 2 * (bits - TOLD_APART.bit_length()) + (count >> bits - 2 & 1)
