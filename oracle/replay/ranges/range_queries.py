"""Holds what `range.size` and `range.list` answer against the reference's buddy systems.

A wrong answer changes nothing, but is remembered, so that one fault is named once (see `doubted_blocks`).
"""

from __future__ import annotations

from typing import TypeAlias

from memoracle.console.counted import counted
from memoracle.diagnostics import ranges as range_words
from memoracle.diagnostics.divergence import Finding, wrongly_failed
from memoracle.diagnostics.ranges import RangeRequest, inside
from memoracle.impl.buddy import Buddy
from memoracle.replay.ranges.doubted_blocks import DoubtedBlocks, with_block
from memoracle.replay.ranges.process_ranges import RangeQuestions
from memoracle.replay.ranges.ranges import RangeReplay
from memoracle.replay.ranges.space import Space
from memoracle.spec import addresses
from memoracle.spec import buddy as law
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.numbers import number

Listed: TypeAlias = list[tuple[int, int, bool]]  # address, pages, whether it is allocated


class RangeAnswers(RangeQuestions[RangeReplay]):
    """What is asked of the ranges of one trace."""

    def size(self, event: events.RangeSize, line: int) -> Finding | None:
        process, address = number(event.process), number(event.address)
        answer = None if event.result is None else number(event.result)
        if self.rules.safe:
            return None
        space = self.ranges.space(process)
        if space is None:
            return self.ranges.unknown_process(event, line)
        page = space.area.page_at(address, self.ranges.page_size)
        size = 0 if page is None else space.buddy.size(page)
        if answer == size:
            if page is not None and isinstance(space.buddy, DoubtedBlocks):
                space.settle(lambda model: model.size(page) == size)
            return None
        self.ranges.doubts_more(space)
        if page is not None and space.agrees(lambda model: model.size(page) == answer):
            return None
        if answer and self.ranges.owned(address, answer) in space.shared and answer & (answer - 1) == 0:
            return None
        asked, clause = self.ranges.asked(space, address, size), law.size_is_of_the_block
        state = range_words.around(asked)
        if answer is not None:
            space.doubt([None if page is None else with_block(space.explained, page, answer)])
            told = counted(answer, "page")
            message = f"it says that the block at {address:#x} has {told}, but it has {size:,}"
            return Finding(clause.name, clause.says, message, f"{size:,}", state, state)
        if not self.ranges.asked(space, address, 1).lies_inside:
            return None
        return wrongly_failed("range.size", event.error, f"{size:,}", clause.says, state)

    def list_range(self, event: events.RangeList, line: int) -> Finding | None:
        process = number(event.process)
        listed = [(number(address), number(pages), allocated) for address, pages, allocated in event.result or ()]
        if self.rules.safe:
            return None
        space = self.ranges.space(process)
        if space is None:
            return self.ranges.unknown_process(event, line)
        if event.result is None:
            state, says = {"process": process}, "asking for the list of blocks always succeeds"
            return wrongly_failed("range.list", event.error, counted(count(space.explained), "block"), says, state)
        start, size = space.area.start, self.ranges.page_size
        pages_listed = [((address - start) // size, pages, allocated) for address, pages, allocated in listed]
        aligned = all((address - start) % size == 0 for address, _, _ in listed)
        if aligned and are_blocks(space.explained, pages_listed):
            space.settle(lambda model: are_blocks(model, pages_listed))
            return None
        self.ranges.doubts_more(space)
        if aligned and space.agrees(lambda model: are_blocks(model, pages_listed)):
            return None
        clause, asked, message = self.wrong_entry(space, listed)
        blocks = counted(count(space.explained), "block")
        state, legal = range_words.around(asked), f"the list of {blocks} in address order"
        space.doubt([self.listed_blocks(space, listed)])
        return Finding(clause.name, clause.says, message, legal, state, state)

    def wrong_entry(self, space: Space, listed: Listed) -> tuple[Clause, RangeRequest, str]:
        """The first entry of a list at which a clause breaks, and what it says."""
        state, (due, end) = self.ranges.asked(space, 0, 1).state, inside(self.ranges.geometry, space.process)
        for address, pages, allocated in listed:
            asked = self.ranges.asked(space, address, pages)
            words = f"it lists {counted(pages, 'page')} at {address:#x}, {range_words.state_of(allocated)}"
            if not addresses.address_is_aligned(self.ranges.geometry, address):
                return addresses.address_is_aligned, asked, words
            if not law.lists_in_address_order(state, asked.page, due):
                return law.lists_in_address_order, asked, f"{words}, where the block at {asked.at(due):#x} is due"
            if due == end:
                return law.block_lies_in_range, asked, f"{words}, past the end of the range"
            if not law.lists_the_block(state, asked.page, pages, allocated):
                return law.lists_the_block, asked, f"{words}, but {range_words.found_at(asked)}"
            due += pages
        asked = self.ranges.asked(space, self.ranges.asked(space, 0, 0).at(due), 0)
        return law.lists_in_address_order, asked, f"the list ends where the block at {asked.address:#x} is due"

    def listed_blocks(self, space: Space, listed: Listed) -> Buddy | None:
        """The blocks if what is listed as allocated is so; None if it can't be."""
        observed = self.ranges.at_start(space.process)
        for address, pages, allocated in listed:
            page = space.area.page_at(address, self.ranges.page_size)
            if allocated and (page is None or not (page in observed.fixed or observed.reserve(page, pages))):
                return None
        return observed


def count(buddy: Buddy) -> int:
    """How many blocks there are."""
    return len(buddy.allocated) + sum(map(len, buddy.free_blocks))


def are_blocks(buddy: Buddy, listed: Listed) -> bool:
    """Whether these are the blocks; there may be more of them than there is memory for, but not more than listed."""
    return len(listed) == count(buddy) and listed == buddy.blocks()
