"""Proofs of the manager's code that repeats a step of the law: kernel pages, and exit.

The loops are cut at their invariants. At the head of a loop the state is the one in which the loop began, changed by
any number of steps of the law (`repeated_steps.py`). A turn runs the real step, which must lead to that state with one
more step. The law allows each step, so the state at the head satisfies what the law preserves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from memoracle.proofs.components.manager.kernel_pages import view_of
from memoracle.proofs.components.manager.range_models import rounded
from memoracle.proofs.components.manager.repeated_steps import FramesReleased, PagesAdded, PagesRemoved
from memoracle.proofs.components.manager.symbolic_manager import ALWAYS, SymbolicManager, refines, with_tables
from memoracle.proofs.symbolic.containers import Set
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Members, cut
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import kernel_pages as asked
from memoracle.spec import manager as law
from memoracle.spec import manager_law, manager_pages
from memoracle.spec.clauses import Number, Truth, implies, neg
from memoracle.spec.kernel_half import process_lives

# For proofs about one block: that it is disjoint from the others is assumed of this block alone, by each proof.
OF_A_BLOCK = (
    *(clause for clause in ALWAYS if clause is not manager_law.kernel_blocks_are_disjoint),
    manager_law.kernel_pages_are_taken,
    law.kernel_blocks_are_ranges,
)

# Kernel pages


class ExtendLoop:
    """The loop of allocate_pages, which adds one page in each turn.

    Invariant: the block was begun, and has some of the pages that were asked for.
    goes_on: whether every turn so far added its page; if one did not, the loop is left.
    """

    counts = ("tables",)

    def __init__(self, symbolic: SymbolicManager, pages: Number, size: Number) -> None:
        self.symbolic, self.asked, self.size = symbolic, pages, size
        self.goes_on: Truth = True

    def on_entry(self, run: Run, arguments: tuple[Number]) -> Measure:
        (first,) = arguments
        if not hasattr(self, "begun"):
            self.first, start = first, self.symbolic.before
            self.symbolic.assert_allowed(manager_pages.begin_pages, start, first=first, pages=self.size)
            self.begun = manager_pages.begin_pages(start, first, self.size)
            run.assert_and_assume("the block begins with no page", self.begun.pages_at(first) == 0)
            self.added = PagesAdded(run, self.begun, first, self.symbolic.at)
        run.assert_goal("it is the block that was begun", first == self.first)
        run.assert_goal("no page is tried after one could not be added", self.goes_on)
        self.allocated, self.tables = len(self.symbolic.bitmap.allocated), len(self.symbolic.shared.tables)
        return (self.asked - self.added.count) + (self.asked - self.added.count) + 1

    def state(self) -> law.Memory:
        """The law's state at the head of the loop."""
        return self.added(self.begun)

    def havoc(self, run: Run) -> Truth:
        at, (frame, page, _) = self.symbolic.at, self.symbolic.any_keys
        pages, frames = (at.kernel_page, page), (at.frame, frame, self.added.inverses.frame_at(at.physical))
        self.added = added = self.added.after_any_number(self.asked, pages, frames)
        run.assume_for_all(("kernel_page",), partial(added.is_apart, self.begun))
        run.assume_for_all(("frame",), partial(added.was_free, self.begun))
        self.symbolic.set_state(self.state())
        self.goes_on = run.fresh_truth("one more page came")
        run.suppose(implies(neg(self.goes_on), added.count < self.asked))
        return self.goes_on

    def on_back_edge(self, run: Run, result: object) -> Measure:
        symbolic, before = self.symbolic, self.state()
        run.assert_goal("the step answers whether it added a page", result is True or result is False)
        self.goes_on = result is True
        if self.goes_on:
            (frame,), tables = symbolic.bitmap.allocated[self.allocated :], symbolic.shared.tables[self.tables :]
            symbolic.assert_allowed(manager_pages.extend_pages, before, first=self.first, frame=frame)
            with_tables(symbolic, manager_pages.extend_pages(before, self.first, frame), tables)
            self.added = self.added.after_one_more(frame, *tables)
        return (self.asked - self.added.count) + (self.asked - self.added.count) + (1 if self.goes_on else 0)

    def witnesses(self, result: object) -> list[object]:
        return [*self.added.witnesses(), self.goes_on]


