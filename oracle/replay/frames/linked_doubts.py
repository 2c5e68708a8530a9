"""Links what is in doubt: an operation that was answered as done, but changed nothing, is one fault.

The first sign of it is about one frame, page or block, or about how many frames are free. Before a fault is named, the
latest operations are looked through: where one effect of an operation is in doubt, all of them are. Each operation is
looked at once, so that it hides no later fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from memoracle.replay.frames.frames import FrameReplay

WHOLE = -1  # in the place of a page: a whole space


class Accepted(Protocol):
    """An operation that was accepted, and what it took away."""

    @property
    def frames(self) -> Iterable[int]:
        """The frames that it may have freed."""

    @property
    def unknown(self) -> int:
        """Of how many others it is not known which they are."""

    def is_in_doubt(self) -> bool:
        """Whether it seems not to have changed something that it had to change."""

    def concerns(self, space: int, page: int) -> bool:
        """Whether it had to change what is mapped at this address of a process, or its range where it is WHOLE."""

    def doubt(self) -> None:
        """Whatever it had to change may be as it was before."""


class Remembers(Protocol):
    """What remembers the latest operations of some kind."""

    def accepted(self) -> Iterable[Accepted]:
        """Those that may have changed nothing, the latest first."""


class LinkedDoubts:
    """The doubts of one trace, across its components."""

    def __init__(self, frames: FrameReplay, kinds: Sequence[Remembers]) -> None:
        self.frames = frames
        self.kinds: Sequence[Remembers] = kinds

    def end(self) -> None:
        """Nothing more is replayed: lets go of those that know these doubts."""
        self.kinds = ()

    def spread(self) -> None:
        """All effects of an operation are in doubt where one is."""
        for kind in self.kinds:
            for operation in kind.accepted():
                if operation.is_in_doubt():
                    operation.doubt()

    def spread_to(self, space: int, page: int) -> None:
        """Likewise; a wrong count of frames may have spoken of the operation that is observed now (see `concerns`)."""
        self.spread()
        if self.frames.doubts.unnamed < 0:
            concerned = [each for kind in self.kinds for each in kind.accepted() if each.concerns(space, page)]
            for operation in sorted(concerned, key=lambda each: self.missing(each) != -self.frames.doubts.unnamed):
                if self.is_counted(operation):
                    operation.doubt()

    def most_missing(self) -> int:
        """How many frames one of the latest operations may have failed to free, at the most: `frame.free` one."""
        operations = (operation for kind in self.kinds for operation in kind.accepted())
        return max([1, *(sum(1 for _ in operation.frames) + operation.unknown for operation in operations)])

    def is_counted(self, operation: Accepted) -> bool:
        """Whether a wrong count accounts for the frames that an operation should have freed."""
        missing, doubts = self.missing(operation), self.frames.doubts
        return 0 < missing <= -doubts.unnamed or (doubts.is_bound and missing > 0)

    def missing(self, operation: Accepted) -> int:
        """How many frames are not in doubt that an operation should have freed, and that are free by the trace."""
        bitmap, doubted = self.frames.bitmap, self.frames.doubts.frames
        return sum(bitmap.is_free(frame) and frame not in doubted for frame in operation.frames) + operation.unknown


def handed_out_since(frames: FrameReplay, freed: Iterable[int], line: int) -> bool:
    """Whether some of these frames that a line freed were handed out later: then the line has freed them."""
    lines = frames.lines
    return any(lines[frame] > line for frame in freed)
