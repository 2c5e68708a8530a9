"""Proofs of the code of `impl/heap.py`: `new` and `delete` do what the law says.

The code runs on a heap with any number of slabs of any classes, any objects taken of them, and any number of larger
blocks (`symbolic_heap.py`). `_get`, which gets pages and notes, and `slot_for`, which finds the class for a size, are
proved by themselves (`get_refines`, `slot_for_refines`); where `new` calls them, stand-ins do what was proved. Assumed
are the lemmas of `places.py` about addresses, and that the source of pages does what `models.Source` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import z3

from memoracle.proofs.components.heap.address_arithmetic import (
    ARITHMETIC,
    MOST_PAGES,
    arithmetic,
    bytes_need_pages,
    places_are_addresses,
    places_follow_addresses,
    proved,
    proved_of_code,
    slots_lie_in_pages,
)
from memoracle.proofs.components.heap.layouts import heads_of_layouts
from memoracle.proofs.components.heap.models import CountedNotes, Source, is_in_run
from memoracle.proofs.components.heap.places import aligned_blocks, assume_lookup, assume_new_block
from memoracle.proofs.components.heap.symbolic_heap import (
    CONTAINER_INVARIANTS,
    WHERE_BLOCKS_LIE,
    SymbolicHeap,
    any_runs,
    blocks_fit,
    blocks_of,
    constants,
    is_class,
    is_run,
    keeps_constants,
    page_of,
    runs_are_apart,
    runs_have_addresses,
    slot_of,
    unknown_code,
)
from memoracle.proofs.obligations.law_obligations import prose
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.numbers import Symbolic
from memoracle.proofs.symbolic.path_merging import merged
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import heap as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when


def assert_container_invariants(run: Run, heap: SymbolicHeap) -> dict[str, Symbolic]:
    """Claims the invariants of the containers at unknown points, and returns these."""
    points = run.point_of_each(("page", "later", "slot", "shift"))
    pairs = ((points["page"], points["later"]), (heap.pages.last, points["later"]))
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
    assert_container_invariants(run, heap)


# Pages


def after_getting(run: Run, heap: SymbolicHeap, before: Source, pages: Number) -> tuple[Property, Property]:
    """What holds after pages were got: any run that was out is kept and has a note, and the run that was got is new.

    before: the runs of pages before.  pages: how many were asked for.
    """
    after, noted = heap.pages.copy(), heap.notes.has

    def kept(page: Number) -> Truth:
        is_kept = after.got(page) & (after.length(page) == before.length(page))
        return implies(before.got(page), is_kept) & (noted(page) == after.got(page))

    def new(page: Number) -> Truth:
        return after.got(page) & neg(before.got(page)) & (after.length(page) == pages)

    return kept, new


@dataclass
class HeapPages:
    """The pages of a heap, as invariants read them."""

    pages: Source
    page_shift: Number


class GetStandIn:
    """Stands in for `_get`: it does what `get_refines` proves of that.

    It claims that the code changes pages and notes nowhere else.
    """

    def __init__(self, run: Run, heap: SymbolicHeap) -> None:
        self.run, self.heap = run, heap
        self.left = note_contents(heap)  # as the last call left pages and notes, or as they were at first
        self.asked: list[Number] = []  # how many pages were asked for, each time
        self.got: list[Number] = []  # the first page of each run that was got
        run.replace(heap, "_get", self)

    def __call__(self, pages: Number) -> Number | None:
        run, heap, before = self.run, self.heap, self.heap.pages.copy()
        self.keeps_notes()
        self.asked.append(pages)
        run.assert_and_assume("some pages are asked for", (1 <= pages) & (pages <= MOST_PAGES))
        with run.reading_law():
            page = run.point("page")
            heap.pages.becomes(Source(run, heap.page_shift, *any_runs(run, "-later")))
            heap.notes.has, heap.notes.at = run.relation("noted-later", "page"), run.function("note-later", "page")
            kept, new = after_getting(run, heap, before, pages)
            known = HeapPages(heap.pages.copy(), heap.page_shift)
            run.assume_for_all(("page",), kept)
            run.assume_for_all(("page",), lambda each: runs_have_addresses(known, each))
            run.assume_for_all(("page", "later"), lambda first, each: runs_are_apart(known, first, each))
        self.left = note_contents(heap)
        if run.fresh_truth("refuses"):
            heap.pages.refused = True
            return None
        with run.reading_law():
            run.suppose(new(page))
            heap.pages.last = page
            self.got.append(page)
        return page

    def keeps_notes(self) -> None:
        """Claims that pages and notes are as the last call left them."""
        kept = all_identical(note_contents(self.heap), self.left)
        self.run.assert_goal("pages and notes change only where pages are got", kept)


@proved_of_code("get.refines", "refinement", "pages that are got are new and get a note, and a note is left in reserve")
def get_refines(run: Run) -> None:
    heap, _ = unknown_code(run)
    before, constant, pages = heap.pages.copy(), constants(heap), run.fresh("pages", 1, MOST_PAGES)
    blocks = block_contents(heap)
    page = run.call(heap._get, pages)
    points = assert_container_invariants(run, heap)
    kept, new = after_getting(run, heap, before, pages)
    run.assert_goal("what was got before is kept, and noted", kept(points["page"]))
    run.assert_goal("no slab and no block changes", all_identical(block_contents(heap), blocks))
    keeps_constants(run, heap, constant)
    if page is None:
        run.assert_goal("it fails only if the source has no pages", heap.pages.refused)
    else:
        run.assert_goal("the new run is new, and as long as was asked for", new(page))


def block_contents(heap: SymbolicHeap) -> list[object]:
    """What the containers of slabs and blocks contain. A write to a stand-in gives it a new function."""
    slabs, large, room, empty = heap.slabs, heap.large, heap.room, heap.empty
    return [slabs.has, slabs.slot_of, slabs.is_free, slabs.count, large.has, large.at, room.has, empty.has, empty.at]


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
    after, points = law.new(state, size, address), {"size": size, "address": address}
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
    after, other = law.new(state, size, address), state.block_at(byte)
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
