"""Frames that a release did not free, since another page shows them.

If such a frame is free all the same, that page was not mapped, although an operation answered that it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from memoracle.replay.pages.doubted_pages import Key
from memoracle.replay.pages.mapped_pages import MappedPages


class WithheldFrames:
    """Those of one trace, as its pages remember them."""

    def __init__(self, pages: MappedPages) -> None:
        self.pages = pages

    def accepted(self) -> Iterator[Mapped]:
        """The pages that may not be mapped: each is the only one to show a frame, and did so when it was released."""
        for frame, line in [*self.pages.doubts.withheld.items()]:
            key = self.pages.only_page_of(frame)
            if key is not None and self.pages.line_of(*key) < line:
                yield Mapped(self.pages, key, frame)

    def was_free(self, frame: int) -> None:
        """A frame was handed out that a page shows."""
        for page in self.accepted():
            if page.frame == frame:
                page.doubt()
                self.pages.frames.doubts.settle(frame)


@dataclass(frozen=True)
class Mapped:
    """A page that was mapped, and the frame that it shows (see `linked_doubts`)."""

    pages: MappedPages
    key: Key
    frame: int
    frames: tuple[int, ...] = ()
    unknown: int = 0

    def is_in_doubt(self) -> bool:
        return self.frame in self.pages.frames.doubts.frames or self.key in self.pages.doubts.shown

    def concerns(self, space: int, page: int) -> bool:
        return False

    def doubt(self) -> None:
        del self.pages.doubts.withheld[self.frame]
        self.pages.doubts.was_not_mapped(*self.key)
        self.pages.frames.doubts.add([self.frame])
