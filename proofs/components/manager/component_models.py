"""Stand-ins for whole components: each does what its law says, and no more is known of it.

That the code of a component is its law's is proved where the component is. So the manager's code is run on these: a
method branches on whether it succeeds; if it does, the law's guard holds and the state becomes the law's effect, for
unknown choices; if it does not, the law leaves no choice, or the component's own proof says why.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from memoracle.impl.paging import Attributes, Leaf, Unmapped
from memoracle.proofs.symbolic.containers import Set
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import SymbolicBool
from memoracle.proofs.symbolic.values import Function, Property
from memoracle.spec import bitmap, paging
from memoracle.spec import manager as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when
from memoracle.spec.kernel_half import process_lives

MOST_CACHE = 7  # a memory type is one of the page attribute table's, of three bits


class SomeTables:
    """Any frames that become tables of a space, or that no longer are: any number of the law's steps in one."""

    def __init__(self, run: Run, space: Number, come: bool) -> None:
        name = f"tables#{next(run.count)}"
        self.space, self.come = space, come
        self.has: Property = run.relation(name, "frame")
        self.below: Function = run.function(f"{name}-below", "frame", high=run.sorts["frame"].highest)
        self.many: Number = run.number(f"{name}-many", 0, run.sorts["frame"].highest)

    def allowed(self, state: law.Memory, frame: Number) -> Truth:
        """Whether the law allows the step for this frame, if it is one of them."""
        if self.come:
            step = law.take_table.allows(state, frame=frame, process=self.space)
        else:
            step = law.holds_the_root(state, self.space, frame)
        return implies(self.has(frame), step)

    def __call__(self, state: law.Memory) -> law.Memory:
        """The state after all these steps."""
        come, has, below, many = self.come, self.has, self.below, self.many
        use = law.TABLE if come else law.UNUSED
        return replace(
            state,
            count=state.count - many if come else state.count + many,
            is_free=lambda frame: state.is_free(frame) & neg(has(frame)) if come else state.is_free(frame) | has(frame),
            free_below=lambda frame: state.free_below(frame) + (0 - below(frame) if come else below(frame)),
            use=lambda frame: when(has(frame), use, state.use(frame)),
            owner=lambda frame: when(has(frame), self.space, state.owner(frame)) if come else state.owner(frame),
        )

    def and_these(self, others: SomeTables) -> SomeTables:
        """Both, of the same space."""
        both = copy(self)
        has, below = self.has, self.below
        both.has = lambda frame: has(frame) | others.has(frame)
        both.below = lambda frame: below(frame) + others.below(frame)
        both.many = self.many + others.many
        return both


class Whole:
    """The state that all components share."""

    def __init__(self, run: Run, state: law.Memory) -> None:
        self.run, self.state = run, state
        self.roots: list[Number] = []  # the frames that were taken for PML4s
        self.refused = False  # whether a component could not give what it was asked for
        self.tables: list[SomeTables] = []  # those that were taken for other tables, or given back

    def may(self, what: str) -> bool:
        """Whether something is done, either way."""
        return bool(self.run.fresh_truth(what))


class LawfulBitmap:
    """Physical frames."""

    def __init__(self, whole: Whole) -> None:
        self.whole, self.run = whole, whole.run
        self.picked: list[Number] = []
        self.freed: list[Number] = []

    def allocate(self) -> Number | None:
        if not self.whole.may("a frame is free"):
            self.whole.refused = True
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

    def free(self, frame: Number) -> bool:
        with self.run.reading_law():
            allowed = bitmap.free.allows(self.whole.state, frame=frame)
        if not allowed:
            return False
        with self.run.reading_law():
            self.whole.state = bitmap.free(self.whole.state, frame)
        self.freed.append(frame)
        return True


@dataclass(frozen=True)
class Exited:
    """The states that a process's exit goes through: before it, with its pages unmapped, and without its tables too."""

    before: law.Memory
    unmapped: law.Memory
    left: law.Memory

    def lost_its_last_use(self, frame: Number) -> Truth:
        unused = (0 < law.uses_of(self.before, frame)) & (law.uses_of(self.left, frame) == 0)
        return unused & paging.is_counted(self.before, frame << self.before.page_shift)


