"""What the proofs of the page tables' code claim of the state that a call leaves, for leaves of each level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

from memoracle.impl.pte import ENTRIES
from memoracle.proofs.components.paging.law import LAW
from memoracle.proofs.components.paging.symbolic_tables import (
    SORTS,
    SymbolicPaging,
    are_same,
    bookkeeping,
    has_its_parts,
    mappings_of,
    parts_of,
    tables_of,
)
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import addresses, tables
from memoracle.spec import paging as law
from memoracle.spec.clauses import Number, implies, when

OF_PAGE = ("physical", "cache", "writable", "executable", "global_")
NOT_KEPT = ("number_of", "space_numbered", "page_numbered")  # by the reference


proved = Claims("paging", SORTS)


def climb(state: tables.Tables, table: Number) -> None:
    """Looks at all that links a table, up to the PML4: so what is given is known of these, too."""
    for _ in range(tables.ROOT - 1):
        state.top(state.owner(table), state.place(table))
        state.entry(state.parent(table), state.place(table) & ENTRIES - 1)
        table = state.parent(table)


def at_each_level(name: str, claim: str) -> Callable[[Callable[[Run, int], None]], tuple[Obligation, ...]]:
    """Declares the proof of a claim about leaves of each level, one by one: so all processors have something to do."""

    def declare(body: Callable[[Run, int], None]) -> tuple[Obligation, ...]:
        sizes = {1: "4 KiB", 2: "2 MiB", 3: "1 GiB"}
        levels = ((f"{name}-leaf-{level}", f"{claim}, for pages of {size}", level) for level, size in sizes.items())
        return tuple(proved(each, "refinement", says)(at_level(body, level)) for each, says, level in levels)

    return declare


def at_level(body: Callable[[Run, int], None], level: int) -> Callable[[Run], None]:
    @wraps(body)
    def at(run: Run) -> None:
        body(run, level)

    return at


def stay_trees(
    run: Run,
    world: SymbolicPaging,
    known: tables.Tables,
    at: Mapping[str, Number] = MappingProxyType({}),
    climbs: bool = False,
) -> None:
    """Claims that the tables stay as they must be, knowing this of each.

    at: points to claim it of, where the proof must say more of them.
    climbs: the proof needs to know what links a table that links another, up to the PML4.
    """
    has_its_parts(run, world)
    world.code.ghost = known
    after = tables_of(world.code, known)
    for clause in tables.INVARIANTS:
        points = {point: at[point] if point in at else run.point(point) for point in clause.points}
        if climbs and clause is tables.tables_link_their_own:
            climb(world.tables, points["table"])
        run.assert_goal(clause.says, clause(after, *points.values()))


def map_alike(
    run: Run,
    world: SymbolicPaging,
    state: law.Mappings,
    leaf: Callable[[Any, Any], Any] | None = None,
    whole: bool = False,
) -> None:
    """Claims that the tables map what this state says, and that the containers tell it.

    leaf: what the walk to a page is due to come to, if that is known.
    whole: the proof needs to know whether the page was noted as the process's.
    """
    mapped = mappings_of(world.code, world.mappings)
    law_obligations.same_state(run, LAW, mapped, state, (*NOT_KEPT, *OF_PAGE, "is_mapped"))
    points = run.point_of_each(("space", "page", "table"))
    space, page = points["space"], points["page"]
    if whole:
        run.touch(("space", "page"), (space, page))
    if leaf is not None:
        found, is_page = tables.walk(tables_of(world.code, world.code.ghost), space, page), pages(world, space, page)
        run.assert_and_assume(
            "the walk to a page comes to the leaf that is due", implies(is_page, found == leaf(space, page))
        )
    for says, points_of, holds in bookkeeping(world.code, mapped):
        run.assert_goal(says, holds(*(points[name] for name in points_of)))
    step = world.code.halves.lives(space) == world.code.roots.has(space)
    run.assert_goal("the kernel half is kept in step for who lives, and for nobody else", step)
    run.assert_goal(
        "the pages mapped are those of the law", mapped.is_mapped(space, page) == state.is_mapped(space, page)
    )
    for name in OF_PAGE:
        same = getattr(mapped, name)(space, page) == getattr(state, name)(space, page)
        run.assert_goal(
            f"{name} of a page that is mapped is what the law says", implies(state.is_mapped(space, page), same)
        )


def pages(world: SymbolicPaging, space: Number, page: Number) -> Any:
    """Whether this is a page of a space that lives: of a process's lower half, or of the kernel's upper half."""
    whose = law.is_lower(page) | (space == 0)
    start = addresses.address_is_aligned(world.mappings, page) & addresses.is_canonical(page)
    return start & whose & world.code.roots.has(space)


def leaf_due(world: SymbolicPaging, process: Number, virtual: Number, value: Number) -> Callable[[Any, Any], Any]:
    """By page, the leaf that a walk comes to, once this value was written for one page."""

    def leaf(space: Number, page: Number) -> Number:
        here = (space == law.space_of(process, virtual)) & (page == virtual)
        return when(here, value, tables.walk(world.tables, space, page))

    return leaf


def untouched(run: Run, world: SymbolicPaging) -> None:
    """Claims that nothing was written to any container, or that all is as it was."""
    has_its_parts(run, world)
    frame, before = run.point("table"), world.tables
    run.assert_goal("nothing is written", are_same(parts_of(world.code)[1], world.parts[1]))
    run.assert_goal("frames that were taken are given back", world.code.frames.is_free(frame) == before.is_free(frame))


def put(what: Callable[[Any], Any], table: Number, value: Number) -> Callable[[Any], Any]:
    return lambda other: when(other == table, value, what(other))
