"""The manager's kernel pages, step by step: a block of the kernel's range, and pages one by one.

The rules that `check` holds a whole allocation to are in kernel_pages.
"""

from __future__ import annotations

from dataclasses import replace

from memoracle.spec import manager, manager_mappings, manager_ranges, paging
from memoracle.spec.bitmap import allocates_only_free
from memoracle.spec.clauses import Number, Truth, clause, neg, operation, when
from memoracle.spec.manager import Memory

PART_OF = "manager"


@clause("the first page of the kernel's block is free")
def first_page_is_free(s: Memory, first: Number) -> Truth:
    return neg(s.taken(0, first))


@clause("every other page of the kernel's block is free")
def kernel_block_is_free(s: Memory, first: Number, pages: Number, kernel_page: Number) -> Truth:
    return manager_ranges.block_is_free(s, 0, first, pages, kernel_page)


@clause("the block lies in the kernel's range")
def block_lies_in_the_range(s: Memory, first: Number, pages: Number) -> Truth:
    return (0 <= first) & (first + pages <= s.kernel_range)


@operation(
    "manager.begin-pages",
    guard=[manager_ranges.takes_some_pages, block_lies_in_the_range, first_page_is_free, kernel_block_is_free],
    chooses=["first"],
)
def begin_pages(s: Memory, first: Number, pages: Number) -> Memory:
    """Kernel pages begin with a block of the kernel's range, which holds none of them yet."""
    return replace(
        manager_ranges.range_taken(s, 0, first, pages, True),
        block_at=lambda other: when(other == first, pages, s.block_at(other)),
    )


@clause("the block has room for one more page")
def block_has_room(s: Memory, first: Number) -> Truth:
    return s.pages_at(first) < s.block_at(first)


@clause("nothing is mapped yet where the next kernel page comes")
def next_page_is_unmapped(s: Memory, first: Number) -> Truth:
    return paging.page_is_unmapped(s, 0, manager.address_of(s, first + s.pages_at(first)))


@operation(
    "manager.extend-pages",
    guard=[block_has_room, allocates_only_free, next_page_is_unmapped, manager_mappings.use_can_be_counted],
    chooses=["frame"],
)
def extend_pages(s: Memory, first: Number, frame: Number) -> Memory:
    """One more page gets a free frame of its own, and shows it."""
    page = first + s.pages_at(first)
    taken = manager.handed_out(s, frame, manager.PAGES)
    after = manager_mappings.mapped(taken, 0, manager.address_of(s, page), frame, manager.WRITE_BACK, 1, 1, 0)
    return replace(
        after,
        pages_at=lambda other: s.pages_at(other) + when(other == first, 1, 0),
        frame_at=lambda other: when(other == page, frame, s.frame_at(other)),
        page_of=lambda other: when(other == frame, page, s.page_of(other)),
    )


@clause("a kernel page is left")
def a_page_is_left(s: Memory, first: Number) -> Truth:
    return 0 < s.pages_at(first)


@operation("manager.shrink-pages", guard=[a_page_is_left])
def shrink_pages(s: Memory, first: Number) -> Memory:
    """The last of the kernel pages is unmapped, and its frame given back."""
    page = first + s.pages_at(first) - 1
    return replace(
        manager.given_back(manager_mappings.unmapped(s, 0, manager.address_of(s, page)), s.frame_at(page)),
        pages_at=lambda other: s.pages_at(other) - when(other == first, 1, 0),
    )


@clause("a block of kernel pages begins here, and none of them is left")
def only_the_block_is_left(s: Memory, first: Number) -> Truth:
    return (0 < s.block_at(first)) & (s.pages_at(first) == 0)


@operation("manager.end-pages", guard=[only_the_block_is_left])
def end_pages(s: Memory, first: Number) -> Memory:
    """The block goes back to the kernel's range."""
    return replace(
        manager_ranges.range_taken(s, 0, first, s.block_at(first), False),
        block_at=lambda other: when(other == first, 0, s.block_at(other)),
    )
