"""A small machine, run exhaustively: every call of its manager in every state is held to the law.

What a caller asks for is a sequence of the law's steps. The machine has pages of 1 GiB, so that what a space maps takes
one table below the PML4: the first page needs it, and it is given back with the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from operator import methodcaller
from typing import Any

from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout
from memoracle.proofs.abstraction.manager import memory_of
from memoracle.proofs.exhaustive.explore import Call, Part, System
from memoracle.proofs.exhaustive.finite_states import Domain, Values
from memoracle.proofs.exhaustive.manager_hazards import MATTERS
from memoracle.proofs.exhaustive.systems import numbers
from memoracle.spec import manager as law
from memoracle.spec import manager_gets, manager_law, manager_mappings, manager_pages, manager_ranges
from memoracle.spec.clauses import Number, Operation, clause
from memoracle.spec.paging import page_is_unmapped, space_of

SHIFT = 30
START = 0xFFFF_8000_0000_0000
FRAMES, NEVER_FREE, DEPTH = 4, ((0, 1),), 1
FRAMES_OF_TWO = 6  # of a machine on which two processes run
PROCESSES = (0, 1)
LOWER, UPPER = 0, START + (1 << SHIFT)  # a page of the lower half, and the kernel's range's last
PAGES = (LOWER, START, UPPER)
KERNEL_PAGES = range(1 << DEPTH)
MAPPED = (0, 1, FRAMES)  # the frames that are mapped: one that is never free, the first that may be, a device's

FUNCTIONS = {
    **dict.fromkeys(("exists", "is_free", "free_below", "use", "owner", "gets"), ("frame",)),
    **dict.fromkeys(("is_mapped", "physical"), ("space", "page")),
    "uses": ("physical",),
    "lives": ("process",),
    "taken": ("process", "kernel_page"),
    "size_at": ("process", "first"),
    **dict.fromkeys(("block_at", "pages_at"), ("first",)),
    "frame_at": ("kernel_page",),
}


@cache
def domain(frames: int, processes: Sequence[int]) -> Domain:
    points = {
        **dict.fromkeys(("frame", "later", "table"), range(frames + 1)),
        **dict.fromkeys(("kernel_page", "first", "second"), KERNEL_PAGES),
        **dict.fromkeys(("process", "space", "other"), processes),
        **dict.fromkeys(("page", "virtual"), PAGES),
        "physical": [frame << SHIFT for frame in range(frames + 1)],
        "number": range(3),
    }
    return Domain(points, FUNCTIONS, MATTERS)


def machine(frames: int = FRAMES) -> Manager:
    layout = Layout(40, 0x0007_0406_0007_0406)
    return Manager(Machine(frames, NEVER_FREE, 3, layout, START, DEPTH, 0))


# Tables: a space has one below the PML4 while it maps anything


def maps_anything(s: law.Memory, space: Number) -> bool:
    return any(map(bool, (s.is_mapped(space, page) for page in PAGES)))


def frames_of(s: law.Memory) -> range:
    assert isinstance(s.reach, int)
    return range(s.reach)


def lowest(s: law.Memory) -> int:
    return next(frame for frame in frames_of(s) if s.is_free(frame))


@clause("there is a frame for the table that the page needs")
def table_suffices(s: law.Memory, process: int, virtual: int) -> bool:
    return maps_anything(s, space_of(process, virtual)) or bool(s.count > 0)


def with_table(s: law.Memory, space: Number) -> law.Memory:
    """The state in which the space has a table to map a page by."""
    return s if maps_anything(s, space) else law.take_table(s, lowest(s), space)


@clause("the table is one of the space that maps nothing more")
def table_is_due(s: law.Memory, process: int, virtual: int, table: int) -> bool:
    space = space_of(process, virtual)
    if any(s.is_mapped(space, page) for page in PAGES if page != virtual):
        return table == 0
    return bool(law.holds_the_root(s, space, table))


# What callers ask for, as sequences of the law's steps


def map_effect(s: law.Memory, process: int, virtual: int, frame: int) -> law.Memory:
    return manager_mappings.map_page(with_table(s, space_of(process, virtual)), process, virtual, frame, 6, 1, 1, 0)


def unmap_effect(s: law.Memory, process: int, virtual: int, releases: int, table: int) -> law.Memory:
    frame = s.physical(space_of(process, virtual), virtual) >> SHIFT
    s = manager_mappings.unmap(s, process, virtual)
    s = law.give_table(s, table) if table else s
    return law.release(s, frame) if releases and law.release.allows(s, frame=frame) and frame < s.reach else s


def put_effect(s: law.Memory, frame: int, releases: int) -> law.Memory:
    s = manager_gets.put(s, frame)
    return law.release(s, frame) if releases and law.release.allows(s, frame=frame) else s


def exit_effect(s: law.Memory, process: int) -> law.Memory:
    shown = [s.physical(process, page) >> SHIFT for page in PAGES if s.is_mapped(process, page)]
    for page in PAGES:
        s = manager_mappings.unmap(s, process, page) if s.is_mapped(process, page) else s
    *others, last = (frame for frame in frames_of(s) if law.holds_the_root(s, process, frame))
    for table in others:
        s = law.give_table(s, table)
    s = law.end(s, process, last)
    for frame in shown:
        s = law.release(s, frame) if law.release.allows(s, frame=frame) else s
    return s


@clause("the block is of the next power of two of pages, and in the kernel's range")
def block_fits(s: law.Memory, first: int, pages: int) -> bool:
    return first % rounded(pages) == 0 and bool(first + rounded(pages) <= s.kernel_range)


@clause("nothing is mapped at the pages")
def pages_are_unmapped(s: law.Memory, first: int, pages: int) -> bool:
    return all(map(bool, (page_is_unmapped(s, 0, law.address_of(s, page)) for page in range(first, first + pages))))


@clause("there is a frame for each page, and for the table")
def frames_suffice(s: law.Memory, pages: int) -> bool:
    return bool(pages + (not maps_anything(s, 0)) <= s.count)


def rounded(pages: int) -> int:
    return 1 << (pages - 1).bit_length()


def allocate_effect(s: law.Memory, first: int, pages: int) -> law.Memory:
    s = manager_pages.begin_pages(s, first, rounded(pages))
    for _ in range(pages):
        due = not maps_anything(s, 0)
        s = manager_pages.extend_pages(s, first, lowest(s))
        s = law.take_table(s, lowest(s), 0) if due else s
    return s


@clause("so many kernel pages begin there")
def pages_begin_there(s: law.Memory, first: int, pages: int) -> bool:
    return bool(s.block_at(first) != 0 and s.pages_at(first) == pages)


def free_effect(s: law.Memory, first: int, pages: int) -> law.Memory:
    for _ in range(pages):
        s = manager_pages.shrink_pages(s, first)
    for table in frames_of(s):
        if law.holds_the_root(s, 0, table) and not maps_anything(s, 0):
            s = law.give_table(s, table)
    return manager_pages.end_pages(s, first)


MAP = replace(
    manager_mappings.map_page,
    guard=(*manager_mappings.map_page.guard, table_suffices),
    effect=map_effect,
    points=("process", "virtual", "frame"),
)
UNMAP = replace(
    manager_mappings.unmap,
    guard=(*manager_mappings.unmap.guard, table_is_due),
    chooses=("table",),
    effect=unmap_effect,
    points=("process", "virtual", "releases", "table"),
)
PUT = replace(manager_gets.put, effect=put_effect, points=("frame", "releases"))
EXIT = replace(law.end, guard=law.end.guard[:2], chooses=(), effect=exit_effect, points=("process",))
BLOCK = (manager_ranges.takes_some_pages, block_fits)
ALLOCATE_PAGES = Operation(
    "manager.allocate-pages",
    "A block of the kernel's range, and a frame of its own mapped at each page.",
    (*BLOCK, manager_pages.kernel_block_is_free, pages_are_unmapped, frames_suffice),
    ("first",),
    allocate_effect,
    ("first", "pages"),
)
FREE_PAGES = Operation(
    "manager.free-pages", "An allocation is undone whole.", (pages_begin_there,), (), free_effect, ("first", "pages")
)
COMPOSED = (law.allocate, law.free, manager_gets.get, PUT, law.create, MAP, UNMAP, EXIT, ALLOCATE_PAGES, FREE_PAGES)


def part(manager: Manager, processes: Sequence[int] = PROCESSES) -> Part:
    frames = range(manager.bitmap.frames)

    def words(s: law.Memory) -> str:
        uses = {"free": s.is_free} | {
            word: partial(lambda of, frame: s.use(frame) == of, use)
            for word, use in (("tables", law.TABLE), ("kernel pages", law.PAGES), ("given", law.GIVEN))
        }
        said = [f"{numbers([f for f in frames if holds(f)])} {word}" for word, holds in uses.items()]
        mapped = [
            f"{page:#x} of process {space} to frame {s.physical(space, page) >> SHIFT}"
            for space, page in product(processes, PAGES)
            if s.is_mapped(space, page)
        ]
        return f"frames {', '.join(said)}; mapped: {', '.join(mapped) or 'nothing'}"

    def shows(s: law.Memory) -> list[str]:
        free = [frame for frame in frames if s.is_free(frame)]
        given = {frame for frame in frames if s.use(frame) == law.GIVEN} or "set()"
        lengths = {first: s.pages_at(first) for first in KERNEL_PAGES if s.block_at(first)}
        return [
            f"assert [frame for frame in {frames} if manager.bitmap.is_free(frame)] == {free}",
            f"assert (manager.given, manager.lengths) == ({given}, {lengths})",
            f"assert manager.gets == { {frame: s.gets(frame) for frame in frames if s.gets(frame)} }",
        ]

    clauses = (*law.INVARIANTS, *law.GUARANTEED, *manager_law.THEOREMS)
    return Part(memory_of(manager), domain(len(frames), processes), clauses, words, shows)


def called(said: str, run: Callable[[object], object], operation: Operation, *more: Any, **given: int) -> Call:
    return Call(said, run, operation, given, "", *more)


LOWEST = ("the lowest free frame", lambda s, choice: choice["frame"])
ALLOCATES = called("@.allocate_frame()", methodcaller("allocate_frame"), law.allocate, "frame", *LOWEST)


def gets(frame: int) -> Call:
    return called(f"@.get_frame({frame})", methodcaller("get_frame", frame), manager_gets.get, frame=frame)


def puts(frame: int, releases: bool) -> Call:
    said, run = f"@.put_frame({frame}, {releases})", methodcaller("put_frame", frame, releases)
    return called(said, run, PUT, frame=frame, releases=int(releases))


def creates(process: int) -> Call:
    return called(f"@.create({process})", methodcaller("create", process), law.create, "", *LOWEST, process=process)


def exits(process: int) -> Call:
    return called(f"@.exit({process})", methodcaller("exit", process), EXIT, process=process)


def maps(process: int, page: int, frame: int) -> Call:
    said = f"@.map({process}, {page:#x}, Leaf({frame} << 30, 6))"
    run = partial(_map, process=process, virtual=page, frame=frame)
    return called(said, run, MAP, process=process, virtual=page, frame=frame)


def unmaps(process: int, page: int, releases: bool) -> Call:
    said = f"@.unmap({process}, {page:#x}, {releases})"
    run = partial(_unmap, process=process, virtual=page, release=releases)
    return called(said, run, UNMAP, process=process, virtual=page, releases=int(releases))


@cache
def calls() -> Sequence[Call]:
    frees = [
        called(f"@.free_frame({frame})", methodcaller("free_frame", frame), law.free, frame=frame)
        for frame in range(FRAMES)
    ]
    found = [ALLOCATES, *frees, creates(1), *map(exits, PROCESSES)]
    for process, page in ((0, UPPER), (1, UPPER), (1, LOWER)):
        found += [maps(process, page, frame) for frame in MAPPED]
        found += [unmaps(process, page, releases) for releases in (False, True)]
    for pages in KERNEL_PAGES:
        size = pages + 1
        said, run = f"@.page_at(@.allocate_pages({size}) or 0)", partial(_allocated, pages=size)
        found.append(called(said, run, ALLOCATE_PAGES, "first", "the lowest", _first, pages=size))
        for first in KERNEL_PAGES:
            said = f"@.free_pages(@.address_of({first}), {size})"
            found.append(called(said, partial(_free, first=first, pages=size), FREE_PAGES, first=first, pages=size))
    return found


def calls_of_two(manager: Manager) -> Sequence[Call]:
    """Two processes come and go, and share the first frame that is given to a caller, or what it becomes then."""
    both = [call for process in (1, 2) for call in (creates(process), exits(process))]
    shared = [call for process in (1, 2) for call in (maps(process, LOWER, 1), unmaps(process, LOWER, True))]
    return [*([] if manager.given else [ALLOCATES]), *both, *shared]


def calls_of_uses(manager: Manager) -> Sequence[Call]:
    """The uses of each frame that is mapped, too: up to two gets of each."""
    frees = called("@.free_frame(1)", methodcaller("free_frame", 1), law.free, frame=1)
    more = [gets(frame) for frame in MAPPED if manager.gets.get(frame, 0) < 2]
    fewer = [puts(frame, releases) for frame in MAPPED for releases in (False, True)]
    pages = [maps(1, LOWER, 1), unmaps(1, LOWER, False), unmaps(1, LOWER, True)]
    return [*([] if manager.given else [ALLOCATES]), frees, creates(1), exits(1), *more, *fewer, *pages]


def _map(manager: Manager, process: int, virtual: int, frame: int) -> bool:
    return manager.map(process, virtual, Leaf(frame << SHIFT, 6))


def _unmap(manager: Manager, process: int, virtual: int, release: bool) -> bool:
    return manager.unmap(process, virtual, release)


def _free(manager: Manager, first: int, pages: int) -> bool:
    return manager.free_pages(manager.address_of(first), pages)


def _allocated(manager: Manager, pages: int) -> int | None:
    address = manager.allocate_pages(pages)
    return None if address is None else manager.page_at(address)


def _first(state: law.Memory, choice: Values) -> int:
    return choice["first"]


def manager_system() -> System:
    scope = "bounded: 3 frames and one never free, pages of 1 GiB, a kernel range of 2 pages, the kernel and a process"
    imports = (
        "from memoracle.impl.manager import Machine, Manager\n"
        "from memoracle.impl.paging import Leaf\n"
        "from memoracle.impl.pte import Layout"
    )
    layout = "Layout(40, 0x7040600070406)"
    said = f"Manager(Machine({FRAMES}, {NEVER_FREE}, 3, {layout}, {START:#x}, {DEPTH}, 0))"
    return System("manager", scope, imports, "manager", {said: machine}, lambda m: {"": part(m)}, lambda m: calls())


def uses_system() -> System:
    return replace(
        manager_system(),
        scope="bounded: 3 frames and one never free, pages of 1 GiB, a process with a page, up to two gets of a frame",
        calls=calls_of_uses,
    )


def two_processes_system() -> System:
    small = manager_system()
    said = next(iter(small.starts)).replace(f"({FRAMES},", f"({FRAMES_OF_TWO},")
    return replace(
        small,
        scope="bounded: 5 frames and one never free, pages of 1 GiB, two processes with the same page, a frame shared",
        starts={said: partial(machine, FRAMES_OF_TWO)},
        parts=lambda manager: {"": part(manager, (0, 1, 2))},
        calls=calls_of_two,
    )
