"""Which line last allocated or freed each frame, where runs of them are: the first frame of a run has the line.

To write a number for each frame of a run takes longer than all that its allocator does. So each frame but the first has
a byte, which leads back to the first; several do that from where one does not reach so far.
"""

from __future__ import annotations

from mmap import mmap
from struct import calcsize
from typing import Literal

LINE = 32  # bits of a line's number
BACK = 8  # bits of the way back
FAR = 255  # frames: the longest way back
WAYS = bytearray(range(FAR)) + bytes([FAR])
SHORT = [WAYS[:count] for count in range(FAR + 1)]  # of the frames of a run that has so many


class RunLines:
    """lines: of the first frame of each run, or 0.  back: how far it is from each frame towards the first of its run.

    The frames that no line has spoken of are runs of one frame.
    """

    def __init__(self, frames: int) -> None:
        """No line has spoken of any frame."""
        self.lines = no_lines(frames)
        self.back = bytearray(frames + 1)  # so that the last run ends before another

    def note(self, first: int, count: int, line: int) -> None:
        """This line was the last to allocate or free these frames; they are a run from now on."""
        back, last = self.back, first + count
        if back[last]:
            self.begin_at(last)
        try:
            back[first:last] = SHORT[count]
        except IndexError:
            back[first:last] = SHORT[FAR] + bytes([FAR]) * (count - FAR)
        try:
            self.lines[first] = line
        except ValueError:  # a line past 2^32
            self.lines[first] = 0

    def begin_at(self, frame: int) -> None:
        """What follows in the run of this frame is a run of its own."""
        line = self[frame]
        end = self.back.find(0, frame, frame + FAR)  # further on, the way back is as long as it can be
        end = frame + FAR if end < 0 else end
        self.back[frame:end] = SHORT[end - frame]
        self.lines[frame] = line

    def __getitem__(self, frame: int) -> int:
        while way := self.back[frame]:
            frame -= way
        return self.lines[frame]

    def __setitem__(self, frame: int, line: int) -> None:
        self.note(frame, 1, line)


def no_lines(frames: int, form: Literal["I", "Q"] = "I") -> memoryview:
    """A number of 32 bits for each frame, or of 64, all of them 0; the system gives memory only to those written."""
    return memoryview(mmap(-1, frames * calcsize(form))).cast(form)
