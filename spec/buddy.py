"""Which parts of an address space are in use: a binary buddy system (Knuth, TAOCP volume 1, section 2.5).

An address space is a range of 2^depth pages, numbered from its start. It is divided into blocks: a block of order o
is 2^o pages, aligned to its size, and named by its order and its place, so that page p lies in block p >> o of order
o, and the buddy of a block is the one that it was split from. A block is free or allocated. While an operation splits
or merges a block, that block is held: neither free nor allocated. Each process has a space of its own, and so has
the kernel.

To allocate is to take any aligned block of the next power of two pages out of a free block, splitting it as often as
needed; to free is to merge the block with its buddy for as long as that is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec.clauses import Number, Truth, at_least, clause, implies, neg, operation, when


@dataclass(frozen=True)
class Blocks:
    """State of one address space. An implementation need not keep `order_at`: the first invariant says what it is."""

    depth: Number
    is_free: Callable[[Number, Number], Truth]  # of an order and a block
    is_allocated: Callable[[Number, Number], Truth]
    is_fixed: Callable[[Number], Truth]  # whether a block taken at start, never to be freed, begins at this page
    holding: Truth
    held_order: Number
    held_page: Number  # any page of the held block
    order_at: Callable[[Number], Number]  # the order of the block in which this page lies


def is_held(s: Blocks, order: Number, block: Number) -> Truth:
    return s.holding & (order == s.held_order) & (block == s.held_page >> s.held_order)


def exists(s: Blocks, order: Number, block: Number) -> Truth:
    return s.is_free(order, block) | s.is_allocated(order, block) | is_held(s, order, block)


def buddy_of(block: Number) -> Number:
    return block ^ 1


def in_range(s: Blocks, page: Number) -> Truth:
    return (0 <= page) & (page >> s.depth == 0)


def is_aligned(page: Number, order: Number) -> Truth:
    return page & (1 << order) - 1 == 0


def first_page(page: Number, order: Number) -> Number:
    """Of the block of this order in which the page lies."""
    return page ^ (page & (1 << order) - 1)


def begins_allocated(s: Blocks, page: Number, order: Number) -> Truth:
    return s.is_allocated(order, page >> order) & is_aligned(page, order)


def same_block(order: Number, page: Number, other: Number) -> Truth:
    """Whether two pages lie in the same block of this order."""
    return page >> order == other >> order


# Initially


def whole(depth: Number) -> Blocks:
    """The whole range is one free block."""
    return Blocks(
        depth=depth,
        is_free=lambda order, block: (order == depth) & (block == 0),
        is_allocated=lambda order, block: False,
        is_fixed=lambda page: False,
        holding=False,
        held_order=0,
        held_page=0,
        order_at=lambda page: depth,
    )


# Invariants


@clause("every page is in exactly one block")
def every_page_is_in_one_block(s: Blocks, page: Number, order: Number) -> Truth:
    return implies(in_range(s, page), exists(s, order, page >> order) == (order == s.order_at(page)))


@clause("a block is free, allocated or held, and only one of these")
def states_are_exclusive(s: Blocks, page: Number, order: Number) -> Truth:
    block = page >> order
    free, allocated, held = s.is_free(order, block), s.is_allocated(order, block), is_held(s, order, block)
    return neg(free & allocated) & neg(free & held) & neg(allocated & held)


@clause("every block lies in the range, and is no larger")
def blocks_lie_in_range(s: Blocks, order: Number, block: Number) -> Truth:
    fits = (0 <= order) & (order <= s.depth) & (0 <= block) & (block <= (1 << s.depth) - 1 >> order)
    return implies(exists(s, order, block), fits)


@clause("no two buddies are both free")
def no_two_buddies_are_free(s: Blocks, page: Number, order: Number) -> Truth:
    block = page >> order
    return implies(s.is_free(order, block) & (order < s.depth), neg(s.is_free(order, buddy_of(block))))


@clause("what was taken at start stays allocated")
def fixed_blocks_stay_allocated(s: Blocks, page: Number) -> Truth:
    return implies(s.is_fixed(page), in_range(s, page) & begins_allocated(s, page, s.order_at(page)))


INVARIANTS = (
    every_page_is_in_one_block,
    states_are_exclusive,
    blocks_lie_in_range,
    no_two_buddies_are_free,
    fixed_blocks_stay_allocated,
)


# Steps: what happens while a block is held


@clause("nothing else is held")
def holds_nothing(s: Blocks) -> Truth:
    return neg(s.holding)


@clause("only a block that exists, and was not taken at start, is picked up")
def picks_up_a_block(s: Blocks, order: Number, page: Number) -> Truth:
    fixed = s.is_allocated(order, page >> order) & s.is_fixed(first_page(page, order))
    return in_range(s, page) & exists(s, order, page >> order) & neg(fixed)


@operation("buddy.pick-up", guard=[holds_nothing, picks_up_a_block])
def pick_up(s: Blocks, order: Number, page: Number) -> Blocks:
    """The block of this order that covers this page, free or allocated, is held."""

    def other(o: Number, block: Number) -> Truth:
        return neg((o == order) & (block == page >> order))

    return replace(
        s,
        is_free=lambda o, block: s.is_free(o, block) & other(o, block),
        is_allocated=lambda o, block: s.is_allocated(o, block) & other(o, block),
        holding=True,
        held_order=order,
        held_page=page,
    )


@clause("a block of more than one page is held, and the page to keep is in it")
def splits_the_held_block(s: Blocks, page: Number) -> Truth:
    return s.holding & (0 < s.held_order) & (0 <= page) & same_block(s.held_order, page, s.held_page)


@operation("buddy.split", guard=[splits_the_held_block], chooses=["page"])
def split(s: Blocks, page: Number) -> Blocks:
    """The held block is split: the half in which this page lies stays held, the other becomes free."""
    half = s.held_order - 1
    return replace(
        s,
        is_free=lambda o, block: s.is_free(o, block) | ((o == half) & (block == buddy_of(page >> half))),
        held_order=half,
        held_page=page,
        order_at=lambda other: when(same_block(s.held_order, other, page), half, s.order_at(other)),
    )


@clause("the buddy of the held block is free")
def merges_with_a_free_buddy(s: Blocks) -> Truth:
    free = s.is_free(s.held_order, buddy_of(s.held_page >> s.held_order))
    return s.holding & (s.held_order < s.depth) & free


@operation("buddy.merge", guard=[merges_with_a_free_buddy])
def merge(s: Blocks) -> Blocks:
    """The held block and its free buddy become one held block of twice the size."""
    order, page = s.held_order, s.held_page
    return replace(
        s,
        is_free=lambda o, block: s.is_free(o, block) & neg((o == order) & (block == buddy_of(page >> order))),
        held_order=order + 1,
        order_at=lambda other: when(same_block(order + 1, other, page), order + 1, s.order_at(other)),
    )


@clause("a block is held")
def holds_a_block(s: Blocks) -> Truth:
    return s.holding


@operation("buddy.settle", guard=[holds_a_block])
def settle(s: Blocks) -> Blocks:
    """The held block becomes allocated."""
    return replace(s, is_allocated=lambda o, block: s.is_allocated(o, block) | is_held(s, o, block), holding=False)


@clause("the held block is the whole range, or its buddy is not free")
def releases_only_when_merged(s: Blocks) -> Truth:
    buddy_is_free = s.is_free(s.held_order, buddy_of(s.held_page >> s.held_order))
    return s.holding & ((s.held_order == s.depth) | neg(buddy_is_free))


@operation("buddy.release", guard=[releases_only_when_merged])
def release(s: Blocks) -> Blocks:
    """The held block becomes free."""
    return replace(s, is_free=lambda o, block: s.is_free(o, block) | is_held(s, o, block), holding=False)


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


@clause("the block is aligned to its size")
def block_is_aligned(s: Blocks, page: Number, order: Number) -> Truth:
    return is_aligned(page, order)


@clause("all of the block is free")
def block_is_free(s: Blocks, page: Number, order: Number) -> Truth:
    whole = s.order_at(page)
    return (order <= whole) & s.is_free(whole, page >> whole)


@operation("buddy.carve", guard=[holds_nothing, block_lies_in_range, block_is_aligned, block_is_free])
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
    guard=[holds_nothing, rounds_up, block_lies_in_range, block_is_aligned, block_is_free],
    chooses=["page", "order"],
)
def allocate(s: Blocks, pages: Number, page: Number, order: Number) -> Blocks:
    """Any free block of the next power of two pages becomes allocated; it fails if and only if there is none."""
    return carve(s, page, order)


@operation(
    "range.reserve",
    guard=[holds_nothing, rounds_up, is_a_power_of_two, block_lies_in_range, block_is_aligned, block_is_free],
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
    last = (merged == s.depth) | neg(s.is_free(merged, buddy_of(page >> merged)))
    return (order <= merged) & (merged <= s.depth) & last


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

    def absorbed(o: Number, block: Number) -> Truth:
        return (order <= o) & (o < merged) & (buddy_of(block) == page >> o)

    return replace(
        s,
        is_free=lambda o, block: s.is_free(o, block) & neg(absorbed(o, block)),
        is_allocated=lambda o, block: s.is_allocated(o, block) & neg((o == order) & (block == page >> order)),
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


STEPS = (pick_up, split, merge, settle, release)
OPERATIONS = (carve, allocate, reserve, fix, free)


# Theorems


def page_is_free(s: Blocks, page: Number) -> Truth:
    return s.is_free(s.order_at(page), page >> s.order_at(page))


def page_is_allocated(s: Blocks, page: Number) -> Truth:
    return s.is_allocated(s.order_at(page), page >> s.order_at(page))


def page_is_held(s: Blocks, page: Number) -> Truth:
    return s.holding & same_block(s.held_order, page, s.held_page)


@clause("pages are conserved: each is free or allocated, never both, once nothing is held")
def pages_are_conserved(s: Blocks, page: Number) -> Truth:
    free, allocated = page_is_free(s, page), page_is_allocated(s, page)
    return implies(neg(s.holding) & in_range(s, page), (free | allocated) & neg(free & allocated))


@clause("two blocks that share a page are one")
def blocks_are_disjoint(s: Blocks, page: Number, order: Number, other: Number) -> Truth:
    both = exists(s, order, page >> order) & exists(s, other, page >> other)
    return implies(in_range(s, page) & both, order == other)


@clause("a block's first page is a multiple of its pages")
def blocks_are_aligned(s: Blocks, order: Number, block: Number) -> Truth:
    return implies(exists(s, order, block), (block << order) & (1 << order) - 1 == 0)


@clause("where a block ends the next begins, or the range ends")
def blocks_follow_each_other(s: Blocks, page: Number) -> Truth:
    order = s.order_at(page)
    last = first_page(page, order) + (1 << order) - 1
    after = last + 1
    begins = in_range(s, after) & is_aligned(after, s.order_at(after))
    is_in_block = in_range(s, page) & exists(s, order, page >> order)
    return implies(is_in_block, (s.order_at(last) == order) & (begins | (after == 1 << s.depth)))


THEOREMS = (pages_are_conserved, blocks_are_disjoint, blocks_are_aligned, blocks_follow_each_other)


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
    return page == due
