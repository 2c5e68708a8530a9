"""Page tables with unknown contents: the reference on them, their invariants, and the law's states that they stand for.

They stand for two: the tables (`spec/tables.py`), and what the processor finds mapped when it walks these
(`spec/paging.py`). Where a proof changes tables, how entries are read is unknown too (`tables.Reading`): all that
matters is that a link leads to its table, and that a leaf is one. That the processor reads so what the code writes is
proved by itself: `link.refines`, `leaf-value.refines`, `target.refines`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Protocol, TypeAlias, cast

from memoracle.impl.paging import Attributes, Leaf, Paging, Unmapped
from memoracle.impl.pte import ENTRIES, Layout
from memoracle.proofs.components.paging import law as paging_law
from memoracle.proofs.components.paging.law import either
from memoracle.proofs.components.paging.models import FrameSupply, Halves, PageSets
from memoracle.proofs.symbolic.constructed import constructed
from memoracle.proofs.symbolic.containers import Map, Tables
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, Sort
from memoracle.proofs.symbolic.path_merging import merged
from memoracle.proofs.symbolic.values import Condition
from memoracle.spec import addresses, pat, pte, tables
from memoracle.spec import paging as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when

FRAMES = 1 << pte.ADDRESS_BITS - pte.TABLE_SHIFT  # that an entry can point to
TABLE, INDEX = Sort("table"), Sort("index", 511)
SORTS = {
    **paging_law.SORTS,
    "table": TABLE,
    "second": TABLE,
    "index": INDEX,
    "place": INDEX,
    "anyone": paging_law.SPACE,
}


class PagingCode(Protocol):
    """The reference with stand-ins in the place of its attributes, and two ghosts: what only proofs know of it.

    ghost: the law's state of the tables, with what a table knows and the reference does not keep.  shown: the leaf that
    was written last.
    """

    frames: FrameSupply
    halves: Halves
    layout: Layout
    leaf_level: int
    page_shift: int
    counted: Number
    direct_start: Number
    direct_end: Number
    memory: Tables
    roots: Map
    uses: Map
    mapped: PageSets
    ghost: tables.Tables
    shown: Number
    unmap: Callable[[Number, Number], Unmapped | None]

    def create(self, process: Number) -> bool: ...
    def exit(self, process: Number) -> list[int] | None: ...
    def map(self, process: Number, virtual: Number, leaf: Leaf) -> bool: ...
    def translate(self, process: Number, virtual: Number) -> Number | None: ...
    def attributes(self, process: Number, virtual: Number) -> Attributes | None: ...
    def is_shown(self, frame: Number) -> bool: ...
    def _target(self, value: Number) -> Number: ...
    def _link(self, table: Number, virtual: Number) -> Number: ...
    def _leaf_value(self, virtual: Number, leaf: Leaf) -> Number | None: ...
    def _is_page(self, process: Number, virtual: Number) -> Truth: ...


GHOSTS = ("ghost", "shown")
CONTAINERS = ("frames", "halves", "memory", "roots", "uses", "mapped")
Parts: TypeAlias = tuple[dict[str, object], tuple[object, ...]]
Invariant: TypeAlias = tuple[str, tuple[str, ...], Condition]  # in words, its points, and its formula


@dataclass
class SymbolicPaging:
    """The reference on unknown containers, and the law's states that it stands for before anything is run.

    parts: its attributes, and the contents of its containers: see `parts_of`.  anew: makes the reference once more.
    """

    code: PagingCode
    tables: tables.Tables
    mappings: law.Mappings
    parts: Parts
    anew: Callable[[], PagingCode]


@cache
def attributes() -> frozenset[str]:
    """The attributes that the reference's constructor makes. Each is compared after each operation."""
    given: Any = (object(), object(), object(), 1, 0)
    return frozenset(vars(Paging(*given)))


