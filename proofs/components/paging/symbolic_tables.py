"""The page tables' code on unknown tables, and what of the law these stand for.

Where tables are changed, how entries are read is unknown, too: all that matters is that a link leads to its table, and
that a leaf is one. That the processor reads what the code writes so is shown apart (`link.refines`,
`leaf-value.refines`, `target.refines`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from memoracle.impl.paging import Leaf, Paging
from memoracle.impl.pte import ENTRIES, Layout
from memoracle.proofs.components.paging import law as paging_law
from memoracle.proofs.components.paging.law import either
from memoracle.proofs.components.paging.models import Half, SetOf, Supply
from memoracle.proofs.symbolic.containers import Map, Tables
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, Sort
from memoracle.proofs.symbolic.path_merging import merged
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


OURS = ("ghost", "shown")  # what proofs note in the reference for their own use


@dataclass
class SymbolicPaging:
    """The reference on unknown containers, and what it stands for before anything is run.

    parts: each attribute that it has, and of containers what is replaced when they are written.
    """

    code: Any
    tables: tables.Tables
    mappings: law.Mappings
    parts: tuple[dict[str, object], tuple[object, ...]]


@cache
def attributes() -> frozenset[str]:
    """What the reference keeps, as its constructor makes it: each is compared after each operation."""
    given: Any = (object(), object(), object(), 1, 0)
    return frozenset(vars(Paging(*given)))


def parts_of(paging: Any) -> tuple[dict[str, object], tuple[object, ...]]:
    """The attributes of the reference, and what its containers hold, but for the frames that are free."""
    own = {
        name: value
        for name, value in vars(paging).items()
        if name not in OURS and not callable(getattr(Paging, name, None))
    }
    memory, roots, uses, mapped, halves = paging.memory, paging.roots, paging.uses, paging.mapped, paging.halves
    held = (memory.has, memory.entry, roots.has, roots.at, uses.has, uses.at, mapped.has, mapped.member)
    return own, (*held, halves.lives, halves.top)


def are_same(one: Any, other: Any) -> bool:
    """Whether these are the same objects."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(one[name] is other[name] for name in one)
    return all(now is then for now, then in zip(one, other, strict=True))


def has_its_parts(run: Run, world: SymbolicPaging) -> None:
    """Claims that each attribute is the object that it was, and that there is no other; what these hold may change."""
    now, _ = parts_of(world.code)
    run.assert_goal("it has the attributes that its constructor makes", now.keys() == attributes())
    run.assert_goal("each attribute is the object that it was", are_same(now, world.parts[0]))
    run.assert_goal("nobody else has the sets of pages", world.code.mapped.are_its_own())


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

    def leaf(space: Number, page: Number) -> Number:
        return tables.walk(state, space, page)

    def is_mapped(space: Number, page: Number) -> Any:
        start = addresses.address_is_aligned(known, page) & addresses.is_canonical(page)
        whose = paging.roots.has(space) & (law.is_lower(page) | (space == 0))
        return start & whose & (leaf(space, page) != 0)

    uses, counts = paging.uses.at, paging.uses.has

    def uses_of(physical: Number) -> Any:
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


def any_reading(run: Run) -> tables.Reading:
    """Any way to read entries."""
    users, kernels = run.relation("links_a_users", "value"), run.relation("links_the_kernels", "value")
    users_leaf, kernels_leaf = run.relation("users_leaf", "value"), run.relation("kernels_leaf", "value")
    return tables.Reading(
        target=run.function("target", "value", high=FRAMES - 1, gives="table"),
        is_link=lambda value, of_users: when(of_users, users(value), kernels(value)),
        is_leaf=lambda value, of_users: when(of_users, users_leaf(value), kernels_leaf(value)),
    )


def any_place(run: Run) -> tuple[Number, Number]:
    """Whatever a caller may ask about: a process and an address of 64 bits, or on other paths what is no such thing."""
    if run.fork():
        return run.point("process"), run.point("virtual")
    process, virtual = run.any_number("process"), run.any_number("virtual")
    run.suppose(neg(is_word(process) & is_word(virtual)))
    return process, virtual


def is_word(number: Number) -> Truth:
    """Whether a number has 64 bits."""
    return (0 <= number) & (number <= HIGHEST)


def any_level(run: Run) -> int:
    """The level of the leaves: the proof is made for each."""
    return 1 if either(run, "leaves of level 1") else 2 if either(run, "leaves of level 2") else 3


def unknown_tables(run: Run, reading: tables.Reading | None = None, level: int | None = None) -> tables.Tables:
    """Any number of processes, any tables that map anything, any physical address bits.

    reading: how entries are read; as the processor does, if not said.  level: of the leaves; any, if not said.
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
    """The reference on any such tables, with any supply of frames and any memory types."""
    ghost = unknown_tables(run, reading, level)
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
    code = reference()
    if reading is not None:
        reading_alike(run, code, reading, mappings)
    counting_as_one_step(run, code)
    asking_as_one_step(run, code)
    return SymbolicPaging(code, ghost, mappings, parts_of(code))


def reading_alike(run: Run, code: Any, reading: tables.Reading, state: law.Mappings) -> None:
    """Makes the code read entries this way, and write entries that are read as what they are to be."""

    def link(table: Number, virtual: Number) -> Any:
        run.assert_and_assume("what is linked is on the way to an address", addresses.is_canonical(virtual))
        value = run.fresh("link")
        run.suppose(leads_to(reading, value, table, law.is_lower(virtual)))
        return value

    def leaf_value(virtual: Number, leaf: Leaf) -> Any:
        run.assert_and_assume("what is mapped is at an address", addresses.is_canonical(virtual))
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


def counting_as_one_step(run: Run, code: Any) -> None:
    """Makes the ways through the counting of uses come together again: nothing else depends on which was taken."""
    counts = (code.uses, "has"), (code.uses, "at")
    for name in ("_is_countable", "_count", "_uncount"):
        code.__dict__[name] = partial(merged, run, counts, getattr(code, name))


def asking_as_one_step(run: Run, code: Any) -> None:
    """Makes the ways come together again on which an address is found to be a page's, in one half or the other."""
    code.__dict__["_is_page"] = partial(merged, run, (), code._is_page)


def leads_to(reading: tables.Reading, value: Number, table: Number, users: Any) -> Truth:
    """That an entry is read as a link of this table."""
    right = reading.is_link(value, users) & (reading.target(value) == table)
    return right & (value != 0) & pte.is_an_entry(value)


def can_be_shown(state: law.Mappings, leaf: Leaf) -> Truth:
    """Whether the law allows a page to show this, whichever it is."""
    places = law.frame_is_aligned(state, leaf.physical) & law.frame_is_addressable(state, leaf.physical)
    return places & law.type_is_available(state, leaf.cache)


def shows_it(reading: tables.Reading, state: law.Mappings, value: Number, users: Any, leaf: Leaf) -> Truth:
    """That an entry is read as this leaf."""
    entries, level = pte.Entries(state.physical_bits, state.pat_register), level_of(state)
    right = reading.is_leaf(value, users) & (reading.target(value) << state.page_shift == leaf.physical)
    allows = (pte.is_writable(value) == leaf.writable) & (pte.is_execute_disabled(value) != leaf.executable)
    kind = (pte.cache_of(entries, value, level) == leaf.cache) & (pte.is_global(value) == leaf.global_)
    return right & allows & kind & (value != 0) & pte.is_an_entry(value)


def level_of(state: law.Mappings) -> int:
    """The level of the leaves that map pages of this size."""
    shift = state.page_shift
    assert isinstance(shift, int)
    return (shift - 3) // 9
