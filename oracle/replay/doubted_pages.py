"""What is in doubt of the pages after a fault, so that one fault is named once.

A wrong answer changes nothing, but is remembered. An operation that was accepted may have changed nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from memoracle.impl.paging import Leaf, Paging
from memoracle.replay.frames import FrameReplay
from memoracle.spec.paging import HALF

UNKNOWN = -1  # a frame of which it is not known which it is
REMEMBERED = 1 << 10  # pages that were unmapped, at the most, which may be mapped still

Key = tuple[int, int]  # a space, 0 for the upper half, and a page


class DoubtedPages:
    """shown: by space and page, what it seems to be mapped to (UNKNOWN: to something), or None.

    replaced: by space and page, what it showed, and since which line, before it was mapped once more; it may show that
    still.  miscounted: the frames whose uses may be counted otherwise, since some page seems to show them that does not
    by the trace, or the contrary.  adopted: the pages that were taken to be mapped because an answer showed them; what
    is allowed there is not known.  unmapped: space, page and frame of those that were unmapped last.
    """

    def __init__(self, paging: Paging, frames: FrameReplay, page_shift: int) -> None:
        self.paging = paging
        self.frames = frames
        self.page_shift = page_shift
        self.shown: dict[Key, int | None] = {}
        self.replaced: dict[Key, tuple[Leaf, int]] = {}
        self.miscounted: set[int] = set()
        self.adopted: set[Key] = set()
        self.unmapped: deque[tuple[int, int, int]] = deque(maxlen=REMEMBERED)

    def was_not_mapped(self, process: int, virtual: int) -> None:
        """A page that is mapped seems not to be."""
        self.shown[space_and_page(process, virtual)] = None
        physical = self.paging.translate(process, virtual)
        if physical is not None:
            self.miscounted.add(physical >> self.page_shift)

    def was_not_unmapped(self, key: Key, frame: int) -> None:
        """A page that was unmapped seems to show this frame still."""
        if self.shown.get(key) in (None, UNKNOWN):
            self.shown[key] = frame << self.page_shift
        self.miscounted.add(frame)
        self.frames.doubts.lose([frame])

    def release_again(self, key: Key) -> None:
        """A page was unmapped that was unmapped before: perhaps only now, and its frame was released with it."""
        frame = next((each.frame for each in self.accepted() if each.key == key), None)
        if frame is not None and frame not in self.paging.uses:
            self.frames.doubts.add([frame])

    def forget(self, process: int, release: bool) -> None:
        """The process exits: what its pages seem to show is released, too."""
        if self.miscounted and release:
            self.frames.doubts.add(self.miscounted)
        for key in [key for key in self.shown if key[0] == process]:
            physical = self.shown.pop(key)
            if release and physical not in (None, UNKNOWN):
                self.frames.doubts.add([(physical or 0) >> self.page_shift])
        for key in [key for key in self.replaced if key[0] == process]:
            del self.replaced[key]
        self.adopted = {key for key in self.adopted if key[0] != process}
        shown = {physical >> self.page_shift for physical in self.shown.values() if physical is not None}
        self.miscounted &= self.paging.uses.keys() | shown

    def accepted(self) -> Iterator[Unmapped]:
        """The pages that were unmapped and may be mapped still, the latest first."""
        keys, frames = set[Key](), set[int]()
        for space, page, frame in [*reversed(self.unmapped)]:
            key = space, page
            is_latest = key not in keys and frame not in frames
            keys.add(key)
            frames.add(frame)
            if is_latest and space in self.paging.roots and self.paging.translate(space, page) is None:
                yield Unmapped(self, key, frame)


@dataclass(frozen=True)
class Unmapped:
    """A page that was unmapped, and the frame that it showed (see `linked_doubts`)."""

    pages: DoubtedPages
    key: Key
    frame: int
    unknown: int = 0

    @property
    def frames(self) -> tuple[int]:
        return (self.frame,)

    def is_in_doubt(self) -> bool:
        return self.frame in self.pages.frames.doubts.frames or self.pages.shown.get(self.key) is not None

    def concerns(self, space: int, page: int) -> bool:
        return (space, page) == self.key

    def doubt(self) -> None:
        """Only once: whatever was known of this page and this frame before says no more."""
        kept = [each for each in self.pages.unmapped if each[:2] != self.key and each[2] != self.frame]
        self.pages.unmapped.clear()
        self.pages.unmapped.extend(kept)
        self.pages.was_not_unmapped(self.key, self.frame)


def space_and_page(process: int, page: int) -> Key:
    """Whose page this is: the upper half is everybody's."""
    return (process if page < HALF else 0, page)
