"""Stand-ins for whole components: each does what its law says, and no more is known of it.

That the code of a component is its law's is proved where the component is. So the manager's code is run on these: a
method branches on whether it succeeds; if it does, the law's guard holds and the state becomes the law's effect, for
choices that nobody knows; if it does not, the law leaves no choice, or the component's own proof says why.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from memoracle.impl.paging import Leaf, Unmapped
from memoracle.proofs.paths import Run
from memoracle.spec import bitmap, paging
from memoracle.spec import manager as law
from memoracle.spec.clauses import Truth, implies, neg
from memoracle.spec.kernel_half import is_new, process_lives

TABLES_AT_MOST = {12: 3, 21: 2, 30: 1}  # below a PML4, that one page needs, by the binary logarithm of its bytes


class Whole:
    """The state that all components share."""

    def __init__(self, run: Run, state: law.Memory) -> None:
        self.run, self.state, self.shift = run, state, int(str(state.page_shift))
        self.tables: list[Any] = []  # the frames that were taken for tables
        self.emptied: list[Any] = []  # and those that were given back

    def may(self, what: str) -> bool:
        """Whether something is done, either way."""
        return bool(self.run.fresh_truth(what))


class LawfulBitmap:
    """Physical frames."""

    def __init__(self, whole: Whole) -> None:
        self.whole, self.run = whole, whole.run
        self.picked: list[Any] = []
        self.freed: list[Any] = []

    def allocate(self) -> Any:
        if not self.whole.may("a frame is free"):
            with self.run.reading_law():
                is_free = self.whole.state.is_free
                self.run.assume_for_all(("frame",), lambda frame: neg(is_free(frame)))
            return None
        with self.run.reading_law():
            frame = self.run.point("frame")
            self.run.suppose(bitmap.allocate.allows(self.whole.state, frame=frame))
            self.whole.state = bitmap.allocate(self.whole.state, frame)
            self.picked.append(frame)
            return frame

    def free(self, frame: Any) -> bool:
        with self.run.reading_law():
            allowed = bitmap.free.allows(self.whole.state, frame=frame)
        if not allowed:
            return False
        with self.run.reading_law():
            self.whole.state = bitmap.free(self.whole.state, frame)
        self.freed.append(frame)
        return True


class LawfulPaging:
    """The page tables of all processes. Their frames are the bitmap's."""

    def __init__(self, whole: Whole) -> None:
        self.whole, self.run = whole, whole.run

    def create(self, process: Any) -> bool:
        with self.run.reading_law():
            unknown = is_new(self.whole.state, process)
        if not unknown:
            return False
        frame = LawfulBitmap(self.whole).allocate()
        if frame is None:
            return False
        with self.run.reading_law():
            self.whole.state = paging.begin(self._holding(frame, process), process)
            self.whole.tables.append(frame)
        return True

    def map(self, process: Any, virtual: Any, leaf: Leaf) -> bool:
        """It fails for reasons that paging's own proof names, or for want of frames for tables."""
        if not self.whole.may("the page is mapped"):
            return False
        with self.run.reading_law():
            state = self.whole.state
            self.run.suppose(
                process_lives(state, process)
                & paging.page_is_unmapped(state, process, virtual)
                & paging.use_can_be_counted(state, leaf.physical)
            )
        for _ in range(TABLES_AT_MOST[self.whole.shift]):
            if not self.whole.may("a table is needed"):
                break
            self._take_table(process, virtual)
        with self.run.reading_law():
            self.whole.state = paging.map_page(
                self.whole.state,
                process,
                virtual,
                leaf.physical,
                leaf.cache,
                int(leaf.writable),
                int(leaf.executable),
                int(leaf.global_),
            )
        return True

    def unmap(self, process: Any, virtual: Any) -> Unmapped | None:
        """It fails only where nothing is mapped: what is mapped is a page, and canonical."""
        with self.run.reading_law():
            state = self.whole.state
            mapped = process_lives(state, process) & paging.page_is_mapped(state, process, virtual)
        if not mapped:
            return None
        with self.run.reading_law():
            frame = self.run.point("frame")
            physical = state.physical(paging.space_of(process, virtual), virtual)
            self.run.suppose(frame << state.page_shift == physical)
            self.whole.state = paging.unmap(state, process, virtual)
        for _ in range(TABLES_AT_MOST[self.whole.shift]):
            if not self.whole.may("a table is empty"):
                break
            self._give_table(paging.space_of(process, virtual))
        with self.run.reading_law():
            last = paging.is_counted(state, physical) & (law.uses_of(self.whole.state, frame) == 0)
            answer: Any = Unmapped
            unmapped: Unmapped = answer(frame, last)
            return unmapped

    def _holding(self, frame: Any, owner: Any) -> law.Memory:
        """The state in which a frame that was just allocated holds a table."""
        state = self.whole.state
        taken = law.take_table(state, frame, owner)
        return replace(state, use=taken.use, owner=taken.owner)

    def _take_table(self, process: Any, virtual: Any) -> None:
        with self.run.reading_law():
            frame = self.run.point("frame")
            self.run.suppose(bitmap.allocate.allows(self.whole.state, frame=frame))
            self.whole.state = law.take_table(self.whole.state, frame, paging.space_of(process, virtual))
            self.whole.tables.append(frame)

    def _give_table(self, space: Any) -> None:
        with self.run.reading_law():
            frame = self.run.point("frame")
            self.run.suppose(law.holds_the_root(self.whole.state, space, frame))
            self.whole.state = law.give_table(self.whole.state, frame)
            self.whole.emptied.append(frame)


