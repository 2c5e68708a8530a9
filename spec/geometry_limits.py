"""What no x64 machine, and no allocator, can have: a geometry that says so is refused, by the name of the field."""

from __future__ import annotations

from itertools import pairwise
from reprlib import repr as shortened

from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.geometry_keys import (
    ADDRESS_SPACE,
    BUDDY,
    CHECKED,
    FRAME_ALLOCATORS,
    FREE_PARTS,
    FREE_WHILE_MAPPED,
    LARGEST_ORDER,
    LOWER_HALF_END,
    MISUSE,
    MOST_RESERVED,
    NATURAL,
    PAGE_SHIFTS,
    PARTIAL,
    PHYSICAL_ADDRESS_BITS,
    RANGE_ALLOCATORS,
    RANGE_FREE,
    RUNS,
    SINGLE,
    TRUSTING,
    UPPER_HALF_START,
    WHOLE,
    Area,
    GeometryError,
    Keys,
    Piece,
    Range,
)
from memoracle.spec.pat import INDEXES, Pat, entries_are_types, register_has_64_bits, type_at

REACH = ("page_size", "physical_address_bits")  # by which so many frames exist


def refuse_impossible(geometry: Keys) -> None:
    """Raises GeometryError."""
    refuse_impossible_paging(geometry)
    refuse_impossible_frames(geometry)
    refuse_impossible_ranges(geometry)
    refuse_impossible_direct_map(geometry)
    refuse_impossible_heap(geometry)
    refuse_impossible_policies(geometry)


def refuse_impossible_paging(geometry: Keys) -> None:
    level, size = geometry.leaf_level, geometry.page_size
    require(level in PAGE_SHIFTS, "leaf_level", f"{level} is none of 1, 2 and 3")
    due = 1 << PAGE_SHIFTS[level]
    require(size == due, "page_size", f"a leaf of level {level} maps {due} bytes, not {size}", "leaf_level")
    bits = geometry.physical_address_bits
    require(bits in PHYSICAL_ADDRESS_BITS, "physical_address_bits", f"{bits} is not between 32 and 52")
    pat = Pat(geometry.pat_register)
    require(bool(register_has_64_bits(pat)), "pat_register", f"{pat.register:#x} is not a 64-bit value")
    for index in INDEXES:
        fault = f"entry {index} holds {type_at(pat.register, index):#x}, which is not a memory type"
        require(bool(entries_are_types(pat, index)), "pat_register", fault)


def refuse_impossible_frames(geometry: Keys) -> None:
    frames, image, bits = geometry.frames, geometry.kernel_image_frames, geometry.physical_address_bits
    most = (1 << bits) // geometry.page_size
    require(frames >= 1, "frames", f"{frames} is not positive")
    require(frames <= most, "frames", f"{bits} physical address bits reach {most} frames, not {frames}", *REACH)
    fault = f"{image} is not between 1 and the bitmap's {frames}"
    require(geometry.never_free is not None or 1 <= image <= frames, "kernel_image_frames", fault, "frames")
    for place, area in enumerate(geometry.never_free or ()):
        refuse_impossible_area(f"never_free[{place}]", area, geometry.page_size)
        refuse_unreached_area(f"never_free[{place}]", area, geometry)
    known = ", ".join(map(repr, FRAME_ALLOCATORS))
    allocator = shortened(geometry.frame_allocator)
    require(geometry.frame_allocator in FRAME_ALLOCATORS, "frame_allocator", f"{allocator} is not one of {known}")
    fault = f"{shortened(geometry.frame_free)} is neither {CHECKED!r} nor {TRUSTING!r}"
    require(geometry.frame_free in (CHECKED, TRUSTING), "frame_free", fault)
    refuse_impossible_runs(geometry)


def refuse_impossible_runs(geometry: Keys) -> None:
    """What is said of runs of frames fits the allocator."""
    allocator, order, parts = geometry.frame_allocator, geometry.frame_max_order, geometry.frame_free_parts
    refuse_impossible_order("frame_max_order", order, "frame_allocator", allocator)
    fits = parts is None or allocator != SINGLE
    fault = f"frame_allocator {SINGLE!r} hands out frames one by one"
    require(fits, "frame_free_parts", fault, "frame_allocator")
    known = ", ".join(map(repr, FREE_PARTS))
    require(parts is None or parts in FREE_PARTS, "frame_free_parts", f"{shortened(parts)} is not one of {known}")
    refuse_impossible_zones(geometry)


