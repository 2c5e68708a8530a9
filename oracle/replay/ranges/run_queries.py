"""Holds what `range.size` and `range.list` answer of runs against the reference.

A wrong answer changes nothing, but the pages that it is about are in doubt from then on, so that one fault is named
once.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import Finding, wrongly_failed
from memoracle.replay.ranges import run_words
from memoracle.replay.ranges.process_ranges import RangeQuestions
from memoracle.replay.ranges.run_ranges import RunReplay
from memoracle.replay.ranges.run_space import RunSpace
from memoracle.replay.ranges.run_words import RunRequest
from memoracle.spec import addresses, run_lists
from memoracle.spec import runs as law
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.numbers import number


class RunAnswers(RangeQuestions[RunReplay]):
    """What is asked of the ranges of one trace."""

    # range.size

    def size(self, event: events.RangeSize, line: int) -> Finding | None:
        process, address = number(event.process), number(event.address)
        answer = None if event.result is None else number(event.result)
        if self.rules.safe:
            return None
        space = self.ranges.space(process)
        if space is None:
            return self.ranges.unknown_process(event, line)
        page, asked = space.area.page_at(address, self.ranges.page_size), self.ranges.asked(space, address, 1)
        due = 0 if page is None else space.pages.size(page)
        clause = None if answer is None else self.wrong_size(space, -1 if page is None else page, answer)
        if answer is not None and clause is None:
            return None
        self.ranges.doubts_more(space)
        if self.may_have_size(space, asked.page, answer, due):
            return None
        state = run_words.around(asked)
        if answer is None:
            says = "the size of what begins in the range can be asked"
            inside = 0 <= asked.page < space.area.pages
            return wrongly_failed("range.size", event.error, f"{due:,}", says, state) if inside else None
        clause = clause or run_lists.size_is_of_places_in_use
        message = f"it says that the run at {address:#x} has {counted(answer, 'page')}, but it has {due:,}"
        space.doubt_pages(asked.page, max(answer, due, 1))
        return Finding(clause.name, clause.says, message, f"{due:,}", state, state)

    def may_have_size(self, space: RunSpace, page: int, answer: int | None, due: int) -> bool:
        """Whether a run of so many pages may begin here, or none, by what is in doubt."""
        first, last = space.pages.within(page, answer or due or 1)
        if not answer or not self.ranges.partial or (first, last) != (page, page + answer):
            return space.doubted.cover(page, page + (answer or due or 1))
        return all(space.doubted.cover(*stretch) for stretch in space.pages.free_ones(first, last))

    def wrong_size(self, space: RunSpace, page: int, answer: int) -> Clause | None:
        """The clause by which a run has not so many pages.

        Where parts of runs are freed, what is left of one is a run for some implementations, and for others none; the
        pages that follow it may be counted with it.
        """
        if not self.ranges.partial:
            clause = run_lists.size_is_of_the_given_run
            return None if clause(space.pages.given(), page, answer) else clause
        clause = run_lists.size_is_of_places_in_use
        is_right = (page >= 0 or answer == 0) and clause(space.pages.state(), page, answer)
        is_due = answer > 0 or not (space.pages.size(page) and space.pages.pieces.is_begin(page))
        return None if is_right and is_due else clause

    # range.list

    def list_range(self, event: events.RangeList, line: int) -> Finding | None:
        process = number(event.process)
        listed = [(number(address), number(pages), allocated) for address, pages, allocated in event.result or ()]
        if self.rules.safe:
            return None
        space = self.ranges.space(process)
        if space is None:
            return self.ranges.unknown_process(event, line)
        if event.result is None:
            state, says = {"process": process}, "asking for the list of pages always succeeds"
            return wrongly_failed("range.list", event.error, "all pages of the range", says, state)
        wrong = next(self.wrong_entries(space, listed), None)
        if wrong is not None and self.ranges.doubts_more(space):
            wrong = next(self.wrong_entries(space, listed), None)
        if wrong is None:
            return None
        clause, asked, message = wrong
        state, legal = run_words.around(asked), f"all {counted(space.area.pages, 'page')} of the range, in order"
        for _, entry, _ in self.wrong_entries(space, listed):
            space.doubt_pages(entry.page, entry.pages)
        return Finding(clause.name, clause.says, message, legal, state, state)

    def wrong_entries(
        self, space: RunSpace, listed: list[tuple[int, int, bool]]
    ) -> Iterator[tuple[Clause, RunRequest, str]]:
        """The entries of a list at which a clause breaks, and what each says; what is in doubt may be as it is listed.

        After one that is out of order, no others are.
        """
        state, due = space.pages.state(), 0
        for address, pages, allocated in listed:
            asked = self.ranges.asked(space, address, pages)
            words = f"it lists {counted(pages, 'page')} at {address:#x}, {'allocated' if allocated else 'free'}"
            if not addresses.address_is_aligned(self.ranges.geometry, address):
                yield addresses.address_is_aligned, asked, words
                return
            if not run_lists.lists_in_order(state, asked.page, due):
                where = asked.at(due)
                yield run_lists.lists_in_order, asked, f"{words}, where what follows from {where:#x} on is due"
                return
            if not law.run_has_a_place(state, pages):
                yield law.run_has_a_place, asked, words
                return
            if not law.run_lies_in_reach(state, asked.page, pages):
                yield law.run_lies_in_reach, asked, f"{words}, past the end of the range"
                return
            if not run_lists.lists_one_state(state, asked.page, pages, allocated):
                wrong = [*self.in_another_state(space, due, due + pages, allocated)]
                if not all(space.doubted.cover(*stretch) for stretch in wrong):
                    first, last = wrong[0]
                    found = f"{counted(last - first, 'page')} at {asked.at(first):#x}"
                    found += f" {agreeing(last - first, 'is', 'are')} {self.found(space, first, allocated)}"
                    yield run_lists.lists_one_state, asked, f"{words}, but {found}"
            due += pages
        if due < space.area.pages:
            asked = self.ranges.asked(space, space.area.start + due * self.ranges.page_size, 0)
            yield run_lists.lists_in_order, asked, f"the list ends where what follows from {asked.address:#x} on is due"

    def in_another_state(self, space: RunSpace, first: int, last: int, allocated: bool) -> Iterator[tuple[int, int]]:
        """The stretches of these pages that are not as they were listed."""
        if allocated:
            yield from space.pages.free_ones(first, last)
            return
        for begin in space.pages.pieces.overlapping(first, last):
            yield max(begin, first), min(space.pages.pieces.end(begin), last)

    def found(self, space: RunSpace, page: int, allocated: bool) -> str:
        """What a page is that is not as it was listed."""
        if allocated:
            return "free"
        begin = next(space.pages.pieces.overlapping(page, page + 1))
        return run_words.origin(self.ranges.asked(space, 0, 1), begin)
