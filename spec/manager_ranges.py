"""The manager's ranges: which pages lie in an allocated block. (Which blocks there can be is the law of buddy.)"""

from __future__ import annotations

from dataclasses import replace

from memoracle.spec import manager
from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation, when
from memoracle.spec.kernel_half import process_lives
from memoracle.spec.manager import Memory

PART_OF = "manager"


@clause("at least one page is taken")
def takes_some_pages(s: Memory, pages: Number) -> Truth:
    return 0 < pages


@clause("all pages of the block are free")
def block_is_free(s: Memory, process: Number, first: Number, pages: Number, kernel_page: Number) -> Truth:
    return implies(manager.among(kernel_page, first, pages), neg(s.taken(process, kernel_page)))


def range_taken(s: Memory, process: Number, first: Number, pages: Number, now: Truth) -> Memory:
    def here(other: Number, page: Number) -> Truth:
        return (other == process) & manager.among(page, first, pages)

    def begins(other: Number, page: Number) -> Truth:
        return (other == process) & (page == first)

    return replace(
        s,
        taken=lambda other, page: when(here(other, page), now, s.taken(other, page)),
        size_at=lambda other, page: when(begins(other, page), when(now, pages, 0), s.size_at(other, page)),
        block_of=lambda other, page: when(here(other, page) & now, first, s.block_of(other, page)),
    )


@operation("manager.take-range", guard=[process_lives, takes_some_pages, block_is_free], chooses=["first"])
def take_range(s: Memory, process: Number, first: Number, pages: Number) -> Memory:
    """A block of free pages of a process's range is allocated."""
    return range_taken(s, process, first, pages, True)


def is_in_kernel_block(s: Memory, kernel_page: Number) -> Truth:
    first = s.block_of(0, kernel_page)
    return manager.among(kernel_page, first, s.block_at(first))


@clause("a block of kernel pages is freed only with its pages")
def frees_no_kernel_block(s: Memory, process: Number, first: Number, pages: Number, kernel_page: Number) -> Truth:
    return neg((process == 0) & manager.among(kernel_page, first, pages) & is_in_kernel_block(s, kernel_page))


@clause("an allocated block of so many pages begins there")
def frees_a_block(s: Memory, process: Number, first: Number, pages: Number) -> Truth:
    return (0 < pages) & (s.size_at(process, first) == pages)


@operation("manager.give-range", guard=[process_lives, frees_a_block, frees_no_kernel_block])
def give_range(s: Memory, process: Number, first: Number, pages: Number) -> Memory:
    """A block of a process's range becomes free."""
    return range_taken(s, process, first, pages, False)