def refuse_impossible_order(field: str, order: int | None, of: str, allocator: str) -> None:
    """A largest order is one of blocks. of: the key that says what is handed out."""
    fault = f"it is of {of} {BUDDY!r} alone, not of {allocator!r}"
    require(order is None or allocator == BUDDY, field, fault, of)
    require(order is None or 0 <= order <= LARGEST_ORDER, field, f"{order} is not between 0 and {LARGEST_ORDER}")


def refuse_impossible_zones(geometry: Keys) -> None:
    """Zones have names of their own and no frame in common."""
    names = set[str]()
    for place, zone in enumerate(geometry.zones):
        refuse_impossible_area(f"zones[{place}]", Area(zone.start, zone.bytes), geometry.page_size)
        require(zone.name != "", f"zones[{place}].name", "it is empty")
        require(zone.name not in names, f"zones[{place}].name", f"{shortened(zone.name)} is the name of another, too")
        names.add(zone.name)
    ordered = sorted(geometry.zones, key=lambda zone: zone.start)
    for one, other in pairwise(ordered):
        apart = one.start + one.bytes <= other.start
        require(apart, "zones", f"{shortened(one.name)} and {shortened(other.name)} have frames in common")


def refuse_impossible_area(field: str, area: Area, page_size: int) -> None:
    """An area of frames is whole pages of 64-bit addresses."""
    for name, value in (("start", area.start), ("bytes", area.bytes)):
        fault = f"{value:#x} is not a multiple of the page size, {page_size:#x}"
        require(value % page_size == 0, f"{field}.{name}", fault, "page_size")
    require(area.bytes > 0, f"{field}.bytes", f"{area.bytes} is not positive")
    last = area.start + area.bytes - 1
    fits = 0 <= area.start and last < ADDRESS_SPACE
    require(fits, field, f"{area.start:#x} to {last:#x} is not within 64-bit addresses")


def refuse_unreached_area(field: str, area: Area, geometry: Keys) -> None:
    """The bitmap reaches all of an area: its frames exist."""
    last, reach = area.start + area.bytes - 1, geometry.frames * geometry.page_size
    fault = f"{area.start:#x} to {last:#x} is not within the bitmap's {reach:#x} bytes"
    require(last < reach, field, fault, "page_size", "frames")


