"""The kernel's heap: blocks of bytes that `new` hands out and `delete` takes back.

A block is the bytes that were asked for, at an address. Where it lies is the heap's choice, as long as it is aligned
and shares no byte with another live block. A block of no bytes is an address that no other live block has.

The heap gets its memory in runs of pages. Of each run a note is kept, for which the heap must have room before it gets
the pages. Unused notes are its reserve, and the last of them may be used only for a page of notes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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


def has_byte(s: Heap, block: Number, byte: Number) -> Truth:
    """Whether a live block starts at the address `block`, and this byte is one of its own."""
    return s.is_live(block) & (block <= byte) & (byte < block + s.size(block))


def lowest_bit(number: Number) -> Number:
    """The largest power of two that divides a positive number."""
    return number ^ (number & number - 1)


def alignment_of(s: Heap, size: Number) -> Number:
    """The bytes to which a block of this size, at least 1, is aligned.

    Naturally that is the largest power of two that divides the size, at least 8 bytes and at most a page: what Linux's
    kmalloc promises.
    """
    natural = at_most(at_least(lowest_bit(size), LEAST), 1 << s.page_shift)
    due: Number = when(s.alignment == NATURAL, natural, s.alignment)
    return due


# Initially


def nothing(page_shift: Number, alignment: Number) -> Heap:
    """No block is live."""
    return Heap(
        page_shift=page_shift,
        alignment=alignment,
        is_live=lambda address: False,
        size=lambda address: 0,
        block_at=lambda byte: 0,
    )


# Invariants


@clause("a byte belongs to one live block at most")
def bytes_belong_to_one_block(s: Heap, byte: Number, block: Number) -> Truth:
    return implies(has_byte(s, block, byte), s.block_at(byte) == block)


@clause("no block starts at address 0, and none passes the end of the 64-bit addresses")
def blocks_have_addresses(s: Heap, block: Number) -> Truth:
    return implies(s.is_live(block), (0 < block) & (block < ADDRESSES) & (block + s.size(block) <= ADDRESSES))


@clause("a block is aligned as its size is, or as all blocks are")
def blocks_are_aligned(s: Heap, block: Number) -> Truth:
    size = s.size(block)
    aligned = block & alignment_of(s, at_least(size, 1)) - 1 == 0
    return implies(s.is_live(block) & (0 < size), aligned)


INVARIANTS = (bytes_belong_to_one_block, blocks_have_addresses, blocks_are_aligned)


# Operations


@clause("the bytes asked for lie between address 1 and the end of the 64-bit addresses")
def lies_within_addresses(s: Heap, size: Number, address: Number) -> Truth:
    return (0 <= size) & (0 < address) & (address < ADDRESSES) & (address + size <= ADDRESSES)


@clause("a new block is aligned as its size is, or as all blocks are")
def is_aligned(s: Heap, size: Number, address: Number) -> Truth:
    return (size <= 0) | (address & alignment_of(s, at_least(size, 1)) - 1 == 0)


@clause("a new block has an address that no live block has")
def address_is_unique(s: Heap, address: Number) -> Truth:
    return neg(s.is_live(address))


@clause("no byte of a new block belongs to a live one")
def is_disjoint(s: Heap, size: Number, address: Number, byte: Number) -> Truth:
    return implies((address <= byte) & (byte < address + size), neg(has_byte(s, s.block_at(byte), byte)))


@operation("heap.new", guard=[lies_within_addresses, is_aligned, address_is_unique, is_disjoint], chooses=["address"])
def new(s: Heap, size: Number, address: Number) -> Heap:
    """A block of so many bytes, aligned and disjoint from all live blocks, becomes live.

    It may fail only if frames or the kernel's range are exhausted; a block of no bytes may always be refused.
    """

    def among(byte: Number) -> Truth:
        return (address <= byte) & (byte < address + size)

    return replace(
        s,
        is_live=lambda other: s.is_live(other) | (other == address),
        size=lambda other: when(other == address, size, s.size(other)),
        block_at=lambda byte: when(among(byte), address, s.block_at(byte)),
    )


@clause("only a live block is deleted; address 0 is none, and deleting it does nothing")
def deletes_a_live_block(s: Heap, address: Number) -> Truth:
    return (address == 0) | s.is_live(address)


@operation("heap.delete", guard=[deletes_a_live_block])
def delete(s: Heap, address: Number) -> Heap:
    """A live block is live no longer; of address 0 it is accepted, and changes nothing."""
    return replace(s, is_live=lambda other: s.is_live(other) & (other != address))


OPERATIONS = (new, delete)


# Theorems


@clause("live blocks are disjoint: two that share a byte are one")
def blocks_are_disjoint(s: Heap, byte: Number, block: Number, other: Number) -> Truth:
    return implies(has_byte(s, block, byte) & has_byte(s, other, byte), block == other)


@clause("no byte that a new block may have belongs to a live one")
def hands_out_only_free_bytes(s: Heap, size: Number, address: Number, byte: Number, block: Number) -> Truth:
    among = (address <= byte) & (byte < address + size)
    return implies(among & is_disjoint(s, size, address, byte), neg(has_byte(s, block, byte)))


@clause("a block of no bytes may have any address but 0")
def nothing_lies_anywhere(s: Heap, address: Number) -> Truth:
    has_address = (0 < address) & (address < ADDRESSES)
    return implies(has_address, lies_within_addresses(s, 0, address) & is_aligned(s, 0, address))


@clause("naturally, 8 and each power of two up to a page that divides a block's size divide its address")
def blocks_follow_their_sizes(s: Heap, block: Number, power: Number) -> Truth:
    divides = (s.size(block) & (1 << power) - 1 == 0) | (1 << power <= LEAST)
    due = (s.alignment == NATURAL) & (0 < s.size(block)) & divides & (power <= s.page_shift)
    return implies(s.is_live(block) & due, block & (1 << power) - 1 == 0)


@clause("if all blocks are aligned alike, this alignment divides the address of each that has bytes")
def blocks_follow_the_alignment(s: Heap, block: Number, power: Number) -> Truth:
    due = (s.alignment == 1 << power) & (0 < s.size(block))
    return implies(s.is_live(block) & due, block & (1 << power) - 1 == 0)


THEOREMS = (
    blocks_are_disjoint,
    hands_out_only_free_bytes,
    nothing_lies_anywhere,
    blocks_follow_their_sizes,
    blocks_follow_the_alignment,
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
