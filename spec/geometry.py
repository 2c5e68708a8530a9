"""The sizes of a machine: how many frames and pages there are, and where. Nothing else hard-wires a size.

One that no x64 machine could have is refused with the name of the field that is at fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from reprlib import repr as shortened
from typing import Final

from memoracle.spec.pat import INDEXES, Pat, entries_are_types, register_has_64_bits, type_at

PAGE_SHIFTS: Final = {1: 12, 2: 21, 3: 30}  # by the level of the paging leaf: Intel SDM volume 3, 4.5
LOWER_HALF_END: Final = 1 << 47  # canonical addresses: bits 63 to 47 are equal
UPPER_HALF_START: Final = (1 << 64) - (1 << 47)
ADDRESS_SPACE: Final = 1 << 64
PHYSICAL_ADDRESS_BITS: Final = range(32, 53)  # MAXPHYADDR: Intel SDM volume 3, 4.1.4
CHECKED, TRUSTING, NATURAL = "checked", "trusting", "natural"
SINGLE, RUNS, BUDDY = "single", "runs", "buddy"
FRAME_ALLOCATORS: Final = (SINGLE, RUNS, BUDDY)
RANGE_ALLOCATORS: Final = (BUDDY, RUNS)
WHOLE, PARTIAL = "whole", "partial"
FREE_PARTS: Final = (PARTIAL, WHOLE)
RANGE_FREE: Final = (WHOLE, PARTIAL)
MOST_RESERVED: Final = 1 << 16  # largest blocks that are taken of a range at start
LARGEST_ORDER: Final = 52  # of the frames that 64-bit addresses reach
WARN, REFUSE, ALLOW = "warn", "refuse", "allow"
FREE_WHILE_MAPPED: Final = (WARN, REFUSE, ALLOW)
IGNORE, EITHER, UNDEFINED = "ignore", "either", "undefined"
MISUSE: Final = (REFUSE, IGNORE, EITHER, UNDEFINED)


class GeometryError(ValueError):
    """A geometry that cannot be; the text begins with the field's name, or with file and field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True)
class Range:
    """Virtual pages in a row: the address of the first, and how many."""

    start: int
    pages: int

    def page_at(self, address: int, page_size: int) -> int | None:
        """The number, within the range, of the page that starts at this address; None if none does."""
        page, offset = divmod(address - self.start, page_size)
        return page if offset == 0 and 0 <= page < self.pages else None

    def root(self, page_size: int) -> Range:
        """The smallest block in which it lies: a power of two of pages, aligned as addresses are."""
        first, last = self.start // page_size, self.start // page_size + self.pages - 1
        order = (first ^ last).bit_length()
        return Range((first >> order << order) * page_size, 1 << order)


@dataclass(frozen=True)
class Piece:
    """Pages in a row within a range: the number of the first, and how many."""

    page: int
    pages: int


@dataclass(frozen=True)
class Area:
    """Physical memory: the address of the first byte, and how many."""

    start: int
    bytes: int


@dataclass(frozen=True)
class DirectMap:
    """A piece of the upper half by which the kernel reaches physical memory: where each begins, and how many bytes."""

    start: int
    physical: int
    bytes: int


@dataclass(frozen=True)
class ZoneArea:
    """A piece of physical memory that requests name: its name, the address of its first byte, and how many."""

    name: str
    start: int
    bytes: int


@dataclass(frozen=True)
class Arena:
    """The memory of a heap, and what it loses of it; bytes. See `spec/heap_room.py`."""

    start: int  # the address of the first byte
    bytes: int
    overhead: int = 0  # that may be lost of each block
    minimum: int = 0  # the least that a block takes


