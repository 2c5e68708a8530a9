"""What of the arithmetic of pages and slots the proofs of the heap's code take as given, where the code computes."""

from __future__ import annotations

from memoracle.proofs.components.heap.address_arithmetic import (
    addresses_have_parts,
    blocks_lie_in_their_slots,
    bytes_lie_in_pages,
    exact,
    objects_end_at_addresses,
    objects_keep_their_bytes,
    other_numbers_have_no_page,
    pages_are_counted,
    pages_begin_at_addresses,
    pages_have_addresses,
    proved,
    slots_follow_each_other,
    slots_have_addresses,
    slots_lie_in_pages,
)
from memoracle.proofs.components.heap.symbolic_heap import (
    Contents,
    SymbolicHeap,
    any_sizes,
    blocks_due,
    page_of,
    reference,
    slot_of,
)
from memoracle.proofs.obligations.law_obligations import prose
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import heap as law
from memoracle.spec.clauses import Number, Truth, implies


def blocks_are_aligned(heap: SymbolicHeap, state: law.Heap, block: Number, size: Number, shift: Number) -> Truth:
    """A block that begins a page, or a slot of its size or more, is aligned as is due."""
    is_object = (heap.least <= shift) & (shift < heap.page_shift) & heap.places.starts(block, shift)
    begins = heap.places.begins(block) | (is_object & (size <= 1 << shift))
    return implies((0 <= size) & begins, law.is_aligned(state, size, block))


@proved("arithmetic.blocks-are-aligned", "theorem", prose(blocks_are_aligned))
def aligned_blocks(run: Run) -> None:
    sizes, contents = any_sizes(run), Contents(run)
    heap = reference(run, sizes, contents, exact(sizes.page_shift))
    points = run.point_of_each(("block", "size", "shift")).values()
    run.assert_goal(prose(blocks_are_aligned), blocks_are_aligned(heap, blocks_due(run, sizes), *points))


def looks_up(run: Run, heap: SymbolicHeap, address: Number) -> None:
    """Takes as given how an address, or another number, is divided to look up what lies there."""
    page = page_of(heap, address)
    shift = heap.slabs.slot_of(page)
    run.assume(
        addresses_have_parts(heap.places, heap.page_shift, address, shift),
        other_numbers_have_no_page(heap.places, heap.page_shift, address),
        pages_begin_at_addresses(heap.places, heap.page_shift, address >> heap.page_shift),
        slots_lie_in_pages(heap.places, heap.page_shift, address, shift),
    )


def measures(run: Run, heap: SymbolicHeap, address: Number, size: Number) -> None:
    """Takes as given how many bytes the extent of a block has in which so many lie."""
    page, places, page_shift = page_of(heap, address), heap.places, heap.page_shift
    shift, last = heap.slabs.slot_of(page), address + size - 1
    head = heap.layouts.of(shift).first >> shift
    ends_in(run, heap, address, size)
    run.assume(
        slots_follow_each_other(places, page_shift, head, slot_of(heap, address), shift),
        objects_end_at_addresses(places, page_shift, address, shift),
        blocks_lie_in_their_slots(places, page_shift, address, last, shift),
        bytes_lie_in_pages(places, page_shift, size - 1, heap.pages.length(page)),
    )


def ends_in(run: Run, heap: SymbolicHeap, address: Number, size: Number) -> None:
    """Takes as given in which page the last of so many bytes lies, if they begin a page."""
    last, shift = address + size - 1, heap.slabs.slot_of(page_of(heap, address))
    run.assume(
        pages_are_counted(heap.places, heap.page_shift, address, size - 1),
        addresses_have_parts(heap.places, heap.page_shift, last, shift),
        other_numbers_have_no_page(heap.places, heap.page_shift, last),
    )


def computes(run: Run, heap: SymbolicHeap, state: law.Heap, size: Number, address: Number) -> None:
    """Takes as given where the new block lies, as it is computed."""
    places, page_shift = heap.places, heap.page_shift
    run.touch(("block",), (address,))
    if not heap.slabs.opened:
        ends_in(run, heap, address, size)
        run.assume(
            pages_have_addresses(places, page_shift, heap.pages.last, address),
            blocks_are_aligned(heap, state, address, size, 0),
        )
        return
    page, bits = heap.slabs.opened[-1]
    shift = heap.slabs.slot_of(page)
    run.assume(
        slots_have_addresses(places, page_shift, page, bits.taken, shift, address),
        objects_end_at_addresses(places, page_shift, address, shift),
        objects_keep_their_bytes(places, page_shift, address, address + size - 1, shift),
        blocks_are_aligned(heap, state, address, size, shift),
    )
