"""What is in doubt of the frames after a fault, so that one fault is named once.

A wrong answer changes nothing, but is remembered. A frame that has leaked is passed over, and missing in the count.
"""

from __future__ import annotations

from collections.abc import Iterable

from memoracle.impl.bitmap import Bitmap
from memoracle.replay.common.owed_frees import OwedFrees
from memoracle.replay.frames.run_frames import RunFrames

MOST_OFFSETS = 8  # of the count; where a kernel errs more often, the latest say nothing of it
MOST_PASSED_OVER = 8  # frames that may have leaked; where more are, another frame is preferred on purpose


class DoubtedFrames:
    """frames: those that may be free or not, whatever the trace explains.

    count_error: how many more frames the implementation counts as free than the trace explains.  is_bound: whether
    nobody has counted, and it may be fewer still.
    owed: the addresses of frames that were handed out wrongly, and that their owners free besides.
    offsets: by how many the implementation's count of free frames may differ because it counted these, too.
    """

    def __init__(self, bitmap: Bitmap | RunFrames) -> None:
        self.bitmap = bitmap
        self.frames: set[int] = set()
        self.count_error = 0
        self.is_bound = False
        self.owed = OwedFrees[int]()
        self.offsets = [0]

    def add(self, frames: Iterable[int]) -> None:
        """These may be free or not; of those that never are free there is no doubt."""
        bitmap = self.bitmap
        self.frames.update(frame for frame in frames if bitmap.exists(frame) and not bitmap.is_never_free(frame))

    def settle(self, frame: int | None) -> bool:
        """Whether a frame is in doubt; from now on it isn't."""
        if frame not in self.frames or frame is None:
            return False
        self.frames.discard(frame)
        return True

    def was_handed_out(self, address: int) -> None:
        """A frame was handed out that is not free: its count may be lower by one, and there is one more to free it."""
        self.owed.add(address)
        self.count_may_differ(-1)

    def was_owed(self, address: int, frame: int | None) -> bool:
        """Whether a free that the law refuses is owed; then it may have been counted, and the frame be free."""
        if not self.owed.settle(address):
            return False
        self.count_may_differ(1)
        if frame is not None and not self.bitmap.is_free(frame):
            self.add([frame])
        elif frame is not None:
            self.frames.discard(frame)
        return True

    def count_may_differ(self, frames: int) -> None:
        others = [offset + frames for offset in self.offsets if offset + frames not in self.offsets]
        self.offsets = (self.offsets + others)[:MOST_OFFSETS]

    def settle_counted(self, frame: int, free: bool) -> bool:
        """Whether a wrong count accounts for a frame that is free by the trace, or not; from now on it does not."""
        if self.bitmap.is_free(frame) != free or not self.bitmap.exists(frame):
            return False
        counted = self.unnamed < 0 if free else self.unnamed > 0
        if counted:
            self.count_error += 1 if free else -1
        return counted

    def was_free(self, frame: int) -> None:
        """This frame was allocated, so what was answered of it, or that none is free, no longer counts."""
        self.frames.discard(frame)
        self.count_error = max(self.count_error, -self.bitmap.free_frames)

    @property
    def free(self) -> int:
        """How many of those in doubt are free by what the trace explains."""
        return sum(map(self.bitmap.is_free, self.frames))

    @property
    def missing(self) -> int:
        """By how many frames fewer than the trace explains may be free."""
        return max(self.free, -self.count_error, 0)

    @property
    def surplus(self) -> int:
        """By how many frames more than the trace explains may be free."""
        return max(len(self.frames) - self.free, self.count_error, 0)

    @property
    def unnamed(self) -> int:
        """By how many frames a wrong count differs that no frame in doubt accounts for; positive: it was too large."""
        if self.count_error < 0:
            return min(0, self.count_error + self.free)
        return max(0, self.count_error - len(self.frames) + self.free)

    def lose(self, frames: Iterable[int], unknown: int = 0) -> None:
        """Those of these frames that are free may be taken still, and so many others that are not known."""
        self.add(filter(self.bitmap.is_free, frames))
        if unknown:
            self.count_error = min(self.count_error, -self.free - unknown)

    def seem_fewer_than(self, frames: int) -> None:
        """As many were needed, and were not found."""
        error = frames - 1 - self.bitmap.free_frames
        if error < self.count_error:
            self.count_error, self.is_bound = error, True

    def counted(self, error: int) -> None:
        """So many more were counted than the trace explains."""
        self.count_error, self.is_bound = error, False

    def explain_passing_over(self, frame: int) -> bool:
        """Whether no free frame is lower but those that the implementation seems to take for allocated.

        A frame that has leaked is passed over by every allocation; from the first on it is doubted.
        """
        lower: list[int] = []
        while len(lower) <= MOST_PASSED_OVER:
            lowest = self.bitmap.allocate()
            if lowest is None:
                break
            lower.append(lowest)
            if lowest > frame:
                break
        for each in lower:
            self.bitmap.free(each)
        passed = {each for each in lower if each < frame} - self.frames
        if len(lower) > MOST_PASSED_OVER and lower[-1] < frame:
            return False
        known = len(passed) <= -self.unnamed
        self.frames |= passed
        return known
