"""What is in doubt of the pages after a fault, so that one fault is named once.

A wrong answer changes nothing, but is remembered. An operation that was accepted may have changed nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from memoracle.impl.paging import Leaf, Paging
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.pages.kernel_blocks import KernelPage
from memoracle.spec.paging import HALF

UNKNOWN = -1  # a frame of which it is not known which it is
REMEMBERED = 1 << 10  # pages that were unmapped, at the most, which may be mapped still

Key = tuple[int, int]  # a space, 0 for the upper half, and a page


class Replaced(NamedTuple):
    """How a page was mapped, and since which line, before it was mapped once more; it may be mapped so still."""

    leaf: Leaf
    line: int
    kernel_page: KernelPage | None

    def shows(self, physical: int | None) -> bool:
        """Whether it may be mapped to this by what is known of it."""
        if self.kernel_page is not None and not self.kernel_page.frame_is_known:
            return physical is not None
        return physical == self.leaf.physical

    def allows(self, cache: int, writable: bool, executable: bool, global_: bool) -> bool:
        """Likewise."""
        is_known = self.kernel_page is None or self.kernel_page.allowed_is_known
        return not is_known or self.leaf == Leaf(self.leaf.physical, cache, writable, executable, global_)


class DoubtedPages:
    """shown: by space and page, what it seems to be mapped to (UNKNOWN: to something), or None.

    replaced: by space and page, how it was mapped before it was mapped once more.  miscounted: the frames whose uses
    may be counted otherwise, since some page seems to show them that does not by the trace, or the contrary.
    adopted: the pages that were taken to be mapped because an answer showed them; what is allowed there is not known.
    unmapped: space, page and frame of those that were unmapped last, and the line if it freed the frame, or 0.
    suspected: some of these, of which one seems to be in the way of kernel pages.  withheld: the frames that a
    release did not free, since another page shows them, and the line of the latest.
    """

    def __init__(self, paging: Paging, frames: FrameReplay, page_shift: int) -> None:
        self.paging = paging
        self.frames = frames
        self.page_shift = page_shift
        self.shown: dict[Key, int | None] = {}
        self.replaced: dict[Key, Replaced] = {}
        self.miscounted: set[int] = set()
        self.adopted: set[Key] = set()
        self.suspected: set[Key] = set()
        self.withheld: dict[int, int] = {}
        self.unmapped: deque[tuple[int, int, int, int]] = deque(maxlen=REMEMBERED)

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

    def unmapped_again(self, key: Key, release: bool) -> None:
        """A page was unmapped that was unmapped before: perhaps only now, and its frame is free only if `release`."""
        frame = next((frame for space, page, frame, _ in reversed(self.unmapped) if (space, page) == key), None)
        if frame is not None and frame not in self.paging.uses and self.frames.bitmap.is_free(frame) != release:
            self.frames.doubts.add([frame])

    def may_be_mapped(self) -> set[int]:
        """The addresses in the upper half that may be mapped although the trace says that they are not."""
        shown = {page for (space, page), physical in self.shown.items() if space == 0 and physical is not None}
        return shown | {page for space, page in self.suspected if space == 0}

    def suspect(self, is_in_the_way: Callable[[int], bool]) -> None:
        """One of the pages of the upper half that were unmapped, and lie so, seems to be mapped still."""
        keys = (each.key for each in self.accepted())
        self.suspected = {key for key in keys if key[0] == 0 and is_in_the_way(key[1])}

    def was_otherwise(self, key: Key) -> None:
        """A page is not as the trace explains: if it is one of the suspected, it is the one that was meant."""
        if key in self.suspected:
            self.suspected.clear()
            self.shown.setdefault(key, UNKNOWN)

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
        keys = set[Key]()
        for space, page, frame, line in [*reversed(self.unmapped)]:
            key, is_latest = (space, page), (space, page) not in keys
            keys.add(key)
            if not is_latest or (line and self.frames.lines[frame] > line):
                continue  # what was freed was handed out since then, so that the page had been unmapped
            if space in self.paging.roots and self.paging.translate(space, page) is None:
                yield Unmapped(self, key, frame)


@dataclass(frozen=True)
class Unmapped:
    """A page that was unmapped, and the frame that it showed (see `linked_doubts`).

    A frame that was released and seems not to be free may have been kept by any of the pages that showed it.
    """

    pages: DoubtedPages
    key: Key
    frame: int
    unknown: int = 0

    @property
    def frames(self) -> tuple[int]:
        return (self.frame,)

    def is_in_doubt(self) -> bool:
        is_lost = self.frame in self.pages.frames.doubts.frames
        return is_lost or self.pages.shown.get(self.key) is not None

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