class UndoStandIn:
    """Stands in for `_undo`: it does what `undo_refines` proves of that, and claims that it may be called."""

    def __init__(self, symbolic: SymbolicManager, expected: Callable[[], law.Memory]) -> None:
        """expected: the state in which it should be called."""
        self.symbolic, self.expected = symbolic, expected
        self.removed: PagesRemoved | None = None
        symbolic.run.replace(symbolic.manager, "_undo", self.undo)

    def undo(self, first: Number) -> None:
        symbolic, run = self.symbolic, self.symbolic.run
        with run.reading_law():
            before = self.expected()
            symbolic.assert_state(before)
            run.assert_goal("only a block of kernel pages is undone", before.block_at(first) != 0)
            self.removed = PagesRemoved(run, before, first, symbolic.at).after_any_number(left=0)
            symbolic.set_state(manager_pages.end_pages(self.removed(), first))


class ShrinkLoop:
    """The loop of `_undo`, which removes one page in each turn. Invariant: the block lacks some of its last pages."""

    counts = ("tables",)

    def __init__(self, symbolic: SymbolicManager) -> None:
        self.symbolic, self.start = symbolic, symbolic.before

    def on_entry(self, run: Run, arguments: tuple[Number]) -> Measure:
        (first,) = arguments
        if not hasattr(self, "removed"):
            self.first, self.removed = first, PagesRemoved(run, self.start, first, self.symbolic.at)
        run.assert_goal("it is the block that is undone", first == self.first)
        self.symbolic.assert_state(self.removed())
        self.tables = len(self.symbolic.shared.tables)
        return self.removed.left

    def havoc(self, run: Run) -> None:
        self.removed = self.removed.after_any_number()
        self.symbolic.set_state(self.removed())

    def on_back_edge(self, run: Run, result: object) -> Measure:
        symbolic, before, (tables,) = self.symbolic, self.removed(), self.symbolic.shared.tables[self.tables :]
        symbolic.assert_allowed(manager_pages.shrink_pages, before, first=self.first)
        with_tables(symbolic, manager_pages.shrink_pages(before, self.first), [tables])
        self.removed = self.removed.after_one_more(tables)
        return self.removed.left

    def witnesses(self, result: object) -> list[object]:
        return self.removed.witnesses()


@refines(
    "allocate-pages",
    "the code of allocate_pages begins a block and adds all its pages, or undoes it whole: then nothing has changed "
    "but which frames hold tables of the kernel half",
    OF_A_BLOCK,
)
def allocate_pages_refines(run: Run, symbolic: SymbolicManager) -> None:
    pages, start = run.any_number("pages"), symbolic.before
    run.assume_for_all(("first",), lambda first: law.ranges_share_no_page(start, 0, first, first))
    loop = ExtendLoop(symbolic, pages, rounded(run, pages))
    undone = UndoStandIn(symbolic, loop.state)
    cut(run, symbolic.manager, "_extend", lambda first: loop)
    address = symbolic.call("allocate_pages", pages)
    if address is not None:
        run.assert_goal("the address is the block's", address == law.address_of(start, loop.first))
        run.assert_goal("it has as many pages as were asked for", loop.added.count == pages)
        run.assert_goal("it is a block of the size that so many need", loop.state().block_at(loop.first) == loop.size)
        symbolic.assert_state(loop.state())
        return
    run.assert_goal(
        "it fails only if there is no block, or a page could not be added", symbolic.shared.refused | neg(loop.goes_on)
    )
    due = start if undone.removed is None else undone.removed.tables(loop.added.tables(start))
    symbolic.assert_state(due)


@refines(
    "undo-pages",
    "the code that undoes kernel pages removes all pages of the block, and frees it",
    (*OF_A_BLOCK, law.kernel_pages_are_mapped),
)
def undo_refines(run: Run, symbolic: SymbolicManager) -> None:
    first = run.point("first")
    of_the_block = partial(manager_law.kernel_blocks_are_disjoint, symbolic.before, first)
    run.assume_for_all(("kernel_page",), of_the_block)
    run.assume(symbolic.before.block_at(first) != 0)
    loop = ShrinkLoop(symbolic)
    cut(run, symbolic.manager, "_shrink", lambda first: loop)
    symbolic.call("_undo", first)
    left = loop.removed() if hasattr(loop, "removed") else symbolic.before
    symbolic.assert_allowed(manager_pages.end_pages, left, first=first)
    symbolic.assert_state(manager_pages.end_pages(left, first))


@refines("free-pages", "the code of free_pages undoes one allocation whole, or nothing")
def free_pages_refines(run: Run, symbolic: SymbolicManager) -> None:
    pages, address, page, before = run.any_number("pages"), run.any_number("page"), run.point("first"), symbolic.before
    view, undone = view_of(before), UndoStandIn(symbolic, lambda: before)
    due = (address == law.address_of(before, page)) & (
        asked.begins_kernel_pages(view, page) & asked.frees_them_whole(view, page, pages)
    )
    if symbolic.succeeds("free_pages", address, pages):
        assert undone.removed is not None
        first = undone.removed.first
        run.assert_goal("the block begins at the address", address == law.address_of(before, first))
        run.assert_goal("it has so many pages", view_of(before).pages_at(first) == pages)
        symbolic.assert_state(manager_pages.end_pages(undone.removed(), first))
    else:
        run.assert_goal("no block of so many pages begins there", neg(due))
        symbolic.assert_state(before)


