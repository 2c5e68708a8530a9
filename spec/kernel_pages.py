"""The rules of allocating and freeing kernel pages: what was allocated together is freed together.

Step by step this is the law of manager. The rules of the block's place are those of `range.allocate`, those of each
frame are those of `frame.allocate`. A page of the kernel's range is named by its number within the range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from memoracle.spec.clauses import Number, Truth, clause


class KernelPages(Protocol):
    """State. free_frames: how many.  pages_at: of the kernel pages that begin at this page; 0 if none do."""

    @property
    def free_frames(self) -> Number: ...
    @property
    def pages_at(self) -> Callable[[Number], Number]: ...


# Allocation


@clause("there is a free frame for each of the pages")
def frames_suffice(s: KernelPages, pages: Number) -> Truth:
    return pages <= s.free_frames


@clause("a frame is named for each of the pages")
def each_page_has_its_frame(s: KernelPages, pages: Number, frames: Number) -> Truth:
    return frames == pages


# Freeing


@clause("kernel pages were allocated there")
def begins_kernel_pages(s: KernelPages, page: Number) -> Truth:
    return s.pages_at(page) != 0


@clause("kernel pages are freed whole, all that were asked for")
def frees_them_whole(s: KernelPages, page: Number, pages: Number) -> Truth:
    return pages == s.pages_at(page)
