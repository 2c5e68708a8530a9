"""Proofs of the heap's notes, of the extent of a block, and of how a page of notes is laid out.

Each run of pages has a note; the notes that no run has are spare or in reserve. First it is proved how many are left:
the code gets and leaves notes as the law of the reserve says. Then it is proved which: no note belongs to two runs of
pages, and no page of notes is used as a block. What is assumed is the same as in `code.py`.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any, Protocol

from memoracle.impl import heap as heap_code
from memoracle.impl.heap import notes_in as real_notes_in
from memoracle.impl.slab import layout
from memoracle.proofs.components.heap.address_arithmetic import MOST_ASKED, SORTS, proved, proved_of_code
from memoracle.proofs.components.heap.claims import all_contents, all_identical
from memoracle.proofs.components.heap.invariants import runs_are_used_once, runs_have_addresses, runs_have_one_block
from memoracle.proofs.components.heap.law import LARGEST_PAGE, LEAST_PAGE, SCOPE, unknown_layout
from memoracle.proofs.components.heap.models import CountedNotes, ListedNotes
from memoracle.proofs.components.heap.places import assume_extent, assume_lookup
from memoracle.proofs.components.heap.symbolic_heap import (
    CountedHeap,
    SymbolicHeap,
    constants,
    is_run,
    keeps_constants,
    page_of,
)
from memoracle.proofs.components.heap.unknown_heap import unknown_code
from memoracle.proofs.obligations.law_obligations import prose
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.values import Condition, Function, Property
from memoracle.spec import heap as law
from memoracle.spec import slab as slab_law
from memoracle.spec.clauses import Number, Truth, implies, neg, when


def reserve_of(heap: CountedHeap) -> law.Reserve:
    """The law's state for a heap's spare notes, the one in reserve among them."""
    return law.Reserve(spare=heap.spare.length + 1)


@proved_of_code(
    "reserve.get.refines",
    "refinement",
    "pages that are got take a note, and more notes are got before the last is taken",
)
def get_refines(run: Run) -> None:
    heap, _ = unknown_code(run)
    due = reserve_of(heap)
    within: list[Truth] = []  # of each page of notes: whether its notes are made in the page that was got

    def notes_in(address: Number, page_shift: Number) -> CountedNotes:
        within.append((address == heap.pages.last << page_shift) & (page_shift == heap.page_shift))
        return CountedNotes(run, run.fresh("notes", 2, 1 << LARGEST_PAGE))

    run.replace(heap_code, "notes_in", notes_in)
    page = run.call(heap._get, run.fresh("pages", 1, MOST_ASKED))
    run.goals.clear()  # the goals of stand-ins are claimed in `get.refines`
    got, brought = heap.pages.handed, heap.spare.brought
    run.assert_goal("what is got is a page of notes, or the answer", len(got) == len(brought) + (page is not None))
    run.assert_goal(
        "what is got last is the answer", page is None or (bool(got) and page is got[-1]) or page == got[-1]
    )
    for notes, begins, pages in zip(brought, within, heap.pages.asked, strict=False):
        run.assert_goal("it is one page, and its notes lie in it", (pages == 1) & begins)
        run.assert_goal("it is got only where no other note is left", neg(law.leaves_a_note(due)))
        run.assert_goal("a page of notes is got where the law allows it", law.get_notes.allows(due, notes=notes))
        due = law.get_notes(due, notes)
    if page is not None:
        run.assert_goal("pages are got where the law allows it", law.get_pages.allows(due))
        due = law.get_pages(due)
    run.assert_goal("the notes that are left are those of the law", reserve_of(heap).spare == due.spare)
    run.assert_goal(law.a_note_is_spare.says, law.a_note_is_spare(reserve_of(heap)))


@proved_of_code(
    "reserve.delete.refines", "refinement", "pages that are given back leave their note, and nothing else does"
)
def delete_refines(run: Run) -> None:
    heap, _ = unknown_code(run, knowing=())
    due, got, address = reserve_of(heap), heap.pages.got, run.any_number("address")
    assume_lookup(run, heap, address)
    run.answers(heap.delete, address)
    run.goals.clear()  # the goals of stand-ins are claimed in `delete.refines`
    if heap.pages.got is not got:  # a run was given back
        due = law.give_pages(due)
    run.assert_goal("the notes that are left are those of the law", reserve_of(heap).spare == due.spare)
    run.assert_goal("no note is got", not heap.spare.brought and not heap.pages.handed)


# No note belongs to two runs


class NotedHeap(SymbolicHeap, Protocol):
    """A heap of which it is known which notes are spare.

    has_notes: whether a page is a page of notes.  lies_in: the page that a note lies in.
    """

    spare: ListedNotes
    has_notes: Property
    lies_in: Function


def notes_are_of_one_run(heap: NotedHeap, page: Number, later: Number) -> Truth:
    """No two runs of pages have the same note."""
    noted, note = heap.notes.has, heap.notes.at
    return implies(noted(page) & noted(later) & (note(page) == note(later)), page == later)


def notes_are_used_or_spare(heap: NotedHeap, page: Number) -> Truth:
    """The note of a run is neither spare nor in reserve, and the note in reserve is not spare."""
    note = heap.notes.at(page)
    unused = neg(heap.spare.has(note)) & (note != heap.reserve)
    return implies(heap.notes.has(page), unused) & neg(heap.spare.has(heap.reserve))


def notes_lie_in_their_pages(heap: NotedHeap, page: Number, note: Number) -> Truth:
    """Every note, whether of a run, spare or in reserve, lies in a page of notes."""
    of_run = implies(heap.notes.has(page), heap.has_notes(heap.lies_in(heap.notes.at(page))))
    spare = implies(heap.spare.has(note), heap.has_notes(heap.lies_in(note)))
    return of_run & spare & heap.has_notes(heap.lies_in(heap.reserve))


def pages_of_notes_are_kept(heap: NotedHeap, page: Number) -> Truth:
    """A page of notes was got, unless it is page 0, which stands for the kernel's image; and no block has that run."""
    kept = ((page == 0) | heap.pages.got(page)) & neg(heap.slabs.has(page))
    unused = neg(heap.has_notes(heap.run_of.at(page)))
    return implies(heap.has_notes(page), kept) & implies(heap.large.has(page), unused)


