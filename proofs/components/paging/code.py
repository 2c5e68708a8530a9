"""Proofs of the code of `impl/paging.py` that changes page tables: these stay trees, and map what the law says.

The code runs on unknown tables, which satisfy the invariants of `spec/tables.py` before the call and must satisfy them
afterwards. What the processor finds in them by its walk must change as `spec/paging.py` says. In these proofs the code
reads and writes entries in an unknown way; that it reads and writes them as the processor does is proved first, of
single entries (`link.refines`, `target.refines`, `leaf-value.refines`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from memoracle.impl.paging import Leaf, Paging
from memoracle.impl.pte import Layout
from memoracle.proofs.components.paging.claims import (
    assert_mappings,
    assert_tables_are_trees,
    assert_unchanged,
    at_each_level,
    expected_leaf,
    proved,
    read_links_up_to_root,
    updated,
)
from memoracle.proofs.components.paging.models import replace_encode
from memoracle.proofs.components.paging.symbolic_tables import (
    CONTAINERS,
    PagingCode,
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
from memoracle.proofs.symbolic.values import record_of
from memoracle.proofs.symbolic.withheld import Withheld
from memoracle.spec import addresses, pat, pte, tables
from memoracle.spec import paging as law
from memoracle.spec.clauses import Clause, Number, neg, when
from memoracle.spec.geometry_keys import PAGE_SHIFTS

Result = TypeVar("Result")

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
                read_links_up_to_root(state, points[name])
        run.assert_goal(clause.says, clause(state, *points.values()))

    return body


THEOREMS = tuple(map(theorem, tables.THEOREMS))


# Entries, as they are written and read


def of_sizes_alone(run: Run, symbolic: SymbolicPaging, code: Callable[..., Result], *arguments: object) -> Result:
    """What code answers, which reads and writes no container: it is called where these are between two states."""
    withheld = Withheld()
    withheld.take(symbolic.code, *CONTAINERS)
    found = run.call(code, *arguments)
    withheld.put_back()
    assert_unchanged(run, symbolic)
    return found


@proved(
    "link.refines",
    "refinement",
    "the processor reads what the code writes to link a table as a link to it; it changes nothing",
)
def link_refines(run: Run) -> None:
    symbolic = unknown_code(run)
    table, virtual = run.point("table"), run.point("virtual")
    run.assume(symbolic.tables.is_free(table), addresses.is_canonical(virtual))
    value = of_sizes_alone(run, symbolic, symbolic.code._link, table, virtual)
    run.assert_goal("it leads to the table", leads_to(symbolic.tables.reads, value, table, law.is_lower(virtual)))
    run.assert_goal("the index of its memory type is 0", pte.pat_index(value, tables.ROOT) == 0)
    run.assert_goal(pte.no_other_bit_is_set.says, pte.no_other_bit_is_set(None, value))


@proved("target.refines", "refinement", "the code finds the frame that the processor finds, and changes nothing")
def target_refines(run: Run) -> None:
    symbolic, value = unknown_code(run), run.number("value")
    found = of_sizes_alone(run, symbolic, symbolic.code._target, value)
    run.assert_goal("both find the same", found == symbolic.tables.reads.target(value))


def any_leaf(run: Run) -> tuple[dict[str, Number], Leaf]:
    """Anything that a caller may ask a page to show: by the names of the law's parameters, and as the code's record."""
    values: dict[str, Number] = {name: run.any_number(name) for name in ("physical", "cache")}
    values |= run.point_of_each(("writable", "executable", "global_"))
    flags = [values[flag] for flag in ("writable", "executable", "global_")]
    run.assume(*(flag <= 1 for flag in flags))
    return values, record_of(Leaf, values["physical"], values["cache"], *(flag == 1 for flag in flags))


@proved("leaf.defaults", "refinement", law.is_allowed_by_default.says)
def leaf_defaults(run: Run) -> None:
    leaf = Leaf(0, pat.WRITE_BACK)
    run.assert_goal("of this one", law.is_allowed_by_default(None, leaf.writable, leaf.executable, leaf.global_))


@proved(
    "leaf-value.refines",
    "refinement",
    "the processor reads the code's leaf as what was asked, if there is one; it changes nothing",
)
def leaf_value_refines(run: Run) -> None:
    symbolic, virtual = unknown_code(run), run.point("virtual")
    replace_encode(run)
    run.assume(addresses.is_canonical(virtual))
    _, leaf = any_leaf(run)
    value = of_sizes_alone(run, symbolic, symbolic.code._leaf_value, virtual, leaf)
    if value is None:
        run.assert_goal("the law allows none", neg(can_be_shown(symbolic.mappings, leaf)))
    else:
        run.assert_goal("the law allows it", can_be_shown(symbolic.mappings, leaf))
        lower = law.is_lower(virtual)
        run.assert_goal(
            "it is read as what was asked for", shows_it(symbolic.tables.reads, symbolic.mappings, value, lower, leaf)
        )
        others = value & (1 << pte.EXECUTE_DISABLE) - 1 - (1 << pte.GLOBAL)
        run.assert_goal("no other bit is set", pte.no_other_bit_is_set(None, others))


# What changes tables


@at_each_level("map.refines", "the code of map does what the law says, or nothing; it may run out of frames")
def map_refines(run: Run, level: int) -> None:
    symbolic = unknown_code(run, any_reading(run), level)
    process, virtual = any_place(run)
    shown, leaf = any_leaf(run)
    done = run.answers(symbolic.code.map, process, virtual, leaf)
    values = {"process": process, "virtual": virtual, **shown}
    may = law.map_page.allows(symbolic.mappings, **values)
    if not done:
        frames = symbolic.code.frames
        run.assert_goal("it fails only if the law says so, or no frame is left", frames.ran_out | neg(may))
        # It asked for each frame that was left, and for one more.
        run.assert_goal(
            "fewer frames are left than there are levels above the leaf", frames.handed_out < tables.ROOT - level
        )
        assert_unchanged(run, symbolic)
        return
    run.assert_goal("the law allows it", may)
    assert_tables_are_trees(run, symbolic, with_new_tables(symbolic, process, virtual))
    leaf_is = expected_leaf(symbolic, process, virtual, symbolic.code.shown)
    assert_mappings(run, symbolic, law.map_page(symbolic.mappings, *values.values()), leaf_is)


def with_new_tables(symbolic: SymbolicPaging, process: Number, virtual: Number) -> tables.Tables:
    """The ghosts of the tables after those that a new page needs were linked, the highest first."""
    known, made = symbolic.tables, symbolic.code.memory.made
    for number, table in enumerate(made):
        level = known.leaf + len(made) - 1 - number
        above = tables.entry_for(symbolic.tables, process, virtual, level + 2) if level < tables.ROOT - 1 else 0
        parent = made[number - 1] if number else symbolic.tables.reads.target(above)
        known = with_table(known, table, level, process, virtual, parent)
    return known


def with_table(
    known: tables.Tables, table: Number, level: int, process: Number, virtual: Number, parent: Number
) -> tables.Tables:
    """The ghosts of the tables after this table of this level was linked on the way to an address."""
    is_lower = law.is_lower(virtual)
    return replace(
        known,
        level=updated(known.level, table, level),
        owner=updated(known.owner, table, law.space_of(process, virtual)),
        place=updated(known.place, table, tables.place_at(virtual, level)),
        is_users=lambda other: when(other == table, is_lower, known.is_users(other)),
        parent=updated(known.parent, table, parent),
        kept=updated(known.kept, table, tables.index_at(virtual, level)),
    )


@at_each_level("unmap.refines", "the code of unmap does what the law says and deletes empty tables, or does nothing")
def unmap_refines(run: Run, level: int) -> None:
    symbolic = unknown_code(run, any_reading(run), level)
    process, virtual = any_place(run)
    unmapped = run.call(symbolic.code.unmap, process, virtual)
    may = law.unmap.allows(symbolic.mappings, process=process, virtual=virtual)
    if unmapped is None:
        run.assert_goal("it fails only if the law says so", neg(may))
        assert_unchanged(run, symbolic)
        return
    run.assert_goal("the law allows it", may)
    physical = symbolic.mappings.physical(law.space_of(process, virtual), virtual)
    run.assert_goal("it answers the frame", unmapped.frame << symbolic.mappings.page_shift == physical)
    after = law.unmap(symbolic.mappings, process, virtual)
    unused = law.is_use(after, virtual, physical) & (after.uses(physical) == 0)
    run.assert_truth(unmapped.last)
    run.assert_goal("it answers whether that was the last use", unused == unmapped.last)
    assert_tables_are_trees(run, symbolic, without_deleted_tables(symbolic), climbs=level == 1)
    assert_mappings(run, symbolic, after, expected_leaf(symbolic, process, virtual, 0))


def without_deleted_tables(symbolic: SymbolicPaging) -> tables.Tables:
    """The ghosts of the tables after those that a page left empty were deleted."""
    known, memory = symbolic.tables, symbolic.code.memory
    for table in memory.deleted:
        known = replace(known, level=updated(known.level, table, 0))
    for table, index in memory.differing:
        known = replace(known, kept=updated(known.kept, table, index))
    return known


def frames_are_accounted_for(
    name: str, claim: str, calls: Callable[[Run, PagingCode, Number, Number], object]
) -> Obligation:
    """That a call takes the frames of tables that it makes, gives back those of tables it deletes, and no others."""

    @proved(name, "refinement", claim)
    def body(run: Run) -> None:
        symbolic = unknown_code(run, any_reading(run))
        process, virtual = run.point("process"), run.point("virtual")
        run.call(calls, run, symbolic.code, process, virtual)
        memory, frame = symbolic.code.memory, run.point("table")
        taken = any_of([frame == each for each in memory.made])
        given_back = any_of([frame == each for each in memory.deleted])
        left = (symbolic.tables.is_free(frame) & neg(taken)) | given_back
        run.assert_goal("the free frames are those that should be", symbolic.code.frames.is_free(frame) == left)
        owner = law.space_of(process, virtual)
        for table in memory.deleted:
            held = (symbolic.tables.level(table) != 0) & (symbolic.tables.owner(table) == owner)
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


@at_each_level("create.refines", "the code of create gives a new process a PML4 of its own, or does nothing")
def create_refines(run: Run, level: int) -> None:
    symbolic = unknown_code(run, any_reading(run), level)
    process, _ = any_place(run)
    done = run.answers(symbolic.code.create, process)
    may = law.begin.allows(symbolic.mappings, process=process)
    if not done:
        run.assert_goal(
            "it fails only if the law says so, or no frame is left", symbolic.code.frames.ran_out | neg(may)
        )
        assert_unchanged(run, symbolic)
        return
    run.assert_goal("the law allows it", may)
    root, frame, known = symbolic.code.roots.at(process), run.point("table"), symbolic.tables
    left = known.is_free(frame) & (frame != root)
    run.assert_goal("it takes the frame of its PML4, and no other", symbolic.code.frames.is_free(frame) == left)
    known = replace(known, level=updated(known.level, root, tables.ROOT), owner=updated(known.owner, root, process))
    assert_tables_are_trees(run, symbolic, known)
    assert_mappings(run, symbolic, law.begin(symbolic.mappings, process))


KEPT = ("counted", "direct_start", "direct_end")


@at_each_level("starts.refines", "the code starts with nothing mapped, in containers of its own")
def starts_refines(run: Run, level: int) -> None:
    frames, halves = object(), object()
    layout = record_of(Layout, run.fresh("physical_bits", 32, 52), run.fresh("register"))
    given: Any = [frames, halves, layout, level, *(run.fresh(each) for each in KEPT)]
    paging, other = run.call(Paging, *given), run.call(Paging, *given)
    kept = (paging.frames, paging.halves, paging.layout, paging.leaf_level, *(getattr(paging, each) for each in KEPT))
    run.assert_goal("it keeps what it is built on", all(one is other for one, other in zip(kept, given, strict=True)))
    run.assert_goal("a page has the bytes that a leaf of its level maps", bool(paging.page_shift == PAGE_SHIFTS[level]))
    plain = run.call(Paging, *given[:5])
    run.assert_goal("without a word about it there is no direct map", plain.direct_start == plain.direct_end == 0)
    own = {"memory": {}, "uses": {}, "roots": {0: 0}, "mapped": {0: set()}}
    run.assert_goal("there are no tables, and no frame has uses", not paging.memory and not paging.uses)
    run.assert_goal("only the kernel lives, with its PML4 in frame 0", paging.roots == own["roots"])
    run.assert_goal("it maps nothing in its lower half", paging.mapped == own["mapped"])
    built = {"frames", "halves", "layout", "leaf_level", "page_shift", *KEPT}
    run.assert_goal("it has no other attribute", vars(paging).keys() == built | own.keys())
    shared = doubled((paging, other), "two of them", lambda of: built)
    run.assert_goal(f"no container is in two places, nor in another object: {shared}", shared is None)


CODE = (
    *starts_refines,
    link_refines,
    target_refines,
    leaf_defaults,
    leaf_value_refines,
    TAKES,
    GIVES_BACK,
    *map_refines,
    *unmap_refines,
    *create_refines,
)
