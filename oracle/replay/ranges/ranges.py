"""Replays what changes ranges on the reference's buddy systems; names the clause where an implementation errs.

The reference accepts exactly what the law does (that is proved), so as long as it accepts what is recorded, nothing
else is asked. A process's space is made when it is first used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec import UNSET

from memoracle.diagnostics import ranges as range_words
from memoracle.diagnostics.divergence import PREFERS, REFUSAL, Finding, broken, wrongly_failed
from memoracle.diagnostics.levels import Misuses, Rules
from memoracle.diagnostics.ranges import RangeRequest, inside
from memoracle.impl.buddy import Buddy, order_for
from memoracle.impl.kernel_half import KernelHalf
from memoracle.replay.common.partial_state import Holdings
from memoracle.replay.common.ways import PlainHandlers
from memoracle.replay.containers.block_map import blocks_between
from memoracle.replay.containers.known_numbers import KnownNumbers
from memoracle.replay.ranges.address_space import Owned
from memoracle.replay.ranges.doubted_blocks import DoubtedBlocks, copied, has_room, models_of, policy_of
from memoracle.replay.ranges.process_ranges import ProcessRanges, RangeEvent
from memoracle.replay.ranges.range_buddy import buddy_of
from memoracle.replay.ranges.repeated_ranges import RepeatedRanges
from memoracle.replay.ranges.space import Space
from memoracle.spec import addresses, manager_ranges
from memoracle.spec import buddy as law
from memoracle.spec.clauses import Clause, Operation
from memoracle.spec.geometry_keys import Range
from memoracle.spec.kernel_half import process_lives
from memoracle.trace import events
from memoracle.trace.decoding import MalformedLine
from memoracle.trace.numbers import number


class RangeReplay(ProcessRanges[Space]):
    """The address spaces of one trace, each a buddy system."""

    def __init__(self, rules: Rules, tables: KernelHalf) -> None:
        """tables says which processes live."""
        super().__init__(rules, tables)
        self.pages_named: dict[Range, KnownNumbers] = {}  # all processes have the same range but the kernel
        self.known[0] = self.laid_out(0)

    def end(self) -> None:
        super().end()
        for space in self.known.values():
            space.buddy = space.explained

    def plain(self) -> PlainHandlers:
        return RepeatedRanges(self).added_to(super().plain())

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {
            events.RangeAllocate: self.violated_by_allocate,
            events.RangeReserve: lambda event, line: self.violated(
                law.reserve, event, number(event.address), number(event.pages)
            ),
            events.RangeFree: lambda event, line: self.violated(
                law.free, event, number(event.address), number(event.pages)
            ),
        }

    def violated_by_allocate(self, event: events.RangeAllocate, line: int) -> Clause | None:
        refuse_limits(event)
        pages = number(event.pages)
        order = order_for(pages)
        most = self.geometry.range_max_order
        if self.known.get(event.process) is not None and order is not None and (most is None or order <= most):
            return None  # the reference does not refuse so many pages; whether there is room for them is no misuse
        return self.violated(law.allocate, event, 0, pages)

    def violated(self, operation: Operation, event: RangeEvent, address: int, pages: int) -> Clause | None:
        """The first clause that refuses such a call."""
        space = self.space(number(event.process))
        if space is None:
            return process_lives
        asked = self.asked(space, address, pages)
        if operation is law.allocate:
            return operation.broken(asked.state, pages=pages, order=asked.order)
        return self.violated_by_free(space, asked) if operation is law.free else violated_clause(operation, asked)

    def at_start(self, process: int) -> Buddy:
        """The blocks of a process's range when it has just been made: of these some are taken for good."""
        first, last = inside(self.geometry, process)
        buddy = buddy_of(first, last, self.geometry.range_max_order, self.exact)
        for piece in self.geometry.reserved_of(process):
            begin = first + piece.page
            for page, pages in blocks_between(begin, begin + piece.pages, buddy.highest):
                buddy.fix(page, pages)
        return buddy

    def laid_out(self, process: int) -> Space:
        area = self.geometry.range_of(process).root(self.page_size)
        if area not in self.pages_named:
            size = self.page_size
            self.pages_named[area] = KnownNumbers(lambda address: area.page_at(address, size))
        return Space(process, area, self.at_start(process), self.pages_named[area].__getitem__)

    def asked(self, space: Space, address: int, pages: int) -> RangeRequest:
        return RangeRequest(self.geometry, space.buddy, space.line, space.process, address, pages)

    # range.allocate

    def allocate_any(self, event: events.RangeAllocate, line: int) -> Finding | None:
        """An allocation that names no limits, and was served."""
        space, order = self.known.get(event.process), order_for(number(event.pages))
        assert event.result is not None, "it was served"
        if space is not None and order is not None and not space.shared.owed:
            page = space.page_named(event.result)
            if page is not None and space.buddy.reserve(page, 1 << order):
                space.note(page, line)
                return None
        return self.allocate(event, line)

    def allocate(self, event: events.RangeAllocate, line: int) -> Finding | None:
        if not event.alignment is event.from_ is event.below is UNSET:
            refuse_limits(event)
        pages = number(event.pages)
        address = None if event.result is None else number(event.result)
        space = self.known.get(event.process) or self.space(number(event.process))
        if space is None:
            return self.unknown_process(event, line)
        if address is None:
            return self.allocate_failed(event, space, pages)
        page, buddy = space.area.page_at(address, self.page_size), space.buddy
        if self.exact and isinstance(buddy, DoubtedBlocks):
            taken = buddy.allocate_as(pages, page)
            policy = None if taken else policy_of(space.explained, pages)
            if policy is not None and policy != page:
                if self.doubts_more(space):
                    return self.allocate(event, line)
                return self.other_than_policy(space, self.asked(space, address, pages), policy, line)
        elif self.exact:
            policy = buddy.allocate(pages)
            if policy is not None and policy != page:
                buddy.free(policy, pages)
                if self.doubts_more(space):
                    return self.allocate(event, line)
                return self.other_than_policy(space, self.asked(space, address, pages), policy, line)
            taken = policy is not None
        else:
            order = order_for(pages)
            taken = page is not None and order is not None and buddy.reserve(page, 1 << order)
        if taken and page is not None:
            space.note(page, line)
            if space.shared:
                space.shared.add_again(self.owned(address, pages))
            return None
        if self.doubts_more(space):
            return self.allocate(event, line)
        return self.taken_wrongly(law.allocate, space, self.asked(space, address, pages))

    def allocate_lowest(self, event: events.RangeAllocate, line: int) -> Finding | None:
        return self.allocate(event, line)

    def allocate_failed(self, event: events.RangeAllocate, space: Space, pages: int) -> Finding | None:
        if not has_room(space.explained, pages):
            self.ran_out = True
            if isinstance(space.buddy, DoubtedBlocks):
                space.settle(lambda model: not has_room(model, pages))
            return None
        self.doubts_more(space)
        if not self.has_room(space, pages):
            space.agrees(lambda model: not has_room(model, pages))
            return None
        if self.safe:
            return None
        if space.refused is not None and pages >= space.refused:
            return None
        space.refused = pages
        legal, around = self.room_in_words(space, pages)
        space.has_lost_room(pages)
        return wrongly_failed(law.allocate.name, event.error, legal, law.allocate.says, around)

    def around(self, process: int, address: int) -> dict[str, Any]:
        return range_words.around(self.asked(self.known[process], address, 1))

    def room_in_words(self, space: Space, pages: int) -> tuple[str, dict[str, Any]]:
        """In the lowest of the smallest blocks."""
        wanted = order_for(pages) or 0
        orders = enumerate(space.buddy.free_blocks)
        block, order = next((blocks[0], order) for order, blocks in orders if order >= wanted and blocks)
        asked = self.asked(space, self.asked(space, 0, pages).at(block << order), pages)
        return range_words.choices(asked), range_words.around(asked)

    def has_room(self, space: Space, pages: int) -> bool:
        if all(has_room(model, pages) for model in models_of(space.buddy)):
            return True
        self.ran_out = True
        return False

    def taken_wrongly(self, operation: Operation, space: Space, asked: RangeRequest) -> Finding:
        clause, state = broken(violated_clause(operation, asked)), range_words.around(asked)
        legal = range_words.choices(asked) if operation is law.allocate else REFUSAL
        if clause is law.block_is_free:
            for page, pages in space.overlapped(asked.page, 1 << asked.order):
                if self.owned(asked.at(page), pages) not in space.shared:
                    space.shared.add(self.owned(asked.at(page), pages))
            space.was_taken_over(asked.page, 1 << asked.order)
        space.shared.add(self.owned(asked.address, asked.pages))
        return Finding(clause.name, clause.says, range_words.describe(clause, asked), legal, state, state)

    def other_than_policy(self, space: Space, asked: RangeRequest, policy: int, line: int) -> Finding:
        """The reference's choice is another; what was chosen may still be legal."""
        before = range_words.around(asked)
        if violated_clause(law.allocate, asked) is not None:
            return self.taken_wrongly(law.allocate, space, asked)
        space.was_passed_over(policy, asked.page, asked.pages)
        space.buddy.reserve(asked.page, 1 << asked.order)
        space.note(asked.page, line)
        due = f"{asked.at(policy):#x}"
        return Finding(
            f"{law.allocate.name}.{PREFERS}",
            "the reference takes the smallest free block that fits, of these the lowest, and of that the lowest pages",
            f"the block at {asked.address:#x} was allocated, but the reference takes the one at {due}",
            due,
            before,
            range_words.around(asked),
        )

    # range.reserve and range.free

    def reserve(self, event: events.RangeReserve, line: int) -> Finding | None:
        pages, address = number(event.pages), number(event.address)
        space = self.known.get(event.process) or self.space(number(event.process))
        if space is None:
            return self.unknown_process(event, line)
        if event.error is not UNSET:
            return self.refused(law.reserve, event, space, self.asked(space, address, pages))
        page = space.area.page_at(address, self.page_size)
        if page is not None and space.buddy.reserve(page, pages):
            space.note(page, line)
            if space.shared:
                space.shared.add_again(self.owned(address, pages))
            return None
        if self.doubts_more(space):
            return self.reserve(event, line)
        return self.taken_wrongly(law.reserve, space, self.asked(space, address, pages))

    def free_whole(self, event: events.RangeFree, line: int) -> Finding | None:
        """A free that succeeded."""
        space = self.known.get(event.process)
        if space is not None and not space.shared.owed:
            page, order = space.page_named(event.address), order_for(number(event.pages))
            is_kernels = page in space.kernel_blocks
            if page is not None and order is not None and not is_kernels and space.buddy.free_block(order, page):
                space.forget(page)
                space.refused = None
                space.freed.append((page, order))
                return None
        return self.free(event, line)

    def free(self, event: events.RangeFree, line: int) -> Finding | None:
        pages, address = number(event.pages), number(event.address)
        space = self.known.get(event.process) or self.space(number(event.process))
        if space is None:
            return self.unknown_process(event, line)
        if event.error is not UNSET:
            return self.refused(law.free, event, space, self.asked(space, address, pages))
        page = space.area.page_at(address, self.page_size)
        if space.shared and self.gives_back(space, address, pages):
            return None
        if page is not None and page not in space.kernel_blocks and space.buddy.free(page, pages):
            space.forget(page)
            space.refused = None
            space.remember_freed(page, pages, line)
            return None
        if self.doubts_more(space):
            return self.free(event, line)
        return self.freed_wrongly(space, self.asked(space, address, pages))

    def give_back(self, space: Space, page: int, pages: int) -> None:
        space.give_back(page, pages)
        space.remember_freed(page, pages, 0)

    def refused_rightly(self, event: events.RangeFree) -> None:
        address, pages = number(event.address), number(event.pages)
        space = self.known.get(number(event.process))
        if space is not None and space.shared.settle(self.owned(address, pages)):
            asked = self.asked(space, address, pages)
            space.settle(lambda model: self.violated_by_free(space, replace(asked, buddy=model)) is not None)

    def pages_at(self, process: int, address: int) -> int:
        space = self.space(process)
        page = None if space is None else space.area.page_at(address, self.page_size)
        return 0 if space is None or page is None else space.buddy.size(page)

    def owned(self, address: int, pages: int) -> Owned:
        return address, order_for(pages)

    def refused(self, operation: Operation, event: RangeEvent, space: Space, asked: RangeRequest) -> Finding | None:
        if self.safe:
            return None
        if operation is law.free and asked.page in space.lost_kernel_blocks:
            return None  # it may be there still, and one of kernel pages
        self.doubts_more(space)
        models = models_of(space.buddy)
        refusing = [model for model in models if violated_clause(operation, replace(asked, buddy=model)) is not None]
        if refusing:
            space.keep(refusing)
            space.shared.settle(self.owned(asked.address, asked.pages))
            return None
        finding = wrongly_failed(operation.name, event.error, "success", operation.says, range_words.around(asked))
        if operation is law.reserve:
            space.was_refused(asked.page, asked.pages)
        else:
            space.was_not_freed(asked.page)
        return finding

    def freed_wrongly(self, space: Space, asked: RangeRequest) -> Finding:
        of_kernel = self.kernel_pages_refuse(space, asked)
        clause = broken(self.violated_by_free(space, asked))
        message, before = range_words.describe(clause, asked), range_words.around(asked)
        # A live block that was freed under a wrong size is gone all the same, unless nothing came of it.
        unchanged = copied(space.explained) if clause in (law.block_is_allocated, of_kernel) else None
        if unchanged is not None and asked.buddy.free(asked.page, asked.buddy.size(asked.page)):
            space.forget(asked.page)
            space.lose_kernel_block(asked.page)
            space.doubt([unchanged])
        return Finding(
            clause.name, clause.says, message, REFUSAL, before, range_words.around(replace(asked, buddy=space.buddy))
        )

    def violated_by_free(self, space: Space, asked: RangeRequest) -> Clause | None:
        """The first clause that refuses to free a block."""
        return violated_clause(law.free, asked) or self.kernel_pages_refuse(space, asked)

    def kernel_pages_refuse(self, space: Space, asked: RangeRequest) -> Clause | None:
        """The clause that refuses to free a block of kernel pages."""
        if asked.page not in space.kernel_blocks:
            return None
        clause = manager_ranges.frees_no_kernel_block
        state = Holdings(block_at=space.buddy.size, block_of=lambda process, page: page)
        return None if clause(state, space.process, asked.page, asked.pages, asked.page) else clause


def refuse_limits(event: events.RangeAllocate) -> None:
    """Raises MalformedLine for an argument that a buddy system does not have."""
    named = {"alignment": event.alignment, "from": event.from_, "below": event.below}
    for key, value in named.items():
        if value is not UNSET:
            raise MalformedLine(f'{key}: no such argument in this geometry: its range_allocator, "buddy", has none')


def violated_clause(operation: Operation, asked: RangeRequest) -> Clause | None:
    """The first clause of the law that refuses this; None if it is accepted."""
    aligned = addresses.address_is_aligned
    if not aligned(asked.geometry, asked.address):
        return aligned
    clause = operation.broken(asked.state, page=asked.page, pages=asked.pages, order=asked.order)
    return law.block_lies_in_range if clause is law.block_is_free and not asked.lies_inside else clause
