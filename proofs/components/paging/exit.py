"""Proofs of the code of `exit`: it unmaps all pages of a process, one by one, and gives its PML4 back.

The loop is cut at its invariant. In it a stand-in takes the place of `unmap`, which does what `unmap.refines` and
`unmap.gives-back-what-it-unlinks` prove. The states at the head of the loop and after a turn are unknown states of the
same machine (`later`), related to the first by the invariant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from memoracle.impl.paging import Unmapped
from memoracle.proofs.components.paging.claims import (
    OF_PAGE,
    assert_mappings,
    assert_tables_are_trees,
    assert_unchanged,
    at_each_level,
    updated,
)
from memoracle.proofs.components.paging.models import CollectedList, Released, count_of
from memoracle.proofs.components.paging.symbolic_tables import (
    Invariant,
    SymbolicPaging,
    any_place,
    any_reading,
    parts_of,
    same_attributes,
    same_contents,
    unknown_code,
)
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.loops import Measure, Members, cut
from memoracle.proofs.symbolic.numbers import Symbolic, key, number
from memoracle.proofs.symbolic.primed import Renamed
from memoracle.proofs.symbolic.values import record_of
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import paging as law
from memoracle.spec import tables
from memoracle.spec.clauses import Number, Truth, implies, neg, when


class UnmappingLoop:
    """The loop of exit, which unmaps one page in each turn.

    Invariant: only pages and tables of the process are gone, and the frames that lost their last use are collected.
    start: the state before the loop.  now: at its head.  after_unmap: after the call of `unmap` in this turn.
    """

    points: ClassVar[Points] = {
        **dict.fromkeys(("times", "is_free", "has", "at"), ("table",)),
        "lives": ("space",),
        "top": ("space", "index"),
        "entry": ("table", "index"),
        "member": ("space", "page"),
    }

    def __init__(self, run: Run, symbolic: SymbolicPaging, process: Number, level: int) -> None:
        self.run, self.symbolic, self.process, self.level = run, symbolic, process, level
        self.start, self.now, self.parts = symbolic, symbolic, symbolic.parts
        self.released: Released | None = None  # once the loop is entered
        symbolic.code.unmap = self.unmap

    def on_entry(self, run: Run, arguments: tuple[Number, Released]) -> Measure:
        process, self.released = arguments
        self.after_unmap: SymbolicPaging | None = None
        run.assert_goal("it is this process that is emptied", process == self.process)
        return self._left()

    def havoc(self, run: Run) -> None:
        self.now, collected = run.made_by(self.later, "-later"), run.function("collected", "table")
        for _, points, holds in self.invariant(self.now, CollectedList(collected)):
            run.assume_for_all(points, holds)
        self.released = CollectedList(collected)
        self._put(self.now)

    def changes(self, run: Run) -> dict[str, object]:
        return {"released": self.released}

    def on_back_edge(self, run: Run, result: object) -> Measure:
        assert self.after_unmap is not None, "nothing was unmapped"
        self.now = self.after_unmap
        _, page = self.unmapped
        return replace(self._left(), lost=page)

    def witnesses(self, result: object) -> list[object]:
        assert self.released is not None
        return [self.after_unmap, self.as_stand_in(self.released).times]

    def as_stand_in(self, value: Any) -> Any:
        return CollectedList(partial(count_of, tuple(value))) if isinstance(value, list) else value

    def look_at(self, *points: Number) -> None:
        """What is said of two points is said of a page of a space."""
        if len(points) == 2:
            self.run.touch(("space", "page"), points)

    def later(self, suffix: str) -> SymbolicPaging:
        """Any state of the same machine that satisfies the invariants. suffix: tells its unknowns from others."""
        renamed: Any = Renamed(self.run, suffix)
        return unknown_code(renamed, self.symbolic.tables.reads, self.level)

    def _put(self, state: SymbolicPaging) -> None:
        """Puts this state in the place of the code's, in containers that nothing else has."""
        self.parts = parts_of(state.anew())
        self.symbolic.code.__dict__.update(self.parts[0], ghost=state.tables)

    def assert_invariant(self, released: Released) -> None:
        """Claims the invariant of the state now, and of the frames that were collected."""
        for says, points, holds in self.invariant(self.now, released):
            at = self.run.point_of_each(points)
            self.run.touch(tuple(at), tuple(at.values()))
            self.run.assert_goal(says, holds(*at.values()))

    def assert_nothing_else_written(self) -> None:
        """Claims that the code's state is the one now."""
        code = self.symbolic.code
        (attributes, contents), (attributes_due, contents_due) = parts_of(code), self.parts
        same = same_attributes(attributes, attributes_due) and same_contents(contents, contents_due)
        same_free = code.frames.is_free is self.now.tables.is_free
        self.run.assert_goal("only unmap writes to containers", same and same_free)

    def _left(self) -> Members:
        """The measure: the pages that are still to be unmapped, finitely many."""
        member, process = self.now.code.mapped.member, self.process
        return Members(lambda page: member(process, page), "page")

    def invariant(self, now: SymbolicPaging, released: Released) -> Sequence[Invariant]:
        """What holds of the state at the loop's head."""
        start, shift = self.start.mappings, self.start.mappings.page_shift

        def collected_once_if_unused(frame: Number) -> Truth:
            physical = frame << shift
            last = law.is_counted(start, physical) & (0 < start.uses(physical)) & (now.mappings.uses(physical) == 0)
            return count_of(released, frame) == when(last, 1, 0)

        return (
            ("the process lives", (), lambda: now.mappings.lives(self.process)),
            ("others live as before", ("space",), lambda s: now.mappings.lives(s) == start.lives(s)),
            (
                "the pages of others are as they were",
                ("space", "page"),
                lambda space, page: implies(space != self.process, same_page(now.mappings, start, space, page)),
            ),
            (
                "no frame gets more uses",
                ("table",),
                lambda frame: now.mappings.uses(frame << shift) <= start.uses(frame << shift),
            ),
            (
                "each frame that lost its last use is collected, once, and no other",
                ("table",),
                collected_once_if_unused,
            ),
            (
                "no frame is taken, and only those of tables of the process are given back",
                ("table",),
                lambda table: self.gives_back(now.tables, table),
            ),
        )

    def gives_back(self, now: tables.Tables, table: Number) -> Truth:
        """Whether a frame is free if it was, or if it held a table of the process that is gone."""
        start = self.start.tables
        held = (start.level(table) != 0) & (start.owner(table) == self.process)
        gone = held & (now.level(table) == 0)
        kept = (now.level(table) == start.level(table)) & (now.owner(table) == start.owner(table))
        return (now.is_free(table) == (start.is_free(table) | gone)) & (gone | kept)

    def unmap(self, process: Number, virtual: Number) -> Unmapped:
        """Stands in for `unmap`: it does what was proved of that."""
        run = self.run
        with run.reading_law():
            run.assert_goal("one page is unmapped in a turn", self.after_unmap is None)
            self.assert_nothing_else_written()
            before = self.now.mappings
            run.assert_goal(
                "a page that is mapped is unmapped", law.unmap.allows(before, process=process, virtual=virtual)
            )
            after, then = law.unmap(before, process, virtual), run.made_by(self.later, "-then")
            self.after_unmap = then
            self.unmapped = law.space_of(process, virtual), virtual
            run.assert_goal("it is a page of the process", self.unmapped[0] == self.process)
            self._assume_mappings(then.mappings, after)
            self._assume_tables_deleted(self.now.tables, then.tables)
            physical = before.physical(*self.unmapped)
            last = law.is_use(after, virtual, physical) & (after.uses(physical) == 0)
            self._put(then)
            return record_of(Unmapped, physical >> before.page_shift, last)

    def _assume_mappings(self, now: law.Mappings, due: law.Mappings) -> None:
        """Assumes that one state maps what the other does, and has the same live processes and uses."""
        run, shift = self.run, now.page_shift
        run.assume_for_all(("space",), lambda space: now.lives(space) == due.lives(space))
        run.assume_for_all(("space", "page"), lambda space, page: same_page(now, due, space, page))
        run.assume_for_all(("table",), lambda frame: now.uses(frame << shift) == due.uses(frame << shift))

    def _assume_tables_deleted(self, before: tables.Tables, then: tables.Tables) -> None:
        """Assumes that only tables of the page's space may be gone, and that exactly their frames are given back."""
        space, goes = self.unmapped[0], self.run.relation(f"goes#{next(self.run.count)}", "table")

        def given_back(table: Number) -> Truth:
            held = (before.level(table) != 0) & (before.owner(table) == space)
            level = when(goes(table), 0, before.level(table))
            kept = (then.level(table) == level) & (then.owner(table) == before.owner(table))
            return implies(goes(table), held) & kept & (then.is_free(table) == (before.is_free(table) | goes(table)))

        self.run.assume_for_all(("table",), given_back)


