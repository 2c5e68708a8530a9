"""Any number of the law's steps in one: the states at the heads of the manager's loops.

Each says all of a state, from the one in which the loop began. What counts free frames is left out of account where
which frames are free says it (`free_below`), and so are the ghosts that number a frame's uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from memoracle.proofs.components.manager.component_models import SomeTables
from memoracle.proofs.components.manager.law import AnyPoints
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function, Property, Table
from memoracle.spec import manager as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when

NONE = 0


def no_tables(run: Run, space: Number, come: bool) -> SomeTables:
    """Before the first step."""
    tables: Any = SomeTables(run, space, come)
    tables.has, tables.below, tables.many = (lambda frame: False), (lambda frame: NONE), NONE
    no_tables_yet: SomeTables = tables
    return no_tables_yet


class Inverses:
    """Which kernel page has an address, and which frame: each has one, so the answer is the page's, or any."""

    def __init__(self, run: Run, s: law.Memory, at: AnyPoints) -> None:
        self.page_at = run.function("page-at-address", "page", high=run.sorts["frame"].highest)
        self.frame_at = run.function("frame-at-address", "physical", high=run.sorts["frame"].highest)
        run.touch(("kernel_page",), (self.page_at(at.page),))
        run.touch(("frame",), (self.frame_at(at.physical),))
        run.assume_for_all(("kernel_page",), lambda page: self.page_at(law.address_of(s, page)) == page)
        run.assume_for_all(("frame",), lambda frame: self.frame_at(frame << s.page_shift) == frame)


class PagesCame:
    """Kernel pages that came to a block, from its first page on, and the tables for them.

    many: how many.  frame: by kernel page, its frame.  page: by frame, its kernel page.
    """

    def __init__(self, run: Run, start: law.Memory, first: Number, at: AnyPoints) -> None:
        """at: the points at which states are compared."""
        self.run, self.first, self.inverses = run, first, Inverses(run, start, at)
        self.many: Number = NONE
        self.frame: Function = start.frame_at
        self.page: Function = start.page_of
        self.tables = no_tables(run, 0, True)

    def any_more(self, asked: Number, pages: Sequence[Number], frames: Sequence[Number]) -> PagesCame:
        """Any number of pages, up to so many.  pages, frames: those of which it matters whether they came."""
        run, more = self.run, copy(self)
        highest = run.sorts["frame"].highest
        more.many = run.fresh("pages-so-far", 0, highest)
        more.frame = run.function("frame-so-far", "kernel_page", high=highest)
        more.page = run.function("page-so-far", "frame", high=highest)
        for page in pages:
            run.touch(("frame",), (more.frame(page),))
        for frame in frames:
            run.touch(("kernel_page",), (more.page(frame),))
        more.tables = SomeTables(run, 0, True)
        run.suppose(more.many <= asked)
        return more

    def one_more(self, frame: Number, tables: SomeTables | None) -> PagesCame:
        """The next page, with this frame, and tables for it."""
        more, next_page, frame_of, page_of = copy(self), self.first + self.many, self.frame, self.page
        for page in (next_page, page_of(frame)):
            self.run.touch(("kernel_page",), (page,))
        more.many = self.many + 1
        more.frame = lambda page: when(page == next_page, frame, frame_of(page))
        more.page = lambda other: when(other == frame, next_page, page_of(other))
        more.tables = self.tables if tables is None else self.tables.and_these(tables)
        return more

    def came(self, kernel_page: Number) -> Truth:
        return False if self.many is NONE else law.among(kernel_page, self.first, self.many)

    def has(self, frame: Number) -> Truth:
        """Whether a frame came for one of the pages."""
        page = self.page(frame)
        has: Truth = self.came(page) & (self.frame(page) == frame)
        return has

    def is_apart(self, start: law.Memory, kernel_page: Number) -> Truth:
        """That a page that came has a frame of its own, which was free, and that nothing was mapped there."""
        its = self.frame(kernel_page)
        apart = (self.page(its) == kernel_page) & start.is_free(its) & neg(self.tables.has(its))
        unmapped = neg(start.is_mapped(0, law.address_of(start, kernel_page)))
        return implies(self.came(kernel_page), apart & unmapped)

    def was_free(self, start: law.Memory, frame: Number) -> Truth:
        """That a table that came has a frame that was free."""
        return implies(self.tables.has(frame), start.is_free(frame))

    def __call__(self, s: law.Memory) -> law.Memory:
        """The state after these steps, from one in which the block has no page yet."""
        shift, page_at, frame_at, frame_of, page_of = s.page_shift, *vars(self.inverses).values(), self.frame, self.page
        with_tables, came, has, many, first = self.tables(s), self.came, self.has, self.many, self.first

        def shown(space: Number, page: Number) -> Truth:
            at = page_at(page)
            is_there: Truth = (space == 0) & came(at) & (law.address_of(s, at) == page)
            return is_there

        def is_its(physical: Number) -> Truth:
            frame = frame_at(physical)
            is_it: Truth = has(frame) & (frame << shift == physical)
            return is_it

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
            uses=lambda physical: s.uses(physical) + when(is_its(physical), 1, 0),
            pages_at=lambda other: s.pages_at(other) + when(other == first, many, 0),
            frame_at=lambda page: when(came(page), frame_of(page), s.frame_at(page)),
            page_of=lambda frame: when(has(frame), page_of(frame), s.page_of(frame)),
        )