def refuse_impossible_ranges(geometry: Keys) -> None:
    size, kernel, process = geometry.page_size, geometry.kernel_range, geometry.process_range
    known = ", ".join(map(repr, RANGE_ALLOCATORS))
    allocator, taken_back = shortened(geometry.range_allocator), shortened(geometry.range_free)
    require(geometry.range_allocator in RANGE_ALLOCATORS, "range_allocator", f"{allocator} is not one of {known}")
    require(geometry.range_free in RANGE_FREE, "range_free", f"{taken_back} is neither {WHOLE!r} nor {PARTIAL!r}")
    runs = geometry.range_allocator == RUNS
    refuse_impossible_order("range_max_order", geometry.range_max_order, "range_allocator", geometry.range_allocator)
    fits = runs or geometry.range_free == WHOLE
    require(fits, "range_free", "blocks of a buddy system are freed whole", "range_allocator")
    refuse_misplaced("kernel_range", kernel, size)
    refuse_misplaced("process_range", process, size)
    kernel_end, process_end = kernel.start + kernel.pages * size, process.start + process.pages * size
    require(
        kernel.start >= UPPER_HALF_START and kernel_end <= ADDRESS_SPACE,
        "kernel_range",
        f"{kernel.start:#x} to {kernel_end - 1:#x} is not within the canonical upper half",
        "page_size",
    )
    require(
        process.start >= 0 and process_end <= LOWER_HALF_END,
        "process_range",
        f"{process.start:#x} to {process_end - 1:#x} is not within the canonical lower half",
        "page_size",
    )
    for of, pieces, area in (
        ("kernel", geometry.kernel_reserved, kernel),
        ("process", geometry.process_reserved, process),
    ):
        refuse_impossible_pieces(f"{of}_reserved", pieces, f"{of}_range", area, area.start // size, runs)
    refuse_too_many_blocks(geometry)


def refuse_impossible_pieces(
    field: str, pieces: tuple[Piece, ...], of: str, area: Range, first_page: int, any_pages: bool
) -> None:
    """What is taken of a range at start lies in it, and is a block, aligned as addresses are, unless any pages will do.

    of: the range's key.  first_page: of the range, counted from address 0.
    """
    taken = 0
    for piece in sorted(pieces, key=lambda piece: piece.page):
        first, last = piece.page, piece.page + piece.pages - 1
        is_block, fault = is_power_of_two(piece.pages), f"{piece.pages} pages are not a power of two"
        require(any_pages or is_block, field, fault, "range_allocator")
        require(piece.pages > 0, field, f"a piece has {piece.pages} pages")
        require(first >= 0 and last < area.pages, field, f"pages {first} to {last} are not in the range", of)
        multiple = any_pages or (first_page + first) % piece.pages == 0
        require(multiple, field, f"page {first} is not a multiple of its {piece.pages} pages", of)
        require(first >= taken, field, f"page {first} is reserved twice")
        taken = last + 1


def refuse_too_many_blocks(geometry: Keys) -> None:
    """What is taken at start is taken block by block."""
    for field, pieces in (
        ("kernel_reserved", geometry.kernel_reserved),
        ("process_reserved", geometry.process_reserved),
    ):
        blocks = sum(piece.pages for piece in pieces) >> (geometry.range_max_order or 0)
        too_many = geometry.range_max_order is not None and blocks > MOST_RESERVED
        fault = f"it takes {blocks} of the largest blocks, more than {MOST_RESERVED}"
        require(not too_many, field, fault, "range_max_order")


def refuse_misplaced(field: str, area: Range, page_size: int) -> None:
    require(area.pages > 0, field, f"it has {area.pages} pages")
    fault = f"{area.start:#x} is not a multiple of the page size, {page_size:#x}"
    require(area.start % page_size == 0, field, fault, "page_size")


def refuse_impossible_direct_map(geometry: Keys) -> None:
    direct, size, bits = geometry.direct_map, geometry.page_size, geometry.physical_address_bits
    if direct is None:
        return
    for name, value in vars(direct).items():
        fault = f"{value:#x} is not a multiple of the page size, {size:#x}"
        require(value % size == 0, f"direct_map.{name}", fault, "page_size")
    require(direct.bytes > 0, "direct_map.bytes", f"{direct.bytes} is not positive")
    first, end = geometry.direct_pages
    fault = f"{first:#x} to {end - 1:#x} is not within the canonical upper half: what lies below is each process's own"
    require(UPPER_HALF_START <= first and end <= ADDRESS_SPACE, "direct_map", fault)
    last = direct.physical + direct.bytes - 1
    fits = 0 <= direct.physical and last >> bits == 0
    fault = f"{bits} physical address bits do not reach {last:#x}"
    require(fits, "direct_map", fault, "physical_address_bits")


def refuse_impossible_heap(geometry: Keys) -> None:
    smaller = 0
    for size in geometry.heap_classes:
        require(size > smaller, "heap_classes", f"{size} does not come after {smaller}; the classes ascend from 1")
        smaller = size
    alignment = geometry.heap_alignment
    if isinstance(alignment, int):
        require(is_power_of_two(alignment), "heap_alignment", f"{alignment} is not a power of two")
    else:
        fault = f"{shortened(alignment)} is neither {NATURAL!r} nor a number of bytes"
        require(alignment == NATURAL, "heap_alignment", fault)
    arena = geometry.heap_arena
    if arena is not None:
        require(arena.bytes > 0, "heap_arena", f"it has {arena.bytes} bytes")
        last = arena.start + arena.bytes - 1
        require(last < ADDRESS_SPACE, "heap_arena", f"{arena.start:#x} to {last:#x} is not within 64-bit addresses")


def refuse_impossible_policies(geometry: Keys) -> None:
    said = shortened(geometry.free_while_mapped)
    fault = f"{said} is none of {', '.join(FREE_WHILE_MAPPED)}"
    require(geometry.free_while_mapped in FREE_WHILE_MAPPED, "free_while_mapped", fault)
    for operation, policy in geometry.misuse:
        require(policy in MISUSE, f"misuse.{operation}", f"{shortened(policy)} is none of {', '.join(MISUSE)}")


def require(holds: bool, field: str, message: str, *about: str) -> None:
    """about: the other keys whose values make it a fault."""
    if not holds:
        raise GeometryError(field, message, about)


def is_power_of_two(number: int) -> bool:
    return bool(alignment_is_a_power_of_two(None, number))
