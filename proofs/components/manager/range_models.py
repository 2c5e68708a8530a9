"""Stand-ins for the ranges of all processes: they do what the law of the buddy system says (see `component_models.py`).

Of a range it is known which pages are taken and where blocks begin; which blocks there can be is for the buddy system's
own law to say, and is left open here.
"""

from __future__ import annotations

from dataclasses import replace

from memoracle.proofs.components.manager.component_models import SharedState
from memoracle.proofs.components.manager.law import MOST_PAGES
from memoracle.proofs.symbolic.containers import Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import manager_pages, manager_ranges
from memoracle.spec.clauses import Number, Truth, implies, neg, when
from memoracle.spec.kernel_half import process_has_64_bits


class LawfulSpaces(Unasked):
    """Stands in for the ranges of all processes. has: whether a process has one; at first, if it is live."""

    def __init__(self, shared: SharedState) -> None:
        self.shared, self.run = shared, shared.run
        self.spaces = self
        self.has: Property = shared.state.lives

    def of(self, process: Number) -> LawfulBuddy | None:
        return LawfulBuddy(self.shared, process) if self.has(process) else None

    def __getitem__(self, process: int) -> LawfulBuddy:
        with self.run.reading_law():
            self.run.assert_and_assume("the process has a range", self.has(process))
        return LawfulBuddy(self.shared, process)

    def create(self, process: Number) -> bool:
        has = self.has
        with self.run.reading_law():
            allowed = neg(has(process)) & process_has_64_bits(self.shared.state, process)
        if not allowed:
            return False
        self.has = lambda other: has(other) | (other == process)
        return self._has_no_ranges(process)

    def exit(self, process: Number) -> bool:
        has = self.has
        if process == 0 or not has(process):
            return False
        self.has = lambda other: has(other) & (other != process)
        return self._has_no_ranges(process)

    def _has_no_ranges(self, process: Number) -> bool:
        """Makes nothing of this process's range taken, because it is new or exited."""
        with self.run.reading_law():
            taken, size_at = self.shared.state.taken, self.shared.state.size_at
            self.shared.state = replace(
                self.shared.state,
                taken=lambda other, page: taken(other, page) & (other != process),
                size_at=lambda other, page: when(other == process, 0, size_at(other, page)),
            )
        return True


class LawfulBuddy:
    """Stands in for the range of one process."""

    def __init__(self, shared: SharedState, process: Number) -> None:
        self.shared, self.run, self.process = shared, shared.run, process

    def allocate(self, pages: Number) -> Number | None:
        if not self.shared.either("a block fits"):
            self.shared.refused = True
            return None
        with self.run.reading_law():
            first = self.run.point("first")
            self._take(first, pages, rounded(self.run, pages))
            return first

    def reserve(self, first: Number, pages: Number) -> bool:
        if not self.shared.either("just this block is free"):
            self.shared.refused = True
            return False
        with self.run.reading_law():
            self.run.suppose(is_frame(first), pages == rounded(self.run, pages))
            self._take(first, pages, pages)
        return True

    def free(self, first: Number, pages: Number) -> bool:
        with self.run.reading_law():
            state, size = self.shared.state, rounded(self.run, pages)
            allowed = (0 < pages) & manager_ranges.frees_a_block(state, self.process, first, size)
        if not allowed:
            return False
        with self.run.reading_law():
            self.shared.state = manager_ranges.range_taken(state, self.process, first, size, False)
        return True

    def size(self, first: Number) -> Number:
        """The pages of the block that begins there: a power of two, which rounds to itself."""
        with self.run.reading_law():
            size = self.shared.state.size_at(self.process, first)
            # The law has no size of a block that is never freed, of which the real part answers with its pages.
            self.run.assert_and_assume("it is asked of a block that may be freed", size != 0)
            self.run.suppose(rounded(self.run, size) == size)
        return size

    def fix(self, first: Number, pages: Number) -> bool:
        """Takes a piece of the range that is never freed.

        It always succeeds: `spec/geometry_limits.py` refuses machines whose reserved pieces are not free blocks.
        """
        with self.run.reading_law():
            state, process = self.shared.state, self.process
            taken = manager_ranges.range_taken(state, process, first, pages, True).taken
            self.shared.state = replace(state, taken=taken)
        return True

    def _take(self, first: Number, pages: Number, size: Number) -> None:
        """Takes a block of free pages."""
        state, process = self.shared.state, self.process
        self.run.suppose((0 < pages) & (pages <= size))
        self.run.suppose(implies(process == 0, manager_pages.block_lies_in_the_range(state, first, size)))
        is_free = manager_ranges.block_is_free
        self.run.assume_for_all(("kernel_page",), lambda page: is_free(state, process, first, size, page))
        self.shared.state = manager_ranges.range_taken(state, process, first, size, True)


def is_frame(number: Number) -> Truth:
    """Whether a frame, or a page of a range, may have this number."""
    inside: Truth = (0 <= number) & (number <= MOST_PAGES)
    return inside


def rounded(run: Run, pages: Number) -> Number:
    """The size of the block for so many pages: an unknown function, which is known only to be no smaller.

    No range has a block for more pages than `MOST_PAGES`, so nothing is known of these.
    """
    most = run.sorts["pages"].highest
    size = run.function("rounded", "pages", high=most)(pages)
    run.suppose(implies(pages <= most, pages <= size))
    return size
