"""Maps concrete page tables to the state of the law that they stand for: what they map, and what each table knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.paging import Paging
from memoracle.impl.pte import ENTRIES
from memoracle.proofs.abstraction.objects import bit
from memoracle.spec import paging as law
from memoracle.spec import pte, tables
from memoracle.spec.clauses import Number


@dataclass
class Known:
    """By frame, what each table that a root leads to knows."""

    level: dict[Number, int] = field(default_factory=dict)
    owner: dict[Number, int] = field(default_factory=dict)
    place: dict[Number, int] = field(default_factory=dict)
    is_users: dict[object, bool] = field(default_factory=dict)
    parent: dict[Number, int] = field(default_factory=dict)
    kept: dict[Number, int] = field(default_factory=dict)


def known_of(paging: Paging) -> Known:
    """Found by following every entry down from the roots; a table that is reached twice is known as it was first."""
    known = Known()
    for process, root in paging.roots.items():
        known.level[root], known.owner[root] = tables.ROOT, process
        for index, value in enumerate(paging.halves.tables[process]):
            if value:
                lower = index < ENTRIES // 2
                _follow(paging, known, value, tables.ROOT - 1, process if lower else 0, index, lower, 0)
    return known


def _follow(
    paging: Paging, known: Known, value: int, level: int, owner: int, place: int, users: bool, parent: int
) -> None:
    table: int = (value & (1 << 52) - (1 << 12)) >> paging.page_shift
    if table in known.level or table not in paging.memory:
        return
    entries = paging.memory[table]
    known.level[table], known.owner[table], known.place[table] = level, owner, place
    known.is_users[table], known.parent[table] = users, parent
    known.kept[table] = next((index for index, entry in enumerate(entries) if entry), ENTRIES)
    for index, entry in enumerate(entries if level > paging.leaf_level else ()):
        if entry:
            _follow(paging, known, entry, level - 1, owner, place << 9 | index, users, table)


def tables_of(paging: Paging) -> tables.Tables:
    """The tables of a bitmap's frames."""
    known, memory, halves, frames = known_of(paging), paging.memory, paging.halves, paging.frames
    roots: dict[Any, int] = paging.roots
    assert isinstance(frames, Bitmap)

    def entry(table: Any, index: Any) -> int:
        return memory[table][index] if table in memory and 0 <= index < ENTRIES else 0

    def top(process: Any, index: Any) -> int:
        return halves.tables[process][index] if process in halves.tables and 0 <= index < ENTRIES else 0

    def level(table: Number) -> int:
        """A table in memory that no root leads to has no level that there is: it was lost."""
        return known.level.get(table, -1 if table in memory else 0)

    return tables.Tables(
        leaf=paging.leaf_level,
        reads=tables.by_the_processor(paging.leaf_level, paging.page_shift, paging.layout.physical_address_bits),
        page_shift=paging.page_shift,
        physical_bits=paging.layout.physical_address_bits,
        lives=lambda process: process in paging.roots,
        root=lambda process: roots.get(process, -1),
        top=top,
        entry=entry,
        is_free=lambda table: bit(frames.words, table),
        level=level,
        owner=lambda table: known.owner.get(table, -1),
        place=lambda table: known.place.get(table, 0),
        is_users=lambda table: known.is_users.get(table, False),
        parent=lambda table: known.parent.get(table, 0),
        kept=lambda table: known.kept.get(table, 0),
    )


def mappings_of(paging: Paging, pages: Sequence[int]) -> law.Mappings:
    """What the processor finds mapped, of these pages; the uses of a frame are numbered in their order."""
    state, shift = tables_of(paging), paging.page_shift
    entries = pte.Entries(paging.layout.physical_address_bits, paging.layout.pat_register)
    counts: dict[Any, int] = paging.uses

    def leaf(space: Number, page: Number) -> Number:
        return tables.walk(state, space, page)

    def is_mapped(space: Number, page: Number) -> bool:
        whose = space in paging.roots and (bool(law.is_lower(page)) or space == 0)
        return whose and leaf(space, page) != 0

    def physical(space: Number, page: Number) -> Number:
        return pte.address_of(leaf(space, page), paging.leaf_level)

    def users(frame: Number) -> list[tuple[int, int]]:
        every = ((space, page) for space in sorted(paging.roots) for page in pages)
        return [at for at in every if is_mapped(*at) and physical(*at) == frame]

    def number_of(space: Any, page: Any) -> int:
        return users(physical(space, page)).index((space, page)) if is_mapped(space, page) else 0

    def user(frame: Any, number: Any) -> tuple[int, int]:
        return dict(enumerate(users(frame))).get(number, (0, 0))

    return law.Mappings(
        page_shift=shift,
        physical_bits=paging.layout.physical_address_bits,
        pat_register=paging.layout.pat_register,
        counted=paging.counted << shift,
        direct_start=paging.direct_start,
        direct_end=paging.direct_end,
        lives=lambda process: process in paging.roots,
        is_mapped=is_mapped,
        physical=physical,
        cache=lambda space, page: pte.cache_of(entries, leaf(space, page), paging.leaf_level),
        writable=lambda space, page: pte.bit(leaf(space, page), pte.WRITABLE),
        executable=lambda space, page: 1 - pte.bit(leaf(space, page), pte.EXECUTE_DISABLE),
        global_=lambda space, page: pte.bit(leaf(space, page), pte.GLOBAL),
        uses=lambda frame: counts.get(frame >> shift, 0),
        number_of=number_of,
        space_numbered=lambda frame, number: user(frame, number)[0],
        page_numbered=lambda frame, number: user(frame, number)[1],
    )
