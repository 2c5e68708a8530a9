"""The blocks of an address space: what state they are in, and the single steps by which they are split and merged.

An address space is a range of 2^depth pages, numbered from its start. Some of these may not exist: physical memory has
holes, and a range may have any number of pages. Those that exist are divided into blocks: a block of order o is 2^o
pages, aligned to its size, and named by its order and its place, so that page p lies in block p >> o of order o, and
the buddy of a block is the one that it was split from. No block is larger than 2^highest pages: blocks of this order
have no buddies. A block is free or allocated. While an operation splits or merges a block, that block is held: neither
free nor allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation, when

PART_OF = "buddy"


@dataclass(frozen=True)
class Blocks:
    """State of one address space. An implementation need not keep `order_at`: the first invariant says what it is."""

    depth: Number
    highest: Number  # the largest order that a block may have
    is_page: Callable[[Number], Truth]  # whether a page exists
    is_free: Callable[[Number, Number], Truth]  # of an order and a block
    is_allocated: Callable[[Number, Number], Truth]
    is_fixed: Callable[[Number], Truth]  # whether a block taken at start, never to be freed, begins at this page
    holding: Truth
    held_order: Number
    held_page: Number  # any page of the held block
    order_at: Callable[[Number], Number]  # the order of the block in which this page lies, if it exists


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


def page_is_free(s: Blocks, page: Number) -> Truth:
    return s.is_free(s.order_at(page), page >> s.order_at(page))


def page_is_allocated(s: Blocks, page: Number) -> Truth:
    return s.is_allocated(s.order_at(page), page >> s.order_at(page))


def page_is_held(s: Blocks, page: Number) -> Truth:
    return s.holding & same_block(s.held_order, page, s.held_page)


# Initially


def whole(depth: Number, highest: Number) -> Blocks:
    """The whole range is free, in blocks of the largest order."""
    return Blocks(
        depth=depth,
        highest=highest,
        is_page=lambda page: (0 <= page) & (page >> depth == 0),
        is_free=lambda order, block: (order == highest) & (0 <= block) & (block >> depth - highest == 0),
        is_allocated=lambda order, block: False,
        is_fixed=lambda page: False,
        holding=False,
        held_order=0,
        held_page=0,
        order_at=lambda page: highest,
    )


def empty(depth: Number, highest: Number) -> Blocks:
    """No page of the range exists."""
    return replace(
        whole(depth, highest),
        is_page=lambda page: False,
        is_free=lambda order, block: False,
    )


# Invariants


@clause("the pages that exist lie in the range")
def pages_lie_in_range(s: Blocks, page: Number) -> Truth:
    return implies(s.is_page(page), in_range(s, page))


@clause("every page that exists is in exactly one block")
def every_page_is_in_one_block(s: Blocks, page: Number, order: Number) -> Truth:
    return implies(s.is_page(page), exists(s, order, page >> order) == (order == s.order_at(page)))


@clause("a page that does not exist is in no block")
def missing_pages_are_in_no_block(s: Blocks, page: Number, order: Number) -> Truth:
    return implies(exists(s, order, page >> order), s.is_page(page))


@clause("a block is free, allocated or held, and only one of these")
def states_are_exclusive(s: Blocks, page: Number, order: Number) -> Truth:
    block = page >> order
    free, allocated, held = s.is_free(order, block), s.is_allocated(order, block), is_held(s, order, block)
    return neg(free & allocated) & neg(free & held) & neg(allocated & held)


@clause("the largest block is no larger than the range")
def largest_block_fits(s: Blocks) -> Truth:
    return (0 <= s.highest) & (s.highest <= s.depth)


@clause("every block lies in the range, and is no larger than the largest")
def blocks_lie_in_range(s: Blocks, order: Number, block: Number) -> Truth:
    fits = (0 <= order) & (order <= s.highest) & (0 <= block) & (block <= (1 << s.depth) - 1 >> order)
    return implies(exists(s, order, block), fits)


@clause("no two buddies are both free")
def no_two_buddies_are_free(s: Blocks, page: Number, order: Number) -> Truth:
    block = page >> order
    return implies(s.is_free(order, block) & (order < s.highest), neg(s.is_free(order, buddy_of(block))))


@clause("what was taken at start stays allocated")
def fixed_blocks_stay_allocated(s: Blocks, page: Number) -> Truth:
    return implies(s.is_fixed(page), in_range(s, page) & begins_allocated(s, page, s.order_at(page)))


INVARIANTS = (
    pages_lie_in_range,
    every_page_is_in_one_block,
    missing_pages_are_in_no_block,
    states_are_exclusive,
    largest_block_fits,
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


@clause("what appears lies in the range, and is no larger than the largest block")
def appears_in_range(s: Blocks, order: Number, page: Number) -> Truth:
    return in_range(s, page) & (order <= s.highest)


@clause("no page exists of the block that appears")
def appears_in_a_hole(s: Blocks, order: Number, page: Number, each: Number) -> Truth:
    return implies(same_block(order, page, each), neg(s.is_page(each)))


@operation("buddy.appear", guard=[holds_nothing, appears_in_range, appears_in_a_hole])
def appear(s: Blocks, order: Number, page: Number) -> Blocks:
    """The pages of a block, none of which existed, exist, and the block is held."""
    return replace(
        s,
        is_page=lambda other: s.is_page(other) | same_block(order, page, other),
        holding=True,
        held_order=order,
        held_page=page,
        order_at=lambda other: when(same_block(order, page, other), order, s.order_at(other)),
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
    return s.holding & (s.held_order < s.highest) & free


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


@clause("the held block is one of the largest, or its buddy is not free")
def releases_only_when_merged(s: Blocks) -> Truth:
    buddy_is_free = s.is_free(s.held_order, buddy_of(s.held_page >> s.held_order))
    return s.holding & ((s.held_order == s.highest) | neg(buddy_is_free))


@operation("buddy.release", guard=[releases_only_when_merged])
def release(s: Blocks) -> Blocks:
    """The held block becomes free."""
    return replace(s, is_free=lambda o, block: s.is_free(o, block) | is_held(s, o, block), holding=False)


STEPS = (pick_up, appear, split, merge, settle, release)
