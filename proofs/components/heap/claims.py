"""What the proofs of the heap's code claim of the state that a call leaves.

Claimed of the whole state: the heap has the blocks of the law's state (`is_the_laws`), and its containers satisfy their
invariants. After a call that fails their contents are what they were (`all_contents`).
"""

from __future__ import annotations

from collections.abc import Sequence

from memoracle.proofs.components.heap.address_arithmetic import places_are_addresses, slots_lie_in_pages
from memoracle.proofs.components.heap.invariants import CONTAINER_INVARIANTS, blocks_fit
from memoracle.proofs.components.heap.models import CountedNotes
from memoracle.proofs.components.heap.symbolic_heap import SymbolicHeap, blocks_of, page_of
from memoracle.proofs.obligations.law_obligations import prose
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import Symbolic
from memoracle.spec import heap as law
from memoracle.spec.clauses import Number, implies


def assert_container_invariants(run: Run, heap: SymbolicHeap, touched: Sequence[Number] = ()) -> dict[str, Symbolic]:
    """Claims the invariants of the containers at unknown points, and returns these.

    touched: the pages in which a block was made or deleted.
    """
    points = run.point_of_each(("page", "later", "slot", "shift"))
    first, last = heap.run_of.at(points["page"]), heap.pages.last
    pairs = [(points["page"], points["later"]), (last, points["later"]), (first, last)]
    pairs += [(points["page"], page) for page in touched]
    for pair in pairs:
        run.touch(("page", "later"), pair)
    for known, parameters in CONTAINER_INVARIANTS.items():
        run.assert_goal(prose(known), known(heap, *(points[parameter] for parameter in parameters)))
    return points


def is_the_laws(
    run: Run, heap: SymbolicHeap, state: law.Heap, touched: Number | None = None, made: bool = False
) -> None:
    """Claims that the reference stands for this state, and that the invariants of its containers hold.

    touched: the block that was made or deleted, if one was.  made: whether it was made.
    """
    address = run.point("block")
    if touched is not None:
        shift = heap.slabs.slot_of(page_of(heap, touched))
        run.suppose(places_are_addresses(heap.places, heap.page_shift, touched, address, shift))
        run.suppose(slots_lie_in_pages(heap.places, heap.page_shift, address, shift))
    same_live = blocks_of(heap, state).is_live(address) == state.is_live(address)
    fits = blocks_fit(heap, state.size, address)
    run.assert_and_assume("the live blocks are what the law says", same_live)
    if made:
        run.assert_and_assume(
            "the last byte of an older block still lies in its slot, or in its pages", implies(address != touched, fits)
        )
        run.assert_and_assume(
            "the last byte of a new block lies in its slot, or in its pages", implies(address == touched, fits)
        )
    run.assert_goal(prose(blocks_fit), fits)
    assert_container_invariants(run, heap, [] if touched is None else [page_of(heap, touched)])


def block_contents(heap: SymbolicHeap) -> list[object]:
    """What the containers of slabs and blocks contain. A write to a stand-in gives it a new function."""
    slabs, large, run_of, room, empty = heap.slabs, heap.large, heap.run_of, heap.room, heap.empty
    objects = [slabs.has, slabs.slot_of, slabs.is_free, slabs.count, room.has, empty.has, empty.at]
    return [*objects, large.has, large.at, run_of.has, run_of.at]


def note_contents(heap: SymbolicHeap) -> list[object]:
    """What the source of pages and the containers of notes contain."""
    pages, notes = heap.pages, heap.notes
    kept = [pages.got, pages.length, pages.run_at, notes.has, notes.at, heap.reserve]
    return [*kept, *([heap.spare.length] if isinstance(heap.spare, CountedNotes) else [heap.spare.has])]


def all_contents(heap: SymbolicHeap) -> list[object]:
    """What all containers contain."""
    return [*block_contents(heap), *note_contents(heap)]


def all_identical(now: list[object], before: list[object]) -> bool:
    """Whether nothing was written between two lists of contents."""
    return all(one is other for one, other in zip(now, before, strict=True))
