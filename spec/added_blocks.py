"""Pages of a buddy system that turn up after it began, and did not exist before: memory that is added, or given back.

To add a stretch of pages is to add the blocks that it is made of, one after another: the pages of each exist from then
on, and it merges with its buddies as a block that is freed does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from memoracle.spec.blocks import Blocks, holds_nothing, page_is_free, release, same_block
from memoracle.spec.buddy import (
    block_is_aligned,
    block_lies_in_range,
    joined,
    merges_free_buddies,
    merges_fully,
)
from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation

PART_OF = "buddy"


# One block


@clause("no page of the block exists")
def block_is_missing(s: Blocks, page: Number, order: Number, each: Number) -> Truth:
    return implies(same_block(order, page, each), neg(s.is_page(each)))


@operation(
    "buddy.add-block",
    guard=[
        holds_nothing,
        block_lies_in_range,
        block_is_aligned,
        block_is_missing,
        merges_free_buddies,
        merges_fully,
    ],
    chooses=["merged"],
)
def add_block(s: Blocks, page: Number, order: Number, merged: Number) -> Blocks:
    """A block of pages that did not exist turns up, is free and coalesces fully.

    It is what comes of its appearing, merging it up to the order `merged`, and releasing it.
    """
    return release(turned_up(s, page, order, merged))


def turned_up(s: Blocks, page: Number, order: Number, merged: Number) -> Blocks:
    """The state in which a block appeared and was merged to a held one of the order `merged`."""
    return replace(
        joined(s, page, order, merged), is_page=lambda other: s.is_page(other) | same_block(order, page, other)
    )


# A stretch of pages


def in_stretch(page: Number, pages: Number, each: Number) -> Truth:
    return (page <= each) & (each < page + pages)


@clause("there is a page to add")
def adds_some_pages(s: Blocks, pages: Number) -> Truth:
    return 1 <= pages


@clause("all of what is added lies in the range")
def adds_within_range(s: Blocks, page: Number, pages: Number) -> Truth:
    return (0 <= page) & (page + pages <= 1 << s.depth)


@clause("no page that is added exists")
def adds_only_missing_pages(s: Blocks, page: Number, pages: Number, each: Number) -> Truth:
    return implies(in_stretch(page, pages, each), neg(s.is_page(each)))


ADD = (holds_nothing, adds_some_pages, adds_within_range, adds_only_missing_pages)  # when a stretch may be added


@dataclass(frozen=True)
class Addition:
    """The state before a stretch was added, and after. Both satisfy the invariants, so free blocks are merged."""

    before: Blocks
    after: Blocks


@clause("what is added exists, and no other page comes or goes")
def adds_just_these_pages(s: Addition, page: Number, pages: Number, each: Number) -> Truth:
    return s.after.is_page(each) == s.before.is_page(each) | in_stretch(page, pages, each)


@clause("what is added is free, and every other page is free or not as before")
def adds_free_pages(s: Addition, page: Number, pages: Number, each: Number) -> Truth:
    return page_is_free(s.after, each) == page_is_free(s.before, each) | in_stretch(page, pages, each)


@clause("no allocated block moves when pages are added")
def adds_beside_allocated_blocks(s: Addition, order: Number, block: Number) -> Truth:
    return s.after.is_allocated(order, block) == s.before.is_allocated(order, block)


@clause("what was taken at start is so after pages are added, and nothing else")
def adds_beside_fixed_blocks(s: Addition, each: Number) -> Truth:
    return s.after.is_fixed(each) == s.before.is_fixed(each)


ADDED = (adds_just_these_pages, adds_free_pages, adds_beside_allocated_blocks, adds_beside_fixed_blocks)
