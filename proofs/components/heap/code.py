"""Proofs of the code of `impl/heap.py`: `new` and `delete` do what the law says.

The code runs on a heap with any number of slabs of any classes, any objects taken of them, and any number of larger
blocks (`symbolic_heap.py`). `_get`, which gets pages and notes, and `slot_for`, which finds the class for a size, are
proved by themselves (`getting.py`, `slot_for_refines`); where `new` calls them, stand-ins do what was proved. Assumed
are the lemmas of `places.py` about addresses, and that the source of pages does what `models.Source` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import z3

from memoracle.proofs.components.heap.address_arithmetic import (
    ARITHMETIC,
    arithmetic,
    bytes_need_pages,
    places_follow_addresses,
    proved,
    proved_of_code,
)
from memoracle.proofs.components.heap.claims import all_contents, all_identical, is_the_laws
from memoracle.proofs.components.heap.getting import GetStandIn, get_refines
from memoracle.proofs.components.heap.layouts import heads_of_layouts
from memoracle.proofs.components.heap.models import is_in_run
from memoracle.proofs.components.heap.places import aligned_blocks, assume_lookup, assume_new_block
from memoracle.proofs.components.heap.symbolic_heap import (
    WHERE_BLOCKS_LIE,
    SymbolicHeap,
    constants,
    is_class,
    is_run,
    keeps_constants,
    page_of,
    slot_of,
    unknown_code,
)
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.path_merging import merged
from memoracle.spec import heap as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when


def any_size(run: Run) -> Number:
    """Any number of bytes that a caller may ask for, even a negative one, on two paths."""
    size = run.point("size")
    return size if run.decide(z3.Bool("at least no bytes")) else -1 - size


@proved("slot-for.refines", "refinement", "the class that serves a size is large enough, and aligned as the law says")
def slot_for_refines(run: Run) -> None:
    heap, _ = unknown_code(run)
    size, constant, contents = run.any_number("size"), constants(heap), all_contents(heap)
    slot = run.call(heap.slot_for, size)
    run.assert_goal("nothing changes", all_identical(all_contents(heap), contents))
    keeps_constants(run, heap, constant)
    run.assert_goal("the class is large enough, or whole pages serve", may_serve(heap, slot, size))
    shift = run.point("shift")
    rounded = (size <= 1 << shift) & ((shift == 0) | (1 << shift < size + size))
    served_by = when(shift <= heap.page_shift, heap.served.at(shift), 0)
    run.assert_goal("it is that of the least power of two that holds it", implies(rounded, slot == served_by))


def may_serve(heap: SymbolicHeap, slot: Number, size: Number) -> Truth:
    """Whether slots of 2^slot bytes serve a size. A slot of 0 stands for whole pages, which serve any."""
    return (slot == 0) | (is_class(heap, slot) & (size <= 1 << slot))


def slot_for_stand_in(run: Run, heap: SymbolicHeap, size: Number, served: list[Number]) -> Number:
    """Stands in for `slot_for`: it does what `slot_for_refines` proves of that.

    served: to which each size is added that it is called with.
    """
    with run.reading_law():
        served.append(size)
        slot = run.point("shift")
        run.suppose(may_serve(heap, slot, size))
    return slot


def merge_paths(run: Run, heap: SymbolicHeap) -> None:
    """Merges the paths through the methods that keep track of empty and full slabs, on which nothing else depends."""
    parts = (heap.empty, "has"), (heap.room, "has")
    for name in ("_keep_no_more", "_leave_if_full"):
        heap.__dict__[name] = partial(merged, run, parts, getattr(heap, name))


@proved_of_code(
    "new.refines", "refinement", "the code of new does what the law allows, and fails only for want of pages"
)
def new_refines(run: Run) -> None:
    heap, state = unknown_code(run)
    size = any_size(run)
    getting = GetStandIn(run, heap)
    merge_paths(run, heap)
    constant, served = constants(heap), list[Number]()
    run.replace(heap, "slot_for", lambda size: slot_for_stand_in(run, heap, size, served))
    run.assume(bytes_need_pages(heap.places, heap.page_shift, size))
    address = run.call(heap.new, size)
    keeps_constants(run, heap, constant)
    getting.keeps_notes()
    looked_up = size < 0 if not served else len(served) == 1 and served[0] == size
    run.assert_goal("a class is looked up once, for this size, unless the size is negative", looked_up)
    run.assert_goal("pages are got once at most", len(getting.asked) <= 1)
    for asked in getting.asked:
        run.assert_goal(
            "no more pages are asked for than the bytes need", (asked == 1) | (asked - 1 << heap.page_shift < size)
        )
    for page in getting.got:
        run.assert_goal("pages that are got are used", heap.slabs.has(page) | heap.large.has(page))
    if address is None:
        nowhere = neg(law.lies_within_addresses(state, size, run.point("address")))
        run.assert_goal("it fails only where no block fits, or the source has no pages", nowhere | heap.pages.refused)
        is_the_laws(run, heap, state)
        return
    alignment = law.alignment_of(state, size)
    after = law.new(state, size, alignment, address)
    points = {"size": size, "alignment": alignment, "address": address}
    assume_new_block(run, heap, state, size, address)
    for clause in law.new.guard:
        if clause is law.is_disjoint:
            continue  # see `new_is_disjoint`
        run.assert_goal(clause.says, clause(state, *(points[point] for point in clause.points)))
    is_the_laws(run, heap, after, address, made=True)


@proved(
    "new.of-any-size.gets-enough",
    "theorem",
    "as many pages are asked for as a size needs, even one beyond all addresses",
)
def new_of_any_size(run: Run) -> None:
    heap, _ = unknown_code(run, knowing=())
    size, served, asked = run.any_number("size"), list[Number](), list[Number]()

    def slot_for(size: Number) -> int:
        served.append(size)
        return 0

    run.replace(heap, "slot_for", slot_for)
    run.replace(heap, "_get", lambda pages: asked.append(pages))
    run.assert_goal("without pages it fails", run.call(heap.new, size) is None)
    run.assert_goal("pages are asked for once, unless the size is negative", (size < 0) | (len(asked) == 1))
    for each in served:
        run.assert_goal("it is this size for which no slab serves", each == size)
    for pages in asked:
        run.assert_goal("they are enough", size <= pages << heap.page_shift)
        run.assert_goal("they are no more than the bytes need", (pages == 1) | (pages - 1 << heap.page_shift < size))


@proved_of_code("new.hands-out-free-bytes", "refinement", "the code of new hands out no byte of a live block")
def new_is_disjoint(run: Run) -> None:
    heap, state = unknown_code(run, WHERE_BLOCKS_LIE)
    size, byte = any_size(run), run.point("byte")
    GetStandIn(run, heap)
    merge_paths(run, heap)
    run.replace(heap, "slot_for", lambda size: slot_for_stand_in(run, heap, size, []))
    run.assume(bytes_need_pages(heap.places, heap.page_shift, size))
    address = run.call(heap.new, size)
    run.goals.clear()  # the goals of stand-ins are claimed in `new.refines`
    if address is None:
        return
    assume_new_block(run, heap, state, size, address)
    after, other = law.new(state, size, law.alignment_of(state, size), address), state.block_at(byte)
    run.touch(("page", "later"), (page_of(heap, address), page_of(heap, byte)))
    for block in (address, other):
        last, shift = block + after.size(block) - 1, heap.slabs.slot_of(page_of(heap, block))
        run.touch(("page", "later"), (page_of(heap, block), page_of(heap, byte)))
        run.assume(places_follow_addresses(heap.places, heap.page_shift, block, byte, last, shift))
    shared = (address <= byte) & (byte < address + size) & law.has_byte(state, other, byte)
    if heap.slabs.opened:
        run.assert_and_assume(
            "the byte lies in the new object's slot", implies(shared, share_a_slot(heap, address, byte))
        )
        run.assert_and_assume(
            "a live block that has the byte is not a run of pages", implies(shared, neg(is_run(heap, other)))
        )
        run.assert_and_assume(
            "a live object that has the byte lies in that slot, too", implies(shared, share_a_slot(heap, other, byte))
        )
    else:
        for says, block in (("the byte lies in the new run", address), ("it lies in a live block's run", other)):
            run.assert_and_assume(says, implies(shared, lies_in_run(heap, page_of(heap, block), page_of(heap, byte))))
    run.assert_goal(law.is_disjoint.says, law.is_disjoint(state, size, address, byte))


def lies_in_run(heap: SymbolicHeap, first: Number, page: Number) -> Truth:
    """Whether a page belongs to a run that is handed out and starts at `first`."""
    return heap.pages.got(first) & is_in_run(first, heap.pages.length(first), page)


def share_a_slot(heap: SymbolicHeap, block: Number, byte: Number) -> Truth:
    """Whether two addresses lie in the same slot of the same page."""
    return (page_of(heap, block) == page_of(heap, byte)) & (slot_of(heap, block) == slot_of(heap, byte))


@proved_of_code("delete.refines", "refinement", "the code of delete does what the law says")
def delete_refines(run: Run) -> None:
    heap, state = unknown_code(run)
    address, page = run.any_number("address"), run.point("page")
    got, was_slab, was_large = heap.pages.got, heap.slabs.has, heap.large.has
    constant, contents = constants(heap), all_contents(heap)
    assume_lookup(run, heap, address)
    done = run.call(lambda: bool(heap.delete(address)))
    keeps_constants(run, heap, constant)
    if done:
        run.assert_goal("the law allows it", law.delete.allows(state, address=address))
        gone = (was_slab(page) & neg(heap.slabs.has(page))) | (was_large(page) & neg(heap.large.has(page)))
        given_back = got(page) & neg(heap.pages.got(page))
        run.assert_goal("pages are given back when nothing uses them any more, and no others", given_back == gone)
        run.assert_and_assume("a block has a 64-bit address", (0 <= address) & (address <= HIGHEST))
        is_the_laws(run, heap, law.delete(state, address), address)
        return
    run.assert_goal("it fails only if the law says so", neg(law.delete.allows(state, address=address)))
    run.assert_goal("nothing changes", all_identical(all_contents(heap), contents))


@proved_of_code("delete.makes-room", "refinement", "a slab that is kept when one of its objects is deleted has room")
def delete_makes_room(run: Run) -> None:
    heap, _ = unknown_code(run)
    address = run.point("address")
    page, was_large = address >> heap.page_shift, heap.large.has
    assume_lookup(run, heap, address)
    if run.call(lambda: bool(heap.delete(address))):
        kept = heap.slabs.has(page) & neg(was_large(page)) & (address != 0)
        room = heap.room.has(heap.slabs.slot_of(page), page)
        run.goals.clear()  # the goals of stand-ins are claimed in `delete.refines`
        run.assert_goal("the slab has room", implies(kept, room))


CODE = (
    *map(arithmetic, ARITHMETIC),
    heads_of_layouts,
    aligned_blocks,
    get_refines,
    slot_for_refines,
    new_refines,
    new_of_any_size,
    new_is_disjoint,
    delete_refines,
    delete_makes_room,
)


def obligations() -> Iterator[Obligation]:
    yield from CODE
