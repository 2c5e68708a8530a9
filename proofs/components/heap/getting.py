"""Proof of `_get`, by which the heap gets pages and the notes for them, and its stand-in for other proofs.

A call leaves pages and notes in an unknown state, of which it is claimed, and in other proofs assumed, what
`after_getting` says, and that the invariants of runs of pages hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from memoracle.proofs.components.heap.address_arithmetic import MOST_ASKED, proved_of_code
from memoracle.proofs.components.heap.claims import (
    all_identical,
    assert_container_invariants,
    block_contents,
    note_contents,
)
from memoracle.proofs.components.heap.invariants import runs_are_apart, runs_have_addresses
from memoracle.proofs.components.heap.models import Source
from memoracle.proofs.components.heap.symbolic_heap import CountedHeap, SymbolicHeap, constants, keeps_constants
from memoracle.proofs.components.heap.unknown_heap import any_runs, unknown_code
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Property
from memoracle.spec.clauses import Number, Truth, implies, neg


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

    It claims that the code changes pages and notes nowhere else, and calls it before it changes slabs and blocks.
    """

    def __init__(self, run: Run, heap: CountedHeap) -> None:
        self.run, self.heap = run, heap
        self.left = note_contents(heap)  # as the last call left pages and notes, or as they were at first
        self.blocks = block_contents(heap)
        self.asked: list[Number] = []  # how many pages were asked for, each time
        self.got: list[Number] = []  # the first page of each run that was got
        run.replace(heap, "_get", self)

    def __call__(self, pages: Number) -> Number | None:
        run, heap, before = self.run, self.heap, self.heap.pages.copy()
        self.keeps_notes()
        same = all_identical(block_contents(heap), self.blocks)
        run.assert_goal("pages are got before slabs and blocks change", same)
        self.asked.append(pages)
        run.assert_and_assume("some pages are asked for", (1 <= pages) & (pages <= MOST_ASKED))
        with run.reading_law():
            page = run.point("page")
            heap.pages.becomes(heap.pages.with_runs(*any_runs(run, "-later")))
            heap.notes.has, heap.notes.at = run.relation("noted-later", "page"), run.function("note-later", "page")
            heap.spare.length, heap.reserve = run.number("spare-later"), run.number("reserve-later")
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
    before, constant, pages = heap.pages.copy(), constants(heap), run.fresh("pages", 1, MOST_ASKED)
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
