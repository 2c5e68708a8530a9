"""Stand-ins for whole components, on which the manager's code runs: each does what its law says, and no more is known.

That a component's code does what its law says is proved of the component. Here each method branches on whether it
succeeds. If it does, the law's guard holds, and the state becomes the law's effect for unknown choices. If it does not,
the law forbids it, or the component's own proof says why it may fail.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

from memoracle.impl.paging import Attributes, Leaf, Unmapped
from memoracle.proofs.symbolic.containers import Set
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import SymbolicBool
from memoracle.proofs.symbolic.values import Function, Property, record_of
from memoracle.spec import bitmap, paging
from memoracle.spec import manager as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when
from memoracle.spec.kernel_half import process_lives

MOST_CACHE = 7  # a memory type is one of the page attribute table's, of three bits


class SomeTables:
    """Any number of steps of the law, in each of which a frame becomes a table of a space or ceases to be one.

    come: which of the two.  has: whether a frame is one of them.  below: how many are below a frame.  count: how many
    there are.
    """

    def __init__(self, run: Run, space: Number, come: bool) -> None:
        name = f"tables#{next(run.count)}"
        self.space, self.come = space, come
        self.has: Property = run.relation(name, "frame")
        self.below: Function = run.function(f"{name}-below", "frame", high=run.sorts["frame"].highest)
        self.count: Number = run.number(f"{name}-many", 0, run.sorts["frame"].highest)

    def allowed(self, state: law.Memory, frame: Number) -> Truth:
        """Whether the law allows the step for this frame, if it is one of them."""
        if self.come:
            step = law.take_table.allows(state, frame=frame, process=self.space)
        else:
            step = law.holds_the_root(state, self.space, frame)
        return implies(self.has(frame), step)

    def __call__(self, state: law.Memory) -> law.Memory:
        """The state after all these steps."""
        come, has, below, many = self.come, self.has, self.below, self.count
        use = law.TABLE if come else law.UNUSED
        return replace(
            state,
            count=state.count - many if come else state.count + many,
            is_free=lambda frame: state.is_free(frame) & neg(has(frame)) if come else state.is_free(frame) | has(frame),
            free_below=lambda frame: state.free_below(frame) + (0 - below(frame) if come else below(frame)),
            use=lambda frame: when(has(frame), use, state.use(frame)),
            owner=lambda frame: when(has(frame), self.space, state.owner(frame)) if come else state.owner(frame),
        )

    def witnesses(self) -> list[object]:
        """These, for what the constructor asks."""
        return [self.has, self.below, self.count]

    def joined_with(self, others: SomeTables) -> SomeTables:
        """These steps and others of the same space."""
        both = copy(self)
        has, below = self.has, self.below
        both.has = lambda frame: has(frame) | others.has(frame)
        both.below = lambda frame: below(frame) + others.below(frame)
        both.count = self.count + others.count
        return both


class SharedState:
    """The law's state, which all stand-ins share, and what they did."""

    def __init__(self, run: Run, state: law.Memory) -> None:
        self.run, self.state = run, state
        self.roots: list[Number] = []  # the frames that were taken for PML4s
        self.refused = False  # whether a component failed although the law may have allowed the operation
        self.tables: list[SomeTables] = []  # for each call that takes or gives back other tables, which

    def either(self, what: str) -> bool:
        """Whether something is so: both are possible, on two paths."""
        return bool(self.run.fresh_truth(what))


def is_reached(state: law.Memory, frame: Number) -> Truth:
    """Whether the bitmap has a bit for this frame."""
    reached: Truth = (0 <= frame) & (frame < state.reach)
    return reached


class LawfulBitmap:
    """Stands in for the bitmap of physical frames."""

    def __init__(self, shared: SharedState) -> None:
        self.shared, self.run = shared, shared.run
        self.allocated: list[Number] = []
        self.freed: list[Number] = []

    def allocate(self) -> Number | None:
        if not self.shared.either("a frame is free"):
            self.shared.refused = True
            with self.run.reading_law():
                is_free = self.shared.state.is_free
                self.run.assume_for_all(("frame",), lambda frame: neg(is_free(frame)))
            return None
        with self.run.reading_law():
            frame = self.run.point("frame")
            self.run.suppose(bitmap.allocate.allows(self.shared.state, frame=frame))
            self.shared.state = bitmap.allocate(self.shared.state, frame)
            self.allocated.append(frame)
            return frame

    def exists(self, frame: Number) -> Truth:
        with self.run.reading_law():
            return is_reached(self.shared.state, frame) & self.shared.state.exists(frame)

    def is_free(self, frame: Number) -> Truth:
        with self.run.reading_law():
            return is_reached(self.shared.state, frame) & self.shared.state.is_free(frame)

    def free(self, frame: Number) -> bool:
        with self.run.reading_law():
            allowed = bitmap.free.allows(self.shared.state, frame=frame)
        if not allowed:
            return False
        with self.run.reading_law():
            self.shared.state = bitmap.free(self.shared.state, frame)
        self.freed.append(frame)
        return True


@dataclass(frozen=True)
class Exited:
    """States of a process's exit: before it, after its pages were unmapped, and after its tables but the PML4 went."""

    before: law.Memory
    unmapped: law.Memory
    left: law.Memory

    def lost_its_last_use(self, frame: Number) -> Truth:
        """Whether a counted frame had uses before the exit, and has none after it."""
        physical = frame << self.before.page_shift
        unused = (0 < self.before.uses(physical)) & law.nothing_maps_it(self.left, frame)
        return unused & paging.is_counted(self.before, physical)


