"""Which line last allocated or freed each frame of a machine that has so many that most are never spoken of.

Neighbouring frames are a group. Of a group only the lines are kept that its frames have, in the frames' order, and a
bit for each frame says whether it has one; once many have, each frame has its place. The frames of a group that have
none of their own have one in common: that of an operation on all of them, or 0.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import Final

SHIFT: Final = 9
GROUP: Final = 1 << SHIFT  # frames
PLACE: Final = GROUP - 1
MOST: Final = GROUP // 2  # lines of a group, before each of its frames has a place
LAST: Final = (1 << 32) - 1  # the highest number of a line


class SparseLines:
    """Stands in for a view of 32-bit numbers, one for each frame, all of them 0 at first.

    spoken: of each group, a bit for each frame that has a line of its own.  lines: these lines, or GROUP of them.
    common: of each group, the line of the others.
    """

    def __init__(self, frames: int) -> None:
        groups = (frames + PLACE) >> SHIFT
        self.spoken = [0] * groups
        self.lines: list[array[int] | None] = [None] * groups
        self.common = array("I", [0]) * groups

    def __getitem__(self, frame: int) -> int:
        lines = self.lines[frame >> SHIFT]
        if lines is None:
            return self.common[frame >> SHIFT]
        if len(lines) == GROUP:
            return lines[frame & PLACE]
        spoken, bit = self.spoken[frame >> SHIFT], 1 << (frame & PLACE)
        return lines[(spoken & bit - 1).bit_count()] if spoken & bit else self.common[frame >> SHIFT]

    def __setitem__(self, frame: int, line: int) -> None:
        """Raises ValueError for a number that is too high."""
        if line > LAST:
            raise ValueError(line)
        group = frame >> SHIFT
        lines = self.lines[group]
        if lines is None:
            self.lines[group] = array("I", [line])
            self.spoken[group] = 1 << (frame & PLACE)
            return
        if len(lines) == GROUP:
            lines[frame & PLACE] = line
            return
        spoken, bit = self.spoken[group], 1 << (frame & PLACE)
        place = (spoken & bit - 1).bit_count()
        if spoken & bit:
            lines[place] = line
            return
        lines.insert(place, line)
        self.spoken[group] = spoken | bit
        if len(lines) == MOST:
            self._spread(group)

    def note(self, first: int, count: int, line: int) -> None:
        """This line was the last to speak of these frames. Raises ValueError for a number that is too high."""
        if line > LAST:
            raise ValueError(line)
        last = first + count
        whole, end = (first + PLACE) >> SHIFT, last >> SHIFT  # the groups of which it speaks of every frame
        if whole < end:
            self.spoken[whole:end] = [0] * (end - whole)
            self.lines[whole:end] = [None] * (end - whole)
            self.common[whole:end] = array("I", [line]) * (end - whole)
        beside = range(first, min(last, whole << SHIFT)), range(max(whole, end) << SHIFT, last)
        for frame in chain(*beside):
            self[frame] = line

    def _spread(self, group: int) -> None:
        """Each frame of a group has its place from now on."""
        spoken, given = self.spoken[group], iter(self.lines[group] or ())
        common = self.common[group]
        self.lines[group] = array("I", (next(given) if spoken >> place & 1 else common for place in range(GROUP)))
        self.spoken[group] = 0
