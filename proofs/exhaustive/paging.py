"""Small page tables, run exhaustively: every call in every state is held to what is mapped, and to how tables say it.

Pages are of 2 MiB, so a page takes two tables below the PML4, of which some pages share both, one, or none; and there
are too few frames for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from operator import methodcaller
from typing import Any

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Leaf, Paging
from memoracle.impl.pte import Layout
from memoracle.proofs.abstraction.page_tables import mappings_of, tables_of
from memoracle.proofs.exhaustive.explore import Call, Part, Question, System
from memoracle.proofs.exhaustive.finite_states import Domain
from memoracle.spec import paging as law
from memoracle.spec import paging_theorems, tables
from memoracle.spec.clauses import Clause, Operation, Truth, clause, implies
from memoracle.spec.kernel_half import never_exits_the_kernel, process_lives

SHIFT, LEVEL, FRAMES = 21, 2, 5
FRAMES_OF_TWO = 7  # where two processes run
SHARED, BESIDE, APART, UPPER = 0, 1 << 21, 1 << 30, 0xFFFF_8000_0000_0000
PAGES = (SHARED, BESIDE, APART, UPPER)
PROCESSES = (0, 1)
MAY = {2 << SHIFT: (6, 1, 1, 0), 9 << SHIFT: (4, 0, 0, 1)}  # of a counted frame and of a device's: how it is mapped
LAYOUT = Layout(40, 0x0005_0406_0001_0406)


@dataclass(frozen=True)
class Whole(law.Mappings):
    """What is mapped, and the tables that say so."""

    tables: tables.Tables
    frames: int  # how many there are, and how many of them are free
    free: int


def of_tables(of: Clause) -> Clause:
    """The same clause of the whole state."""
    return replace(of, holds=lambda state, *points: of.holds(state.tables, *points))


@clause("nobody else takes frames here, so each is free or holds a table")
def no_frame_is_lost(s: Whole, table: int) -> Truth:
    held = s.tables.is_free(table) | (s.tables.level(table) != 0)
    return implies((1 <= table) & (table < s.frames), held)


SAID = ("physical", "cache", "writable", "executable", "global_")  # of a page that is mapped
FUNCTIONS = {
    **dict.fromkeys(("is_mapped", *SAID), ("space", "page")),
    "lives": ("process",),
    "uses": ("physical",),
}
DOMAIN = Domain(
    {
        **dict.fromkeys(("process", "space", "other"), PROCESSES),
        **dict.fromkeys(("page", "virtual"), PAGES),
        "physical": sorted(MAY),
        **dict.fromkeys(("number", "later"), range(3)),
        **dict.fromkeys(("table", "second"), range(FRAMES + 1)),
        **dict.fromkeys(("index", "place"), (0, 1, 256, 511)),
    },
    FUNCTIONS,
    {
        **dict.fromkeys(("tables", "frames", "free"), lambda state, at: False),
        **dict.fromkeys(SAID, lambda state, at: state.is_mapped(*at)),
    },
)
CLAUSES = (
    no_frame_is_lost,
    *law.INVARIANTS,
    *paging_theorems.THEOREMS,
    *map(of_tables, (*tables.INVARIANTS, *tables.THEOREMS)),
)


def small(count: int = FRAMES) -> Paging:
    frames = Bitmap(count, [(0, 1)])
    frames.add(1, count)
    return Paging(frames, KernelHalf(), LAYOUT, LEVEL, count)


@clause("there is a frame for each table that the page needs")
def frames_suffice(s: Whole, process: int, virtual: int) -> bool:
    levels = range(LEVEL + 1, tables.ROOT + 1)
    return sum(tables.entry_for(s.tables, process, virtual, level) == 0 for level in levels) <= s.free


@clause("there is a frame for a PML4")
def a_frame_is_left(s: Whole) -> bool:
    return s.free > 0


def ended(s: law.Mappings, process: int) -> law.Mappings:
    for page in PAGES:
        s = law.unmap(s, process, page) if law.is_lower(page) and s.is_mapped(process, page) else s
    return law.end(s, process)


MAP = replace(law.map_page, guard=(*law.map_page.guard, frames_suffice))
CREATE = replace(law.begin, guard=(*law.begin.guard, a_frame_is_left))
EXIT = Operation(law.end.name, law.end.says, (never_exits_the_kernel, process_lives), (), ended, ("process",))
ASKER_LIVES = replace(process_lives, holds=lambda s, process, virtual: process_lives(s, process))
IS_MAPPED = replace(law.nothing_is_mapped, holds=lambda *at: not law.nothing_is_mapped(*at))
CALLED = (law.map_page, law.unmap, law.begin, law.end)


def part(paging: Paging, free: int, processes: Sequence[int] = PROCESSES) -> Part:
    count = paging.counted  # each frame is counted here
    numbers = {
        **dict.fromkeys(("process", "space", "other"), processes),
        **dict.fromkeys(("table", "second"), range(count + 1)),
    }

    def words(s: Whole) -> str:
        mapped = [
            f"{page:#x} of process {space} to {s.physical(space, page):#x}"
            for space, page in product(processes, PAGES)
            if s.is_mapped(space, page)
        ]
        return f"mapped: {', '.join(mapped) or 'nothing'}; {s.free} frames are free"

    def shows(s: Whole) -> list[str]:
        living = [process for process in processes if s.lives(process)]
        found = {(p, v): s.physical(law.space_of(p, v), v) for p, v in product(living, PAGES) if law.shows(s, p, v)}
        return [
            f"assert {{(p, v): paging.translate(p, v) for p in {living} for v in {list(PAGES)} "
            f"if paging.translate(p, v) is not None}} == {found}"
        ]

    whole = Whole(**vars(mappings_of(paging, PAGES)), tables=tables_of(paging), frames=count, free=free)
    return Part(whole, replace(DOMAIN, points={**DOMAIN.points, **numbers}), CLAUSES, words, shows)


def parts(paging: Any) -> dict[str, Part]:
    return {"": part(paging, paging.frames.count())}


PLACES = ((1, SHARED), (1, BESIDE), (1, APART), (1, UPPER), (0, UPPER))
PLACES_OF_TWO = ((1, SHARED), (2, SHARED))


@cache
def calls(
    processes: Sequence[int] = PROCESSES, places: Sequence[tuple[int, int]] = PLACES, frames: Sequence[int] = tuple(MAY)
) -> Sequence[Call | Question]:
    """Processes come and go, and these pages of them are mapped to these frames, and unmapped."""
    found: list[Call | Question] = []

    def add(said: str, run: Callable[[object], object], operation: Operation, **given: int) -> None:
        found.append(Call(said, run, operation, given))

    for process in processes:
        add(f"@.create({process})", methodcaller("create", process), CREATE, process=process)
        add(f"@.exit({process})", methodcaller("exit", process), EXIT, process=process)
    for process, page in places:
        for physical in frames:
            cache_type, *flags = MAY[physical]
            leaf = Leaf(physical, cache_type, *map(bool, flags))
            values = dict(zip(law.map_page.points, (process, page, physical, cache_type, *flags), strict=True))
            add(f"@.map({process}, {page:#x}, {leaf})", methodcaller("map", process, page, leaf), MAP, **values)
        add(
            f"@.unmap({process}, {page:#x})",
            methodcaller("unmap", process, page),
            law.unmap,
            process=process,
            virtual=page,
        )
    add(f"@.map(1, 1, {leaf})", methodcaller("map", 1, 1, leaf), MAP, **{**values, "process": 1, "virtual": 1})
    for process, page in product(processes, PAGES):
        at, byte = {"process": process, "virtual": page + 5}, page + 5
        asked, said = methodcaller("translate", process, byte), f"@.translate({process}, {byte:#x})"
        bytes_of = [physical + 5 for physical in MAY]
        tells, lives = law.translates_what_is_mapped, (ASKER_LIVES, IS_MAPPED)
        found.append(Question(said, asked, tells, at, bytes_of, "", lives))
    return found


def paging_system() -> System:
    scope = "bounded: pages of 2 MiB, the kernel and a process, three pages of its own and a kernel page, 4 frames"
    imports = "from memoracle.proofs.exhaustive.paging import Leaf, small"
    return System("paging", scope, imports, "paging", {"small()": small}, parts, lambda paging: calls())


def two_processes_system() -> System:
    """Two processes have the same page, and share a frame."""

    def parts(paging: Any) -> dict[str, Part]:
        return {"": part(paging, paging.frames.count(), (0, 1, 2))}

    return replace(
        paging_system(),
        scope="bounded: pages of 2 MiB, the kernel and two processes with the same page of one frame, 6 frames",
        starts={f"small({FRAMES_OF_TWO})": partial(small, FRAMES_OF_TWO)},
        parts=parts,
        calls=lambda paging: calls((0, 1, 2), PLACES_OF_TWO, (2 << SHIFT,)),
    )
