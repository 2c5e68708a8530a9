"""Proofs of a process's exit: its loop unmaps page by page, as the law says of unmap, until nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from memoracle.impl.paging import Unmapped
from memoracle.proofs.components.paging.claims import OF_PAGE, at_each_level, map_alike, put, stay_trees, untouched
from memoracle.proofs.components.paging.models import Collected, times
from memoracle.proofs.components.paging.symbolic_tables import (
    SymbolicPaging,
    any_place,
    any_reading,
    are_same,
    parts_of,
    unknown_code,
)
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.loops import Measure, Members, cut
from memoracle.proofs.symbolic.numbers import Symbolic, key
from memoracle.proofs.symbolic.primed import Renamed
from memoracle.spec import paging as law
from memoracle.spec import tables
from memoracle.spec.clauses import Number, Truth, implies, neg, when


def later_world(run: Run, world: SymbolicPaging, level: int, suffix: str) -> SymbolicPaging:
    """Any state that the same machine may come to."""
    renamed: Any = Renamed(run, suffix)
    return unknown_code(renamed, world.tables.reads, level)


class Emptying:
    """The loop of exit. At its head, pages of the process may be gone, and tables of its; all else is as it was."""

    def __init__(self, run: Run, world: SymbolicPaging, process: Number, level: int) -> None:
        self.run, self.world, self.process, self.level = run, world, process, level
        self.start, self.now = world, world
        self.released: Any = None  # once the loop is entered
        world.code.unmap = self.unmap

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        self.nothing_else_was_written()
        process, self.released = arguments
        run.assert_goal("it is this process that is emptied", process == self.process)
        self.holds(self.released)
        return self._left()

    def havoc(self, run: Run) -> Any:
        self.now, collected = later_world(run, self.world, self.level, "-later"), run.function("collected", "table")
        for _, points, holds in self.invariant(self.now, Collected(collected)):
            run.assume_for_all(points, holds)
        self.released = Collected(collected)
        self.world.code.__dict__.update(self.now.parts[0], ghost=self.now.tables)

    def changes(self, run: Run) -> dict[str, object]:
        return {"released": self.released}

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        self.now = self.then
        self.nothing_else_was_written()
        self.holds(self.released)
        _, page = self.unmapped
        return replace(self._left(), lost=page)

    def holds(self, released: Any) -> None:
        """Claims the invariant of a state, and of the frames that were collected."""
        for says, points, holds in self.invariant(self.now, released):
            at = self.run.point_of_each(points)
            self.run.touch(tuple(at), tuple(at.values()))
            self.run.assert_goal(says, holds(*at.values()))

    def nothing_else_was_written(self) -> None:
        """Claims that the loop itself writes to no container."""
        now = parts_of(self.world.code)
        same = all(are_same(one, other) for one, other in zip(now, self.now.parts, strict=True))
        self.run.assert_goal("but for what unmap does, nothing is written", same)

    def _left(self) -> Members:
        """The pages that are still to be unmapped, finitely many."""
        member, process = self.now.code.mapped.member, self.process
        return Members(lambda page: member(process, page), "page")

    def invariant(
        self, now: SymbolicPaging, released: Any
    ) -> Sequence[tuple[str, tuple[str, ...], Callable[..., Any]]]:
        """What holds of a state at the loop's head: in words, at which points, and how."""
        start, shift = self.start.mappings, self.start.mappings.page_shift

        def one_for_each_last_use(frame: Number) -> Any:
            physical = frame << shift
            last = law.is_counted(start, physical) & (0 < start.uses(physical)) & (now.mappings.uses(physical) == 0)
            return times(released, frame) == when(last, 1, 0)

        return (
            ("the process lives", (), lambda: now.mappings.lives(self.process)),
            ("others live as before", ("space",), lambda s: now.mappings.lives(s) == start.lives(s)),
            (
                "the pages of others are as they were",
                ("space", "page"),
                lambda space, page: implies(space != self.process, alike(now.mappings, start, space, page)),
            ),
            (
                "no frame gets more uses",
                ("table",),
                lambda frame: now.mappings.uses(frame << shift) <= start.uses(frame << shift),
            ),
            ("each frame that lost its last use is collected, once, and no other", ("table",), one_for_each_last_use),
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

    def unmap(self, process: Any, virtual: Any) -> Any:
        """What the proofs of unmap show that it does."""
        run = self.run
        with run.reading_law():
            before = self.now.mappings
            run.assert_goal(
                "a page that is mapped is unmapped", law.unmap.allows(before, process=process, virtual=virtual)
            )
            after, self.then = law.unmap(before, process, virtual), later_world(run, self.world, self.level, "-then")
            self.unmapped = law.space_of(process, virtual), virtual
            run.assert_goal("it is a page of the process", self.unmapped[0] == self.process)
            self._same(self.then.mappings, after)
            self._tables_go(self.now.tables, self.then.tables)
            physical: Any = before.physical(*self.unmapped)
            last: Any = law.is_counted(after, physical) & (after.uses(physical) == 0)
            self.world.code.__dict__.update(self.then.parts[0], ghost=self.then.tables)
            frame: Any = physical >> before.page_shift
            return Unmapped(frame, last)

    def _same(self, now: law.Mappings, due: law.Mappings) -> None:
        run, shift = self.run, now.page_shift
        run.assume_for_all(("space",), lambda space: now.lives(space) == due.lives(space))
        run.assume_for_all(("space", "page"), lambda space, page: alike(now, due, space, page))
        run.assume_for_all(("table",), lambda frame: now.uses(frame << shift) == due.uses(frame << shift))

    def _tables_go(self, before: tables.Tables, then: tables.Tables) -> None:
        """Takes as given that tables of the page's space may go, and their frames are given back."""
        space, goes = self.unmapped[0], self.run.relation(f"goes#{next(self.run.count)}", "table")

        def given_back(table: Number) -> Truth:
            held = (before.level(table) != 0) & (before.owner(table) == space)
            level = when(goes(table), 0, before.level(table))
            kept = (then.level(table) == level) & (then.owner(table) == before.owner(table))
            return implies(goes(table), held) & kept & (then.is_free(table) == (before.is_free(table) | goes(table)))

        self.run.assume_for_all(("table",), given_back)


def alike(now: law.Mappings, then: law.Mappings, space: Number, page: Number) -> Truth:
    """Whether a page shows in both what it shows in the other."""
    shown: Any = True
    for part in OF_PAGE:
        shown = shown & (getattr(now, part)(space, page) == getattr(then, part)(space, page))
    return (now.is_mapped(space, page) == then.is_mapped(space, page)) & implies(now.is_mapped(space, page), shown)


def some_page(state: tables.Tables, table: Any) -> Number:
    """A page that a table of level 3 leads to: no table is empty, so each has an entry to follow."""
    for _ in range(tables.ROOT - 1 - state.leaf):
        table = state.reads.target(state.entry(table, state.kept(table)))
    page: Any = (state.place(table) << 12 + 9 * state.leaf) + (state.kept(table) << 3 + 9 * state.leaf)
    return Symbolic(key(page & HIGHEST), 0, HIGHEST)


@at_each_level("exit.refines", "the code of exit unmaps all that is the process's own, and gives its PML4 back")
def exit_refines(run: Run, level: int) -> None:
    world = unknown_code(run, any_reading(run), level)
    process, _ = any_place(run)
    loop = Emptying(run, world, process, level)
    cut(run, world.code, "_unmap_one", lambda *arguments: loop)
    released = run.call(world.code.exit, process)
    may = (process != 0) & world.mappings.lives(process)
    if released is None:
        run.assert_goal("it fails only if the law says so", neg(may))
        untouched(run, world)
        return
    run.assert_goal("the law allows it", may)
    now, page, frame = loop.now, run.point("page"), run.point("table")
    root = now.tables.root(process)
    free = now.tables.is_free(frame) | (frame == root)
    run.assert_goal("its PML4 is given back, and nothing else any more", world.code.frames.is_free(frame) == free)
    collected = released == [] if loop.released is None else released is loop.released
    run.assert_goal("it answers with the frames that were collected", collected)
    loop.holds(released)
    run.touch(("space", "page"), (process, page))
    run.assert_goal("nothing of it is mapped any more", law.process_maps_nothing(now.mappings, process, page))
    table = run.point("table")
    run.touch(("space", "page"), (process, some_page(now.tables, table)))
    known = replace(now.tables, level=put(now.tables.level, root, 0))
    left = SymbolicPaging(world.code, now.tables, now.mappings, now.parts)
    stay_trees(run, left, known, {"table": table})
    map_alike(run, left, law.end(now.mappings, process), whole=True)
