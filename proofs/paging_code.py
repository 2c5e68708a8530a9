"""Proofs of the page tables' code: they stay trees of tables, and what they map is what the law says.

The code runs on tables that nobody knows. They satisfy the invariants of `spec/tables.py` before, and must afterwards;
and what the processor finds in them by its walk must change as `spec/paging.py` says that what is mapped does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from memoracle.impl.paging import Paging
from memoracle.impl.pte import ENTRIES, Layout
from memoracle.proofs import laws, paging_law
from memoracle.proofs.obligations import Obligation, claimed
from memoracle.proofs.paging_law import LAW, either
from memoracle.proofs.paging_standins import Half, SetOf, Supply
from memoracle.proofs.paths import Run
from memoracle.proofs.standins import Map, Tables
from memoracle.proofs.world import Sort
from memoracle.spec import addresses, pat, pte, tables
from memoracle.spec import paging as law
from memoracle.spec.clauses import Clause, implies, neg, when

TABLE, INDEX = Sort("table"), Sort("index", 511)
SORTS = {
    **paging_law.SORTS,
    "table": TABLE,
    "second": TABLE,
    "index": INDEX,
    "place": INDEX,
    "anyone": paging_law.SPACE,
}
OF_PAGE = ("physical", "cache", "writable", "executable", "global_")
NOT_KEPT = ("is_mapped", "number_of", "space_numbered", "page_numbered")  # by the reference


@dataclass
class World:
    """The reference on unknown containers, and what it stands for before anything is run."""

    code: Any
    tables: tables.Tables
    mappings: law.Mappings


def tables_of(paging: Any, known: tables.Tables) -> tables.Tables:
    """The tables that the reference has; what a table knows, which it does not keep, as in another state."""
    return replace(
        known,
        lives=paging.roots.has,
        root=paging.roots.at,
        top=paging.halves.top,
        entry=paging.memory.entry,
        is_free=paging.frames.is_free,
    )


def mappings_of(paging: Any, known: law.Mappings) -> law.Mappings:
    """What the processor finds mapped by these tables; the numbers of uses, which are not kept, as in another state."""
    state = tables_of(paging, paging.ghost)
    entries = pte.Entries(known.physical_bits, known.pat_register)

    def leaf(space: Any, page: Any) -> Any:
        return tables.walk(state, space, page)

    def is_mapped(space: Any, page: Any) -> Any:
        start = addresses.address_is_aligned(known, page) & addresses.is_canonical(page)
        whose = paging.roots.has(space) & (law.is_lower(page) | (space == 0))
        return start & whose & (leaf(space, page) != 0)

    uses, counts = paging.uses.at, paging.uses.has
    return replace(
        known,
        lives=paging.roots.has,
        is_mapped=is_mapped,
        physical=lambda space, page: tables.target(state, leaf(space, page)) << known.page_shift,
        cache=lambda space, page: pte.cache_of(entries, leaf(space, page), state.leaf),
        writable=lambda space, page: pte.bit(leaf(space, page), pte.WRITABLE),
        executable=lambda space, page: 1 - pte.bit(leaf(space, page), pte.EXECUTE_DISABLE),
        global_=lambda space, page: pte.bit(leaf(space, page), pte.GLOBAL),
        uses=lambda physical: when(counts(physical >> known.page_shift), uses(physical >> known.page_shift), 0),
    )


def bookkeeping(paging: Any, mappings: law.Mappings) -> Sequence[tuple[str, tuple[str, ...], Callable[..., Any]]]:
    """What the reference's containers must be like, beside what the laws say: in words, at which points, and how."""
    state, memory, roots = tables_of(paging, paging.ghost), paging.memory.has, paging.roots.has
    has, at, member, noted = paging.uses.has, paging.uses.at, paging.mapped.member, paging.mapped.has
    return (
        (
            "a frame is in memory if it holds a table below the PML4s",
            ("table",),
            lambda frame: memory(frame) == tables.is_lower_table(state, frame),
        ),
        (
            "only frames that are counted and have uses are noted",
            ("table",),
            lambda frame: implies(has(frame), (0 < at(frame)) & (frame < paging.counted)),
        ),
        (
            "the pages of a process's lower half are noted",
            ("space", "page"),
            lambda space, page: member(space, page) == (mappings.is_mapped(space, page) & law.is_lower(page)),
        ),
        ("pages are noted of who lives", ("space",), lambda space: noted(space) == roots(space)),
    )


