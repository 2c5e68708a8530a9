"""Kernel pages that live, as the trace tells of them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class KernelBlock:
    """Kernel pages that live.

    line: the one that allocated them.  page: the first, in the kernel's range.  mapped: how many were mapped, which is
    all of them unless frames were missing.  frames: by their number among these pages, the frames that are known.
    unknown: how many others it has, of which it is not known which they are.  freed: the line that freed them, or 0.
    disputed: the frames that were named, but were not free.
    """

    line: int
    page: int
    pages: int
    mapped: int = 0
    frames: dict[int, int] = field(default_factory=dict)
    unknown: int = 0
    freed: int = 0
    disputed: set[int] = field(default_factory=set)

    def overlaps(self, other: KernelBlock) -> bool:
        """Whether both have a page or a frame that is the same."""
        same_pages = self.page < other.page + other.pages and other.page < self.page + self.pages
        return same_pages or not {*self.frames.values()}.isdisjoint(other.frames.values())


@dataclass
class KernelPage:
    """One of them that is mapped, and what the trace has told of it: its frame, and what is allowed there."""

    block: KernelBlock
    place: int  # among the block's pages
    allowed_is_known: bool = False

    @property
    def frame_is_known(self) -> bool:
        return self.place in self.block.frames