def parts_of(paging: PagingCode) -> Parts:
    """The reference's attributes, and what its containers contain. A write to a stand-in gives it a new function.

    Left out are the free frames: a call that fails may have taken some and given them back.
    """
    own = {
        name: value
        for name, value in vars(paging).items()
        if name not in GHOSTS and not callable(getattr(Paging, name, None))
    }
    memory, roots, uses, mapped, halves = paging.memory, paging.roots, paging.uses, paging.mapped, paging.halves
    held = (memory.has, memory.entry, roots.has, roots.at, uses.has, uses.at, mapped.has, mapped.member)
    return own, (*held, halves.lives, halves.top)


def same_attributes(now: Mapping[str, object], before: Mapping[str, object]) -> bool:
    """Whether each attribute is the object that it was, and there is no other."""
    return now.keys() == before.keys() and all(now[name] is before[name] for name in now)


def same_contents(now: Sequence[object], before: Sequence[object]) -> bool:
    """Whether nothing was written to a container."""
    return all(one is other for one, other in zip(now, before, strict=True))


def assert_own_attributes(run: Run, symbolic: SymbolicPaging) -> None:
    """Claims that each attribute is the object that it was, and that there is no other. Their contents may change."""
    now, _ = parts_of(symbolic.code)
    run.assert_goal("it has the attributes that its constructor makes", now.keys() == attributes())
    run.assert_goal("each attribute is the object that it was", same_attributes(now, symbolic.parts[0]))
    run.assert_goal("nobody else has the sets of pages", symbolic.code.mapped.are_its_own())


def tables_of(paging: PagingCode, known: tables.Tables) -> tables.Tables:
    """The law's state of the reference's tables; what the reference does not keep is that of `known`."""
    return replace(
        known,
        lives=paging.roots.has,
        root=paging.roots.at,
        top=paging.halves.top,
        entry=paging.memory.entry,
        is_free=paging.frames.is_free,
    )


def mappings_of(paging: PagingCode, known: law.Mappings) -> law.Mappings:
    """What the processor finds mapped by these tables; what the reference does not keep is that of `known`."""
    state = tables_of(paging, paging.ghost)
    entries = pte.Entries(known.physical_bits, known.pat_register)

    def leaf(space: Number, page: Number) -> Number:
        return tables.walk(state, space, page)

    def is_mapped(space: Number, page: Number) -> Truth:
        start = addresses.address_is_aligned(known, page) & addresses.is_canonical(page)
        whose = paging.roots.has(space) & (law.is_lower(page) | (space == 0))
        return start & whose & (leaf(space, page) != 0)

    uses, counts = paging.uses.at, paging.uses.has

    def uses_of(physical: Number) -> Number:
        frame = physical >> known.page_shift
        starts = addresses.address_is_aligned(known, physical)
        return when(starts & counts(frame), uses(frame), 0)

    return replace(
        known,
        lives=paging.roots.has,
        is_mapped=is_mapped,
        physical=lambda space, page: state.reads.target(leaf(space, page)) << known.page_shift,
        cache=lambda space, page: pte.cache_of(entries, leaf(space, page), state.leaf),
        writable=lambda space, page: pte.bit(leaf(space, page), pte.WRITABLE),
        executable=lambda space, page: 1 - pte.bit(leaf(space, page), pte.EXECUTE_DISABLE),
        global_=lambda space, page: pte.bit(leaf(space, page), pte.GLOBAL),
        uses=uses_of,
    )


def container_invariants(paging: PagingCode, mappings: law.Mappings) -> Sequence[Invariant]:
    """The invariants of the reference's containers beside those of the law."""
    state, memory, roots = tables_of(paging, paging.ghost), paging.memory.has, paging.roots.has
    has, at, member, noted = paging.uses.has, paging.uses.at, paging.mapped.member, paging.mapped.has
    return (
        (
            "a frame is in memory if it holds a table below the PML4s",
            ("table",),
            lambda frame: memory(frame) == tables.is_lower_table(state, frame),
        ),
        (
            "uses are kept of frames that are counted and have some, and of no others",
            ("table",),
            lambda frame: implies(has(frame), (0 < at(frame)) & (frame < paging.counted)),
        ),
        (
            "the pages that are kept of a process are those mapped in its lower half",
            ("space", "page"),
            lambda space, page: member(space, page) == (mappings.is_mapped(space, page) & law.is_lower(page)),
        ),
        ("pages are kept of live processes", ("space",), lambda space: noted(space) == roots(space)),
    )