def unknown_tables(run: Run) -> tables.Tables:
    """Any number of processes, any tables that map anything, leaves of any level, any physical address bits."""
    leaf = 1 if either(run, "leaves of level 1") else 2 if either(run, "leaves of level 2") else 3
    return tables.Tables(
        leaf,
        page_shift=9 * leaf + 3,
        physical_bits=run.number("physical_bits", 32, 52),
        lives=run.relation("lives", "space"),
        root=run.function("root", "space", gives="table"),
        top=run.function("top", "space", "index"),
        entry=run.function("entry", "table", "index"),
        is_free=run.relation("is_free", "table"),
        level=run.function("level", "table", high=tables.ROOT),
        owner=run.function("owner", "table", gives="space"),
        place=run.function("place", "table", high=(1 << 36) - 1),
        is_users=run.relation("is_users", "table"),
        parent=run.function("parent", "table", gives="table"),
        kept=run.function("kept", "table", high=ENTRIES - 1, gives="index"),
    )


def unknown_code(run: Run) -> World:
    """The reference on any such tables, with any supply of frames and any memory types."""
    ghost = unknown_tables(run)
    page_shift, register = 9 * ghost.leaf + 3, run.number("pat_register")
    for index in pat.INDEXES:
        run.assume(pat.entries_are_types(pat.Pat(register), index))
    counted = run.number("counted", 0, (1 << 52 - page_shift) - 1)
    in_memory, is_used = run.relation("in_memory", "table"), run.relation("is_used", "table")
    uses, member = run.function("uses", "table"), run.relation("member", "space", "page")
    noted = run.relation("noted", "space")
    known = replace(
        law.unmapped(page_shift, ghost.physical_bits, register, counted << page_shift),
        number_of=run.function("number_of", "space", "page", gives="number"),
        space_numbered=run.function("space_numbered", "physical", "number", gives="space"),
        page_numbered=run.function("page_numbered", "physical", "number", gives="page"),
    )

    known_bits: tuple[Any, Any] = (ghost.physical_bits, register)
    layout = Layout(*known_bits)

    def reference() -> Any:
        paging = object.__new__(Paging)
        paging.__dict__.update(
            frames=Supply(run, ghost.is_free),
            halves=Half(run, ghost.lives, ghost.top),
            layout=layout,
            leaf_level=ghost.leaf,
            page_shift=page_shift,
            counted=counted,
            memory=Tables(run, in_memory, ghost.entry, ENTRIES),
            roots=Map(run, ghost.lives, ghost.root),
            uses=Map(run, is_used, uses),
            mapped=SetOf(run, noted, member),
            ghost=ghost,
        )
        return paging

    before = reference()
    mappings = mappings_of(before, known)
    run.assume_all(tables.INVARIANTS, ghost)
    run.assume_all(law.INVARIANTS, mappings)
    for _, points, holds in bookkeeping(before, mappings):
        run.assume_for_all(points, holds)
    return World(reference(), ghost, mappings)


def proved(name: str, kind: str, claim: str) -> Callable[[Callable[[Run], None]], Obligation]:
    return claimed(f"paging.{name}", kind, claim, SORTS)


def is_the_laws(run: Run, world: World, known: tables.Tables, state: law.Mappings) -> None:
    """Claims that the tables stay as they must be, knowing this, and that they map what this state says."""
    code = world.code
    code.ghost = known
    after = tables_of(code, known)
    for clause in tables.INVARIANTS:
        run.claim(clause.says, clause(after, *run.point_of_each(clause.points).values()))
    mapped = mappings_of(code, world.mappings)
    maps_alike(run, mapped, state)
    for says, points, holds in bookkeeping(code, mapped):
        run.claim(says, holds(*run.point_of_each(points).values()))