@dataclass(frozen=True)
class Geometry:
    """The sizes of one machine; bytes and virtual addresses where not said otherwise. Raises GeometryError."""

    page_size: int
    frames: int  # that the bitmap reaches
    kernel_image_frames: int  # that the kernel's image takes, from frame 0; of no account where `never_free` is given
    physical_address_bits: int
    kernel_range: Range
    kernel_reserved: tuple[Piece, ...]  # taken of the kernel's range at start
    process_range: Range
    leaf_level: int  # 1 (page table) to 3 (page directory pointer table)
    pat_register: int
    heap_classes: tuple[int, ...]
    frame_free: str  # CHECKED or TRUSTING
    heap_alignment: str | int  # NATURAL or bytes
    direct_map: DirectMap | None = None  # its pages are no uses of the frames that they show
    free_while_mapped: str = WARN  # what a free of a frame is that pages still show: one of FREE_WHILE_MAPPED
    never_free: tuple[Area, ...] | None = None  # whose frames never are; None: the first `kernel_image_frames`
    frame_allocator: str = SINGLE  # what `frame.allocate` gives: one of FRAME_ALLOCATORS
    frame_max_order: int | None = None  # of the largest block of BUDDY; None: any block may be given
    frame_free_parts: str | None = None  # one of FREE_PARTS, or None: by the allocator
    zones: tuple[ZoneArea, ...] = ()  # that a request for frames may name
    range_allocator: str = BUDDY  # what `range.allocate` gives: one of RANGE_ALLOCATORS
    range_max_order: int | None = None  # of the largest block of BUDDY; None: as large as its range
    range_free: str = WHOLE  # what `range.free` takes back: one of RANGE_FREE
    process_reserved: tuple[Piece, ...] = ()  # taken of every process's range at start
    heap_arena: Arena | None = None  # all that the heap has; None: it gets frames as it needs them
    heap_fragments: bool = False  # whether freed neighbours in the arena need not merge
    misuse: tuple[tuple[str, str], ...] = ()  # operations, and what comes of a call that the law refuses: one of MISUSE

    def __post_init__(self) -> None:
        refuse_impossible_paging(self)
        refuse_impossible_frames(self)
        refuse_impossible_ranges(self)
        refuse_impossible_direct_map(self)
        refuse_impossible_heap(self)
        refuse_impossible_policies(self)

    @cached_property
    def page_shift(self) -> int:
        """The binary logarithm of the page size."""
        return self.page_size.bit_length() - 1

    @cached_property
    def has_runs_of_frames(self) -> bool:
        """Whether a request for frames may name more than limits: how many, or in which zones."""
        return self.frame_allocator != SINGLE or bool(self.zones)

    @cached_property
    def frames_of_zones(self) -> dict[str, tuple[int, int]]:
        """By a zone's name, its first frame, and the one after its last."""
        shift = self.page_shift
        return {zone.name: (zone.start >> shift, zone.start + zone.bytes >> shift) for zone in self.zones}

    @cached_property
    def frees_whole_runs(self) -> bool:
        """Whether a free gives back just the frames that one allocation gave."""
        return (self.frame_free_parts or (WHOLE if self.frame_allocator == BUDDY else PARTIAL)) == WHOLE

    @cached_property
    def never_free_frames(self) -> tuple[tuple[int, int], ...]:
        """The frames that are never free: of each pair, those from the first up to the second. Pairs may overlap."""
        if self.never_free is None:
            return ((0, self.kernel_image_frames),)
        shift = self.page_shift
        return tuple((area.start >> shift, area.start + area.bytes >> shift) for area in self.never_free)

    @cached_property
    def direct_pages(self) -> tuple[int, int]:
        """The addresses of the direct map: the first, and the one after the last; no matter which if there is none."""
        direct = self.direct_map
        return (0, 0) if direct is None else (direct.start, direct.start + direct.bytes)

    def direct_address(self, virtual: int) -> int | None:
        """The physical address of a byte of the direct map; None if this is none of it."""
        first, end = self.direct_pages
        if self.direct_map is None or not first <= virtual < end:
            return None
        return self.direct_map.physical + virtual - first

    def frame_reached(self, address: int) -> int | None:
        """The frame that holds this physical byte; None if the bitmap does not reach so far."""
        frame = address >> self.page_shift
        return frame if 0 <= frame < self.frames else None

    def frame_at(self, address: int) -> int | None:
        """The frame that starts at this physical address; None if none does within the bitmap's reach."""
        frame = address >> self.page_shift
        return frame if frame << self.page_shift == address and 0 <= frame < self.frames else None

    def frames_within(self, lowest: int, below: int) -> tuple[int, int]:
        """The frames that lie wholly between two physical addresses: the first, and the one after the last."""
        return lowest + self.page_size - 1 >> self.page_shift, below >> self.page_shift

    def frame_alignment(self, alignment: int) -> int:
        """The alignment of a frame's number by which its address has this one, a power of two, in bytes."""
        return max(alignment >> self.page_shift, 1)

    def range_of(self, process: int) -> Range:
        """The range that a process's addresses come from; process 0 is the kernel."""
        return self.kernel_range if process == 0 else self.process_range

    def reserved_of(self, process: int) -> tuple[Piece, ...]:
        """What is taken of a process's range at start."""
        return self.kernel_reserved if process == 0 else self.process_reserved


