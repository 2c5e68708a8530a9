"""The manager's mappings: which pages show a frame, and whether callers kept their contract."""

from __future__ import annotations

from dataclasses import replace

from memoracle.spec import manager, paging
from memoracle.spec.clauses import Number, Truth, clause, neg, operation
from memoracle.spec.kernel_half import process_lives
from memoracle.spec.manager import Memory

PART_OF = "manager"


@clause("a caller who keeps the contract maps only an allocated frame")
def maps_only_allocated(s: Memory, frame: Number) -> Truth:
    return neg(s.is_free(frame))


def mapped(
    s: Memory,
    process: Number,
    virtual: Number,
    frame: Number,
    cache: Number,
    writable: Number,
    executable: Number,
    global_: Number,
) -> Memory:
    """The state in which a page shows a frame. A caller who keeps the contract has allocated it, if that is a use."""
    physical = frame << s.page_shift
    after = paging.map_page(s, process, virtual, physical, cache, writable, executable, global_)
    kept = paging.is_direct(s, virtual) | maps_only_allocated(s, frame)
    return replace(
        after, callers_kept_contract=lambda other: s.callers_kept_contract(other) & ((other != frame) | kept)
    )


def unmapped(s: Memory, process: Number, virtual: Number) -> Memory:
    """The state in which a page shows nothing. A broken contract is forgotten once the frame has no uses."""
    after = paging.unmap(s, process, virtual)
    return replace(
        after,
        callers_kept_contract=lambda frame: s.callers_kept_contract(frame) | (manager.uses_of(after, frame) == 0),
    )


@clause("fewer pages show the frame than a 64-bit counter counts")
def use_can_be_counted(s: Memory, frame: Number) -> Truth:
    return s.uses(frame << s.page_shift) < paging.MOST_USES


@operation("page.map", guard=[process_lives, paging.page_is_unmapped, use_can_be_counted])
def map_page(
    s: Memory,
    process: Number,
    virtual: Number,
    frame: Number,
    cache: Number,
    writable: Number,
    executable: Number,
    global_: Number,
) -> Memory:
    """A page shows a frame, whoever has it; the law of paging says which pages, frames and types can be mapped."""
    return mapped(s, process, virtual, frame, cache, writable, executable, global_)


@clause("a kernel page is unmapped only when it is freed")
def unmaps_no_kernel_page(s: Memory, process: Number, virtual: Number, kernel_page: Number) -> Truth:
    here = (paging.space_of(process, virtual) == 0) & (virtual == manager.address_of(s, kernel_page))
    return neg(manager.is_kernel_page(s, kernel_page) & here)


@operation("page.unmap", guard=[process_lives, paging.page_is_mapped, unmaps_no_kernel_page])
def unmap(s: Memory, process: Number, virtual: Number) -> Memory:
    """A page shows nothing any more; if that was its last use, a frame may be released."""
    return unmapped(s, process, virtual)
