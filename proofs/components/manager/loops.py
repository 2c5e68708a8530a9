"""Proofs of the manager's code that repeats a step of the law: kernel pages and exit.

At the head of a loop the state is that in which it began, changed by any number of steps of the law (see
repeated_steps). Each turn runs the real step, and must come to that state with one step more. The law allows each step,
so what the law keeps is known of the head's state, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from memoracle.proofs.components.manager.kernel_pages import seen
from memoracle.proofs.components.manager.range_models import rounded
from memoracle.proofs.components.manager.repeated_steps import PagesCame, PagesWent, Released
from memoracle.proofs.components.manager.symbolic_manager import ALWAYS, Code, refines, with_tables
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Members, cut
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import kernel_pages as asked
from memoracle.spec import manager as law
from memoracle.spec import manager_law, manager_pages
from memoracle.spec.clauses import Number, Truth, implies, neg
from memoracle.spec.kernel_half import process_lives

# Where one block is at stake: that it is disjoint from others is given of this block alone.
OF_A_BLOCK = (
    *(clause for clause in ALWAYS if clause is not manager_law.kernel_blocks_are_disjoint),
    manager_law.kernel_pages_are_taken,
    law.kernel_blocks_are_ranges,
)

# Kernel pages


class Growing:
    """The loop of allocate_pages: the block was begun, and has some of the pages that were asked for.

    goes_on: whether each page that was to come did; where one did not, the loop is left.
    """

    def __init__(self, code: Code, pages: Number, size: Number) -> None:
        self.code, self.asked, self.size = code, pages, size
        self.goes_on: Truth = True

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        (first,) = arguments
        if not hasattr(self, "begun"):
            self.first, start = first, self.code.before
            self.code.allowed(manager_pages.begin_pages, start, first=first, pages=self.size)
            self.begun = manager_pages.begin_pages(start, first, self.size)
            run.assert_and_assume("the block begins with no page", self.begun.pages_at(first) == 0)
            self.came = PagesCame(run, self.begun, first, self.code.at)
        run.assert_goal("it is the block that was begun", first == self.first)
        run.assert_goal("no page is tried once one did not come", self.goes_on)
        self.holds(run)
        self.picked, self.tables = len(self.code.bitmap.picked), len(self.code.whole.tables)
        return (self.asked - self.came.many) + (self.asked - self.came.many) + 1

    def holds(self, run: Run) -> None:
        """Claims the invariant."""
        self.code.stands_for(self.state())
        run.assert_goal("it has no more pages than were asked for", self.came.many <= self.asked)
        all_there = self.goes_on | (self.came.many < self.asked)
        run.assert_goal("where one did not come, not all are there", all_there)
        at = self.code.at
        apart = self.came.is_apart(self.begun, at.kernel_page)
        run.assert_goal("each page has a frame of its own, which was free, and nothing was mapped there", apart)
        run.assert_goal("each table has a frame that was free", self.came.was_free(self.begun, at.frame))

    def state(self) -> law.Memory:
        return self.came(self.begun)

    def havoc(self, run: Run) -> Truth:
        at, (frame, page, _) = self.code.at, self.code.any_keys
        pages, frames = (at.kernel_page, page), (at.frame, frame, self.came.inverses.frame_at(at.physical))
        self.came = came = self.came.any_more(self.asked, pages, frames)
        run.assume_for_all(("kernel_page",), partial(came.is_apart, self.begun))
        run.assume_for_all(("frame",), partial(came.was_free, self.begun))
        self.code.becomes(self.state())
        self.goes_on = run.fresh_truth("one more page came")
        run.suppose(implies(neg(self.goes_on), came.many < self.asked))
        return self.goes_on

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        code, before = self.code, self.state()
        run.assert_goal("the step says whether one more page came", result is True or result is False)
        self.goes_on = result is True
        if self.goes_on:
            (frame,), tables = code.bitmap.picked[self.picked :], code.whole.tables[self.tables :]
            code.allowed(manager_pages.extend_pages, before, first=self.first, frame=frame)
            with_tables(code, manager_pages.extend_pages(before, self.first, frame), tables)
            self.came = self.came.one_more(frame, *tables)
        self.holds(run)
        return (self.asked - self.came.many) + (self.asked - self.came.many) + (1 if self.goes_on else 0)


class Undone:
    """Stands in for `_undo`, of which `undo_refines` shows what it does: all pages of a block go, and the block."""

    def __init__(self, code: Code, expected: Callable[[], law.Memory]) -> None:
        """expected: the state in which it is called."""
        self.code, self.expected = code, expected
        self.went: PagesWent | None = None
        code.run.replace(code.manager, "_undo", self.undo)

    def undo(self, first: Number) -> None:
        code, run = self.code, self.code.run
        with run.reading_law():
            before = self.expected()
            code.stands_for(before)
            run.assert_goal("what is undone is a block of kernel pages", before.block_at(first) != 0)
            self.went = PagesWent(run, before, first, code.at).any_more(left=0)
            code.becomes(manager_pages.end_pages(self.went(), first))


class Shrinking:
    """The loop of undoing: some of the block's last pages went."""

    def __init__(self, code: Code) -> None:
        self.code, self.start = code, code.before

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        (first,) = arguments
        if not hasattr(self, "went"):
            self.first, self.went = first, PagesWent(run, self.start, first, self.code.at)
        run.assert_goal("it is the block that is undone", first == self.first)
        self.code.stands_for(self.went())
        self.tables = len(self.code.whole.tables)
        return self.went.left

    def havoc(self, run: Run) -> None:
        self.went = self.went.any_more()
        self.code.becomes(self.went())

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        code, before, (tables,) = self.code, self.went(), self.code.whole.tables[self.tables :]
        code.allowed(manager_pages.shrink_pages, before, first=self.first)
        with_tables(code, manager_pages.shrink_pages(before, self.first), [tables])
        self.went = self.went.one_more(tables)
        gone = self.went.tables.allowed(self.start, self.code.at.frame)
        run.assert_goal("each table that went was the kernel half's", gone)
        code.stands_for(self.went())
        return self.went.left