class LawfulPaging:
    """The page tables of all processes. Their frames are the bitmap's."""

    def __init__(self, whole: Whole) -> None:
        self.whole, self.run = whole, whole.run
        self.shown: list[Number] = []  # the frames that were mapped
        self.hidden: list[Number] = []  # those that were unmapped
        self.exited: Exited | None = None  # the exit, if there was one

    def create(self, process: Number) -> bool:
        with self.run.reading_law():
            allowed = paging.begin.allows(self.whole.state, process=process)
        if not allowed:
            return False
        frame = LawfulBitmap(self.whole).allocate()
        if frame is None:
            return False
        with self.run.reading_law():
            self.whole.state = paging.begin(self._holding(frame, process), process)
            self.whole.roots.append(frame)
        return True

    def map(self, process: Number, virtual: Number, leaf: Leaf) -> bool:
        """It fails for reasons that paging's own proof names, or for want of frames for tables."""
        if not self.whole.may("the page is mapped"):
            self.whole.refused = True
            return False
        with self.run.reading_law():
            state, frame = self.whole.state, self.run.point("frame")
            physical, cache = leaf.physical, leaf.cache
            self.run.suppose(
                process_lives(state, process),
                paging.page_is_unmapped(state, process, virtual),
                paging.use_can_be_counted(state, physical),
                physical == frame << state.page_shift,
                (0 <= cache) & (cache <= MOST_CACHE),
            )
            self._some_tables(paging.space_of(process, virtual), True)
            flags = (when(flag, 1, 0) for flag in (leaf.writable, leaf.executable, leaf.global_))
            self.whole.state = paging.map_page(self.whole.state, process, virtual, physical, cache, *flags)
            self.shown.append(frame)
        return True

    def unmap(self, process: Number, virtual: Number) -> Unmapped | None:
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
            self._some_tables(paging.space_of(process, virtual), False)
            last = paging.is_counted(state, physical) & (law.uses_of(self.whole.state, frame) == 0)
            self.hidden.append(frame)
            answer: Any = Unmapped
            unmapped: Unmapped = answer(frame, last)
            return unmapped

    def translate(self, process: Number, virtual: Number) -> Number | None:
        return self.asked("translation", process, virtual) if self.is_shown(process, virtual) else None

    def attributes(self, process: Number, virtual: Number) -> Attributes | None:
        if not self.is_shown(process, virtual):
            return None
        answer: Any = Attributes
        attributes: Attributes = answer(*(self.asked(field, process, virtual) for field in Attributes._fields))
        return attributes

    def is_shown(self, process: Number, virtual: Number) -> SymbolicBool:
        """Whether anything is mapped there: any answer, but the same for the same byte."""
        return self.run.relation("shown", "process", "virtual")(process, virtual)

    def asked(self, what: str, process: Number, virtual: Number) -> Number:
        """The answer that belongs to a question, whatever it is."""
        return self.run.function(what, "process", "virtual")(process, virtual)

    def exit(self, process: Number) -> Set | None:
        """All that a process maps is unmapped, its tables go, and last its PML4; what lost its last use is listed."""
        with self.run.reading_law():
            state = self.whole.state
            may = (process != 0) & process_lives(state, process)
        if not may:
            return None
        with self.run.reading_law():
            root = self.run.point("frame")
            self.run.suppose(law.holds_the_root(state, process, root))
            self.exited = self._loses_all(process, root)
            self._frees_root(process, root)
        return Set(self.run, self.exited.lost_its_last_use, "frame")

    def _loses_all(self, process: Number, root: Number) -> Exited:
        """All that a process maps is unmapped, and its tables go but for its PML4."""
        before = self.whole.state
        self.whole.state = unmapped = without_pages(self.run, before, process)
        self._some_tables(process, False)
        self.run.suppose(neg(self.whole.tables[-1].has(root)))
        return Exited(before, unmapped, self.whole.state)

    def _frees_root(self, process: Number, root: Number) -> None:
        """The process is gone, and its PML4 with it, which was its last table."""
        left = self.whole.state
        self.run.assume_for_all(("table",), lambda table: law.no_other_table_is_left(left, process, root, table))
        self.whole.roots.append(root)
        freed = bitmap.free(paging.end(left, process), root)
        self.whole.state = replace(freed, use=law.given_back(left, root).use)

    def _holding(self, frame: Number, owner: Number) -> law.Memory:
        """The state in which a frame that was just allocated holds a table."""
        state = self.whole.state
        taken = law.take_table(state, frame, owner)
        return replace(state, use=taken.use, owner=taken.owner)

    def _some_tables(self, space: Number, come: bool) -> None:
        tables, state = SomeTables(self.run, space, come), self.whole.state
        self.run.assume_for_all(("frame",), lambda frame: tables.allowed(state, frame))
        self.whole.state = tables(state)
        self.whole.tables.append(tables)


def without_pages(run: Run, state: law.Memory, process: Number) -> law.Memory:
    """The state once every page of a process was unmapped, one by one: no frame has more uses than before."""
    uses = run.function("uses-left", "physical")
    run.assume_for_all(("physical",), lambda physical: uses(physical) <= state.uses(physical))
    return replace(state, is_mapped=lambda space, page: state.is_mapped(space, page) & (space != process), uses=uses)