class PagesWent:
    """Kernel pages of a block that went, from its last on, and the tables that went with them.  left: how many stay."""

    def __init__(self, run: Run, start: law.Memory, first: Number, at: AnyPoints) -> None:
        """at: the points at which states are compared."""
        self.run, self.start, self.first, self.inverses = run, start, first, Inverses(run, start, at)
        self.many = start.pages_at(first)
        self.left: Number = self.many
        self.tables = no_tables(run, 0, False)

    def any_more(self, left: Number | None = None) -> PagesWent:
        """Any number of pages, or all but so many."""
        more, start = copy(self), self.start
        more.left = self.run.fresh("pages-left", 0, self.run.sorts["frame"].highest) if left is None else left
        more.tables = SomeTables(self.run, 0, False)
        self.run.suppose(more.left <= self.many)
        self.run.assume_for_all(("frame",), lambda frame: more.tables.allowed(start, frame))
        return more

    def one_more(self, tables: SomeTables) -> PagesWent:
        """The last page goes, and these tables."""
        more = copy(self)
        more.left, more.tables = self.left - 1, self.tables.and_these(tables)
        return more

    def went(self, kernel_page: Number) -> Truth:
        went: Truth = (self.first + self.left <= kernel_page) & (kernel_page < self.first + self.many)
        return went

    def __call__(self) -> law.Memory:
        """The state after these steps."""
        s, went = self.start, self.went
        shift, page_at, frame_at = s.page_shift, *vars(self.inverses).values()
        without_tables, first, left = self.tables(s), self.first, self.left

        def has(frame: Number) -> Truth:
            return (s.use(frame) == law.PAGES) & went(s.page_of(frame))

        def shown(space: Number, page: Number) -> Truth:
            at = page_at(page)
            was_there: Truth = (space == 0) & went(at) & (law.address_of(s, at) == page)
            return was_there

        def is_its(physical: Number) -> Truth:
            frame = frame_at(physical)
            is_it: Truth = has(frame) & (frame << shift == physical)
            return is_it

        return replace(
            without_tables,
            count=without_tables.count + (self.many - left),
            is_free=lambda frame: without_tables.is_free(frame) | has(frame),
            use=lambda frame: when(has(frame), law.UNUSED, without_tables.use(frame)),
            is_mapped=lambda space, page: s.is_mapped(space, page) & neg(shown(space, page)),
            uses=lambda physical: s.uses(physical) - when(is_its(physical), 1, 0),
            pages_at=lambda other: when(other == first, left, s.pages_at(other)),
        )


class Released:
    """Frames that were released."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.has: Property = lambda frame: False
        self.many: Number = 0

    def any_more(self) -> Released:
        more = copy(self)
        more.has = self.run.relation("released-so-far", "frame")
        more.many = self.run.fresh("released", 0, self.run.sorts["frame"].highest)
        return more

    def one_more(self, frame: Number) -> Released:
        more, has = copy(self), self.has
        more.has = lambda other: has(other) | (other == frame)
        more.many = self.many + 1
        return more

    def __call__(self, s: law.Memory) -> law.Memory:
        """The state after these steps."""
        has = self.has
        return replace(
            s,
            count=s.count + self.many,
            is_free=lambda frame: s.is_free(frame) | has(frame),
            use=lambda frame: when(has(frame), law.UNUSED, s.use(frame)),
        )
