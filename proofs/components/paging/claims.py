"""What the proofs of the page tables' code claim of the state that a call leaves.

Claimed of the whole state: the tables still satisfy their invariants (`assert_tables_are_trees`), what they map is what
the law says (`assert_mappings`), and after a call that fails nothing has changed (`assert_unchanged`). Each proof is
made for leaves of each level, as an obligation of its own (`at_each_level`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType

from memoracle.impl.pte import ENTRIES
from memoracle.proofs.components.paging.law import LAW
from memoracle.proofs.components.paging.symbolic_tables import (
    SORTS,
    SymbolicPaging,
    assert_own_attributes,
    container_invariants,
    mappings_of,
    parts_of,
    same_contents,
    tables_of,
)
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function, Table
from memoracle.spec import addresses, tables
from memoracle.spec import paging as law
from memoracle.spec.clauses import Number, Truth, implies, when

OF_PAGE = ("physical", "cache", "writable", "executable", "global_")
NOT_KEPT = ("number_of", "space_numbered", "page_numbered")  # parts of the law's state that the reference lacks


proved = Claims("paging", SORTS)


def read_links_up_to_root(state: tables.Tables, table: Number) -> None:
    """Reads the links to a table, up to the PML4: so the invariants are instantiated there."""
    for _ in range(tables.ROOT - 1):
        state.top(state.owner(table), state.place(table))
        state.entry(state.parent(table), state.place(table) & ENTRIES - 1)
        table = state.parent(table)


def at_each_level(name: str, claim: str) -> Callable[[Callable[[Run, int], None]], tuple[Obligation, ...]]:
    """Declares a claim's proof once for each level of the leaves, as obligations that can run in parallel."""

    def declare(body: Callable[[Run, int], None]) -> tuple[Obligation, ...]:
        sizes = {1: "4 KiB", 2: "2 MiB", 3: "1 GiB"}
        levels = ((f"{name}-leaf-{level}", f"{claim}, for pages of {size}", level) for level, size in sizes.items())
        return tuple(proved(each, "refinement", says)(at_level(body, level)) for each, says, level in levels)

    return declare


def at_level(body: Callable[[Run, int], None], level: int) -> Callable[[Run], None]:
    """A proof for leaves of one level."""

    @wraps(body)
    def at(run: Run) -> None:
        body(run, level)

    return at


def assert_tables_are_trees(
    run: Run,
    symbolic: SymbolicPaging,
    known: tables.Tables,
    at: Mapping[str, Number] = MappingProxyType({}),
    climbs: bool = False,
) -> None:
    """Claims that the tables satisfy their invariants: they form a tree below each PML4.

    known: the ghosts of the tables after the call.  at: points at which to claim the invariants, where the proof says
    more of these.  climbs: whether the proof needs the links above a table, up to the PML4.
    """
    assert_own_attributes(run, symbolic)
    symbolic.code.ghost = known
    after = tables_of(symbolic.code, known)
    for clause in tables.INVARIANTS:
        points = {point: at[point] if point in at else run.point(point) for point in clause.points}
        if climbs and clause is tables.tables_link_their_own:
            read_links_up_to_root(symbolic.tables, points["table"])
        run.assert_goal(clause.says, clause(after, *points.values()))


def assert_mappings(
    run: Run,
    symbolic: SymbolicPaging,
    state: law.Mappings,
    leaf: Table | None = None,
    whole: bool = False,
) -> None:
    """Claims that the tables map what this state says, and the invariants of the containers.

    leaf: the leaf that the walk to each page should find, if that is known.  whole: whether the proof needs to know
    which pages were kept of the process.
    """
    mapped = mappings_of(symbolic.code, symbolic.mappings)
    law_obligations.same_state(run, LAW, mapped, state, (*NOT_KEPT, *OF_PAGE, "is_mapped"))
    points = run.point_of_each(("space", "page", "table"))
    space, page = points["space"], points["page"]
    if whole:
        run.touch(("space", "page"), (space, page))
    if leaf is not None:
        found, is_page = (
            tables.walk(tables_of(symbolic.code, symbolic.code.ghost), space, page),
            is_page_of_live(symbolic, space, page),
        )
        run.assert_and_assume(
            "the walk to a page finds the leaf that it should", implies(is_page, found == leaf(space, page))
        )
    for says, parameters, holds in container_invariants(symbolic.code, mapped):
        run.assert_goal(says, holds(*(points[name] for name in parameters)))
    same_live = symbolic.code.halves.lives(space) == symbolic.code.roots.has(space)
    run.assert_goal("the kernel half has the same live processes", same_live)
    run.assert_goal(
        "the pages mapped are those of the law", mapped.is_mapped(space, page) == state.is_mapped(space, page)
    )
    for name in OF_PAGE:
        same = getattr(mapped, name)(space, page) == getattr(state, name)(space, page)
        run.assert_goal(
            f"{name} of a page that is mapped is what the law says", implies(state.is_mapped(space, page), same)
        )


def is_page_of_live(symbolic: SymbolicPaging, space: Number, page: Number) -> Truth:
    """Whether this is a page of a live process: of its lower half, or, if it is the kernel, of either half."""
    whose = law.is_lower(page) | (space == 0)
    start = addresses.address_is_aligned(symbolic.mappings, page) & addresses.is_canonical(page)
    return start & whose & symbolic.code.roots.has(space)


def expected_leaf(symbolic: SymbolicPaging, process: Number, virtual: Number, value: Number) -> Table:
    """By space and page, the leaf that a walk should find after this value was written for one page."""

    def leaf(space: Number, page: Number) -> Number:
        here = (space == law.space_of(process, virtual)) & (page == virtual)
        return when(here, value, tables.walk(symbolic.tables, space, page))

    return leaf


def assert_unchanged(run: Run, symbolic: SymbolicPaging) -> None:
    """Claims that nothing was written to a container, and that any frames that were taken were given back."""
    assert_own_attributes(run, symbolic)
    frame, before = run.point("table"), symbolic.tables
    run.assert_goal("nothing is written", same_contents(parts_of(symbolic.code)[1], symbolic.parts[1]))
    run.assert_goal(
        "frames that were taken are given back", symbolic.code.frames.is_free(frame) == before.is_free(frame)
    )


def updated(what: Function, table: Number, value: Number) -> Function:
    """A function of tables that differs only for this one."""
    return lambda other: when(other == table, value, what(other))
