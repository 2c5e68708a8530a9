"""Proofs of a process's exit: its loop unmaps page by page, as the law says of unmap, until nothing is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from memoracle.impl.paging import Unmapped
from memoracle.proofs.components.paging.code import at_each_level, map_alike, put, stay_trees, untouched
from memoracle.proofs.components.paging.symbolic_tables import SymbolicPaging, any_reading, unknown_code
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.loops import cut
from memoracle.proofs.symbolic.numbers import Symbolic, key
from memoracle.proofs.symbolic.primed import Renamed
from memoracle.spec import paging as law
from memoracle.spec import tables
from memoracle.spec.clauses import implies, neg


def later_world(run: Run, world: SymbolicPaging, level: int, suffix: str) -> SymbolicPaging:
    """Any state that the same machine may come to."""
    renamed: Any = Renamed(run, suffix)
    return unknown_code(renamed, world.tables.reads, level)


class Emptying:
    """The loop of exit. At its head, pages of the process may be gone; all else is as it was."""

    def __init__(self, world: SymbolicPaging, process: Any, level: int) -> None:
        self.world, self.process, self.level = world, process, level
        self.start, self.now = world.mappings, world

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        _, self.released = arguments
        self.holds(run)

    def holds(self, run: Run) -> None:
        run.claim("the process lives", self.now.mappings.lives(self.process))
        space, page = run.point("space"), run.point("page")
        run.touch(("space", "page"), (space, page))
        run.claim("other pages stay as they were", self._others(self.now.mappings, space, page))

    def havoc(self, run: Run) -> Any:
        self.now = later_world(run, self.world, self.level, "-later")
        self._follows(run, self.now.mappings)
        self.world.code.__dict__.update(self.now.code.__dict__)
        self.world.code.unmap = lambda process, virtual: self._unmap(run, process, virtual)

    def on_back_edge(self, run: Run, result: Any) -> Any:
        before, self.now = self.now.mappings, self.then
        self.holds(run)
        physical, now = run.point("physical"), self.now.mappings
        run.claim("no frame gets more uses", now.uses(physical) <= before.uses(physical))
        told = any_of([frame << now.page_shift == physical for frame in self.released])
        lost = law.is_counted(now, physical) & (0 < before.uses(physical)) & (now.uses(physical) == 0)
        run.claim("just a frame that loses its last use is told of", lost == told)
        self.gets_smaller(run, before, now)

    def gets_smaller(self, run: Run, before: law.Mappings, now: law.Mappings) -> None:
        """Claims what brings the loop to an end: of finitely many pages that are mapped, each turn takes one."""
        space, page = run.point("space"), run.point("page")
        run.touch(("space", "page"), (space, page))
        run.claim("no page comes", implies(now.is_mapped(space, page), before.is_mapped(space, page)))
        run.claim("one goes", before.is_mapped(*self.unmapped) & neg(now.is_mapped(*self.unmapped)))

    def _unmap(self, run: Run, process: Any, virtual: Any) -> Any:
        """What the proofs of unmap show that it does."""
        with run.reading_law():
            before = self.now.mappings
            run.claim("a page that is mapped is unmapped", law.unmap.allows(before, process=process, virtual=virtual))
            after, self.then = law.unmap(before, process, virtual), later_world(run, self.world, self.level, "-then")
            self._same(run, self.then.mappings, after)
            self.unmapped = law.space_of(process, virtual), virtual
            physical: Any = before.physical(*self.unmapped)
            last: Any = law.is_counted(after, physical) & (after.uses(physical) == 0)
            frame: Any = physical >> before.page_shift
            return Unmapped(frame, last)

    def _others(self, now: law.Mappings, space: Any, page: Any) -> Any:
        same = now.is_mapped(space, page) == self.start.is_mapped(space, page)
        shown = implies(now.is_mapped(space, page), now.physical(space, page) == self.start.physical(space, page))
        return implies(space != self.process, same & shown & (now.lives(space) == self.start.lives(space)))

    def _follows(self, run: Run, now: law.Mappings) -> None:
        run.suppose(now.lives(self.process))
        run.assume_for_all(("space", "page"), lambda space, page: self._others(now, space, page))

    def _same(self, run: Run, now: law.Mappings, due: law.Mappings) -> None:
        run.suppose(now.lives(self.process))
        run.assume_for_all(
            ("space", "page"),
            lambda space, page: (
                (now.is_mapped(space, page) == due.is_mapped(space, page))
                & implies(now.is_mapped(space, page), now.physical(space, page) == due.physical(space, page))
                & (now.lives(space) == due.lives(space))
            ),
        )
        run.assume_for_all(("physical",), lambda physical: now.uses(physical) == due.uses(physical))


def some_page(state: tables.Tables, table: Any) -> Any:
    """A page that a table of level 3 leads to: no table is empty, so each has an entry to follow."""
    for _ in range(tables.ROOT - 1 - state.leaf):
        table = state.reads.target(state.entry(table, state.kept(table)))
    page: Any = (state.place(table) << 12 + 9 * state.leaf) + (state.kept(table) << 3 + 9 * state.leaf)
    return Symbolic(key(page & HIGHEST), 0, HIGHEST)


@at_each_level("exit.refines", "the code of exit unmaps all that is the process's own, and gives its PML4 back")
def exit_refines(run: Run, level: int) -> None:
    world = unknown_code(run, any_reading(run), level)
    process = run.point("process")
    loop = Emptying(world, process, level)
    cut(run, world.code, "_unmap_one", lambda *arguments: loop)
    released = run.call(world.code.exit, process)
    may = (process != 0) & world.mappings.lives(process)
    if released is None:
        run.claim("it fails only if the law says so", neg(may))
        untouched(run, world)
        return
    run.claim("the law allows it", may)
    now, page = loop.now, run.point("page")
    root = now.tables.root(process)
    run.claim("its PML4 is free again", world.code.frames.is_free(root))
    run.claim("the kernel half is kept in step for it no more", neg(world.code.halves.lives(process)))
    run.touch(("space", "page"), (process, page))
    run.claim("nothing of it is mapped any more", law.process_maps_nothing(now.mappings, process, page))
    table = run.point("table")
    run.touch(("space", "page"), (process, some_page(now.tables, table)))
    known = replace(now.tables, level=put(now.tables.level, root, 0))
    left = SymbolicPaging(world.code, now.tables, now.mappings)
    stay_trees(run, left, known, {"table": table})
    map_alike(run, left, law.end(now.mappings, process), whole=True)
