"""The kernel's heap: blocks of bytes that `new` hands out and `delete` takes back.

A block is the bytes that were asked for, at an address. Where it lies is the heap's choice, as long as it is aligned
and shares no byte with another live block. A block of no bytes is an address that no other live block has. A resize is
a delete and a new in one. What a heap with an arena must be able to serve is in `spec/heap_room.py`.

The heap gets its memory in runs of pages. Of each run a note is kept, for which the heap must have room before it gets
the pages. Unused notes are its reserve, and the last of them may be used only for a page of notes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec.bitmap import alignment_is_a_power_of_two, is_multiple
from memoracle.spec.clauses import Number, Truth, at_least, at_most, clause, implies, neg, operation, when

NATURAL = 0  # no fixed alignment: a block is aligned as its size is
LEAST = 8  # bytes, to which every block is aligned naturally
ADDRESSES = 1 << 64


@dataclass(frozen=True)
class Heap:
    """State. An implementation need not keep `block_at`: the first invariant says what it is."""

    page_shift: Number  # the binary logarithm of the page size
    alignment: Number  # bytes to which every block is aligned, or NATURAL
    is_live: Callable[[Number], Truth]  # whether a live block starts at this address
    size: Callable[[Number], Number]  # the bytes that were asked for when the block there was made
    block_at: Callable[[Number], Number]  # the address of the live block that has this byte
    aligned_to: Callable[[Number], Number]  # the alignment that was asked for when the block there was made
    start: Number = 0  # of the heap's arena; without one it has all addresses
    end: Number = ADDRESSES  # of the arena: the address behind its last byte


def has_byte(s: Heap, block: Number, byte: Number) -> Truth:
    """Whether a live block starts at the address `block`, and this byte is one of its own."""
    return s.is_live(block) & (block <= byte) & (byte < block + s.size(block))


def lowest_bit(number: Number) -> Number:
    """The largest power of two that divides a positive number."""
    return number ^ (number & number - 1)


def alignment_of(s: Heap, size: Number) -> Number:
    """The bytes to which a block of this size is aligned if no alignment is named; one of no bytes need not be.

    Naturally that is the largest power of two that divides the size, at least 8 bytes and at most a page: what Linux's
    kmalloc promises.
    """
    natural = at_most(at_least(lowest_bit(at_least(size, 1)), LEAST), 1 << s.page_shift)
    due: Number = when(s.alignment == NATURAL, natural, s.alignment)
    return when(size <= 0, 1, due)


# Initially


def nothing(page_shift: Number, alignment: Number, start: Number = 0, end: Number = ADDRESSES) -> Heap:
    """No block is live, in an arena from one address up to another."""
    return Heap(
        page_shift=page_shift,
        alignment=alignment,
        is_live=lambda address: False,
        size=lambda address: 0,
        block_at=lambda byte: 0,
        aligned_to=lambda address: 1,
        start=start,
        end=end,
    )


# Invariants


@clause("a byte belongs to one live block at most")
def bytes_belong_to_one_block(s: Heap, byte: Number, block: Number) -> Truth:
    return implies(has_byte(s, block, byte), s.block_at(byte) == block)


@clause("no block starts at address 0, and none passes the end of the 64-bit addresses")
def blocks_have_addresses(s: Heap, block: Number) -> Truth:
    return implies(s.is_live(block), (0 < block) & (block < ADDRESSES) & (block + s.size(block) <= ADDRESSES))


@clause("a block lies in the heap's arena")
def blocks_lie_in_the_arena(s: Heap, block: Number) -> Truth:
    return implies(s.is_live(block), (s.start <= block) & (block + s.size(block) <= s.end))


@clause("a block is at a multiple of the alignment that was asked for")
def blocks_are_aligned(s: Heap, block: Number) -> Truth:
    return implies(s.is_live(block), is_multiple(block, s.aligned_to(block)))


INVARIANTS = (bytes_belong_to_one_block, blocks_have_addresses, blocks_lie_in_the_arena, blocks_are_aligned)


# Operations


@clause("the bytes asked for lie between address 1 and the end of the 64-bit addresses")
def lies_within_addresses(s: Heap, size: Number, address: Number) -> Truth:
    return (0 <= size) & (0 < address) & (address < ADDRESSES) & (address + size <= ADDRESSES)


@clause("the bytes asked for lie in the heap's arena")
def lies_in_the_arena(s: Heap, size: Number, address: Number) -> Truth:
    return (s.start <= address) & (address + size <= s.end)


@clause("a block is at a multiple of its alignment: the one that is named, or else the one that is due to its size")
def is_aligned(s: Heap, alignment: Number, address: Number) -> Truth:
    return is_multiple(address, alignment)


@clause("a new block has an address that no live block has")
def address_is_unique(s: Heap, address: Number) -> Truth:
    return neg(s.is_live(address))


@clause("no byte of a new block belongs to a live one")
def is_disjoint(s: Heap, size: Number, address: Number, byte: Number) -> Truth:
    return implies((address <= byte) & (byte < address + size), neg(has_byte(s, s.block_at(byte), byte)))


PLACED = (alignment_is_a_power_of_two, lies_within_addresses, lies_in_the_arena, is_aligned)


@operation("heap.new", guard=[*PLACED, address_is_unique, is_disjoint], chooses=["address"])
def new(s: Heap, size: Number, alignment: Number, address: Number) -> Heap:
    """A block of so many bytes, aligned and disjoint from all live blocks, becomes live.

    It may fail only if frames or the kernel's range are exhausted, or no gap of the arena is surely large enough; a
    block of no bytes may always be refused.
    """

    def among(byte: Number) -> Truth:
        return (address <= byte) & (byte < address + size)

    return replace(
        s,
        is_live=lambda other: s.is_live(other) | (other == address),
        size=lambda other: when(other == address, size, s.size(other)),
        block_at=lambda byte: when(among(byte), address, s.block_at(byte)),
        aligned_to=lambda other: when(other == address, alignment, s.aligned_to(other)),
    )


@clause("only a live block is deleted; address 0 is none, and deleting it does nothing")
def deletes_a_live_block(s: Heap, address: Number) -> Truth:
    return (address == 0) | s.is_live(address)


@operation("heap.delete", guard=[deletes_a_live_block])
def delete(s: Heap, address: Number) -> Heap:
    """A live block is live no longer; of address 0 it is accepted, and changes nothing."""
    return replace(s, is_live=lambda other: s.is_live(other) & (other != address))


@clause("only a live block is resized; address 0 is none, and resizing it makes a new one")
def resizes_a_live_block(s: Heap, block: Number) -> Truth:
    return deletes_a_live_block(s, block)


@clause("a resized block has an address that no other live block has")
def is_unique_once_resized(s: Heap, block: Number, address: Number) -> Truth:
    return address_is_unique(delete(s, block), address)


@clause("no byte of a resized block belongs to another live one")
def is_disjoint_once_resized(s: Heap, block: Number, size: Number, address: Number, byte: Number) -> Truth:
    return is_disjoint(delete(s, block), size, address, byte)


@operation(
    "heap.resize",
    guard=[resizes_a_live_block, *PLACED, is_unique_once_resized, is_disjoint_once_resized],
    chooses=["address"],
)
def resize(s: Heap, block: Number, size: Number, alignment: Number, address: Number) -> Heap:
    """A live block is deleted and one of so many bytes made, in one: it may stay where it was, or move.

    If it is refused, the block lives on as it was. Of address 0 it makes a new block.
    """
    return new(delete(s, block), size, alignment, address)


OPERATIONS = (new, delete, resize)


# Theorems


@clause("live blocks are disjoint: two that share a byte are one")
def blocks_are_disjoint(s: Heap, byte: Number, block: Number, other: Number) -> Truth:
    return implies(has_byte(s, block, byte) & has_byte(s, other, byte), block == other)


@clause("no byte that a new block may have belongs to a live one")
def hands_out_only_free_bytes(s: Heap, size: Number, address: Number, byte: Number, block: Number) -> Truth:
    among = (address <= byte) & (byte < address + size)
    return implies(among & is_disjoint(s, size, address, byte), neg(has_byte(s, block, byte)))


@clause("if no alignment is named, a block of no bytes may have any address of the arena but 0")
def nothing_lies_anywhere(s: Heap, address: Number) -> Truth:
    has_address = (0 < address) & (address < ADDRESSES)
    placed = lies_within_addresses(s, 0, address) & is_aligned(s, alignment_of(s, 0), address)
    return implies(has_address, placed)


@clause("naturally, 8 and each power of two up to a page that divides a block's size divide its address")
def blocks_follow_their_sizes(s: Heap, size: Number, address: Number, power: Number) -> Truth:
    divides = (size & (1 << power) - 1 == 0) | (1 << power <= LEAST)
    due = (s.alignment == NATURAL) & (0 < size) & divides & (power <= s.page_shift)
    return implies(is_aligned(s, alignment_of(s, size), address) & due, address & (1 << power) - 1 == 0)


@clause("if all blocks are aligned alike, this alignment divides the address of each that has bytes")
def blocks_follow_the_alignment(s: Heap, size: Number, address: Number, power: Number) -> Truth:
    due = (s.alignment == 1 << power) & (0 < size)
    return implies(is_aligned(s, alignment_of(s, size), address) & due, address & (1 << power) - 1 == 0)


@clause("an alignment that is named divides the address, whatever the size")
def blocks_follow_what_is_named(s: Heap, alignment: Number, address: Number, power: Number) -> Truth:
    return implies(is_aligned(s, alignment, address) & (alignment == 1 << power), address & (1 << power) - 1 == 0)


@clause("the alignment of a size is a power of two, if that of all blocks is")
def alignment_of_a_size_is_a_power_of_two(s: Heap, size: Number) -> Truth:
    named = (s.alignment == NATURAL) | alignment_is_a_power_of_two(s, s.alignment)
    return implies(named, alignment_is_a_power_of_two(s, alignment_of(s, size)))


@clause("every byte of a block that was handed out lies in the arena")
def bytes_lie_in_the_arena(s: Heap, block: Number, byte: Number) -> Truth:
    return implies(has_byte(s, block, byte), (s.start <= byte) & (byte < s.end))


@clause("a new block lies between its neighbours: behind the one, and before the other")
def lies_between(s: Heap, size: Number, address: Number, before: Number, after: Number) -> Truth:
    return (before + s.size(before) <= address) & (address + size <= after)


@clause("a new block that lies between two neighbours shares no byte with any live one")
def neighbours_decide(s: Heap, size: Number, address: Number, byte: Number, before: Number, after: Number) -> Truth:
    other = s.block_at(byte)
    apart = neg(has_byte(s, other, byte)) | (other <= before) | (after <= other)
    is_block = (before == 0) | has_byte(s, before, before)
    neighbours = is_block & (before <= address) & (before < after) & apart
    return implies(neighbours & lies_between(s, size, address, before, after), is_disjoint(s, size, address, byte))


@clause("a block that becomes no larger, and is aligned as asked, may stay where it is")
def may_stay(s: Heap, block: Number, size: Number, alignment: Number) -> Truth:
    return s.is_live(block) & (0 <= size) & (size <= s.size(block)) & is_multiple(block, alignment)


@clause("of a block that may stay where it is the law allows that it does")
def blocks_may_stay(s: Heap, block: Number, size: Number, alignment: Number, byte: Number) -> Truth:
    placed = lies_within_addresses(s, size, block) & lies_in_the_arena(s, size, block)
    apart = is_unique_once_resized(s, block, block) & is_disjoint_once_resized(s, block, size, block, byte)
    return implies(may_stay(s, block, size, alignment), placed & is_aligned(s, alignment, block) & apart)


THEOREMS = (
    blocks_are_disjoint,
    hands_out_only_free_bytes,
    nothing_lies_anywhere,
    blocks_follow_their_sizes,
    blocks_follow_the_alignment,
    blocks_follow_what_is_named,
    alignment_of_a_size_is_a_power_of_two,
    bytes_lie_in_the_arena,
    neighbours_decide,
    blocks_may_stay,
)


# The reserve of notes


@dataclass(frozen=True)
class Reserve:
    """State: how many notes are unused."""

    spare: Number


def at_start() -> Reserve:
    """One note lies in the kernel's image."""
    return Reserve(spare=1)


