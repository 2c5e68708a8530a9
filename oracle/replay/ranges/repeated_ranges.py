"""What replays operations on blocks whose lines were read before, or all of them but the address, and that are as the
trace so far has it (`ways`).
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import UNSET

from memoracle.impl.buddy import order_for
from memoracle.replay.common.ways import Again, Places, PlainHandlers, line_with
from memoracle.replay.ranges.doubted_blocks import DoubtedBlocks, has_room
from memoracle.replay.ranges.process_ranges import ProcessRanges
from memoracle.replay.ranges.space import Space
from memoracle.trace import events
from memoracle.trace.numbers import Address, Number, number

Process: TypeAlias = int | str  # as the trace writes it
Kind: TypeAlias = tuple[Process, int]  # blocks of an order
ALLOCATES, FREES = line_with("result", last=False), line_with("address", last=False)


class RepeatedRanges:
    """ranges: the address spaces of one trace, each a buddy system."""

    def __init__(self, ranges: ProcessRanges[Space]) -> None:
        self.ranges = ranges
        self.known = ranges.known

    def added_to(self, plain: PlainHandlers) -> PlainHandlers:
        """These handlers, and what replays the same at less cost."""
        allocate, free = plain[events.RangeAllocate], plain[events.RangeFree]
        take = self.take_lowest if self.ranges.exact else self.take
        taken = Again(self.block_allocated, take, ALLOCATES, self.pages_of)
        none = Again(self.pages_refused, self.find_none)
        return {
            events.RangeAllocate: allocate._replace(again=taken, failed_again=none),
            events.RangeFree: free._replace(again=Again(self.block_freed, self.free, FREES, self.pages_of)),
        }

    def pages_of(self, kind: Kind) -> Places:
        """Of blocks that come and go."""
        space = self.known[kind[0]]
        space.keep_lines()
        return space.page_named

    def block_allocated(self, event: events.RangeAllocate) -> tuple[Kind, int] | None:
        return None if event.result is None else self.block(event.process, event.result, event.pages)

    def block(self, process: Process, address: Address, pages: Number) -> tuple[Kind, int] | None:
        """That of so many pages at this address, and its first page; None if there cannot be one."""
        space, order = self.known.get(process), order_for(number(pages))
        page = None if space is None else space.page_named(address)
        return None if page is None or order is None else ((process, order), page)

    def take(self, kind: Kind, page: int, line: int) -> bool:
        process, order = kind
        space = self.known.get(process)
        if space is None or space.shared.owed or not space.buddy.reserve_block(order, page):
            return False
        lines = space.kept if space.lines is None else space.lines
        lines[page] = line
        return True

    def take_lowest(self, kind: Kind, page: int, line: int) -> bool:
        """Likewise of the block that the reference would give."""
        process, order = kind
        space = self.known.get(process)
        if space is None or space.shared.owed or isinstance(space.buddy, DoubtedBlocks):
            return False
        lowest = space.buddy.allocate(1 << order)
        if lowest != page:
            if lowest is not None:
                space.buddy.free_block(order, lowest)
            return False
        lines = space.kept if space.lines is None else space.lines
        lines[page] = line
        return True

    def block_freed(self, event: events.RangeFree) -> tuple[Kind, int] | None:
        return self.block(event.process, event.address, event.pages)

    def free(self, kind: Kind, page: int, line: int) -> bool:
        process, order = kind
        space = self.known.get(process)
        if space is None or space.shared.owed or page in space.kernel_blocks:
            return False
        if not space.buddy.free_block(order, page):
            return False
        if space.lines is None:
            space.kept.pop(page, None)
        space.refused = None
        space.freed.append((page, order))
        return True

    def pages_refused(self, event: events.RangeAllocate) -> tuple[Kind, int] | None:
        """Of which process and order, and how many, if limits are not named, and so many may be asked for."""
        space, pages = self.known.get(event.process), number(event.pages)
        order = order_for(pages)
        names_limits = not event.alignment is event.from_ is event.below is UNSET
        if names_limits or space is None or order is None or order > space.buddy.highest:
            return None
        return (event.process, order), pages

    def find_none(self, kind: Kind, pages: int, line: int) -> bool:
        space = self.known.get(kind[0])
        if space is None or isinstance(space.buddy, DoubtedBlocks) or has_room(space.buddy, pages):
            return False
        self.ranges.ran_out = True
        return True