@refines(
    "allocate-pages",
    "the code of allocate_pages begins a block, and extends it to all pages, or undoes it whole: then nothing differs "
    "but which frames hold the tables of the kernel half",
    OF_A_BLOCK,
)
def allocate_pages_refines(run: Run, code: Code) -> None:
    pages, start = run.any_number("pages"), code.before
    run.assume_for_all(("first",), lambda first: law.ranges_share_no_page(start, 0, first, first))
    loop = Growing(code, pages, rounded(run, pages))
    undone = Undone(code, loop.state)
    cut(run, code.manager, "_extend", lambda first: loop)
    address = code.call("allocate_pages", pages)
    if address is not None:
        run.assert_goal("the address is the block's", address == law.address_of(start, loop.first))
        run.assert_goal("it has as many pages as were asked for", loop.came.many == pages)
        run.assert_goal("of the block that so many need", loop.state().block_at(loop.first) == loop.size)
        code.stands_for(loop.state())
        return
    run.assert_goal("there are no more pages, or no block at all", code.whole.refused | neg(loop.goes_on))
    due = start if undone.went is None else undone.went.tables(loop.came.tables(start))
    code.stands_for(due)


@refines(
    "undo-pages",
    "the code that undoes kernel pages shrinks the block to nothing, and gives it back",
    (*OF_A_BLOCK, law.kernel_pages_are_mapped),
)
def undo_refines(run: Run, code: Code) -> None:
    first = run.point("first")
    of_the_block = partial(manager_law.kernel_blocks_are_disjoint, code.before, first)
    run.assume_for_all(("kernel_page",), of_the_block)
    run.assume(code.before.block_at(first) != 0)
    loop = Shrinking(code)
    cut(run, code.manager, "_shrink", lambda first: loop)
    code.call("_undo", first)
    left = loop.went() if hasattr(loop, "went") else code.before
    code.allowed(manager_pages.end_pages, left, first=first)
    code.stands_for(manager_pages.end_pages(left, first))


