"""Stand-ins for the ranges of all processes, of the kind that component_models describes."""

from __future__ import annotations

from dataclasses import replace

from memoracle.proofs.components.manager.component_models import Whole
from memoracle.proofs.components.manager.law import MOST_PAGES
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import manager_pages, manager_ranges
from memoracle.spec.clauses import Number, Truth, implies, neg, when
from memoracle.spec.kernel_half import process_has_64_bits


class LawfulSpaces:
    """The ranges of all processes. has: whether a process has one; at first, whoever lives."""

    def __init__(self, whole: Whole) -> None:
        self.whole, self.run = whole, whole.run
        self.spaces = self
        self.has: Property = whole.state.lives

    def of(self, process: Number) -> LawfulBuddy | None:
        return LawfulBuddy(self.whole, process) if self.has(process) else None

    def __getitem__(self, process: int) -> LawfulBuddy:
        with self.run.reading_law():
            self.run.assert_and_assume("the process has a range", self.has(process))
        return LawfulBuddy(self.whole, process)

    def create(self, process: Number) -> bool:
        has = self.has
        with self.run.reading_law():
            allowed = neg(has(process)) & process_has_64_bits(self.whole.state, process)
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
        """A new process has no ranges, nor has one that exited."""
        with self.run.reading_law():
            taken, size_at = self.whole.state.taken, self.whole.state.size_at
            self.whole.state = replace(
                self.whole.state,
                taken=lambda other, page: taken(other, page) & (other != process),
                size_at=lambda other, page: when(other == process, 0, size_at(other, page)),
            )
        return True


class LawfulBuddy:
    """The range of one process: which of its pages are in an allocated block, and where blocks begin."""

    def __init__(self, whole: Whole, process: Number) -> None:
        self.whole, self.run, self.process = whole, whole.run, process

    def allocate(self, pages: Number) -> Number | None:
        if not self.whole.may("a block fits"):
            self.whole.refused = True
            return None
        with self.run.reading_law():
            first = self.run.point("first")
            self._take(first, pages, rounded(self.run, pages))
            return first

    def reserve(self, first: Number, pages: Number) -> bool:
        if not self.whole.may("just this block is free"):
            self.whole.refused = True
            return False
        with self.run.reading_law():
            self.run.suppose(is_frame(first), pages == rounded(self.run, pages))
            self._take(first, pages, pages)
        return True

    def free(self, first: Number, pages: Number) -> bool:
        with self.run.reading_law():
            state, size = self.whole.state, rounded(self.run, pages)
            allowed = (0 < pages) & manager_ranges.frees_a_block(state, self.process, first, size)
        if not allowed:
            return False
        with self.run.reading_law():
            self.whole.state = manager_ranges.range_taken(state, self.process, first, size, False)
        return True

    def size(self, first: Number) -> Number:
        """The pages of the block that begins there: a power of two, so just so many need it."""
        with self.run.reading_law():
            size = self.whole.state.size_at(self.process, first)
            self.run.suppose(implies(size != 0, rounded(self.run, size) == size))
        return size

    def fix(self, first: Number, pages: Number) -> bool:
        """A piece of the range is taken for good: no block that may be freed begins there.

        Only of a machine that makes sense, whose pieces are free blocks: spec/geometry.py refuses others.
        """
        with self.run.reading_law():
            state, process = self.whole.state, self.process
            taken = manager_ranges.range_taken(state, process, first, pages, True).taken
            self.whole.state = replace(state, taken=taken)
        return True

    def _take(self, first: Number, pages: Number, size: Number) -> None:
        """A block of free pages is allocated. Which blocks lie in a range its own law says (see buddy)."""
        state, process = self.whole.state, self.process
        self.run.suppose((0 < pages) & (pages <= size))
        self.run.suppose(implies(process == 0, manager_pages.block_lies_in_the_range(state, first, size)))
        is_free = manager_ranges.block_is_free
        self.run.assume_for_all(("kernel_page",), lambda page: is_free(state, process, first, size, page))
        self.whole.state = manager_ranges.range_taken(state, process, first, size, True)


def is_frame(number: Number) -> Truth:
    """Whether a number is one that frames, and pages of a range, may have."""
    inside: Truth = (0 <= number) & (number <= MOST_PAGES)
    return inside


def rounded(run: Run, pages: Number) -> Number:
    """The pages of the block for so many: the next power of two, which no range has if that is too large."""
    most = run.sorts["pages"].highest
    size = run.function("rounded", "pages", high=most)(pages)
    run.suppose(implies(pages <= most, pages <= size))
    return size
