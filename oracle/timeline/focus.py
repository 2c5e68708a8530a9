"""Which part of a machine's state concerns some steps of a trace: what their calls and answers name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from memoracle.impl.bitmap import BITS
from memoracle.spec.geometry import Geometry
from memoracle.trace.kmem_lines import ALLOC, FREE, SLAB_KINDS
from memoracle.trace.numbers import BadNumber, number

Event: TypeAlias = Mapping[str, Any]
Named = TypeVar("Named")
MOST_FRAMES = 512  # of one run that is named
MOST_ORDER = 52  # of a block of frames
MOST = 32  # other things of a kind that are named
MOST_WORDS = 4  # of the bitmap that are drawn
MOST_SPACES = 3  # ranges, and PML4s


@dataclass
class Focus:
    """What is drawn; of each kind what is nearest comes first.

    frames: their numbers.  pages: by process, addresses in its range.  mapped: the process and the address of pages.
    entries: the process and the index of entries of PML4s.  processes: that come or go.  blocks: addresses of the heap.
    passed_over: how many other things are named besides.
    """

    geometry: Geometry
    frames: dict[int, None] = field(default_factory=dict)
    pages: dict[int, dict[int, None]] = field(default_factory=dict)
    mapped: dict[tuple[int, int], None] = field(default_factory=dict)
    entries: dict[tuple[int, int], None] = field(default_factory=dict)
    processes: dict[int, None] = field(default_factory=dict)
    blocks: dict[int, None] = field(default_factory=dict)
    passed_over: int = 0

    @property
    def words(self) -> list[int]:
        """The words of the bitmap in which these frames lie."""
        return list(dict.fromkeys(frame // BITS for frame in self.frames))

    @property
    def left_out(self) -> int:
        """How many things are named and not drawn: words of the bitmap, ranges, and others."""
        return self.passed_over + max(len(self.words) - MOST_WORDS, 0) + max(len(self.pages) - MOST_SPACES, 0)

    def add(self, event: Event) -> None:
        """Takes up what an event names."""
        family, _, verb = str(event.get("op")).partition(".")
        if (reader := READERS.get(family)) is not None:
            reader(self, event, verb)
        for table in listed(event.get("tables")):
            self.add_frames(table)

    def add_state(self, state: Mapping[str, Any]) -> None:
        """Takes up what the state around a finding is about."""
        process = value(state, "process") or 0
        for frame in (*found(state, "frame"), *found(state.get("run", {}), "first")):
            self.add_frames(frame << self.geometry.page_shift)
        for row in state.get("rows", ()):  # of a log
            for page in found(row, "pfn"):
                self.add_frames(page << self.geometry.page_shift)
        for piece in (*state.get("blocks", ()), *state.get("stretches", ())):
            for address in found(piece, "address"):
                self.add_pages(process, address)
        for index in found(state, "index"):
            self.note(self.entries, (process, index))
        for key in ("block", "next"):
            for address in found(state.get(key, {}), "address"):
                self.note(self.blocks, address)

    def __bool__(self) -> bool:
        """Whether it names anything."""
        return any((self.frames, self.pages, self.mapped, self.entries, self.processes, self.blocks))

    def note(self, among: dict[Named, None], named: Named) -> None:
        if named in among:
            return
        if len(among) >= MOST:
            self.passed_over += 1
        else:
            among[named] = None

    def add_frames(self, address: int, count: int = 1) -> None:
        """A run; of one that is very long its beginning and its end."""
        first = address >> self.geometry.page_shift
        for frame in (*range(first, first + min(count, MOST_FRAMES)), first + count - 1):
            if 0 <= frame < self.geometry.frames:
                self.frames[frame] = None

    def add_pages(self, process: int, address: int) -> None:
        self.note(self.pages.setdefault(process, {}), address)

    def of_frames(self, event: Event, verb: str) -> None:
        count, order = value(event, "count") or 1, value(event, "order")
        if order is not None and 0 <= order <= MOST_ORDER:
            count = 1 << order
        for address in found(event, "address", "result" if verb == "allocate" else ""):
            self.add_frames(address, count)

    def of_log_pages(self, event: Event, verb: str) -> None:
        for page in found(event, "pfn"):
            self.add_frames(page << self.geometry.page_shift, 1 << (value(event, "order") or 0))

    def of_log_objects(self, event: Event, verb: str) -> None:
        """A pointer is printed without `0x`; what is no number names nothing."""
        with suppress(ValueError):
            self.note(self.blocks, int(str(event.get("ptr")), 16))

    def of_memory(self, event: Event, verb: str) -> None:
        for start in found(event, "start"):
            self.add_frames(start, max((value(event, "length") or 0) >> self.geometry.page_shift, 1))

    def of_ranges(self, event: Event, verb: str) -> None:
        for address in found(event, "address", "result" if verb == "allocate" else ""):
            self.add_pages(process_of(event), address)

    def of_pages(self, event: Event, verb: str) -> None:
        for address in found(event, "virtual"):
            self.note(self.mapped, (process_of(event), address))
        for address in found(event, "physical", "result" if verb == "translate" else ""):
            self.add_frames(address)

    def of_kernel_pages(self, event: Event, verb: str) -> None:
        for address in found(event, "address", "result"):
            self.add_pages(0, address)
            for page in range(min(value(event, "pages") or 1, 4)):
                self.note(self.mapped, (0, address + (page << self.geometry.page_shift)))
        for frame in listed(event.get("frames")):
            self.add_frames(frame)

    def of_tables(self, event: Event, verb: str) -> None:
        for index in found(event, "index"):
            self.note(self.entries, (process_of(event), index))
        self.note(self.processes, process_of(event))

    def of_processes(self, event: Event, verb: str) -> None:
        for process in found(event, "process" if verb == "exit" else "result"):
            self.note(self.processes, process)

    def of_heap(self, event: Event, verb: str) -> None:
        for address in found(event, "address", "result"):
            self.note(self.blocks, address)


READERS: dict[str, Callable[[Focus, Event, str], None]] = {
    "frame": Focus.of_frames,
    "memory": Focus.of_memory,
    "range": Focus.of_ranges,
    "page": Focus.of_pages,
    "kernel_pages": Focus.of_kernel_pages,
    "pml4": Focus.of_tables,
    "process": Focus.of_processes,
    "heap": Focus.of_heap,
    **{f"mm_page_{kind}": Focus.of_log_pages for kind in (ALLOC, FREE)},
    **{name.decode(): Focus.of_log_objects for name in SLAB_KINDS},
}


def value(event: Event, key: str) -> int | None:
    """A number that an event has, or None if it has none there."""
    said = event.get(key)
    if isinstance(said, int | str) and not isinstance(said, bool):
        with suppress(BadNumber):
            return number(said)
    return None


def found(event: Event, *keys: str) -> Iterator[int]:
    for key in keys:
        if (said := value(event, key)) is not None:
            yield said


def listed(values: object) -> Iterator[int]:
    """The numbers of a list, if that is one."""
    for each in values if isinstance(values, list) else ():
        yield from found({"each": each}, "each")


def process_of(event: Event) -> int:
    return value(event, "process") or 0