# Exit


class ReleaseLoop:
    """The loop of exit, which releases frames that lost their last use, if `frame.allocate` gave them.

    Invariant: a frame that is left to look at is mapped no more, and was not released; one that was given, of which no
    get is left and which is no longer left to look at, was released, and no others were.
    """

    counts = ("released",)

    def __init__(self, symbolic: SymbolicManager, process: Number) -> None:
        self.symbolic, self.process, self.released = symbolic, process, FramesReleased(symbolic.run)

    def ended(self) -> law.Memory:
        """The state before the loop: all that the process mapped is unmapped, and its tables and ranges are gone."""
        (root,), (tables,) = self.symbolic.shared.roots, self.symbolic.shared.tables
        return law.end(tables(self.symbolic.manager.paging.exited.unmapped), self.process, root)

    def state(self) -> law.Memory:
        """The law's state at the head of the loop."""
        return self.released(self.ended())

    def is_accounted_for(self, left_has: Property, released_has: Property, frame: Number) -> Truth:
        """Whether a frame is left to look at, or was released, if and only if it should be."""
        lost, ended = self.symbolic.manager.paging.exited.lost_its_last_use(frame), self.ended()
        goes = (ended.use(frame) == law.GIVEN) & law.no_get_is_left(ended, frame)
        left, released = left_has(frame), released_has(frame)
        not_both = implies(left, lost) & neg(left & released)
        return not_both & implies(released, lost & goes) & implies(lost & goes, left | released)

    def on_entry(self, run: Run, arguments: tuple[Set]) -> Measure:
        (self.left,) = arguments
        self.assert_invariant(run)
        self.freed = len(self.symbolic.bitmap.freed)
        return Members(self.left.has, "frame")

    def assert_invariant(self, run: Run) -> None:
        """Claims the invariant."""
        accounted_for = self.is_accounted_for(self.left.has, self.released.has, self.symbolic.at.frame)
        run.assert_goal("each frame that is mapped no more is left to look at, or was released", accounted_for)
        self.symbolic.assert_state(self.state())

    def havoc(self, run: Run) -> None:
        self.released = self.released.after_any_number()
        self.left.has, self.left.witnesses = run.relation("left-to-release", "frame"), []
        run.assume_for_all(("frame",), partial(self.is_accounted_for, self.left.has, self.released.has))
        self.symbolic.set_state(self.state())

    def on_back_edge(self, run: Run, result: object) -> Measure:
        frame, before = self.left.popped, self.state()
        if len(self.symbolic.bitmap.freed) > self.freed:
            self.symbolic.assert_allowed(law.release, before, frame=frame)
            self.released = self.released.after_one_more(frame)
        return Members(self.left.has, "frame", frame)

    def witnesses(self, result: object) -> list[object]:
        return [*self.released.witnesses(), self.left.has]


@refines(
    "exit",
    "the code of exit unmaps all that a process maps, ends it as the law says, and then releases each frame that lost "
    "its last use and that frame.allocate gave, and no other",
)
def exit_refines(run: Run, symbolic: SymbolicManager) -> None:
    process, before, frame = run.any_number("process"), symbolic.before, symbolic.at.frame
    loop = ReleaseLoop(symbolic, process)
    cut(run, symbolic.manager, "_release_one", lambda released: loop)
    if not symbolic.succeeds("exit", process):
        run.assert_goal("it fails only if the law says so", neg((process != 0) & process_lives(before, process)))
        symbolic.assert_state(before)
        return
    (root,), (tables,), exited = symbolic.shared.roots, symbolic.shared.tables, symbolic.manager.paging.exited
    run.assert_goal("the law allows each table's step", tables.allowed(exited.unmapped, frame))
    symbolic.assert_allowed(law.end, tables(exited.unmapped), process=process, frame=root)
    goes = exited.lost_its_last_use(frame) & law.release.allows(loop.ended(), frame=frame)
    run.assert_goal("a frame is released if and only if it should be", loop.released.has(frame) == goes)
    symbolic.assert_state(loop.state())
    whole, points = manager_law.Exit(before, loop.state()), {"process": process}
    for clause in manager_law.EXIT:
        at = {**run.point_of_each(clause.points), **points}
        run.assert_goal(clause.says, clause(whole, *(at[point] for point in clause.points)))


CODE = (allocate_pages_refines, undo_refines, free_pages_refines, exit_refines)