def any_reading(run: Run) -> tables.Reading:
    """Any way to read entries: where each leads, and which are links and leaves, of users and of the kernel."""
    users, kernels = run.relation("links_a_users", "value"), run.relation("links_the_kernels", "value")
    users_leaf, kernels_leaf = run.relation("users_leaf", "value"), run.relation("kernels_leaf", "value")
    return tables.Reading(
        target=run.function("target", "value", high=FRAMES - 1, gives="table"),
        is_link=lambda value, of_users: when(of_users, users(value), kernels(value)),
        is_leaf=lambda value, of_users: when(of_users, users_leaf(value), kernels_leaf(value)),
    )


def any_place(run: Run) -> tuple[Number, Number]:
    """What a caller may pass: any process and address of 64 bits, and on another path any other numbers."""
    if run.fork():
        return run.point("process"), run.point("virtual")
    process, virtual = run.any_number("process"), run.any_number("virtual")
    run.suppose(neg(is_word(process) & is_word(virtual)))
    return process, virtual


def is_word(number: Number) -> Truth:
    """Whether a number has 64 bits."""
    return (0 <= number) & (number <= HIGHEST)


def any_level(run: Run) -> int:
    """The level of the leaves: the proof is made for each, on paths of their own."""
    return 1 if either(run, "leaves of level 1") else 2 if either(run, "leaves of level 2") else 3


