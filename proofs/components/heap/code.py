"""Proofs of the code of `impl/heap.py`: `new` and `delete` do what the law says.

The code runs on a heap with any number of slabs of any classes, any objects taken of them, and any number of larger
blocks (`symbolic_heap.py`). `_get`, which gets pages and notes, and `slot_for`, which finds the class for a size, are
proved by themselves (`getting.py`, `slot_for_refines`); where `new` calls them, stand-ins do what was proved. Assumed
are the lemmas of `places.py` about addresses, and that the source of pages does what `models.Source` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from memoracle.proofs.components.heap.address_arithmetic import (
    ARITHMETIC,
    aligned_pages_are_near,
    arithmetic,
    bytes_need_pages,
    places_follow_addresses,
    proved,
    proved_of_code,
)
from memoracle.proofs.components.heap.claims import all_contents, all_identical, is_the_laws
from memoracle.proofs.components.heap.getting import GetStandIn, get_refines
from memoracle.proofs.components.heap.invariants import WHERE_BLOCKS_LIE
from memoracle.proofs.components.heap.layouts import heads_of_layouts
from memoracle.proofs.components.heap.models import is_in_run
from memoracle.proofs.components.heap.places import aligned_blocks, assume_arena, assume_lookup, assume_new_block
from memoracle.proofs.components.heap.symbolic_heap import (
    SymbolicHeap,
    constants,
    first_page_of,
    is_class,
    is_run,
    keeps_constants,
    page_of,
    slot_of,
)
from memoracle.proofs.components.heap.unknown_heap import unknown_code
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.path_merging import merged
from memoracle.proofs.symbolic.values import Function
from memoracle.spec import heap as law
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Number, Truth, at_least, implies, neg, when


def any_size(run: Run) -> Number:
    """Any number of bytes that a caller may ask for, even a negative one."""
    size = run.point("size")
    return when(run.truth("at least no bytes"), size, -1 - size)


def any_alignment(run: Run) -> Number:
    """Any alignment that a caller may ask for, even a negative one."""
    alignment = run.point("alignment")
    return when(run.truth("no negative alignment"), alignment, -1 - alignment)


@proved("slot-for.refines", "refinement", "the class that serves a size is large enough, and aligned as the law says")
def slot_for_refines(run: Run) -> None:
    heap, _ = unknown_code(run)
    size, alignment = run.any_number("size"), run.any_number("alignment")
    constant, contents = constants(heap), all_contents(heap)
    slot = run.call(heap.slot_for, size, alignment)
    run.assert_goal("nothing changes", all_identical(all_contents(heap), contents))
    keeps_constants(run, heap, constant)
    run.assert_goal("the class is large enough, or whole pages serve", may_serve(heap, slot, size, alignment))
    shift, wanted = run.point("shift"), at_least(size, alignment)
    rounded = (wanted <= 1 << shift) & ((shift == 0) | (1 << shift < wanted + wanted))
    served_by = when(shift <= heap.page_shift, heap.served.at(shift), 0)
    run.assert_goal("it is that of the least power of two that holds both", implies(rounded, slot == served_by))


def may_serve(heap: SymbolicHeap, slot: Number, size: Number, alignment: Number) -> Truth:
    """Whether slots of 2^slot bytes serve a size and an alignment. A slot of 0 stands for whole pages."""
    return (slot == 0) | (is_class(heap, slot) & (size <= 1 << slot) & (alignment <= 1 << slot))


class SlotForStandIn:
    """Stands in for `slot_for`: it does what `slot_for_refines` proves of that.

    served: each size that it was called with, and the alignment.
    """

    def __init__(self, run: Run, heap: SymbolicHeap) -> None:
        self.run, self.heap = run, heap
        self.served: list[tuple[Number, Number]] = []
        run.replace(heap, "slot_for", self)

    def __call__(self, size: Number, alignment: Number) -> Number:
        with self.run.reading_law():
            self.served.append((size, alignment))
            slot = self.run.point("shift")
            self.run.suppose(may_serve(self.heap, slot, size, alignment))
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
    size, alignment = any_size(run), any_alignment(run)
    getting, looking_up = GetStandIn(run, heap), SlotForStandIn(run, heap)
    merge_paths(run, heap)
    constant, run_of = constants(heap), heap.run_of.at
    run.assume(bytes_need_pages(heap.places, heap.page_shift, size))
    run.assume(aligned_pages_are_near(heap.places, heap.page_shift, 1, alignment, 0))
    address = run.call(heap.new, size, alignment)
    keeps_constants(run, heap, constant)
    getting.keeps_notes()
    never = (size < 0) | neg(alignment_is_a_power_of_two(state, alignment))
    (found, aligned), *more = looking_up.served or [(size, alignment)]
    looked_up = never if not looking_up.served else not more and (found == size) & (aligned == alignment)
    run.assert_goal("a class is looked up once, for this size and alignment, unless there can be no block", looked_up)
    run.assert_goal("pages are got once at most", len(getting.asked) <= 1)
    for asked in getting.asked:
        pages = asked - (alignment - 1 >> heap.page_shift)
        needed = (pages == 1) | (pages - 1 << heap.page_shift < size)
        run.assert_goal(
            "no more pages are asked for than the bytes need, and may have to be skipped", (asked == 1) | needed
        )
    for page in getting.got:
        used = address is not None and heap.large.has(page_of(heap, address)) & (first_page_of(heap, address) == page)
        run.assert_goal("pages that are got are used", heap.slabs.has(page) | used)
    if address is None:
        nowhere = neg(law.lies_within_addresses(state, size, run.point("address")))
        never, without = nowhere | neg(alignment_is_a_power_of_two(state, alignment)), heap.pages.refused
        run.assert_goal("it fails only where there can be no block, or the source has no pages", never | without)
        is_the_laws(run, heap, state)
        return
    assume_new_block(run, heap, state, size, alignment, address)
    assume_arena(run, heap, address, size)
    touch_runs_at(run, heap, run_of, address)
    for due in (alignment, law.alignment_of(state, size)):
        points = {"size": size, "alignment": due, "address": address}
        for clause in law.new.guard:
            if clause is law.is_disjoint:
                continue  # see `new_is_disjoint`
            run.assert_goal(clause.says, clause(state, *(points[point] for point in clause.points)))
    is_the_laws(run, heap, law.new(state, size, alignment, address), address, made=True)


def touch_runs_at(run: Run, heap: SymbolicHeap, run_of: Function, block: Number) -> None:
    """Notes the runs in which the page of a new block may lie, or may have lain.

    run_of: the first pages of the runs of larger blocks, before it was made.
    """
    page = page_of(heap, block)
    for first in (heap.pages.last, run_of(page), page):
        run.touch(("page", "later"), (first, page))


@proved(
    "new.of-any-size.gets-enough",
    "theorem",
    "as many pages are asked for as a size needs, even one beyond all addresses",
)
def new_of_any_size(run: Run) -> None:
    heap, state = unknown_code(run, knowing=())
    size, alignment = run.any_number("size"), run.any_number("alignment")
    served, asked = list[tuple[Number, Number]](), list[Number]()

    def slot_for(size: Number, alignment: Number) -> int:
        served.append((size, alignment))
        return 0

    run.replace(heap, "slot_for", slot_for)
    run.replace(heap, "_get", lambda pages: asked.append(pages))
    run.assert_goal("without pages it fails", run.call(heap.new, size, alignment) is None)
    never = (size < 0) | neg(alignment_is_a_power_of_two(state, alignment))
    run.assert_goal("pages are asked for once, unless there can be no block", never | (len(asked) == 1))
    for found, aligned in served:
        run.assert_goal("it is this block for which no slab serves", (found == size) & (aligned == alignment))
    for pages in asked:
        skipped = alignment - 1 >> heap.page_shift
        own = pages - skipped
        run.assert_goal("besides those that may have to be skipped they are enough", size <= own << heap.page_shift)
        run.assert_goal("they are no more than the bytes need", (own == 1) | (own - 1 << heap.page_shift < size))
        near = (skipped == 0) | (skipped + 1 << heap.page_shift == alignment)
        run.assert_goal("as many may have to be skipped as an alignment has, but one", near)


def touch_bytes(run: Run, heap: SymbolicHeap, state: law.Heap, byte: Number, blocks: Sequence[Number]) -> None:
    """Notes the runs in which these blocks lie, which may have a byte, and assumes the lemma on where it lies then."""
    for block in blocks:
        last, shift = block + state.size(block) - 1, heap.slabs.slot_of(page_of(heap, block))
        run.touch(("page", "later"), (first_page_of(heap, block), page_of(heap, byte)))
        run.assume(places_follow_addresses(heap.places, heap.page_shift, block, byte, last, shift))


@proved_of_code("new.hands-out-free-bytes", "refinement", "the code of new hands out no byte of a live block")
def new_is_disjoint(run: Run) -> None:
    heap, state = unknown_code(run, WHERE_BLOCKS_LIE)
    size, alignment, byte = any_size(run), any_alignment(run), run.point("byte")
    GetStandIn(run, heap)
    SlotForStandIn(run, heap)
    merge_paths(run, heap)
    run.assume(bytes_need_pages(heap.places, heap.page_shift, size))
    run.assume(aligned_pages_are_near(heap.places, heap.page_shift, 1, alignment, 0))
    run_of = heap.run_of.at
    address = run.call(heap.new, size, alignment)
    run.goals.clear()  # the goals of stand-ins are claimed in `new.refines`
    if address is None:
        return
    assume_new_block(run, heap, state, size, alignment, address)
    touch_runs_at(run, heap, run_of, address)
    after, other = law.new(state, size, alignment, address), state.block_at(byte)
    run.touch(("page", "later"), (page_of(heap, address), page_of(heap, byte)))
    touch_bytes(run, heap, after, byte, (address, other))
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
            first = first_page_of(heap, block)
            run.assert_and_assume(says, implies(shared, lies_in_run(heap, first, page_of(heap, byte))))
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
    got, was_slab, was_large, block = heap.pages.got, heap.slabs.has, heap.large.has, page_of(heap, address)
    constant, contents = constants(heap), all_contents(heap)
    assume_lookup(run, heap, address)
    done = run.answers(heap.delete, address)
    keeps_constants(run, heap, constant)
    if done:
        run.assert_goal("the law allows it", law.delete.allows(state, address=address))
        own = (page == heap.run_of.at(block)) & was_large(block) & neg(heap.large.has(block))
        gone = (was_slab(page) & neg(heap.slabs.has(page))) | own
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
    if run.answers(heap.delete, address):
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