NOTE_INVARIANTS: dict[Condition, tuple[str, ...]] = {
    notes_are_of_one_run: ("page", "later"),
    notes_are_used_or_spare: ("page",),
    notes_lie_in_their_pages: ("page", "note"),
    pages_of_notes_are_kept: ("page",),
}
NOTE_SORTS = SORTS | {"note": Sort("note")}
proved_of_notes = Claims("heap", NOTE_SORTS, SCOPE, integers=True, once=True)


def with_notes(run: Run, heap: Any) -> NotedHeap:
    """The same heap with unknown spare notes, of which it is known which they are."""
    heap.spare = ListedNotes(run, run.relation("is_spare", "note"))
    heap.lies_in = run.function("lies_in", "note", gives="page")
    heap.has_notes = run.relation("has_notes", "page")
    noted: NotedHeap = heap
    return noted


def unknown_noted_heap(run: Run) -> NotedHeap:
    """Any heap that satisfies the invariants of notes, of which it is known which are spare, and where they lie."""
    known = (runs_have_addresses, runs_are_used_once, runs_have_one_block)
    before, heap = (with_notes(run, unknown_code(run, knowing=known)[0]) for _ in range(2))
    for noted, parameters in NOTE_INVARIANTS.items():
        run.assume_for_all(parameters, lambda *points, noted=noted: noted(before, *points))

    def notes_in(address: Number, page_shift: Number) -> ListedNotes:
        page, has_notes = heap.pages.last, heap.has_notes
        heap.has_notes = lambda other: has_notes(other) | (other == page)
        return ListedNotes(run, lambda note: heap.lies_in(note) == page)

    run.replace(heap_code, "notes_in", notes_in)
    return heap


def assert_note_invariants(run: Run, heap: NotedHeap, page: Number) -> None:
    """Claims that no note became spare twice, and the invariants of notes."""
    run.goals.clear()  # the goals of stand-ins are claimed in `get.refines` and `delete.refines`
    for once in heap.spare.once:
        run.assert_goal("no note is spare twice", once)
    points = {"page": page, **run.point_of_each(("later", "note"))}
    run.touch(("page", "later"), (points["page"], points["later"]))
    for note in (heap.notes.at(points["page"]), heap.notes.at(points["later"]), points["note"], heap.reserve):
        run.touch(("page", "later"), (heap.lies_in(note), heap.lies_in(note)))
    for known, parameters in NOTE_INVARIANTS.items():
        run.assert_goal(prose(known), known(heap, *(points[parameter] for parameter in parameters)))