def unknown_tables(run: Run, reading: tables.Reading | None = None, level: int | None = None) -> tables.Tables:
    """Any tables of any number of processes, and any number of physical address bits. Nothing is assumed of them yet.

    reading: how entries are read; by default, as the processor does.  level: that of the leaves; by default, any.
    """
    leaf = level or any_level(run)
    shift, bits = 9 * leaf + 3, run.number("physical_bits", 32, 52)
    return tables.Tables(
        leaf,
        reading or tables.by_the_processor(leaf, shift, bits),
        page_shift=shift,
        physical_bits=bits,
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


def unknown_code(run: Run, reading: tables.Reading | None = None, level: int | None = None) -> SymbolicPaging:
    """The reference on any tables that satisfy the invariants, with any supply of frames and any memory types."""
    ghost = unknown_tables(run, reading, level)
    page_shift, register = 9 * ghost.leaf + 3, run.number("pat_register")
    for index in pat.INDEXES:
        run.assume(pat.entries_are_types(pat.Pat(register), index))
    counted = run.number("counted", 0, 1 << 52 - page_shift)
    in_memory, is_used = run.relation("in_memory", "table"), run.relation("is_used", "table")
    uses, member = run.function("uses", "table"), run.relation("member", "space", "page")
    noted = run.relation("noted", "space")
    direct = run.number("direct_start"), paging_law.any_direct_end(run)
    known = replace(
        law.unmapped(page_shift, ghost.physical_bits, register, counted << page_shift, *direct),
        number_of=run.function("number_of", "space", "page", gives="number"),
        space_numbered=run.function("space_numbered", "physical", "number", gives="space"),
        page_numbered=run.function("page_numbered", "physical", "number", gives="page"),
    )

    known_bits: tuple[Any, Any] = (ghost.physical_bits, register)
    layout = Layout(*known_bits)

    def reference() -> PagingCode:
        made = constructed(
            Paging,
            frames=FrameSupply(run, ghost.is_free),
            halves=Halves(run, ghost.lives, ghost.top),
            layout=layout,
            leaf_level=ghost.leaf,
            page_shift=page_shift,
            counted=counted,
            direct_start=direct[0],
            direct_end=direct[1],
            memory=Tables(run, in_memory, ghost.entry, ENTRIES),
            roots=Map(run, ghost.lives, ghost.root),
            uses=Map(run, is_used, uses),
            mapped=PageSets(run, noted, member),
            ghost=ghost,
        )
        return cast("PagingCode", made)

    before = reference()
    mappings = mappings_of(before, known)
    run.assume_all(tables.INVARIANTS, ghost)
    run.assume_all(law.INVARIANTS, mappings)
    for _, points, holds in container_invariants(before, mappings):
        run.assume_for_all(points, holds)
    code = reference()
    if reading is not None:
        replace_entries(run, code, reading, mappings)
    merge_paths_of_counting(run, code)
    merge_paths_of_asking(run, code)
    return SymbolicPaging(code, ghost, mappings, parts_of(code), reference)


def replace_entries(run: Run, code: PagingCode, reading: tables.Reading, state: law.Mappings) -> None:
    """Makes the code read entries this way, and write unknown entries that are read this way as they should be."""

    def link(table: Number, virtual: Number) -> Number:
        run.assert_and_assume("a table is linked on the way to a canonical address", addresses.is_canonical(virtual))
        run.assert_and_assume("its frame was free", code.ghost.is_free(table))
        value = run.fresh("link")
        run.suppose(leads_to(reading, value, table, law.is_lower(virtual)))
        return value

    def leaf_value(virtual: Number, leaf: Leaf) -> Number | None:
        run.assert_and_assume("a page is mapped at a canonical address", addresses.is_canonical(virtual))
        with run.reading_law():
            value, may = run.fresh("leaf"), can_be_shown(state, leaf)
            right = shows_it(reading, state, value, law.is_lower(virtual), leaf)
        if not run.fresh_truth("there is such a leaf"):
            run.suppose(neg(may))
            return None
        run.suppose(may, right)
        code.shown = value
        return value

    code.__dict__.update(_target=reading.target, _link=link, _leaf_value=leaf_value)


def merge_paths_of_counting(run: Run, code: PagingCode) -> None:
    """Merges the paths through the methods that count uses, on which nothing else depends."""
    counts = (code.uses, "has"), (code.uses, "at")
    for name in ("_is_countable", "_count", "_uncount"):
        code.__dict__[name] = partial(merged, run, counts, getattr(code, name))


def merge_paths_of_asking(run: Run, code: PagingCode) -> None:
    """Merges the paths on which an address is found to be a page's, in one half or the other."""
    code.__dict__["_is_page"] = partial(merged, run, (), code._is_page)


def leads_to(reading: tables.Reading, value: Number, table: Number, users: Truth) -> Truth:
    """Whether an entry is read as a link to this table. users: whether in a process's half."""
    links = reading.is_link(value, users) & (reading.target(value) == table)
    return links & (value != 0) & pte.is_an_entry(value)


def can_be_shown(state: law.Mappings, leaf: Leaf) -> Truth:
    """Whether the law allows a page, whichever it is, to show the frame of this leaf with its memory type."""
    places = law.frame_is_aligned(state, leaf.physical) & law.frame_is_addressable(state, leaf.physical)
    return places & law.type_is_available(state, leaf.cache)


def shows_it(reading: tables.Reading, state: law.Mappings, value: Number, users: Truth, leaf: Leaf) -> Truth:
    """Whether an entry is read as this leaf. users: whether in a process's half."""
    entries, level = pte.Entries(state.physical_bits, state.pat_register), level_of(state)
    leads = reading.is_leaf(value, users) & (reading.target(value) << state.page_shift == leaf.physical)
    allows = (pte.is_writable(value) == leaf.writable) & (pte.is_execute_disabled(value) != leaf.executable)
    kind = (pte.cache_of(entries, value, level) == leaf.cache) & (pte.is_global(value) == leaf.global_)
    return leads & allows & kind & (value != 0) & pte.is_an_entry(value)


def level_of(state: law.Mappings) -> int:
    """The level of the leaves that map pages of this size."""
    shift = state.page_shift
    assert isinstance(shift, int)
    return (shift - 3) // 9
