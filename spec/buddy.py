"""Which parts of an address space are in use: a binary buddy system (Knuth, TAOCP volume 1, section 2.5).

Each process has an address space of its own, and so has the kernel. Its blocks, and the steps that split and merge
them, are in blocks. To allocate is to take any aligned block of the next power of two pages out of a free block,
splitting it as often as needed; to free is to merge the block with its buddy for as long as that is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec.blocks import (
    Blocks,
    begins_allocated,
    buddy_of,
    exists,
    first_page,
    holds_nothing,
    in_range,
    is_aligned,
    page_is_allocated,
    page_is_free,
    release,
    same_block,
    settle,
)
from memoracle.spec.clauses import Number, Truth, at_least, clause, implies, neg, operation, when

# Operations


@clause("the block is the next power of two pages")
def rounds_up(s: Blocks, pages: Number, order: Number) -> Truth:
    return (0 <= order) & (pages <= 1 << order) & (1 << order < pages + pages)


@clause("the number of pages is a power of two")
def is_a_power_of_two(s: Blocks, pages: Number, order: Number) -> Truth:
    return pages == 1 << order


@clause("the block lies in the range")
def block_lies_in_range(s: Blocks, page: Number, order: Number) -> Truth:
    return in_range(s, page) & (order <= s.depth)


@clause("the block is no larger than the largest")
def block_is_no_larger(s: Blocks, order: Number) -> Truth:
    return order <= s.highest


@clause("the block is aligned to its size")
def block_is_aligned(s: Blocks, page: Number, order: Number) -> Truth:
    return is_aligned(page, order)


@clause("all of the block is free")
def block_is_free(s: Blocks, page: Number, order: Number) -> Truth:
    whole = s.order_at(page)
    return (order <= whole) & s.is_free(whole, page >> whole)


@operation(
    "buddy.carve", guard=[holds_nothing, block_lies_in_range, block_is_no_larger, block_is_aligned, block_is_free]
)
def carve(s: Blocks, page: Number, order: Number) -> Blocks:
    """The block of this order at this page is split out of the free one that covers it; each half left over is free.

    It is what comes of picking the free block up, splitting it down to this order, and settling.
    """
    return settle(split_down(s, page, order))


def split_down(s: Blocks, page: Number, order: Number) -> Blocks:
    """The state in which the free block over the page was picked up and split down to a held one of this order."""
    whole = s.order_at(page)

    def left_over(o: Number, block: Number) -> Truth:
        return (order <= o) & (o < whole) & (buddy_of(block) == page >> o)

    def used(o: Number, block: Number) -> Truth:
        return (o == whole) & (block == page >> whole)

    return replace(
        s,
        is_free=lambda o, block: (s.is_free(o, block) & neg(used(o, block))) | left_over(o, block),
        holding=True,
        held_order=order,
        held_page=page,
        # Two pages part at the highest bit in which they differ.
        order_at=lambda other: when(
            same_block(whole, page, other), at_least((page ^ other).bit_length() - 1, order), s.order_at(other)
        ),
    )


@operation(
    "range.allocate",
    guard=[holds_nothing, rounds_up, block_lies_in_range, block_is_no_larger, block_is_aligned, block_is_free],
    chooses=["page", "order"],
)
def allocate(s: Blocks, pages: Number, page: Number, order: Number) -> Blocks:
    """Any free block of the next power of two pages becomes allocated; it fails if and only if there is none."""
    return carve(s, page, order)


@operation(
    "range.reserve",
    guard=[
        holds_nothing,
        rounds_up,
        is_a_power_of_two,
        block_lies_in_range,
        block_is_no_larger,
        block_is_aligned,
        block_is_free,
    ],
    chooses=["order"],
)
def reserve(s: Blocks, pages: Number, page: Number, order: Number) -> Blocks:
    """Exactly this block, an aligned power of two of pages and all of it free, becomes allocated."""
    return carve(s, page, order)


@clause("what is taken for good is an allocated block")
def fixes_an_allocated_block(s: Blocks, page: Number, order: Number) -> Truth:
    return in_range(s, page) & begins_allocated(s, page, order)


@operation("buddy.fix", guard=[holds_nothing, fixes_an_allocated_block])
def fix(s: Blocks, page: Number, order: Number) -> Blocks:
    """At start, a block that was just reserved is taken for good."""
    return replace(s, is_fixed=lambda other: s.is_fixed(other) | (other == page))


@clause("the block is allocated, and starts there")
def block_is_allocated(s: Blocks, page: Number, order: Number) -> Truth:
    return in_range(s, page) & begins_allocated(s, page, order)


@clause("a block taken at start is never freed")
def never_frees_fixed(s: Blocks, page: Number) -> Truth:
    return neg(s.is_fixed(page))


@clause("only free buddies are merged")
def merges_free_buddies(s: Blocks, page: Number, order: Number, merged: Number, level: Number) -> Truth:
    return implies((order <= level) & (level < merged), s.is_free(level, buddy_of(page >> level)))


@clause("buddies are merged until one is not free")
def merges_fully(s: Blocks, page: Number, order: Number, merged: Number) -> Truth:
    last = (merged == s.highest) | neg(s.is_free(merged, buddy_of(page >> merged)))
    return (order <= merged) & (merged <= s.highest) & last


@operation(
    "range.free",
    guard=[holds_nothing, rounds_up, block_is_allocated, never_frees_fixed, merges_free_buddies, merges_fully],
    chooses=["order", "merged"],
)
def free(s: Blocks, pages: Number, page: Number, order: Number, merged: Number) -> Blocks:
    """The block allocated at this page, of this (rounded) size, becomes free and coalesces fully.

    It is what comes of picking it up, merging it up to the order `merged`, and releasing it.
    """
    return release(merge_up(s, page, order, merged))


def merge_up(s: Blocks, page: Number, order: Number, merged: Number) -> Blocks:
    """The state in which the allocated block was picked up and merged to a held one of the order `merged`."""
    return replace(
        joined(s, page, order, merged),
        is_allocated=lambda o, block: s.is_allocated(o, block) & neg((o == order) & (block == page >> order)),
    )


def joined(s: Blocks, page: Number, order: Number, merged: Number) -> Blocks:
    """The state in which a held block of this order was merged to one of the order `merged`."""

    def absorbed(o: Number, block: Number) -> Truth:
        return (order <= o) & (o < merged) & (buddy_of(block) == page >> o)

    return replace(
        s,
        is_free=lambda o, block: s.is_free(o, block) & neg(absorbed(o, block)),
        holding=True,
        held_order=merged,
        held_page=page,
        order_at=lambda other: when(same_block(merged, page, other), merged, s.order_at(other)),
    )


@clause("the size is that of the allocated block that starts there, or 0")
def size_is_of_the_block(s: Blocks, page: Number, pages: Number) -> Truth:
    order = s.order_at(page)
    size: Number = when(in_range(s, page) & begins_allocated(s, page, order), 1 << order, 0)
    return pages == size


@clause("the list has the block that starts there")
def lists_the_block(s: Blocks, page: Number, pages: Number, allocated: Truth) -> Truth:
    order = s.order_at(page)
    block = page >> order
    state: Truth = when(allocated, s.is_allocated(order, block), s.is_free(order, block))
    return in_range(s, page) & is_aligned(page, order) & (pages == 1 << order) & state


OPERATIONS = (carve, allocate, reserve, fix, free)


# Theorems


@clause("every page of the block is free")
def pages_of_the_block_are_free(s: Blocks, page: Number, order: Number, each: Number) -> Truth:
    return implies(same_block(order, page, each), page_is_free(s, each))


@clause("pages are conserved: each that exists is free or allocated, never both, once nothing is held")
def pages_are_conserved(s: Blocks, page: Number) -> Truth:
    free, allocated = page_is_free(s, page), page_is_allocated(s, page)
    return implies(neg(s.holding) & s.is_page(page), (free | allocated) & neg(free & allocated))


@clause("a page that does not exist is neither free nor allocated")
def missing_pages_are_in_no_state(s: Blocks, page: Number) -> Truth:
    return implies(page_is_free(s, page) | page_is_allocated(s, page), s.is_page(page))


@clause("two blocks that share a page are one")
def blocks_are_disjoint(s: Blocks, page: Number, order: Number, other: Number) -> Truth:
    both = exists(s, order, page >> order) & exists(s, other, page >> other)
    return implies(in_range(s, page) & both, order == other)


@clause("a block's first page is a multiple of its pages")
def blocks_are_aligned(s: Blocks, order: Number, block: Number) -> Truth:
    return implies(exists(s, order, block), (block << order) & (1 << order) - 1 == 0)


@clause("where a block ends the next begins, or a hole, or the range ends")
def blocks_follow_each_other(s: Blocks, page: Number) -> Truth:
    order = s.order_at(page)
    last = first_page(page, order) + (1 << order) - 1
    after = last + 1
    begins = implies(s.is_page(after), is_aligned(after, s.order_at(after)))
    is_in_block = in_range(s, page) & exists(s, order, page >> order)
    return implies(is_in_block, (s.order_at(last) == order) & begins & (after <= 1 << s.depth))


THEOREMS = (
    pages_are_conserved,
    missing_pages_are_in_no_state,
    blocks_are_disjoint,
    blocks_are_aligned,
    blocks_follow_each_other,
)


# Spaces: one for each process, and one for the kernel, which is process 0


@dataclass(frozen=True)
class Spaces:
    """State of all address spaces: the blocks of each process, and which processes there are."""

    lives: Callable[[Number], Truth]
    of: Callable[[Number], Blocks]  # of a process


def within(s: Spaces, process: Number, after: Blocks) -> Spaces:
    """The state in which one process's blocks have become these, and no other's have moved."""

    def of(other: Number) -> Blocks:
        before = s.of(other)
        return replace(
            before,
            is_free=lambda o, block: when(other == process, after.is_free(o, block), before.is_free(o, block)),
            is_allocated=lambda o, block: when(
                other == process, after.is_allocated(o, block), before.is_allocated(o, block)
            ),
            is_fixed=lambda page: when(other == process, after.is_fixed(page), before.is_fixed(page)),
        )

    return replace(s, of=of)


# Queries


@clause("a list has the blocks in address order, from the range's first page to its last")
def lists_in_address_order(s: Blocks, page: Number, due: Number) -> Truth:
    """The page that is due is the first that exists from where the block before it ends on."""
    return page == due