def refuse_impossible_paging(geometry: Geometry) -> None:
    level, size = geometry.leaf_level, geometry.page_size
    require(level in PAGE_SHIFTS, "leaf_level", f"{level} is none of 1, 2 and 3")
    due = 1 << PAGE_SHIFTS[level]
    require(size == due, "page_size", f"a leaf of level {level} maps {due} bytes, not {size}")
    bits = geometry.physical_address_bits
    require(bits in PHYSICAL_ADDRESS_BITS, "physical_address_bits", f"{bits} is not between 32 and 52")
    pat = Pat(geometry.pat_register)
    require(bool(register_has_64_bits(pat)), "pat_register", f"{pat.register:#x} is no 64-bit value")
    for index in INDEXES:
        fault = f"entry {index} holds {type_at(pat.register, index):#x}, which is no memory type"
        require(bool(entries_are_types(pat, index)), "pat_register", fault)


def refuse_impossible_frames(geometry: Geometry) -> None:
    frames, image, bits = geometry.frames, geometry.kernel_image_frames, geometry.physical_address_bits
    most = (1 << bits) // geometry.page_size
    require(frames >= 1, "frames", f"{frames} is not positive")
    require(frames <= most, "frames", f"{bits} physical address bits reach {most} frames, not {frames}")
    if geometry.never_free is None:
        require(1 <= image <= frames, "kernel_image_frames", f"{image} is not between 1 and the bitmap's {frames}")
    for place, area in enumerate(geometry.never_free or ()):
        refuse_impossible_area(f"never_free[{place}]", area, geometry)
    known = ", ".join(map(repr, FRAME_ALLOCATORS))
    allocator = shortened(geometry.frame_allocator)
    require(geometry.frame_allocator in FRAME_ALLOCATORS, "frame_allocator", f"{allocator} is not one of {known}")
    require(geometry.frame_free in (CHECKED, TRUSTING), "frame_free", f"neither {CHECKED!r} nor {TRUSTING!r}")
    refuse_impossible_runs(geometry)


def refuse_impossible_runs(geometry: Geometry) -> None:
    """What is said of runs of frames fits the allocator."""
    allocator, order, parts = geometry.frame_allocator, geometry.frame_max_order, geometry.frame_free_parts
    trusts = geometry.frame_free == TRUSTING
    fits = not trusts or not geometry.has_runs_of_frames
    require(fits, "frame_free", f"{TRUSTING!r} is of frame_allocator {SINGLE!r} without zones alone")
    require(order is None or allocator == BUDDY, "frame_max_order", f"it is of frame_allocator {BUDDY!r} alone")
    require(order is None or 0 <= order <= LARGEST_ORDER, "frame_max_order", f"not between 0 and {LARGEST_ORDER}")
    fits = parts is None or allocator != SINGLE
    require(fits, "frame_free_parts", f"frame_allocator {SINGLE!r} hands out frames one by one")
    known = ", ".join(map(repr, FREE_PARTS))
    require(parts is None or parts in FREE_PARTS, "frame_free_parts", f"{shortened(parts)} is not one of {known}")
    refuse_impossible_zones(geometry)


def refuse_impossible_zones(geometry: Geometry) -> None:
    """Zones have names of their own and no frame in common."""
    names = set[str]()
    for place, zone in enumerate(geometry.zones):
        refuse_impossible_area(f"zones[{place}]", Area(zone.start, zone.bytes), geometry)
        require(zone.name != "", f"zones[{place}].name", "it is empty")
        require(zone.name not in names, f"zones[{place}].name", f"{shortened(zone.name)} is the name of another, too")
        names.add(zone.name)
    ordered = sorted(geometry.zones, key=lambda zone: zone.start)
    for one, other in pairwise(ordered):
        apart = one.start + one.bytes <= other.start
        require(apart, "zones", f"{shortened(one.name)} and {shortened(other.name)} have frames in common")