@proved_of_notes("notes.get.keeps-apart", "refinement", "pages that are got take a note that no other run has")
def get_keeps_notes_apart(run: Run) -> None:
    heap = unknown_noted_heap(run)
    page = run.call(heap._get, run.fresh("pages", 1, MOST_ASKED))
    assert_note_invariants(run, heap, run.point("page"))
    if page is not None:
        run.assert_goal("the pages that are got have no notes", neg(heap.has_notes(page)))


@proved_of_notes("notes.delete.keeps-apart", "refinement", "the note of pages that are given back becomes spare once")
def delete_keeps_notes_apart(run: Run) -> None:
    heap, address, page = unknown_noted_heap(run), run.any_number("address"), run.point("page")
    assume_lookup(run, heap, address)
    run.answers(heap.delete, address)
    for other in (address >> heap.page_shift, heap.run_of.at(address >> heap.page_shift)):
        run.touch(("page", "later"), (page, other))
    assert_note_invariants(run, heap, page)


# A block's extent, and a page of notes


EXTENT = "the extent of a live block is its slot or its pages, with the bytes asked for, and nothing else has one"


@proved_of_code("extent.refines", "refinement", EXTENT)
def extent_refines(run: Run) -> None:
    heap, state = unknown_code(run)
    address, constant, before = run.any_number("address"), constants(heap), all_contents(heap)
    assume_lookup(run, heap, address)
    page = page_of(heap, address)
    assume_extent(run, heap, address, state.size(address))
    extent = run.call(heap.extent, address)
    run.assert_goal("nothing changes", all_identical(all_contents(heap), before))
    keeps_constants(run, heap, constant)
    if extent is None:
        run.assert_goal("a live block has one", neg(state.is_live(address)))
        return
    run.assert_goal("only a live block has one", state.is_live(address))
    run.assert_goal("it has the bytes that were asked for", state.size(address) <= extent)
    pages, slot = heap.large.at(page) << heap.page_shift, 1 << heap.slabs.slot_of(page)
    run.assert_goal("it is the size of its pages, or of its slot", extent == when(is_run(heap, address), pages, slot))


LARGEST_TRIED = 16
TRIED = f"bounded: pages of 2^{LEAST_PAGE} to 2^{LARGEST_TRIED} bytes"
NOTE = 16  # bytes: two words
tried = Claims("heap", SORTS, TRIED)


@tried("notes.refines", "refinement", "the notes of a page lie where the objects of a slab of notes would")
def notes_refine(run: Run) -> None:
    for page_shift in range(LEAST_PAGE, LARGEST_TRIED + 1):
        start, place = 3 << page_shift, layout(page_shift, NOTE.bit_length() - 1)
        due = [] if place is None else [start + place.first + NOTE * number for number in range(place.objects)]
        run.assert_goal("each lies where an object would", real_notes_in(start, page_shift) == due)


@proved(
    "notes.of-any-page.refines", "refinement", "a page of notes, of any size, has one at each multiple of their size"
)
def notes_of_any_page(run: Run) -> None:
    """`list` and `range` are replaced, so that what they are called with can be compared with the law of layouts."""
    page_shift, address, due = run.number("page_shift", 0, LARGEST_PAGE), run.point("address"), unknown_layout(run, 0)
    run.assume(due.page_shift == page_shift, due.slot_shift == NOTE.bit_length() - 1)
    others = [each for each in slab_law.THEOREMS if each is not slab_law.is_worth_a_slab]
    run.assume(*(clause(due, *[0] * len(clause.points)) for clause in others))
    shadowed = {"list": lambda bounds: bounds, "range": lambda *bounds: bounds}
    for name, stand_in in shadowed.items():
        heap_code.__dict__.setdefault(name, getattr(builtins, name))
        run.replace(heap_code, name, stand_in)
    listed = run.call(real_notes_in, address, page_shift)
    if not listed:
        run.assert_goal("there is none only where a page has no room for two", neg(slab_law.is_worth_a_slab(due)))
        run.assert_goal("that is no page of a heap's", page_shift < LEAST_PAGE)
        return
    first, end, step = listed
    run.assert_goal("the first lies where the first object would", first == address + slab_law.start_of(due, 0))
    run.assert_goal("the last ends where the page does", end == address + slab_law.start_of(due, due.objects))
    run.assert_goal("each begins where the one before it ends", step == 1 << due.slot_shift)
    run.assert_goal("there are two at least", first + 2 * step <= end)


CODE = (
    get_refines,
    delete_refines,
    get_keeps_notes_apart,
    delete_keeps_notes_apart,
    extent_refines,
    notes_refine,
    notes_of_any_page,
)


def obligations() -> Iterator[Obligation]:
    yield from CODE