def maps_alike(run: Run, mapped: law.Mappings, state: law.Mappings) -> None:
    """Claims that two states map the same pages, and each alike."""
    laws.same_state(run, LAW, mapped, state, (*NOT_KEPT, *OF_PAGE))
    space, page = run.point("space"), run.point("page")
    run.claim("the pages mapped are those of the law", mapped.is_mapped(space, page) == state.is_mapped(space, page))
    for name in OF_PAGE:
        same = getattr(mapped, name)(space, page) == getattr(state, name)(space, page)
        run.claim(f"{name} of a page that is mapped is what the law says", implies(state.is_mapped(space, page), same))


@proved("create.refines", "refinement", "the code of create gives a process a PML4 of its own, or does nothing")
def create_refines(run: Run) -> None:
    world = unknown_code(run)
    process = run.point("process")
    done = run.call(lambda: bool(world.code.create(process)))
    may = law.begin.allows(world.mappings, process=process)
    if not done:
        run.claim("it fails only if the law says so, or no frame is left", world.code.frames.ran_out | neg(may))
        is_the_laws(run, world, world.tables, world.mappings)
        return
    run.claim("the law allows it", may)
    root = world.code.roots.at(process)
    known = replace(
        world.tables,
        level=lambda table: when(table == root, tables.ROOT, world.tables.level(table)),
        owner=lambda table: when(table == root, process, world.tables.owner(table)),
    )
    is_the_laws(run, world, known, law.begin(world.mappings, process))


def nothing_to_find(world: World, process: Any, virtual: Any) -> Any:
    return neg(world.mappings.lives(process)) | law.nothing_is_mapped(world.mappings, process, virtual)


def untouched(run: Run, world: World) -> None:
    """Claims that nothing was written to any container."""
    now, before = tables_of(world.code, world.tables), world.tables
    same = all(getattr(now, name) is getattr(before, name) for name in ("lives", "root", "top", "entry", "is_free"))
    run.claim("nothing changes", same and not world.code.memory.made and not world.code.memory.deleted)


@proved(
    "translate.refines", "refinement", "the code of translate finds the byte that the law says, and changes nothing"
)
def translate_refines(run: Run) -> None:
    world = unknown_code(run)
    process, virtual = run.point("process"), run.point("virtual")
    found = run.call(world.code.translate, process, virtual)
    if found is None:
        run.claim("nothing is mapped there", nothing_to_find(world, process, virtual))
    else:
        right = law.translates_what_is_mapped(world.mappings, process, virtual, found)
        run.claim("it is the byte of the frame that the page shows", right)
    untouched(run, world)


@proved("attributes.refines", "refinement", "the code of attributes finds what the walk allows, and changes nothing")
def attributes_refines(run: Run) -> None:
    world = unknown_code(run)
    process, virtual = run.point("process"), run.point("virtual")
    found = run.call(world.code.attributes, process, virtual)
    if found is None:
        run.claim("nothing is mapped there", nothing_to_find(world, process, virtual))
    else:
        said = (found.cache, *(when(flag, 1, 0) for flag in found[1:]))
        right = law.attributes_are_the_mappings(world.mappings, process, virtual, *said)
        run.claim("they are those of the page, as the walk combines them", right)
    untouched(run, world)


def climb(state: tables.Tables, table: Any) -> None:
    """Looks at all that links a table, up to the PML4: so what is given is known of these, too."""
    for _ in range(tables.ROOT - 1):
        state.top(state.owner(table), state.place(table))
        state.entry(state.parent(table), state.place(table) & ENTRIES - 1)
        table = state.parent(table)


def theorem(clause: Clause) -> Obligation:
    """That a clause follows from the invariants of tables."""

    @proved(laws.short(clause), "theorem", clause.says)
    def body(run: Run) -> None:
        state = unknown_tables(run)
        run.assume_all(tables.INVARIANTS, state)
        points = run.point_of_each(clause.points)
        for name in ("table", "second"):
            if name in points:
                climb(state, points[name])
        run.claim(clause.says, clause(state, *points.values()))

    return body


THEOREMS = tuple(map(theorem, tables.THEOREMS))
CODE = (create_refines, translate_refines, attributes_refines)
