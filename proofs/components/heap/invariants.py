"""The invariants of a heap's containers, which its code keeps, and on which the proofs of its operations rest."""

from __future__ import annotations

from dataclasses import replace

from memoracle.impl.slab import Layout
from memoracle.proofs.components.heap.models import count_is_right, is_in_run
from memoracle.proofs.components.heap.symbolic_heap import (
    HasPages,
    SymbolicHeap,
    is_class,
    is_object,
    is_run,
    page_of,
    slot_of,
)
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.values import Condition, Function, Property
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec.clauses import Number, Truth, implies, neg


def runs_are_apart(heap: HasPages, page: Number, later: Number) -> Truth:
    """A page belongs to one run of pages at most."""
    source = heap.pages
    return implies(source.got(page) & is_in_run(page, source.length(page), later), source.run_at(later) == page)


def runs_have_addresses(heap: HasPages, page: Number) -> Truth:
    """A run of pages lies among those that the source has."""
    source = heap.pages
    fits = (source.lowest <= page) & (1 <= source.length(page)) & (page + source.length(page) <= source.below)
    return implies(source.got(page), fits)


def runs_are_used_once(heap: SymbolicHeap, page: Number) -> Truth:
    """A slab is a run of one page, a larger block ends with a run, and no run is of both; each run has a note."""
    source, is_slab, is_large = heap.pages, heap.slabs.has(page), heap.large.has(page)
    first, pages = heap.run_of.at(page), heap.large.at(page)
    slab = implies(is_slab, source.got(page) & (source.length(page) == 1))
    ends = (first <= page) & (1 <= pages) & (page + pages == first + source.length(first))
    large = implies(is_large, source.got(first) & ends & neg(heap.slabs.has(first)))
    return slab & large & neg(is_slab & is_large) & (heap.notes.has(page) == source.got(page))


def larger_blocks_have_runs(heap: SymbolicHeap, page: Number) -> Truth:
    """Of each larger block, and of nothing else, it is known which run it lies in."""
    return heap.run_of.has(page) == heap.large.has(page)


def runs_have_one_block(heap: SymbolicHeap, page: Number, later: Number) -> Truth:
    """No two larger blocks lie in one run."""
    both = heap.large.has(page) & heap.large.has(later)
    return implies(both & (heap.run_of.at(page) == heap.run_of.at(later)), page == later)


def slabs_have_classes(heap: SymbolicHeap, page: Number) -> Truth:
    """A slab's slots have the size of some class."""
    return implies(heap.slabs.has(page), is_class(heap, heap.slabs.slot_of(page)))


def slabs_are_counted(heap: SymbolicHeap, page: Number, slot: Number) -> Truth:
    """The count of a slab is that of its free objects."""
    slab = heap.slabs
    layout = heap.layouts.of(slab.slot_of(page))
    frames = frames_of_slab(layout, lambda each: slab.is_free(page, each), slab.count(page))
    return implies(slab.has(page), count_is_right(frames, layout.first >> layout.slot_shift, slot))


def room_is_known(heap: SymbolicHeap, shift: Number, page: Number) -> Truth:
    """The slabs that a class has in `room` are those of its slabs with a free object."""
    slab = heap.slabs
    return heap.room.has(shift, page) == (slab.has(page) & (slab.slot_of(page) == shift) & (slab.count(page) > 0))


def empty_is_known(heap: SymbolicHeap, page: Number) -> Truth:
    """A slab has only free objects if and only if it is the one that its class keeps in `empty`."""
    slab, shift = heap.slabs, heap.slabs.slot_of(page)
    all_free = slab.count(page) == heap.layouts.of(shift).objects
    return implies(slab.has(page), all_free == heap.empty.maps(shift, page))


def empty_is_a_slab(heap: SymbolicHeap, shift: Number) -> Truth:
    """What a class keeps in `empty` is one of its slabs."""
    page = heap.empty.at(shift)
    return implies(heap.empty.has(shift), heap.slabs.has(page) & (heap.slabs.slot_of(page) == shift))


def blocks_fit(heap: SymbolicHeap, size: Function, block: Number) -> Truth:
    """The last byte of a block lies in the block's slot, or in its pages."""
    page, last = page_of(heap, block), block + size(block) - 1
    ends = last <= HIGHEST
    in_slot = (page_of(heap, last) == page) & (slot_of(heap, last) == slot_of(heap, block))
    in_pages = page_of(heap, last) < page + heap.large.at(page)
    fits = implies(is_object(heap, block), in_slot) & implies(is_run(heap, block), in_pages)
    return implies((0 < size(block)) & (is_object(heap, block) | is_run(heap, block)), ends & fits)


CONTAINER_INVARIANTS: dict[Condition, tuple[str, ...]] = {
    runs_are_apart: ("page", "later"),
    runs_have_addresses: ("page",),
    runs_are_used_once: ("page",),
    larger_blocks_have_runs: ("page",),
    runs_have_one_block: ("page", "later"),
    slabs_have_classes: ("page",),
    slabs_are_counted: ("page", "slot"),
    room_is_known: ("shift", "page"),
    empty_is_known: ("page",),
    empty_is_a_slab: ("shift",),
}


# The invariants from which it follows that a new block has no byte of another
WHERE_BLOCKS_LIE = (runs_are_apart, runs_have_addresses, runs_are_used_once, slabs_have_classes, room_is_known)
# Those from which it follows that no byte that was set aside for a block belongs to another
WHERE_THEY_STAY = (runs_are_apart, runs_have_addresses, runs_are_used_once, runs_have_one_block, slabs_have_classes)


def frames_of_slab(layout: Layout, is_free: Property, count: Number) -> bitmap_law.Frames:
    """The bitmap of a slab as the law of bitmaps has it: its slots are the frames, those of its header never free."""
    head = layout.first >> layout.slot_shift
    header: Property = lambda slot: (0 <= slot) & (slot < head)  # noqa: E731
    return replace(bitmap_law.empty(layout.slots, header), is_free=is_free, count=count)
