"""Links what is in doubt: an operation that was answered as done, but changed nothing, is one fault.

The first sign of it is about one frame, page or block, or about how many frames are free. Before a fault is named, the
latest operations are looked through: where one effect of an operation is in doubt, all of them are. Each operation is
looked at once, so that it hides no later fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from memoracle.replay.frames import FrameReplay

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
        self.kinds = kinds

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
            for kind in self.kinds:
                for operation in kind.accepted():
                    if operation.concerns(space, page) and self.is_counted(operation):
                        operation.doubt()

    def most_missing(self) -> int:
        """How many frames one of the latest operations may have failed to free, at the most."""
        operations = (operation for kind in self.kinds for operation in kind.accepted())
        return max((sum(1 for _ in operation.frames) + operation.unknown for operation in operations), default=1)

    def is_counted(self, operation: Accepted) -> bool:
        """Whether a wrong count accounts for the frames that an operation should have freed."""
        bitmap, doubts = self.frames.bitmap, self.frames.doubts
        free = [frame for frame in operation.frames if bitmap.is_free(frame) and frame not in doubts.frames]
        missing = len(free) + operation.unknown
        return 0 < missing <= -doubts.unnamed
