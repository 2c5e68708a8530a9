"""What a heap with an arena must be able to serve.

Of each block some bytes may be lost (`overhead`): headers, what rounding up adds, what is too small to be a block. So a
gap between live blocks, or between one and an end of the arena, is not all free. What a heap that merges its free
neighbours surely serves is a request that a gap holds with twice its overhead and its alignment: once for the block
itself, and once for what its neighbours have lost within the gap and what is cut off before it. Without a live block
all of the arena is one gap, in which no neighbour has lost anything.

A live block that was resized where it lies, and became smaller, may keep the room that it had: a heap need not divide
it. Then no gap begins before the end of that room, until the block is deleted or moves.

The law says no more. Which blocks a heap can serve that rounds sizes up to powers of two, as a buddy system does,
depends on more than where its live blocks lie. Such a heap need not merge (`merges`): of it is said what it must serve
without live blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Number, Truth, at_least, clause, implies, neg
from memoracle.spec.heap import ADDRESSES, Heap, has_byte, is_aligned, lies_in_the_arena, lies_within_addresses

PART_OF = "heap"


@dataclass(frozen=True)
class Room:
    """State: a heap with an arena, which begins behind address 0, and what is known of how it divides that."""

    heap: Heap
    overhead: Number  # bytes that may be lost of each block
    minimum: Number  # the least that a block takes, in bytes
    merges: Truth  # whether free neighbours merge
    held: Callable[[Number], Number]  # of a live block, by its address: the bytes that it had, and may still keep


def taken(s: Room, size: Number) -> Number:
    """The bytes that a block of this size takes at the least, beside its overhead."""
    return at_least(size, s.minimum)


def room_of(s: Room, block: Number) -> Number:
    """The bytes that a live block may take, beside its overhead."""
    return taken(s, at_least(s.heap.size(block), s.held(block)))


def needed(s: Room, size: Number, alignment: Number) -> Number:
    """The bytes of a gap that surely hold a block of this size."""
    return taken(s, size) + (s.overhead + alignment << 1)


def aligned_up(number: Number, alignment: Number) -> Number:
    """The lowest multiple of an alignment, a power of two, that is at least this number."""
    past = number + alignment - 1
    return past ^ past & alignment - 1


# What must be served: a request of at least a byte, of which either of these pairs holds.


@clause("a gap lies in the arena, and no live block may take a byte of it")
def gap_lies_between_blocks(s: Room, first: Number, last: Number, block: Number) -> Truth:
    inside = (s.heap.start <= first) & (first <= last) & (last <= s.heap.end)
    behind = block + room_of(s, block) <= first
    return inside & implies(s.heap.is_live(block), behind | (last <= block))


@clause("a block is found as long as a gap between live blocks holds it with twice its overhead and alignment")
def gap_holds_it(s: Room, size: Number, alignment: Number, first: Number, last: Number) -> Truth:
    return s.merges & (1 <= size) & (first + needed(s, size, alignment) <= last)


@clause("no block is live")
def nothing_is_live(s: Room, block: Number) -> Truth:
    return neg(s.heap.is_live(block))


@clause("without live blocks one is found as long as the arena holds it, whether its overhead lies before or behind it")
def arena_holds_it(s: Room, size: Number, alignment: Number) -> Truth:
    start, end, least = s.heap.start, s.heap.end, taken(s, size)
    ahead = aligned_up(start + s.overhead, alignment) + least <= end
    behind = aligned_up(start, alignment) + least + s.overhead <= end
    return (1 <= size) & ahead & behind


# Theorems


@clause("the first aligned place from an address on is near, and so is the next, which lies behind it")
def aligned_places_are_near(s: Room, alignment: Number, first: Number) -> Truth:
    place = aligned_up(first, alignment) + alignment
    near = (first + alignment <= place) & (first < place) & (place < first + alignment + alignment)
    return implies(alignment_is_a_power_of_two(s, alignment), near & is_aligned(s.heap, alignment, place))


@clause("in a gap that holds a block such a place will do: it is in the arena, and apart from every live block")
def gap_has_a_place(
    s: Room, size: Number, alignment: Number, first: Number, last: Number, address: Number, block: Number, byte: Number
) -> Truth:
    is_gap = gap_lies_between_blocks(s, first, last, block) & (last <= ADDRESSES)
    is_place = (first < address) & (address < first + alignment + alignment)
    placed = lies_within_addresses(s.heap, size, address) & lies_in_the_arena(s.heap, size, address)
    shares = (address <= byte) & (byte < address + size) & has_byte(s.heap, block, byte)
    apart = neg(shares) & implies(s.heap.is_live(block), block != address)
    return implies(is_gap & is_place & gap_holds_it(s, size, alignment, first, last), placed & apart)


@clause("before a gap a live block has the room that it may have kept")
def gap_leaves_what_was_kept(s: Room, first: Number, last: Number, block: Number) -> Truth:
    is_before = s.heap.is_live(block) & (block < last)
    return implies(is_before & gap_lies_between_blocks(s, first, last, block), block + s.held(block) <= first)


@clause("in an arena without live blocks that holds a block, its first aligned place will do")
def arena_has_a_place(s: Room, size: Number, alignment: Number, address: Number, block: Number, byte: Number) -> Truth:
    is_arena = (0 < s.heap.start) & (s.heap.end <= ADDRESSES)
    is_first = (address == aligned_up(s.heap.start, alignment)) & (s.heap.start <= address)
    placed = lies_within_addresses(s.heap, size, address) & lies_in_the_arena(s.heap, size, address)
    apart = neg((address <= byte) & (byte < address + size) & has_byte(s.heap, block, byte))
    is_empty = nothing_is_live(s, block)
    return implies(is_arena & is_first & is_empty & arena_holds_it(s, size, alignment), placed & apart)


@clause("a gap that holds a block, without what its neighbours lost, holds it with its overhead and what is cut off")
def free_neighbours_serve_it(
    s: Room, size: Number, alignment: Number, first: Number, last: Number, lost: Number, cut: Number
) -> Truth:
    """`lost` is what the neighbours lost within the gap, which is an overhead at the most.

    `cut` is what is cut off before the block: less than its alignment, or one alignment more if less would be too
    little to be free by itself.
    """
    known = (lost <= s.overhead) & (cut < alignment + alignment)
    fits = first + lost + cut + s.overhead + taken(s, size) <= last
    return implies(known & gap_holds_it(s, size, alignment, first, last), fits)


PLACES, SIZES = (
    (aligned_places_are_near, arena_has_a_place),
    (gap_has_a_place, gap_leaves_what_was_kept, free_neighbours_serve_it),
)
