"""Which lemmas about pages and slots the proofs of the heap's code assume, and of which addresses.

Each lemma is proved in `address_arithmetic.py`; the one about alignment, which needs a heap, is proved here.
"""

from __future__ import annotations

from memoracle.proofs.components.heap.address_arithmetic import (
    addresses_have_parts,
    aligned_pages_are_near,
    blocks_lie_in_their_slots,
    bytes_lie_in_pages,
    computed_places,
    objects_end_at_addresses,
    objects_keep_their_bytes,
    other_numbers_have_no_page,
    pages_are_counted,
    pages_begin_at_addresses,
    pages_divide_addresses,
    pages_have_addresses,
    pages_have_bytes,
    places_are_aligned,
    proved,
    slots_follow_each_other,
    slots_have_addresses,
    slots_lie_in_pages,
)
from memoracle.proofs.components.heap.symbolic_heap import SymbolicHeap, page_of, slot_of
from memoracle.proofs.components.heap.unknown_heap import HeapContents, any_sizes, blocks_due, reference
from memoracle.proofs.obligations.law_obligations import prose
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import heap as law
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Number, Truth, implies


def blocks_are_aligned(heap: SymbolicHeap, state: law.Heap, block: Number, size: Number, shift: Number) -> Truth:
    """A block that begins a page, or a slot large enough for it, is aligned as the law says."""
    is_object = (heap.least <= shift) & (shift < heap.page_shift) & heap.places.starts(block, shift)
    begins = heap.places.begins(block) | (is_object & (size <= 1 << shift))
    alignment = law.alignment_of(state, size)
    aligned = alignment_is_a_power_of_two(state, alignment) & law.is_aligned(state, alignment, block)
    return implies((0 <= size) & begins, aligned)


@proved("arithmetic.blocks-are-aligned", "theorem", prose(blocks_are_aligned))
def aligned_blocks(run: Run) -> None:
    sizes, contents = any_sizes(run), HeapContents(run)
    heap = reference(run, sizes, contents, computed_places(sizes.page_shift))
    points = run.point_of_each(("block", "size", "shift")).values()
    run.assert_goal(prose(blocks_are_aligned), blocks_are_aligned(heap, blocks_due(run, sizes), *points))


def aligned_page(heap: SymbolicHeap, alignment: Number) -> Number:
    """The first page of the run that was got last that begins a multiple of the alignment."""
    skipped = alignment - 1 >> heap.page_shift
    last = heap.pages.last + skipped
    return last - (last & skipped)


def assume_lookup(run: Run, heap: SymbolicHeap, address: Number) -> None:
    """Assumes the lemmas about dividing a number, which may be an address or not, to look up what lies there."""
    page = page_of(heap, address)
    shift, first = heap.slabs.slot_of(page), heap.run_of.at(address >> heap.page_shift)
    run.touch(("page", "later"), (first, address >> heap.page_shift))
    run.assume(
        addresses_have_parts(heap.places, heap.page_shift, address, shift),
        other_numbers_have_no_page(heap.places, heap.page_shift, address),
        pages_begin_at_addresses(heap.places, heap.page_shift, address >> heap.page_shift),
        pages_begin_at_addresses(heap.places, heap.page_shift, first),
        slots_lie_in_pages(heap.places, heap.page_shift, address, shift),
    )


def assume_extent(run: Run, heap: SymbolicHeap, address: Number, size: Number) -> None:
    """Assumes the lemmas that bound the extent of a block by the slot or the pages in which its bytes lie."""
    page, places, page_shift = page_of(heap, address), heap.places, heap.page_shift
    shift, last = heap.slabs.slot_of(page), address + size - 1
    head = heap.layouts.of(shift).first >> shift
    assume_last_page(run, heap, address, size)
    run.assume(
        slots_follow_each_other(places, page_shift, head, slot_of(heap, address), shift),
        objects_end_at_addresses(places, page_shift, address, shift),
        blocks_lie_in_their_slots(places, page_shift, address, last, shift),
        bytes_lie_in_pages(places, page_shift, size - 1, heap.large.at(page)),
    )


def assume_arena(run: Run, heap: SymbolicHeap, address: Number, size: Number) -> None:
    """Assumes the lemmas that say whether a block lies in the pages that the source has."""
    source = heap.pages
    for byte, page in ((address, source.lowest), (address, source.below), (address + size - 1, source.below)):
        run.assume(pages_divide_addresses(heap.places, heap.page_shift, byte, page))


def assume_resized(
    run: Run, heap: SymbolicHeap, state: law.Heap, block: Number, size: Number, alignment: Number
) -> None:
    """Assumes the lemmas that say where the bytes lie that a block has, and those that it may have where it is."""
    page, places, page_shift = page_of(heap, block), heap.places, heap.page_shift
    shift = heap.slabs.slot_of(page)
    assume_extent(run, heap, block, state.size(block))
    assume_last_page(run, heap, block, size)
    run.touch(("block",), (block,))
    run.assume(
        pages_have_bytes(places, page_shift, size, heap.large.at(page)),
        objects_keep_their_bytes(places, page_shift, block, block + size - 1, shift),
        blocks_are_aligned(heap, state, block, size, shift),
        places_are_aligned(places, page_shift, block, shift, alignment),
    )


def assume_last_page(run: Run, heap: SymbolicHeap, address: Number, size: Number) -> None:
    """Assumes the lemmas that say in which page a block ends that begins a page."""
    last, shift = address + size - 1, heap.slabs.slot_of(page_of(heap, address))
    run.assume(
        pages_are_counted(heap.places, heap.page_shift, address, size - 1),
        addresses_have_parts(heap.places, heap.page_shift, last, shift),
        other_numbers_have_no_page(heap.places, heap.page_shift, last),
    )


def assume_new_block(
    run: Run, heap: SymbolicHeap, state: law.Heap, size: Number, alignment: Number, address: Number
) -> None:
    """Assumes the lemmas that say where a new block lies, whose address the code computed."""
    places, page_shift = heap.places, heap.page_shift
    run.touch(("block",), (address,))
    if not heap.slabs.opened:  # so the block has pages of its own
        assume_last_page(run, heap, address, size)
        run.assume(
            aligned_pages_are_near(places, page_shift, heap.pages.last, alignment, address),
            pages_have_addresses(places, page_shift, aligned_page(heap, alignment), address),
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
        places_are_aligned(places, page_shift, address, shift, alignment),
    )