class LawfulPaging:
    """Stands in for the page tables of all processes, whose frames are the bitmap's."""

    def __init__(self, shared: SharedState) -> None:
        self.shared, self.run = shared, shared.run
        self.mapped_frames: list[Number] = []  # the frames that were mapped
        self.unmapped_frames: list[Number] = []  # those that were unmapped
        self.exited: Exited | None = None  # the exit, if there was one

    def create(self, process: Number) -> bool:
        with self.run.reading_law():
            allowed = paging.begin.allows(self.shared.state, process=process)
        if not allowed:
            return False
        frame = LawfulBitmap(self.shared).allocate()
        if frame is None:
            return False
        with self.run.reading_law():
            self.shared.state = paging.begin(self._holding(frame, process), process)
            self.shared.roots.append(frame)
        return True

    def map(self, process: Number, virtual: Number, leaf: Leaf) -> bool:
        """Maps a page. It may fail: paging's own proof says when, and frames for tables may run out."""
        if not self.shared.either("the page is mapped"):
            self.shared.refused = True
            return False
        with self.run.reading_law():
            state, frame = self.shared.state, self.run.point("frame")
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
            self.shared.state = paging.map_page(self.shared.state, process, virtual, physical, cache, *flags)
            self.mapped_frames.append(frame)
        return True

    def unmap(self, process: Number, virtual: Number) -> Unmapped | None:
        """Unmaps a page. It fails only if nothing is mapped there, since what is mapped is a page."""
        with self.run.reading_law():
            state = self.shared.state
            mapped = process_lives(state, process) & paging.page_is_mapped(state, process, virtual)
        if not mapped:
            return None
        with self.run.reading_law():
            frame = self.run.point("frame")
            physical = state.physical(paging.space_of(process, virtual), virtual)
            # A leaf leads to a whole frame, which is what `paging.unmap.refines-…` show to be answered.
            self.run.suppose(frame << state.page_shift == physical)
            self.shared.state = paging.unmap(state, process, virtual)
            self._some_tables(paging.space_of(process, virtual), False)
            last = paging.is_use(state, virtual, physical) & law.nothing_maps_it(self.shared.state, frame)
            self.unmapped_frames.append(frame)
            return record_of(Unmapped, frame, last)

    def is_shown(self, frame: Number) -> Truth:
        """Whether a page shows a frame; no page is counted that shows one past the bitmap."""
        with self.run.reading_law():
            physical = frame << self.shared.state.page_shift
            return paging.is_counted(self.shared.state, physical) & neg(law.nothing_maps_it(self.shared.state, frame))

    def translate(self, process: Number, virtual: Number) -> Number | None:
        return self.answer("translation", process, virtual) if self.is_answered(process, virtual) else None

    def attributes(self, process: Number, virtual: Number) -> Attributes | None:
        if not self.is_answered(process, virtual):
            return None
        return record_of(Attributes, *(self.answer(field, process, virtual) for field in Attributes._fields))

    def is_answered(self, process: Number, virtual: Number) -> SymbolicBool:
        """Whether there is a translation: unknown, but the same whenever the same byte is asked for."""
        return self.run.relation("shown", "process", "virtual")(process, virtual)

    def answer(self, what: str, process: Number, virtual: Number) -> Number:
        """The answer to a question: unknown, but the same whenever the same byte is asked for."""
        return self.run.function(what, "process", "virtual")(process, virtual)

    def exit(self, process: Number) -> Set | None:
        """Unmaps all that a process maps, and gives back its tables; the frames that lost their last use."""
        with self.run.reading_law():
            state = self.shared.state
            may = (process != 0) & process_lives(state, process)
        if not may:
            return None
        with self.run.reading_law():
            root = self.run.point("frame")
            # `create` took it, and only `exit` gives it back.
            self.run.suppose(law.holds_the_root(state, process, root))
            self.exited = self._loses_all(process, root)
            self._frees_root(process, root)
        return Set(self.run, self.exited.lost_its_last_use, "frame")

    def _loses_all(self, process: Number, root: Number) -> Exited:
        """Unmaps all that a process maps, and gives back its tables except its PML4."""
        before = self.shared.state
        self.shared.state = unmapped = without_pages(self.run, before, process)
        self._some_tables(process, False)
        # A live process keeps it (`roots_are_the_process_own`).
        self.run.suppose(neg(self.shared.tables[-1].has(root)))
        return Exited(before, unmapped, self.shared.state)

    def _frees_root(self, process: Number, root: Number) -> None:
        """Ends the process, and gives back its PML4, which was its last table."""
        left = self.shared.state
        self.run.assume_for_all(("table",), lambda table: law.no_other_table_is_left(left, process, root, table))
        self.shared.roots.append(root)
        freed = bitmap.free(paging.end(left, process), root)
        self.shared.state = replace(freed, use=law.given_back(left, root).use)

    def _holding(self, frame: Number, owner: Number) -> law.Memory:
        """The state in which a frame that was just allocated holds a table of this process."""
        state = self.shared.state
        taken = law.take_table(state, frame, owner)
        return replace(state, use=taken.use, owner=taken.owner)

    def _some_tables(self, space: Number, come: bool) -> None:
        """Takes any number of tables for a space, or gives them back, as the law allows."""
        tables, state = SomeTables(self.run, space, come), self.shared.state
        self.run.assume_for_all(("frame",), lambda frame: tables.allowed(state, frame))
        self.shared.state = tables(state)
        self.shared.tables.append(tables)


def without_pages(run: Run, state: law.Memory, process: Number) -> law.Memory:
    """The state after every page of a process was unmapped. Of uses it is only known that none were added."""
    uses = run.function("uses-left", "physical")
    run.assume_for_all(("physical",), lambda physical: uses(physical) <= state.uses(physical))
    return replace(state, is_mapped=lambda space, page: state.is_mapped(space, page) & (space != process), uses=uses)
