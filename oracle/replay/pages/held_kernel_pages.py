"""The kernel pages of a trace: which live, what goes with them, and what is in doubt of those that were freed."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from memoracle.diagnostics.levels import Rules
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.linked_doubts import WHOLE, handed_out_since
from memoracle.replay.pages.doubted_pages import UNKNOWN
from memoracle.replay.pages.kernel_blocks import KernelBlock, KernelPage
from memoracle.replay.pages.mapped_pages import MappedPages
from memoracle.replay.ranges.address_space import AddressSpace
from memoracle.replay.ranges.process_ranges import AnyRanges

REMEMBERED = 1 << 6  # kernel pages that were freed, at the most, which may be there still
MOST_PAGES = 1 << 10  # of such


class HeldKernelPages:
    """The kernel pages of one trace. live: by their first page, counted from the start of the kernel's range.

    doubted: the first page, and how many, of those that may live, although a free of them was wrong and accepted.
    freed: those that were freed last.  latest: of these, the latest first, those whose pages no later one had; None
    where that is to be found out.  others: by their first page, those that were allocated where some lived already.
    """

    def __init__(self, rules: Rules, frames: FrameReplay, ranges: AnyRanges, pages: MappedPages) -> None:
        self.rules = rules
        self.geometry = rules.geometry
        self.frames = frames
        self.ranges = ranges
        self.kernel_start: int = ranges.known[0].area.start
        self.pages = pages
        self.live: dict[int, KernelBlock] = {}
        self.others: defaultdict[int, list[KernelBlock]] = defaultdict(list)
        self.doubted: set[tuple[int, int]] = set()
        self.freed: deque[KernelBlock] = deque(maxlen=REMEMBERED)
        self.latest: list[KernelBlock] | None = None

    def page_of(self, address: int) -> int:
        """The page in which an address lies, as pages of the kernel's space are counted."""
        return address - self.kernel_start >> self.geometry.page_shift

    def address_of(self, page: int) -> int:
        return self.kernel_start + (page << self.geometry.page_shift)

    def is_damaged(self, block: KernelBlock) -> bool:
        """Whether some of what kernel pages hold seems to have been released without them."""
        return (
            block.page not in self.ranges.known[0].kernel_blocks
            or bool(block.disputed)
            or self.ranges.owned(self.address_of(block.page), block.pages) in self.ranges.known[0].shared
            or any(frame not in self.frames.kernel_page_frames for frame in block.frames.values())
            or not all(self.is_mapped(block, place) for place in range(block.mapped))
        )

    def is_mapped(self, block: KernelBlock, place: int) -> bool:
        """Whether one of these kernel pages is mapped, and not another one in its place."""
        kernel_page = self.pages.kernel_pages.get(self.address_of(block.page + place))
        return kernel_page is not None and kernel_page.block is block

    def undo(self, block: KernelBlock, line: int) -> None:
        """Gives back whatever is left of kernel pages: mappings, frames and the block."""
        for place in range(block.mapped):
            virtual = self.address_of(block.page + place)
            if virtual not in self.pages.kernel_pages or self.is_mapped(block, place):
                self.pages.hide(0, virtual)
        for frame in block.frames.values():
            if self.frames.kernel_page_frames.pop(frame, None) is not None and self.frames.release(frame, line):
                self.frames.doubts.settle(frame)
        for frame in block.disputed:
            if self.frames.release(frame, line):
                self.frames.doubts.add([frame])
        self.rules.found(block.unknown)
        space: AddressSpace = self.ranges.known[0]
        is_held = block.page in space.kernel_blocks | space.lost_kernel_blocks
        space.kernel_blocks.discard(block.page)
        space.lost_kernel_blocks.discard(block.page)
        if not self.ranges.gives_back(space, self.address_of(block.page), block.pages) and is_held:
            space.take_back(block.page, block.pages)
        del self.live[block.page]
        if self.others.get(block.page):
            self.live[block.page] = self.others[block.page].pop()
        if block.pages <= MOST_PAGES:
            block.freed = line
            self.freed.append(block)
            self.latest = None
            space.remember_freed(block.page, block.pages, line)

    # What is in doubt

    def undo_in_doubt(self, block: KernelBlock, line: int) -> None:
        """Gives back kernel pages; but they may be there still."""
        space: AddressSpace = self.ranges.known[0]
        before = space.having(block.page)
        self.undo(block, line)
        if self.freed and self.freed[-1] is block:
            self.freed.pop()
            self.latest = None
        space.doubt(before)
        self.doubt_contents(block)

    def was_not_freed(self, block: KernelBlock) -> None:
        """Kernel pages that were freed may be there still; then those that had their pages or frames before are not."""
        self.freed = deque((each for each in self.freed if not each.overlaps(block)), REMEMBERED)
        self.latest = None
        space: AddressSpace = self.ranges.known[0]
        space.may_be_there(block.page, block.pages)
        self.doubt_contents(block)

    def doubt_contents(self, block: KernelBlock) -> None:
        """The frames and the mappings of kernel pages that were freed may be there still."""
        pages = self.pages
        self.frames.doubts.lose(block.frames.values(), block.unknown)
        for place in range(block.mapped):
            virtual, frame = self.address_of(block.page + place), block.frames.get(place)
            if virtual not in pages.made[0]:
                pages.doubts.shown[0, virtual] = UNKNOWN if frame is None else frame << self.geometry.page_shift
                pages.lost_kernel_pages[virtual] = KernelPage(block, place)
        self.doubted.add((block.page, block.pages))

    def accepted(self) -> Iterator[Freed]:
        """The kernel pages that were freed and may be there still, the latest first."""
        space: AddressSpace = self.ranges.known[0]
        if self.latest is None:
            self.latest = [*latest(self.freed)]
        for block in self.latest:
            if handed_out_since(self.frames, block.frames.values(), block.freed):
                continue
            if space.seems_allocated(block.page, block.pages):
                yield Freed(self, block)

    def may_be_allocated(self, page: int, pages: int) -> bool:
        """Whether the block of so many kernel pages may be allocated still."""
        space: AddressSpace = self.ranges.known[0]
        return space.is_allocated_whole(page, pages)

    def settle(self, page: int, pages: int) -> None:
        """Kernel pages that were in doubt were there, and are freed."""
        self.doubted.discard((page, pages))
        self.ranges.known[0].take_back(page, pages)
        for virtual in map(self.address_of, range(page, page + pages)):
            self.pages.doubts.shown.pop((0, virtual), None)
            if virtual in self.pages.kernel_pages:
                self.pages.hide(0, virtual)