def refuse_impossible_area(field: str, area: Area, geometry: Geometry) -> None:
    """An area of frames is whole pages that the bitmap reaches."""
    size, reach = geometry.page_size, geometry.frames * geometry.page_size
    for name, value in (("start", area.start), ("bytes", area.bytes)):
        require(value % size == 0, f"{field}.{name}", f"{value:#x} is not a multiple of the page size, {size:#x}")
    require(area.bytes > 0, f"{field}.bytes", "it is not positive")
    fits = 0 <= area.start and area.start + area.bytes <= reach
    last = area.start + area.bytes - 1
    require(fits, field, f"{area.start:#x} to {last:#x} is not within the bitmap's {reach:#x} bytes")


def refuse_impossible_ranges(geometry: Geometry) -> None:
    size, kernel, process = geometry.page_size, geometry.kernel_range, geometry.process_range
    known = ", ".join(map(repr, RANGE_ALLOCATORS))
    allocator, taken_back = shortened(geometry.range_allocator), shortened(geometry.range_free)
    require(geometry.range_allocator in RANGE_ALLOCATORS, "range_allocator", f"{allocator} is not one of {known}")
    require(geometry.range_free in RANGE_FREE, "range_free", f"{taken_back} is neither {WHOLE!r} nor {PARTIAL!r}")
    runs, order = geometry.range_allocator == RUNS, geometry.range_max_order
    require(order is None or not runs, "range_max_order", f"it is of range_allocator {BUDDY!r} alone")
    require(order is None or 0 <= order <= LARGEST_ORDER, "range_max_order", f"not between 0 and {LARGEST_ORDER}")
    require(runs or geometry.range_free == WHOLE, "range_free", "blocks of a buddy system are freed whole")
    refuse_misplaced("kernel_range", kernel, size)
    refuse_misplaced("process_range", process, size)
    kernel_end, process_end = kernel.start + kernel.pages * size, process.start + process.pages * size
    require(
        kernel.start >= UPPER_HALF_START and kernel_end <= ADDRESS_SPACE,
        "kernel_range",
        f"{kernel.start:#x} to {kernel_end - 1:#x} is not within the canonical upper half",
    )
    require(
        process.start >= 0 and process_end <= LOWER_HALF_END,
        "process_range",
        f"{process.start:#x} to {process_end - 1:#x} is not within the canonical lower half",
    )
    refuse_impossible_pieces("kernel_reserved", geometry.kernel_reserved, kernel, kernel.start // size, runs)
    refuse_impossible_pieces("process_reserved", geometry.process_reserved, process, process.start // size, runs)
    refuse_too_many_blocks(geometry)


def refuse_impossible_pieces(
    field: str, pieces: tuple[Piece, ...], area: Range, first_page: int, any_pages: bool
) -> None:
    """What is taken of a range at start lies in it, and is a block, aligned as addresses are, unless any pages will do.

    first_page: of the range, counted from address 0.
    """
    taken = 0
    for piece in sorted(pieces, key=lambda piece: piece.page):
        first, last = piece.page, piece.page + piece.pages - 1
        require(any_pages or is_power_of_two(piece.pages), field, f"{piece.pages} pages are no power of two")
        require(piece.pages > 0, field, "a piece has no pages")
        require(first >= 0 and last < area.pages, field, f"pages {first} to {last} are not in the range")
        multiple = any_pages or (first_page + first) % piece.pages == 0
        require(multiple, field, f"page {first} is no multiple of its {piece.pages} pages")
        require(first >= taken, field, f"page {first} is reserved twice")
        taken = last + 1


def refuse_too_many_blocks(geometry: Geometry) -> None:
    """What is taken at start is taken block by block."""
    for field, pieces in (
        ("kernel_reserved", geometry.kernel_reserved),
        ("process_reserved", geometry.process_reserved),
    ):
        blocks = sum(piece.pages for piece in pieces) >> (geometry.range_max_order or 0)
        too_many = geometry.range_max_order is not None and blocks > MOST_RESERVED
        require(not too_many, field, f"it takes more than {MOST_RESERVED} of the largest blocks")


def refuse_misplaced(field: str, area: Range, page_size: int) -> None:
    require(area.pages > 0, field, "it has no pages")
    require(area.start % page_size == 0, field, f"{area.start:#x} is no multiple of the page size, {page_size:#x}")


def refuse_impossible_direct_map(geometry: Geometry) -> None:
    direct, size, bits = geometry.direct_map, geometry.page_size, geometry.physical_address_bits
    if direct is None:
        return
    for name, value in vars(direct).items():
        fault = f"{value:#x} is not a multiple of the page size, {size:#x}"
        require(value % size == 0, f"direct_map.{name}", fault)
    require(direct.bytes > 0, "direct_map.bytes", "it is not positive")
    first, end = geometry.direct_pages
    fault = f"{first:#x} to {end - 1:#x} is not within the canonical upper half"
    require(UPPER_HALF_START <= first and end <= ADDRESS_SPACE, "direct_map", fault)
    last = direct.physical + direct.bytes - 1
    fits = 0 <= direct.physical and last >> bits == 0
    require(fits, "direct_map", f"{bits} physical address bits do not reach {last:#x}")


def refuse_impossible_heap(geometry: Geometry) -> None:
    smaller = 0
    for size in geometry.heap_classes:
        require(size > smaller, "heap_classes", f"{size} does not come after {smaller}; the classes ascend from 1")
        smaller = size
    alignment = geometry.heap_alignment
    if isinstance(alignment, int):
        require(is_power_of_two(alignment), "heap_alignment", f"{alignment} is no power of two")
    else:
        require(alignment == NATURAL, "heap_alignment", f"neither {NATURAL!r} nor a number of bytes")
    arena = geometry.heap_arena
    if arena is not None:
        require(arena.bytes > 0, "heap_arena", "it has no bytes")
        last = arena.start + arena.bytes - 1
        require(last < ADDRESS_SPACE, "heap_arena", f"{arena.start:#x} to {last:#x} is not within 64-bit addresses")


def refuse_impossible_policies(geometry: Geometry) -> None:
    policies = ", ".join(FREE_WHILE_MAPPED)
    require(geometry.free_while_mapped in FREE_WHILE_MAPPED, "free_while_mapped", f"it is none of {policies}")
    for operation, policy in geometry.misuse:
        require(policy in MISUSE, f"misuse.{operation}", f"{shortened(policy)} is none of {', '.join(MISUSE)}")


def require(holds: bool, field: str, message: str) -> None:
    if not holds:
        raise GeometryError(field, message)


def is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


DEFAULT: Final = "x64-2m"
PRESETS: Final = {
    "x64-2m": Geometry(
        page_size=1 << 21,
        frames=2048,
        kernel_image_frames=2,
        physical_address_bits=52,
        kernel_range=Range(0xFFFFFFFF00000000, 2048),
        kernel_reserved=(Piece(0, 2), Piece(2047, 1)),
        process_range=Range(0, 1 << 26),
        leaf_level=2,
        pat_register=0x0005040600010406,
        heap_classes=(8, 64, 256, 1024, 262144),
        frame_free=CHECKED,
        heap_alignment=NATURAL,
    ),
    "x64-4k": Geometry(
        page_size=1 << 12,
        frames=1 << 26,
        kernel_image_frames=1024,
        physical_address_bits=52,
        kernel_range=Range(0xFFFFFFFF00000000, 1 << 20),
        kernel_reserved=(Piece(0, 1024), Piece((1 << 20) - 512, 512)),
        process_range=Range(0, 1 << 35),
        leaf_level=1,
        pat_register=0x0005040600010406,
        heap_classes=(8, 64, 256, 1024),
        frame_free=CHECKED,
        heap_alignment=NATURAL,
    ),
}


def preset(name: str) -> Geometry:
    """The preset of this name; raises GeometryError."""
    require(name in PRESETS, "preset", f"{shortened(name)} is none of {', '.join(PRESETS)}")
    return PRESETS[name]