@refines("free-pages", "the code of free_pages undoes one allocation whole, or nothing")
def free_pages_refines(run: Run, code: Code) -> None:
    pages, address, page, before = run.any_number("pages"), run.any_number("page"), run.point("first"), code.before
    view, undone = seen(before), Undone(code, lambda: before)
    due = (address == law.address_of(before, page)) & (
        asked.begins_kernel_pages(view, page) & asked.frees_them_whole(view, page, pages)
    )
    if code.succeeds("free_pages", address, pages):
        assert undone.went is not None
        first = undone.went.first
        run.assert_goal("the block begins at the address", address == law.address_of(before, first))
        run.assert_goal("it has so many pages", seen(before).pages_at(first) == pages)
        code.stands_for(manager_pages.end_pages(undone.went(), first))
    else:
        run.assert_goal("no block of so many pages begins there", neg(due))
        code.stands_for(before)


# Exit


class Releasing:
    """The loop of exit: of the frames that lost their last use, those that frame.allocate gave are released.

    What is left to release lost its last use, and was not released; what was given and is not left was released.
    """

    def __init__(self, code: Code, process: Number) -> None:
        self.code, self.process, self.released = code, process, Released(code.run)

    def ended(self) -> law.Memory:
        """The state when all that the process mapped was unmapped, and its tables and ranges had gone."""
        (root,), (tables,) = self.code.whole.roots, self.code.whole.tables
        return law.end(tables(self.code.manager.paging.exited.unmapped), self.process, root)

    def state(self) -> law.Memory:
        return self.released(self.ended())

    def fits(self, left_has: Property, released_has: Property, frame: Number) -> Truth:
        """That a frame is left to release, or was released, if and only if it should be."""
        lost, given = self.code.manager.paging.exited.lost_its_last_use(frame), self.ended().use(frame) == law.GIVEN
        left, released = left_has(frame), released_has(frame)
        told_once = implies(left, lost) & neg(left & released)
        return told_once & implies(released, lost & given) & implies(lost & given, left | released)

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        (self.left,) = arguments
        self.holds(run)
        self.freed = len(self.code.bitmap.freed)
        return Members(self.left.has, "frame")

    def holds(self, run: Run) -> None:
        """Claims the invariant."""
        right = self.fits(self.left.has, self.released.has, self.code.at.frame)
        run.assert_goal("each frame that lost its last use is left to release, or was released", right)
        self.code.stands_for(self.state())

    def havoc(self, run: Run) -> None:
        self.released = self.released.any_more()
        self.left.has, self.left.witnesses = run.relation("left-to-release", "frame"), []
        run.assume_for_all(("frame",), partial(self.fits, self.left.has, self.released.has))
        self.code.becomes(self.state())

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        frame, before = self.left.popped, self.state()
        if len(self.code.bitmap.freed) > self.freed:
            self.code.allowed(law.release, before, frame=frame)
            self.released = self.released.one_more(frame)
        self.holds(run)
        return Members(self.left.has, "frame", frame)


@refines(
    "exit",
    "the code of exit ends a process as the law says, once all that it mapped is unmapped, and then releases each "
    "frame that lost its last use and that frame.allocate gave, and no other",
)
def exit_refines(run: Run, code: Code) -> None:
    process, before, frame = run.any_number("process"), code.before, code.at.frame
    loop = Releasing(code, process)
    cut(run, code.manager, "_release_one", lambda released: loop)
    if not code.succeeds("exit", process):
        run.assert_goal("it fails only if the law says so", neg((process != 0) & process_lives(before, process)))
        code.stands_for(before)
        return
    (root,), (tables,), exited = code.whole.roots, code.whole.tables, code.manager.paging.exited
    run.assert_goal("the law allows each table's step", tables.allowed(exited.unmapped, frame))
    code.allowed(law.end, tables(exited.unmapped), process=process, frame=root)
    goes = exited.lost_its_last_use(frame) & law.release.allows(loop.ended(), frame=frame)
    run.assert_goal("a frame is released if and only if it should be", loop.released.has(frame) == goes)
    code.stands_for(loop.state())
    whole, points = manager_law.Exit(before, loop.state()), {"process": process}
    for clause in manager_law.EXIT:
        at = {**run.point_of_each(clause.points), **points}
        run.assert_goal(clause.says, clause(whole, *(at[point] for point in clause.points)))


CODE = (allocate_pages_refines, undo_refines, free_pages_refines, exit_refines)
