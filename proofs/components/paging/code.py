"""Proofs of the page tables' code: they stay trees of tables, and what they map is what the law says.

The code runs on unknown tables. They satisfy the invariants of `spec/tables.py` before, and must afterwards;
and what the processor finds in them by its walk must change as `spec/paging.py` says that what is mapped does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from memoracle.impl.paging import Leaf, Paging
from memoracle.impl.pte import Layout
from memoracle.proofs.components.paging.claims import (
    at_each_level,
    climb,
    leaf_due,
    map_alike,
    proved,
    put,
    stay_trees,
    untouched,
)
from memoracle.proofs.components.paging.models import encoding
from memoracle.proofs.components.paging.symbolic_tables import (
    SymbolicPaging,
    any_place,
    any_reading,
    can_be_shown,
    leads_to,
    shows_it,
    unknown_code,
    unknown_tables,
)
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.rules.containers import doubled
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import addresses, pte, tables
from memoracle.spec import paging as law
from memoracle.spec.clauses import Clause, Number, neg, when
from memoracle.spec.geometry import PAGE_SHIFTS

# Tables


def theorem(clause: Clause) -> Obligation:
    """That a clause follows from the invariants of tables."""

    @proved(law_obligations.short(clause), "theorem", clause.says)
    def body(run: Run) -> None:
        state = unknown_tables(run, any_reading(run))
        run.assume_all(tables.INVARIANTS, state)
        points = run.point_of_each(clause.points)
        for name in ("table", "second"):
            if name in points:
                climb(state, points[name])
        run.assert_goal(clause.says, clause(state, *points.values()))

    return body


THEOREMS = tuple(map(theorem, tables.THEOREMS))


# Entries, as they are written and read


@proved("link.refines", "refinement", "the processor reads what the code writes to link a table as a link of it")
def link_refines(run: Run) -> None:
    world = unknown_code(run)
    table, virtual = run.point("table"), run.point("virtual")
    run.assume(world.tables.is_free(table), addresses.is_canonical(virtual))
    value = run.call(world.code._link, table, virtual)
    run.assert_goal("it leads to the table", leads_to(world.tables.reads, value, table, law.is_lower(virtual)))
    run.assert_goal("the index of its memory type is 0", pte.pat_index(value, tables.ROOT) == 0)
    run.assert_goal(pte.no_other_bit_is_set.says, pte.no_other_bit_is_set(None, value))


@proved("target.refines", "refinement", "the code finds the frame that the processor finds")
def target_refines(run: Run) -> None:
    world, value = unknown_code(run), run.number("value")
    run.assert_goal("it is the same", run.call(world.code._target, value) == world.tables.reads.target(value))


def any_leaf(run: Run) -> tuple[dict[str, Number], Leaf]:
    """Whatever a page may be asked to show, as the law's values and as the code's."""
    values: dict[str, Any] = {name: run.any_number(name) for name in ("physical", "cache")}
    values |= run.point_of_each(("writable", "executable", "global_"))
    flags = [values[flag] for flag in ("writable", "executable", "global_")]
    run.assume(*(flag <= 1 for flag in flags))
    return values, Leaf(values["physical"], values["cache"], *(flag == 1 for flag in flags))


@proved("leaf-value.refines", "refinement", "the processor reads the code's leaf as what was asked, if there is one")
def leaf_value_refines(run: Run) -> None:
    world, virtual = unknown_code(run), run.point("virtual")
    encoding(run)
    run.assume(addresses.is_canonical(virtual))
    _, leaf = any_leaf(run)
    value = run.call(world.code._leaf_value, virtual, leaf)
    if value is None:
        run.assert_goal("the law has none either", neg(can_be_shown(world.mappings, leaf)))
    else:
        run.assert_goal("the law allows it", can_be_shown(world.mappings, leaf))
        lower = law.is_lower(virtual)
        run.assert_goal("it is read so", shows_it(world.tables.reads, world.mappings, value, lower, leaf))
        others = value & (1 << pte.EXECUTE_DISABLE) - 1 - (1 << pte.GLOBAL)
        run.assert_goal("but for what was asked, no bit is set", pte.no_other_bit_is_set(None, others))


# What changes tables


@at_each_level("map.refines", "the code of map does what the law says, or nothing; it may run out of frames")
def map_refines(run: Run, level: int) -> None:
    world = unknown_code(run, any_reading(run), level)
    process, virtual = any_place(run)
    shown, leaf = any_leaf(run)
    done = run.call(lambda: bool(world.code.map(process, virtual, leaf)))
    values = {"process": process, "virtual": virtual, **shown}
    may = law.map_page.allows(world.mappings, **values)
    if not done:
        frames = world.code.frames
        run.assert_goal("it fails only if the law says so, or no frame is left", frames.ran_out | neg(may))
        # It asked for each frame that was left, and for one more.
        run.assert_goal("there are fewer than levels above the leaf", frames.handed_out < tables.ROOT - level)
        untouched(run, world)
        return
    run.assert_goal("the law allows it", may)
    stay_trees(run, world, grown(world, process, virtual))
    leaf_is = leaf_due(world, process, virtual, world.code.shown)
    map_alike(run, world, law.map_page(world.mappings, *values.values()), leaf_is)


def grown(world: SymbolicPaging, process: Number, virtual: Number) -> tables.Tables:
    """What is known of the tables once those that a new page needs have been linked, from above."""
    known, made = world.tables, world.code.memory.made
    for number, table in enumerate(made):
        level = known.leaf + len(made) - 1 - number
        above = tables.entry_for(world.tables, process, virtual, level + 2) if level < tables.ROOT - 1 else 0
        parent = made[number - 1] if number else world.tables.reads.target(above)
        known = with_table(known, table, level, process, virtual, parent)
    return known


def with_table(known: tables.Tables, table: Any, level: int, process: Any, virtual: Any, parent: Any) -> tables.Tables:
    """What is known once this table of this level is linked on the way to an address."""

    def at(what: Callable[[Any], Any], value: Any) -> Callable[[Any], Any]:
        return lambda other: when(other == table, value, what(other))

    return replace(
        known,
        level=at(known.level, level),
        owner=at(known.owner, law.space_of(process, virtual)),
        place=at(known.place, tables.place_at(virtual, level)),
        is_users=at(known.is_users, law.is_lower(virtual)),
        parent=at(known.parent, parent),
        kept=at(known.kept, tables.index_at(virtual, level)),
    )


@at_each_level("unmap.refines", "the code of unmap does what the law says, gives back tables, or does nothing")
def unmap_refines(run: Run, level: int) -> None:
    world = unknown_code(run, any_reading(run), level)
    process, virtual = any_place(run)
    unmapped = run.call(world.code.unmap, process, virtual)
    may = law.unmap.allows(world.mappings, process=process, virtual=virtual)
    if unmapped is None:
        run.assert_goal("it fails only if the law says so", neg(may))
        untouched(run, world)
        return
    run.assert_goal("the law allows it", may)
    physical = world.mappings.physical(law.space_of(process, virtual), virtual)
    run.assert_goal("it tells the frame", unmapped.frame << world.mappings.page_shift == physical)
    after = law.unmap(world.mappings, process, virtual)
    unused = law.is_counted(after, physical) & (after.uses(physical) == 0)
    run.assert_goal("it tells whether that was the last use", unused == unmapped.last)
    stay_trees(run, world, shrunk(world), climbs=level == 1)
    map_alike(run, world, after, leaf_due(world, process, virtual, 0))


def shrunk(world: SymbolicPaging) -> tables.Tables:
    """What is known of the tables once those that a page left empty are gone."""
    known, memory = world.tables, world.code.memory
    for table in memory.deleted:
        known = replace(known, level=put(known.level, table, 0))
    for table, index in memory.differing:
        known = replace(known, kept=put(known.kept, table, index))
    return known


def frames_are_accounted_for(name: str, claim: str, calls: Callable[[Run, Any, Any, Any], Any]) -> Obligation:
    """That a call takes the frames of the tables that it makes, gives back those of tables that go, and no others."""

    @proved(name, "refinement", claim)
    def body(run: Run) -> None:
        world = unknown_code(run, any_reading(run))
        process, virtual = run.point("process"), run.point("virtual")
        run.call(calls, run, world.code, process, virtual)
        memory, frame = world.code.memory, run.point("table")
        taken, given = (
            any_of([frame == each for each in memory.made]),
            any_of([frame == each for each in memory.deleted]),
        )
        left = (world.tables.is_free(frame) & neg(taken)) | given
        run.assert_goal("the free frames are those that are due", world.code.frames.is_free(frame) == left)
        owner = law.space_of(process, virtual)
        for table in memory.deleted:
            held = (world.tables.level(table) != 0) & (world.tables.owner(table) == owner)
            run.assert_goal("what is given back held a table of the page's space", held)

    return body


TAKES = frames_are_accounted_for(
    "map.takes-what-it-links",
    "map takes a frame for each table that it links, and no other",
    lambda run, code, process, virtual: code.map(process, virtual, any_leaf(run)[1]),
)
GIVES_BACK = frames_are_accounted_for(
    "unmap.gives-back-what-it-unlinks",
    "unmap gives back the frame of each table that it unlinks, and no other",
    lambda run, code, process, virtual: code.unmap(process, virtual),
)


@at_each_level("create.refines", "the code of create gives a process a PML4 of its own, or does nothing")
def create_refines(run: Run, level: int) -> None:
    world = unknown_code(run, any_reading(run), level)
    process, _ = any_place(run)
    done = run.call(lambda: bool(world.code.create(process)))
    may = law.begin.allows(world.mappings, process=process)
    if not done:
        run.assert_goal("it fails only if the law says so, or no frame is left", world.code.frames.ran_out | neg(may))
        untouched(run, world)
        return
    run.assert_goal("the law allows it", may)
    root, frame, known = world.code.roots.at(process), run.point("table"), world.tables
    left = known.is_free(frame) & (frame != root)
    run.assert_goal("it takes the frame of its PML4, and no other", world.code.frames.is_free(frame) == left)
    known = replace(known, level=put(known.level, root, tables.ROOT), owner=put(known.owner, root, process))
    stay_trees(run, world, known)
    map_alike(run, world, law.begin(world.mappings, process))


@at_each_level("starts.refines", "the code starts with nothing mapped, in containers that nobody shares")
def starts_refines(run: Run, level: int) -> None:
    frames, halves = object(), object()
    layout = Layout(run.fresh("physical_bits", 32, 52), run.fresh("register"))
    given: Any = [frames, halves, layout, level, run.fresh("counted")]
    paging, other = run.call(Paging, *given), run.call(Paging, *given)
    kept = (paging.frames, paging.halves, paging.layout, paging.leaf_level, paging.counted)
    run.assert_goal("it keeps what it is built on", all(one is other for one, other in zip(kept, given, strict=True)))
    run.assert_goal("a page has the bytes that a leaf of its level maps", bool(paging.page_shift == PAGE_SHIFTS[level]))
    own = {"memory": {}, "uses": {}, "roots": {0: 0}, "mapped": {0: set()}}
    run.assert_goal("there are no tables, and no frame has uses", not paging.memory and not paging.uses)
    run.assert_goal("only the kernel lives, with its PML4 in frame 0", paging.roots == own["roots"])
    run.assert_goal("it maps nothing in its lower half", paging.mapped == own["mapped"])
    built = {"frames", "halves", "layout", "leaf_level", "counted", "page_shift"}
    run.assert_goal("it has no other attribute", vars(paging).keys() == built | own.keys())
    shared = doubled((paging, other), "two of them", lambda of: built)
    run.assert_goal(f"no container is in two places, nor in another object: {shared}", shared is None)


CODE = (
    *starts_refines,
    link_refines,
    target_refines,
    leaf_value_refines,
    TAKES,
    GIVES_BACK,
    *map_refines,
    *unmap_refines,
    *create_refines,
)
