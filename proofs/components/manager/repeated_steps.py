"""Any number of the law's steps in one: they describe the states at the heads of the manager's loops.

Each of these classes describes the whole state after any number of steps, given the state in which the loop began. They
leave out only ghosts: those that number a frame's uses, and `free_below`, which follows from which frames are free.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from memoracle.proofs.components.manager.component_models import SomeTables
from memoracle.proofs.components.manager.law import AnyPoints
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function, Property, Table
from memoracle.spec import manager as law
from memoracle.spec import paging
from memoracle.spec.clauses import Number, Truth, implies, neg, when

NONE = 0  # of pages and tables: before the first step


def no_tables(run: Run, space: Number, come: bool) -> SomeTables:
    """No tables of a space: none has come or gone yet."""
    tables = SomeTables(run, space, come)
    tables.has, tables.below, tables.count = (lambda frame: False), (lambda frame: NONE), NONE
    return tables


class Inverses:
    """The kernel page and the frame that begin at an address; if none does, any number.

    So what is so of a page or a frame can be said of its address. at: the points at which states are compared.
    """

    def __init__(self, run: Run, s: law.Memory, at: AnyPoints) -> None:
        self.page_at = run.function("page-at-address", "page", high=run.sorts["frame"].highest)
        self.frame_at = run.function("frame-at-address", "physical", high=run.sorts["frame"].highest)
        run.touch(("kernel_page",), (self.page_at(at.page),))
        run.touch(("frame",), (self.frame_at(at.physical),))
        run.assume_for_all(("kernel_page",), lambda page: self.page_at(law.address_of(s, page)) == page)
        run.assume_for_all(("frame",), lambda frame: self.frame_at(frame << s.page_shift) == frame)


class PagesAdded:
    """The steps that add kernel pages to a block, from its first page on, and take tables for them.

    count: how many pages were added.  frame: by kernel page, its frame.  page: by frame, its kernel page.
    """

    def __init__(self, run: Run, start: law.Memory, first: Number, at: AnyPoints) -> None:
        """at: the points at which states are compared."""
        self.run, self.first, self.inverses = run, first, Inverses(run, start, at)
        self.count: Number = NONE
        self.frame: Function = start.frame_at
        self.page: Function = start.page_of
        self.tables = no_tables(run, 0, True)

    def after_any_number(self, asked: Number, pages: Sequence[Number], frames: Sequence[Number]) -> PagesAdded:
        """Any number of these steps, up to as many as were asked for.

        pages, frames: those of which the proof needs to know whether they were added.
        """
        run, more = self.run, copy(self)
        highest = run.sorts["frame"].highest
        more.count = run.fresh("pages-so-far", 0, highest)
        more.frame = run.function("frame-so-far", "kernel_page", high=highest)
        more.page = run.function("page-so-far", "frame", high=highest)
        for page in pages:
            run.touch(("frame",), (more.frame(page),))
        for frame in frames:
            run.touch(("kernel_page",), (more.page(frame),))
        more.tables = SomeTables(run, 0, True)
        run.suppose(more.count <= asked)
        return more

    def witnesses(self) -> list[object]:
        """These, for what `after_any_number` asks."""
        return [self.count, self.frame, self.page, *self.tables.witnesses()]

    def after_one_more(self, frame: Number, tables: SomeTables | None) -> PagesAdded:
        """One more step, which adds the next page, with this frame, and takes these tables for it."""
        more, next_page, frame_of, page_of = copy(self), self.first + self.count, self.frame, self.page
        for page in (next_page, page_of(frame)):
            self.run.touch(("kernel_page",), (page,))
        more.count = self.count + 1
        more.frame = lambda page: when(page == next_page, frame, frame_of(page))
        more.page = lambda other: when(other == frame, next_page, page_of(other))
        more.tables = self.tables if tables is None else self.tables.joined_with(tables)
        return more

    def is_added(self, kernel_page: Number) -> Truth:
        """Whether a page was added."""
        return False if self.count is NONE else law.among(kernel_page, self.first, self.count)

    def has(self, frame: Number) -> Truth:
        """Whether a frame was taken for one of the pages."""
        page = self.page(frame)
        has: Truth = self.is_added(page) & (self.frame(page) == frame)
        return has

    def is_apart(self, start: law.Memory, kernel_page: Number) -> Truth:
        """Whether a page, if it was added, has a frame of its own that was free, and nothing was mapped there."""
        its = self.frame(kernel_page)
        apart = (self.page(its) == kernel_page) & start.is_free(its) & neg(self.tables.has(its))
        unmapped = neg(start.is_mapped(0, law.address_of(start, kernel_page)))
        return implies(self.is_added(kernel_page), apart & unmapped)

    def was_free(self, start: law.Memory, frame: Number) -> Truth:
        """Whether a frame, if it was taken for a table, was free."""
        return implies(self.tables.has(frame), start.is_free(frame))

    def __call__(self, s: law.Memory) -> law.Memory:
        """The state after these steps, from one in which the block has no page yet."""
        shift, page_at, frame_at, frame_of, page_of = s.page_shift, *vars(self.inverses).values(), self.frame, self.page
        with_tables, is_added, has, many, first = self.tables(s), self.is_added, self.has, self.count, self.first

        def shown(space: Number, page: Number) -> Truth:
            at = page_at(page)
            is_there: Truth = (space == 0) & is_added(at) & (law.address_of(s, at) == page)
            return is_there

        def is_its(physical: Number) -> Truth:
            frame = frame_at(physical)
            is_it: Truth = has(frame) & (frame << shift == physical)
            return is_it

        def is_use(physical: Number) -> Truth:
            return neg(paging.is_direct(s, law.address_of(s, page_of(frame_at(physical)))))

        def when_shown(value: Number, otherwise: Table) -> Table:
            return lambda space, page: when(shown(space, page), value, otherwise(space, page))

        return replace(
            with_tables,
            count=with_tables.count - many,
            is_free=lambda frame: with_tables.is_free(frame) & neg(has(frame)),
            use=lambda frame: when(has(frame), law.PAGES, with_tables.use(frame)),
            is_mapped=lambda space, page: s.is_mapped(space, page) | shown(space, page),
            physical=lambda space, page: when(
                shown(space, page), frame_of(page_at(page)) << shift, s.physical(space, page)
            ),
            cache=when_shown(law.WRITE_BACK, s.cache),
            writable=when_shown(1, s.writable),
            executable=when_shown(1, s.executable),
            global_=when_shown(0, s.global_),
            uses=lambda physical: s.uses(physical) + when(is_its(physical) & is_use(physical), 1, 0),
            pages_at=lambda other: s.pages_at(other) + when(other == first, many, 0),
            frame_at=lambda page: when(is_added(page), frame_of(page), s.frame_at(page)),
            page_of=lambda frame: when(has(frame), page_of(frame), s.page_of(frame)),
        )


class PagesRemoved:
    """The steps that remove kernel pages from a block, from its last page on, and give back tables.

    left: how many pages the block has still.
    """

    def __init__(self, run: Run, start: law.Memory, first: Number, at: AnyPoints) -> None:
        """at: the points at which states are compared."""
        self.run, self.start, self.first, self.inverses = run, start, first, Inverses(run, start, at)
        self.count = start.pages_at(first)
        self.left: Number = self.count
        self.tables = no_tables(run, 0, False)

    def after_any_number(self, left: Number | None = None) -> PagesRemoved:
        """Any number of these steps; or so many that this number of pages is left."""
        more, start = copy(self), self.start
        more.left = self.run.fresh("pages-left", 0, self.run.sorts["frame"].highest) if left is None else left
        more.tables = SomeTables(self.run, 0, False)
        self.run.suppose(more.left <= self.count)
        self.run.assume_for_all(("frame",), lambda frame: more.tables.allowed(start, frame))
        return more

    def witnesses(self) -> list[object]:
        """These, for what `after_any_number` asks."""
        return [self.left, *self.tables.witnesses()]

    def after_one_more(self, tables: SomeTables) -> PagesRemoved:
        """One more step, which removes the last page and gives back these tables."""
        more = copy(self)
        more.left, more.tables = self.left - 1, self.tables.joined_with(tables)
        return more

    def is_removed(self, kernel_page: Number) -> Truth:
        """Whether a page of the block was removed."""
        is_removed: Truth = (self.first + self.left <= kernel_page) & (kernel_page < self.first + self.count)
        return is_removed

    def __call__(self) -> law.Memory:
        """The state after these steps."""
        s, is_removed = self.start, self.is_removed
        shift, page_at, frame_at = s.page_shift, *vars(self.inverses).values()
        without_tables, first, left = self.tables(s), self.first, self.left

        def has(frame: Number) -> Truth:
            return (s.use(frame) == law.PAGES) & is_removed(s.page_of(frame))

        def shown(space: Number, page: Number) -> Truth:
            at = page_at(page)
            was_there: Truth = (space == 0) & is_removed(at) & (law.address_of(s, at) == page)
            return was_there

        def is_its(physical: Number) -> Truth:
            frame = frame_at(physical)
            is_it: Truth = has(frame) & (frame << shift == physical)
            return is_it

        def is_use(physical: Number) -> Truth:
            return neg(paging.is_direct(s, law.address_of(s, s.page_of(frame_at(physical)))))

        return replace(
            without_tables,
            count=without_tables.count + (self.count - left),
            is_free=lambda frame: without_tables.is_free(frame) | has(frame),
            use=lambda frame: when(has(frame), law.UNUSED, without_tables.use(frame)),
            is_mapped=lambda space, page: s.is_mapped(space, page) & neg(shown(space, page)),
            uses=lambda physical: s.uses(physical) - when(is_its(physical) & is_use(physical), 1, 0),
            pages_at=lambda other: when(other == first, left, s.pages_at(other)),
        )


class FramesReleased:
    """The steps that release frames.  has: whether a frame was released.  count: how many were."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.has: Property = lambda frame: False
        self.count: Number = 0

    def after_any_number(self) -> FramesReleased:
        """Any number of these steps."""
        more = copy(self)
        more.has = self.run.relation("released-so-far", "frame")
        more.count = self.run.fresh("released", 0, self.run.sorts["frame"].highest)
        return more

    def witnesses(self) -> list[object]:
        """These, for what `after_any_number` asks."""
        return [self.has, self.count]

    def after_one_more(self, frame: Number) -> FramesReleased:
        """One more step, which releases this frame."""
        more, has = copy(self), self.has
        more.has = lambda other: has(other) | (other == frame)
        more.count = self.count + 1
        return more

    def __call__(self, s: law.Memory) -> law.Memory:
        """The state after these steps."""
        has = self.has
        return replace(
            s,
            count=s.count + self.count,
            is_free=lambda frame: s.is_free(frame) | has(frame),
            use=lambda frame: when(has(frame), law.UNUSED, s.use(frame)),
        )