def same_page(now: law.Mappings, then: law.Mappings, space: Number, page: Number) -> Truth:
    """Whether a page is mapped in both states, in the same way, or in neither."""
    same: Truth = True
    for part in OF_PAGE:
        same = same & (getattr(now, part)(space, page) == getattr(then, part)(space, page))
    return (now.is_mapped(space, page) == then.is_mapped(space, page)) & implies(now.is_mapped(space, page), same)


def some_page(state: tables.Tables, table: Number) -> Number:
    """A page that a table of level 3 leads to: no table is empty, so each has an entry to follow (`kept`)."""
    for _ in range(tables.ROOT - 1 - state.leaf):
        table = state.reads.target(state.entry(table, state.kept(table)))
    page = (state.place(table) << 12 + 9 * state.leaf) + (state.kept(table) << 3 + 9 * state.leaf)
    return Symbolic(key(number(page & HIGHEST)), 0, HIGHEST)


@at_each_level("exit.refines", "the code of exit unmaps all that is the process's own, and gives its PML4 back")
def exit_refines(run: Run, level: int) -> None:
    symbolic = unknown_code(run, any_reading(run), level)
    process, _ = any_place(run)
    loop = UnmappingLoop(run, symbolic, process, level)
    cut(run, symbolic.code, "_unmap_one", lambda *arguments: loop)
    released = run.call(symbolic.code.exit, process)
    may = (process != 0) & symbolic.mappings.lives(process)
    if released is None:
        run.assert_goal("it fails only if the law says so", neg(may))
        assert_unchanged(run, symbolic)
        return
    run.assert_goal("the law allows it", may)
    now, page, frame = loop.now, run.point("page"), run.point("table")
    root = now.tables.root(process)
    free = now.tables.is_free(frame) | (frame == root)
    run.assert_goal(
        "after the loop its PML4 is given back, and nothing else", symbolic.code.frames.is_free(frame) == free
    )
    collected = released == [] if loop.released is None else released is loop.released
    run.assert_goal("it answers with the frames that were collected", collected)
    loop.assert_invariant(released)
    run.touch(("space", "page"), (process, page))
    run.assert_goal("nothing of it is mapped any more", law.process_maps_nothing(now.mappings, process, page))
    table = run.point("table")
    run.touch(("space", "page"), (process, some_page(now.tables, table)))
    known = replace(now.tables, level=updated(now.tables.level, root, 0))
    left = replace(now, code=symbolic.code, parts=loop.parts)
    assert_tables_are_trees(run, left, known, {"table": table})
    assert_mappings(run, left, law.end(now.mappings, process), whole=True)