@clause("a note is left in the reserve")
def a_note_is_spare(s: Reserve) -> Truth:
    return 1 <= s.spare


RESERVE = (a_note_is_spare,)


@clause("a note is left besides the one that the pages take")
def leaves_a_note(s: Reserve) -> Truth:
    return 2 <= s.spare


@operation("heap.get-pages", guard=[leaves_a_note])
def get_pages(s: Reserve) -> Reserve:
    """The heap gets pages for blocks, and they take a note."""
    return replace(s, spare=s.spare - 1)


@clause("a note is left for the page of notes itself, which has room for two or more")
def has_a_note(s: Reserve, notes: Number) -> Truth:
    return (1 <= s.spare) & (2 <= notes)


@operation("heap.get-notes", guard=[has_a_note])
def get_notes(s: Reserve, notes: Number) -> Reserve:
    """The heap gets a page of notes: it takes a note, and brings so many."""
    return replace(s, spare=s.spare - 1 + notes)


@operation("heap.give-pages")
def give_pages(s: Reserve) -> Reserve:
    """Pages are given back, and their note is spare again."""
    return replace(s, spare=s.spare + 1)


RESERVE_OPERATIONS = (get_pages, get_notes, give_pages)


@clause("the heap can get pages at once, or else a page of notes at once, and then pages")
def getting_pages_ends(s: Reserve, notes: Number) -> Truth:
    then_pages = implies(has_a_note(s, notes), leaves_a_note(get_notes(s, notes)))
    return then_pages & implies(2 <= notes, leaves_a_note(s) | has_a_note(s, notes))
