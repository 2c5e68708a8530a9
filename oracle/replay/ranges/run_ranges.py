"""Replays what changes ranges of which runs are handed out: any number of pages, at any page.

The reference accepts exactly what the law does (that is proved), so as long as it accepts what is recorded, nothing
else is asked. Where an allocation names limits, the law's own clauses say whether a run lies within them.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from memoracle.diagnostics.divergence import PREFERS, REFUSAL, Finding, broken, wrongly_failed
from memoracle.diagnostics.levels import Misuses, Rules
from memoracle.impl.kernel_half import KernelHalf
from memoracle.replay.common.partial_state import Holdings
from memoracle.replay.ranges import run_words
from memoracle.replay.ranges.address_space import Owned
from memoracle.replay.ranges.process_ranges import ProcessRanges
from memoracle.replay.ranges.run_limits import NONE, RunLimits, limits_of
from memoracle.replay.ranges.run_pages import RunPages
from memoracle.replay.ranges.run_space import RunSpace
from memoracle.replay.ranges.run_words import RunRequest
from memoracle.spec import addresses, given_runs, manager_ranges
from memoracle.spec import runs as law
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry_keys import PARTIAL
from memoracle.spec.kernel_half import process_lives
from memoracle.trace import events
from memoracle.trace.numbers import number

IS_POWER_OF_TWO = alignment_is_a_power_of_two.holds
IS_ALIGNED, LIES_WITHIN = law.run_is_aligned.holds, law.run_lies_within_limits.holds
ALLOCATE, RESERVE, FREE = "range.allocate", "range.reserve", "range.free"


class RunReplay(ProcessRanges[RunSpace]):
    """The address spaces of one trace, of each of which runs are handed out."""

    def __init__(self, rules: Rules, tables: KernelHalf) -> None:
        """tables says which processes live."""
        super().__init__(rules, tables)
        self.partial = self.geometry.range_free == PARTIAL
        self.known[0] = self.laid_out(0)

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {
            events.RangeAllocate: self.violated_by_allocate,
            events.RangeReserve: self.violated_by_reserve,
            events.RangeFree: self.violated_by_free,
        }

    def laid_out(self, process: int) -> RunSpace:
        area = self.geometry.range_of(process)
        return RunSpace(process, area, RunPages(area, self.page_size, self.geometry.reserved_of(process), self.exact))

    def asked(self, space: RunSpace, address: int, pages: int, limits: RunLimits = NONE) -> RunRequest:
        return RunRequest(self.geometry, space, address, pages, limits)

    # range.allocate

    def violated_by_allocate(self, event: events.RangeAllocate, line: int) -> Clause | None:
        if self.space(number(event.process)) is None:
            return process_lives
        if not law.run_has_a_place(None, number(event.pages)):
            return law.run_has_a_place
        is_aligned = event.alignment is UNSET or alignment_is_a_power_of_two(None, number(event.alignment))
        return None if is_aligned else alignment_is_a_power_of_two

    def allocate_any(self, event: events.RangeAllocate, line: int) -> Finding | None:
        """An allocation that names no limits, and was served."""
        space = self.known.get(event.process)
        assert event.result is not None, "it was served"
        if space is not None and not space.doubted.stretches and not space.shared.owed:
            page = space.pages.page_at(number(event.result))
            if page is not None and space.pages.reserve(page, number(event.pages), line):
                return None
        return self.allocate(event, line)

    def allocate_lowest(self, event: events.RangeAllocate, line: int) -> Finding | None:
        """Likewise at exact: the run that the reference gives."""
        space = self.known.get(event.process)
        assert event.result is not None, "it was served"
        if space is not None and not space.doubted.stretches and not space.shared.owed:
            page = space.pages.page_at(number(event.result))
            if page is not None and space.pages.give(number(event.pages), page, line):
                return None
        return self.allocate(event, line)

    def allocate(self, event: events.RangeAllocate, line: int) -> Finding | None:
        space = self.known.get(event.process) or self.space(number(event.process))
        if space is None:
            return self.unknown_process(event, line)
        pages = number(event.pages)
        plain = event.alignment is event.from_ is event.below is UNSET
        limits = NONE if plain else limits_of(event)
        if event.result is None:
            return self.allocate_failed(event, space, self.asked(space, space.area.start, pages, limits))
        address = number(event.result)
        page = space.pages.page_at(address)
        accepted = plain or self.is_placed(self.asked(space, address, pages, limits))
        if accepted and self.exact and space.pages.lowest(pages, limits) != page:
            accepted = False
        if accepted and page is not None and space.pages.reserve(page, pages, line):
            if space.doubted or space.shared:
                self.was_taken(space, page, address, pages)
            return None
        return self.allocate_closely(event, self.asked(space, address, pages, limits), line)

    def is_placed(self, asked: RunRequest) -> bool:
        """Whether a run lies where it was asked for: what the law wants besides is that the reference can take it."""
        lowest, below = asked.page_limits
        alignment, address, first, pages = asked.limits.alignment, asked.address, asked.page, asked.pages
        placed = IS_ALIGNED(None, alignment, address) and LIES_WITHIN(None, pages, lowest, below, first)
        return bool(IS_POWER_OF_TWO(None, alignment) and placed)

    def was_taken(self, space: RunSpace, page: int, address: int, pages: int) -> None:
        """A run was handed out, all of which was free."""
        if space.doubted:
            space.settle(page, pages)
        if space.shared:
            space.shared.add_again(self.owned(address, pages))

    def allocate_closely(self, event: events.RangeAllocate, asked: RunRequest, line: int) -> Finding | None:
        """An allocation that names limits, is held against the reference's choice, or is refused by the reference."""
        space, page, pages = asked.space, asked.page, asked.pages
        clause = self.broken_by_allocate(asked)
        if clause is law.run_is_free and space.may_be_free(page, pages):
            clause = None
        other = None
        if clause is None and self.exact:
            other = space.pages.lowest(pages, asked.limits)
            sure = space.surely_lowest(pages, asked.limits)
            if other == page or sure is None or sure >= page:
                other = None
        if (clause or other is not None) and self.doubts_more(space):
            return self.allocate(event, line)
        if clause is not None:
            return self.taken_wrongly(clause, asked, line, ALLOCATE)
        before = {} if other is None else run_words.around(asked)
        if other is not None:
            space.has_lost(pages, asked.limits, page)
        space.pages.reserve(page, pages, line)
        self.was_taken(space, page, asked.address, pages)
        return None if other is None else self.other_than_policy(asked, other, before)

    def broken_by_allocate(self, asked: RunRequest) -> Clause | None:
        """The first clause of the law that refuses to give this run; None if it may be given."""
        aligned = addresses.address_is_aligned
        if not aligned(asked.geometry, asked.address):
            return aligned
        state, first, pages, limits = asked.space.pages.state(), asked.page, asked.pages, asked.limits
        lowest, below = asked.page_limits
        return (
            law.allocate.broken(state, count=pages)
            or law.allocate.broken(state, alignment=limits.alignment, first=asked.address)  # in bytes
            or law.allocate.broken(state, count=pages, lowest=lowest, below=below, first=first)
        )

    def taken_wrongly(self, clause: Clause, asked: RunRequest, line: int, operation: str) -> Finding:
        space, page, pages = asked.space, asked.page, asked.pages
        message, before = run_words.describe(clause, asked), run_words.around(asked)
        legal = self.choices(asked) if operation == ALLOCATE else REFUSAL
        if clause is law.run_is_free:
            for begin in space.pages.pieces.overlapping(*space.pages.within(page, pages)):
                owned = self.owned(asked.at(begin), space.pages.pieces.pages(begin))
                if owned not in space.shared and space.pages.pieces.line(begin):
                    space.shared.add(owned)
            for first, last in [*space.pages.in_use(*space.pages.within(page, pages))]:
                space.doubt_pages(first, last - first)
            space.shared.add(self.owned(asked.address, pages))
            space.pages.take_all(page, pages, line)
        elif clause in (law.run_is_aligned, law.run_lies_within_limits):
            space.pages.take_all(page, pages, line)
        return Finding(clause.name, clause.says, message, legal, before, run_words.around(asked))

    def choices(self, asked: RunRequest) -> str:
        """What an allocation like this one may return."""
        legal = alignment_is_a_power_of_two(None, asked.limits.alignment) and asked.pages > 0
        lowest = asked.space.pages.lowest(asked.pages, asked.limits) if legal else None
        return run_words.choices(asked, lowest, self.exact)

    def other_than_policy(self, asked: RunRequest, policy: int, before: dict[str, Any]) -> Finding:
        """The reference's choice is another; what was chosen is legal."""
        due = f"{asked.at(policy):#x}"
        return Finding(
            f"{ALLOCATE}.{PREFERS}",
            "the reference takes the lowest run that fits",
            f"the run at {asked.address:#x} was allocated, but the reference takes the one at {due}",
            due,
            before,
            run_words.around(asked),
        )

    def allocate_failed(self, event: events.RangeAllocate, space: RunSpace, asked: RunRequest) -> Finding | None:
        pages, limits = asked.pages, asked.limits
        lowest = space.pages.lowest(pages, limits)
        if lowest is None:
            self.ran_out = True
            return None
        if self.safe or (space.refused is not None and pages >= space.refused):
            return None
        self.doubts_more(space)
        if space.surely_lowest(pages, limits) is None:
            return None
        if limits == NONE:
            space.refused = pages
        there = self.asked(space, asked.at(lowest), pages, limits)
        legal, state = self.choices(there), run_words.around(there)
        space.has_lost(pages, limits, space.area.pages)
        return wrongly_failed(ALLOCATE, event.error, legal, law.allocate.says, state)

    def has_room(self, space: RunSpace, pages: int) -> bool:
        if space.surely_lowest(pages) is not None:
            return True
        self.ran_out = True
        return False

    def room_in_words(self, space: RunSpace, pages: int) -> tuple[str, dict[str, Any]]:
        asked = self.asked(space, space.area.start, pages)
        asked = self.asked(space, asked.at(space.pages.lowest(pages) or 0), pages)
        return self.choices(asked), run_words.around(asked)

    def around(self, process: int, address: int) -> dict[str, Any]:
        return run_words.around(self.asked(self.known[process], address, 1))

    # range.reserve

    def violated_by_reserve(self, event: events.RangeReserve, line: int) -> Clause | None:
        space = self.space(number(event.process))
        if space is None:
            return process_lives
        return self.broken_by_reserve(self.asked(space, number(event.address), number(event.pages)))

    def broken_by_reserve(self, asked: RunRequest) -> Clause | None:
        aligned = addresses.address_is_aligned
        if not aligned(asked.geometry, asked.address):
            return aligned
        return law.reserve.broken(asked.space.pages.state(), first=asked.page, count=asked.pages)

    def reserve(self, event: events.RangeReserve, line: int) -> Finding | None:
        space = self.known.get(event.process) or self.space(number(event.process))
        if space is None:
            return self.unknown_process(event, line)
        pages, address = number(event.pages), number(event.address)
        asked = self.asked(space, address, pages)
        if event.error is not UNSET:
            return self.not_refused(event, asked, RESERVE, law.reserve.says)
        page = space.area.page_at(address, self.page_size)
        if page is not None and space.pages.reserve(page, pages, line):
            self.was_taken(space, page, address, pages)
            return None
        clause = broken(self.broken_by_reserve(asked))
        if clause is law.run_is_free and space.may_be_free(asked.page, pages):
            return self.reserve(event, line)
        if self.doubts_more(space):
            return self.reserve(event, line)
        return self.taken_wrongly(clause, asked, line, RESERVE)

    # range.free

    def violated_by_free(self, event: events.RangeFree, line: int) -> Clause | None:
        space = self.space(number(event.process))
        if space is None:
            return process_lives
        return self.broken_by_free(self.asked(space, number(event.address), number(event.pages)))

    def broken_by_free(self, asked: RunRequest) -> Clause | None:
        """The first clause of the law that refuses to free these pages; None if they may be freed."""
        aligned = addresses.address_is_aligned
        if not aligned(asked.geometry, asked.address):
            return aligned
        space, page, pages = asked.space, asked.page, asked.pages
        pieces = space.pages.pieces
        touched = [*pieces.overlapping(*space.pages.within(page, pages))]
        fixed = next((max(begin, page) for begin in touched if not pieces.line(begin)), page)
        clause = law.free.broken(space.pages.state(), first=page, count=pages, place=fixed)
        state = Holdings(
            block_at=pieces.pages,
            block_of=lambda process, first: first,
        )
        if clause is None and not self.partial:
            whole = given_runs.frees_a_whole_run
            clause = None if whole(space.pages.given(), page, pages) else whole
        of_kernel = manager_ranges.frees_no_kernel_block
        for begin in space.kernel_blocks and touched:
            if begin in space.kernel_blocks and not of_kernel(state, space.process, begin, pieces.pages(begin), begin):
                clause = clause or of_kernel
        return clause

    def free_whole(self, event: events.RangeFree, line: int) -> Finding | None:
        """A free that succeeded."""
        space = self.known.get(event.process)
        if space is not None and not space.doubted.stretches and not space.shared.owed:
            page, pages = space.pages.page_at(number(event.address)), number(event.pages)
            if page is not None and page not in space.kernel_blocks and space.pages.free_piece(page, pages):
                space.freed.append((page, pages, line))
                space.refused = None
                return None
        return self.free(event, line)

    def free(self, event: events.RangeFree, line: int) -> Finding | None:
        space = self.known.get(event.process) or self.space(number(event.process))
        if space is None:
            return self.unknown_process(event, line)
        pages, address = number(event.pages), number(event.address)
        if event.error is not UNSET:
            says = law.free.says if self.partial else given_runs.free_whole.says
            return self.not_refused(event, self.asked(space, address, pages), FREE, says)
        if space.shared and self.gives_back(space, address, pages):
            return None
        page = space.pages.page_at(address)
        if page is not None and page not in space.kernel_blocks and space.pages.free_piece(page, pages):
            self.was_freed(space, page, pages, line)
            return None
        if page is not None and self.are_parts(space, page, pages) and space.pages.free(page, pages):
            self.was_freed(space, page, pages, line)
            return None
        asked = self.asked(space, address, pages)
        clause = broken(self.broken_by_free(asked))
        if page is not None and self.may_be_given(space, clause, page, pages, line):
            space.pages.free_all(page, pages)
            self.was_freed(space, page, pages, line)
            return None
        if self.doubts_more(space):
            return self.free(event, line)
        return self.freed_wrongly(clause, asked, line)

    def was_freed(self, space: RunSpace, page: int, pages: int, line: int) -> None:
        space.freed.append((page, pages, line))
        space.refused = None
        if space.doubted:
            space.settle(page, pages)

    def are_parts(self, space: RunSpace, page: int, pages: int) -> bool:
        """Whether pages may be given back otherwise than they were handed out, and none is one of kernel pages."""
        if not self.partial:
            return False
        touched = space.kernel_blocks and space.pages.pieces.overlapping(*space.pages.within(page, pages))
        return space.kernel_blocks.isdisjoint(touched)

    def may_be_given(self, space: RunSpace, clause: Clause, page: int, pages: int, line: int) -> bool:
        """Whether what the law refuses to free may be in use, and one run, by what is in doubt."""
        if clause is given_runs.frees_a_whole_run:
            return space.doubted.cover(page, page + pages)
        return clause is law.frees_only_allocated and space.may_be_in_use(page, pages, line)

    def freed_wrongly(self, clause: Clause, asked: RunRequest, line: int) -> Finding:
        """What is in use of pages that were freed wrongly is gone all the same, unless nothing came of it."""
        space, page, pages = asked.space, asked.page, asked.pages
        message, before = run_words.describe(clause, asked), run_words.around(asked)
        if clause not in (addresses.address_is_aligned, law.run_has_a_place, law.run_lies_in_reach):
            whole = space.pages.size(page)
            freed = max(pages, whole) if clause is given_runs.frees_a_whole_run else pages
            space.doubt_pages(page, freed)
            for first, last in [*space.pages.free_ones(*space.pages.within(page, freed))]:
                space.settle(first, last - first)  # one free more of these is another fault
            for begin in [*space.pages.pieces.overlapping(*space.pages.within(page, freed))]:
                space.lose_kernel_block(begin)
            space.pages.free_all(page, freed)
        return Finding(clause.name, clause.says, message, REFUSAL, before, run_words.around(asked))

    def pages_at(self, process: int, address: int) -> int:
        space = self.space(process)
        page = None if space is None else space.pages.page_at(address)
        return 0 if space is None or page is None else space.pages.size(page)

    def owned(self, address: int, pages: int) -> Owned:
        return address, pages

    def give_back(self, space: RunSpace, page: int, pages: int) -> None:
        space.pages.free_all(page, pages)
        space.remember_freed(page, pages, 0)

    def refused_rightly(self, event: events.RangeFree) -> None:
        space = self.known.get(number(event.process))
        if space is not None:
            space.shared.settle(self.owned(number(event.address), number(event.pages)))

    def not_refused(
        self, event: events.RangeReserve | events.RangeFree, asked: RunRequest, operation: str, says: str
    ) -> Finding | None:
        """A call was refused that the law allows."""
        space = asked.space
        if self.safe or (operation == FREE and asked.page in space.lost_kernel_blocks):
            return None
        self.doubts_more(space)
        first, last = space.pages.within(asked.page, asked.pages)
        if any(begin < last and first < end for begin, end in space.doubted):
            return None
        finding = wrongly_failed(operation, event.error, "success", says, run_words.around(asked))
        space.doubt_pages(asked.page, asked.pages)
        return finding