def latest(freed: deque[KernelBlock]) -> Iterator[KernelBlock]:
    """Of kernel pages in the order in which they were freed, the latest first, those whose pages no later one had."""
    taken = set[int]()
    for block in reversed(freed):
        pages = range(block.page, block.page + block.pages)
        if taken.isdisjoint(pages):
            yield block
        taken.update(pages)


@dataclass(frozen=True)
class Freed:
    """Kernel pages that were freed (see `linked_doubts`)."""

    kernel_pages: HeldKernelPages
    block: KernelBlock

    @property
    def frames(self) -> list[int]:
        return [*self.block.frames.values()]

    @property
    def unknown(self) -> int:
        return self.block.unknown

    def is_in_doubt(self) -> bool:
        replay, page = self.kernel_pages, self.block.page
        shown = replay.pages.doubts.shown
        virtuals = map(replay.address_of, range(page, page + self.block.pages)) if shown else ()
        return (
            not replay.frames.doubts.frames.isdisjoint(self.frames)
            or replay.may_be_allocated(page, self.block.pages)
            or any(shown.get((0, virtual)) is not None for virtual in virtuals)
        )

    def concerns(self, space: int, page: int) -> bool:
        first = self.kernel_pages.address_of(self.block.page)
        end = self.kernel_pages.address_of(self.block.page + self.block.pages)
        return space == 0 and (page == WHOLE or first <= page < end)

    def doubt(self) -> None:
        self.kernel_pages.was_not_freed(self.block)
