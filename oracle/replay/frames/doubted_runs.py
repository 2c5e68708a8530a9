"""What is in doubt of runs of frames after a fault, so that one fault is named once.

A run that was handed out or freed just now may not have been: the first sign of it is about one frame, or about how
many are free. It is linked to the doubts of other components (see `linked_doubts`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from memoracle.replay.frames.frame_requests import Request
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.run_frames import RunFrames

LATEST = 64  # changes that are remembered
MANY = 64  # runs that are counted one by one
FEW = 8  # runs of which a wrong refusal may tell that they have leaked
MOST_DOUBTED = 1 << 10  # frames of which one fault may raise doubt


class RunDoubts:
    """Those of one trace.

    changes: the latest runs that were handed out or freed.  unserved: requests that were refused wrongly, with none
    served since.
    """

    def __init__(self, frames: FrameReplay) -> None:
        self.frames = frames
        self.changes: deque[tuple[int, int, int, bool]] = deque(maxlen=LATEST)
        self.unserved: set[tuple[tuple[int, int, int, int], ...]] = set()

    @property
    def runs(self) -> RunFrames:
        runs = self.frames.bitmap
        assert isinstance(runs, RunFrames)
        return runs

    def accepted(self) -> Iterator[Change]:
        return (Change(self, *change) for change in reversed(list(self.changes)))

    # A run that was not handed out

    def fits(self, asked: Request, most: int, until: int | None = None) -> list[int]:
        """The runs that fit, the preferred one first, apart from each other and from what is in doubt.

        So many at the most, and only those that are preferred to the one that begins at `until`, if it is named.
        """
        available, found = self.runs.available, list[tuple[int, int]]()
        wanted, searches = asked.wanted, until_found(asked.searches, until)
        doubted = [frame for frame in self.frames.doubts.frames if available.remove(frame, frame + 1)]
        while len(found) < most and (first := self.runs.find(searches)) is not None:
            available.remove(first, first + wanted)
            found.append((first, first + wanted))
        for first, last in found:
            available.add(first, last)
        for frame in doubted:
            available.add(frame, frame + 1)
        return [first for first, _ in found]

    def explains_refusal(self, asked: Request) -> bool:
        """Whether what was named already explains that a request is refused; from now on this refusal does, too."""
        self.frames.spread()
        doubts = self.frames.doubts
        missing = max(0, -doubts.unnamed)
        fits = self.fits(asked, min(max(FEW, missing), MANY) + 1)
        most = len(fits) if len(fits) <= MANY else self.runs.free_frames // asked.wanted
        if most <= missing or asked.searches in self.unserved:
            return True
        if len(fits) <= FEW and len(fits) * asked.wanted <= MOST_DOUBTED:
            doubts.lose(frame for first in fits for frame in range(first, first + asked.wanted))
        else:
            self.unserved.add(asked.searches)
        return False

    def explains_passing_over(self, asked: Request, first: int) -> bool:
        """Whether no lower run fits but what the implementation seems to take for allocated; from now on it is.

        A lower run may have frames of the one that was just taken.
        """
        self.frames.spread()
        doubts, available = self.frames.doubts, self.runs.available
        available.add(first, first + asked.wanted)
        lower = self.fits(asked, FEW + 1, first)
        available.remove(first, first + asked.wanted)
        known = len(lower) <= max(0, -doubts.unnamed)
        if len(lower) <= FEW and len(lower) * asked.wanted <= MOST_DOUBTED:
            doubts.lose(frame for run in lower for frame in range(run, run + asked.wanted))
        return known

    def explains_preferring(self, best: int, count: int) -> bool:
        """Whether the implementation seems to take frames of the block that is preferred for allocated; now it does."""
        self.frames.spread()
        doubts = self.frames.doubts
        known = doubts.unnamed < 0 or any(best <= frame < best + count for frame in doubts.frames)
        doubts.lose(range(best, best + min(count, MOST_DOUBTED)))
        return known

    # A run that was handed out although it was not free

    def explains_taking(self, stretches: list[tuple[int, int]]) -> bool:
        """Whether frames that are not free by the trace are in doubt, all of them; from now on they are not."""
        self.frames.spread()
        doubts = self.frames.doubts
        if sum(last - first for first, last in stretches) > len(doubts.frames):
            return False
        frames = [frame for first, last in stretches for frame in range(first, last)]
        if not all(frame in doubts.frames for frame in frames):
            return False
        doubts.frames.difference_update(frames)
        for frame in frames:
            doubts.owed.add(self.address(frame))
        return True

    def was_handed_out_again(self, stretches: list[tuple[int, int]]) -> None:
        """There is one more to free each of these frames; the runs that they are of may be free as a whole."""
        doubts = self.frames.doubts
        owed = 0
        for first, last in stretches:
            for frame in range(first, min(last, first + MOST_DOUBTED)):
                self.frames.was_free(frame)
                doubts.owed.add(self.address(frame))
            owed += last - first
            doubts.add(self.beside(first, -1))
            doubts.add(self.beside(last - 1, 1))
        if owed:
            doubts.count_may_differ(-owed)

    def beside(self, frame: int, step: int) -> Iterator[int]:
        """The frames next to one, in one direction, that the same line allocated."""
        lines, runs = self.frames.lines, self.runs
        line = lines[frame]
        for other in range(frame + step, frame + step * MOST_DOUBTED, step):
            if not line or not 0 <= other < runs.frames or lines[other] != line or runs.is_free(other):
                break
            yield other

    # A run that is freed once more

    def are_owed(self, stretches: list[tuple[int, int]]) -> bool:
        """Whether frames that are free by the trace are owed, or in doubt, all of them; then this free was it."""
        self.frames.spread()
        doubts, runs = self.frames.doubts, self.runs
        if sum(last - first for first, last in stretches) > len(doubts.owed) + len(doubts.frames):
            return False
        frames = [frame for first, last in stretches for frame in range(first, last)]
        if not frames or not all(frame in doubts.frames or self.address(frame) in doubts.owed for frame in frames):
            return False
        owed = sum(doubts.owed.settle(self.address(frame)) for frame in frames)
        if owed:
            doubts.count_may_differ(owed)
        doubts.frames.difference_update(frame for frame in frames if runs.is_free(frame))
        return True

    def settle(self, first: int, count: int) -> None:
        """This run was freed or handed out as the trace explains it."""
        doubts = self.frames.doubts
        if len(doubts.frames) < count:
            doubts.frames.difference_update([frame for frame in doubts.frames if first <= frame < first + count])
        else:
            doubts.frames.difference_update(range(first, first + count))

    def address(self, frame: int) -> int:
        return frame << self.frames.geometry.page_shift


class Change(NamedTuple):
    """A run that was handed out, or freed, in one line."""

    replay: RunDoubts
    first: int
    length: int
    line: int
    freed: bool

    @property
    def frames(self) -> Iterable[int]:
        """The frames that it may have freed, as far as nothing was said of them since."""
        return (frame for frame in self.all_frames() if self.freed)

    @property
    def unknown(self) -> int:
        return 0

    def all_frames(self) -> Iterator[int]:
        lines = self.replay.frames.lines
        run = range(self.first, min(self.first + self.length, self.first + MOST_DOUBTED))
        return (frame for frame in run if lines[frame] == self.line)

    def is_in_doubt(self) -> bool:
        doubted = self.replay.frames.doubts.frames
        return any(self.first <= frame < self.first + self.length for frame in doubted)

    def concerns(self, space: int, page: int) -> bool:
        return False

    def doubt(self) -> None:
        self.replay.changes.remove((self.first, self.length, self.line, self.freed))
        self.replay.frames.doubts.add(self.all_frames())


def until_found(searches: tuple[tuple[int, int, int, int], ...], first: int | None) -> list[tuple[int, int, int, int]]:
    """The searches, up to what they find before a run that begins here."""
    before = list[tuple[int, int, int, int]]()
    for wanted, alignment, lowest, below in searches:
        if first is not None and lowest <= first < below:
            return [*before, (wanted, alignment, lowest, first + wanted - 1)]
        before.append((wanted, alignment, lowest, below))
    return before
