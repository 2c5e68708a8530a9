"""What a geometry says: how many frames and pages there are, where, and what a kernel's policies are.

Whether a machine can be so is said in `spec/geometry_limits.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

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
    """A geometry that cannot be; the text begins with the field's name, before it file and line as far as known.

    field: a key, or what is in it, as `zones[1].name`.  about: the other keys whose values make it a fault.
    """

    def __init__(self, field: str, message: str, about: Sequence[str] = (), where: str = "") -> None:
        super().__init__(f"{where}{field}: {message}")
        self.field = field
        self.message = message
        self.about = tuple(about)

    @property
    def keys(self) -> tuple[str, ...]:
        """The geometry's keys that it is about, the one at fault first."""
        return (self.field.partition(".")[0].partition("[")[0], *self.about)


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
class Keys:
    """What a geometry says; bytes and virtual addresses where not said otherwise."""

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
        """By a zone's name, its first frame, and the one after its last, as far as the bitmap reaches."""
        shift, most = self.page_shift, self.frames
        return {
            zone.name: (min(zone.start >> shift, most), min(zone.start + zone.bytes >> shift, most))
            for zone in self.zones
        }

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