class LawfulSpaces:
    """The ranges of all processes."""

    def __init__(self, whole: Whole) -> None:
        self.whole, self.run = whole, whole.run
        self.spaces = self

    def of(self, process: Any) -> LawfulBuddy | None:
        return LawfulBuddy(self.whole, process) if self.whole.state.lives(process) else None

    def __getitem__(self, process: int) -> LawfulBuddy:
        return LawfulBuddy(self.whole, process)

    def create(self, process: Any) -> bool:
        """A new process has no ranges."""
        with self.run.reading_law():
            taken = self.whole.state.taken
            self.whole.state = replace(
                self.whole.state, taken=lambda other, page: taken(other, page) & (other != process)
            )
        return True

    exit = create


class LawfulBuddy:
    """The range of one process: which of its pages are in an allocated block."""

    def __init__(self, whole: Whole, process: Any) -> None:
        self.whole, self.run, self.process = whole, whole.run, process

    def allocate(self, pages: Any) -> Any:
        if not self.whole.may("a block fits"):
            return None
        with self.run.reading_law():
            state, first, size = self.whole.state, self.run.point("first"), rounded(self.run, pages)
            self.run.suppose((0 < pages) & (pages <= size))
            self.run.suppose(law.block_lies_in_the_range(state, first, size))
            self.run.assume_for_all(("kernel_page",), self._is_free(state, first, size))
            self.whole.state = law.range_taken(state, self.process, first, size, True)
            self.allocated = first
            return first

    def free(self, first: Any, pages: Any) -> bool:
        """It frees a whole block; that the block is one, and of that size, is for the caller to know."""
        with self.run.reading_law():
            size = rounded(self.run, pages)
            self.whole.state = law.range_taken(self.whole.state, self.process, first, size, False)
        return True

    def _is_free(self, state: law.Memory, first: Any, size: Any) -> Any:
        def holds(page: Any) -> Truth:
            return implies(law.among(page, first, size), neg(state.taken(self.process, page)))

        return holds


def rounded(run: Run, pages: Any) -> Any:
    """The pages of the block for so many: the next power of two."""
    return run.function("rounded", "pages", high=run.sorts["pages"].highest)(pages)
