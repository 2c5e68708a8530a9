"""Proofs that the heap's code handles its notes as the law of the reserve says, and what it tells of a block's extent.

The notes that nobody uses are those in the list, and the one in reserve.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memoracle.proofs.heap_containers import unknown_code
from memoracle.proofs.heap_places import MOST_PAGES, proved
from memoracle.proofs.obligations import Obligation
from memoracle.proofs.paths import Run
from memoracle.spec import heap as law
from memoracle.spec.clauses import neg


def spare_of(heap: Any) -> law.Reserve:
    return law.Reserve(spare=heap.spare.length + 1)


@proved("reserve.get.refines", "refinement", "pages that are got take a note, and notes are got before the last")
def get_refines(run: Run) -> None:
    heap, _ = unknown_code(run)
    due = spare_of(heap)
    page = run.call(heap._get, run.fresh("pages", 1, MOST_PAGES))
    run.goals.clear()  # what containers ask of the code is a claim of `get.refines`
    for notes in heap.spare.brought:
        run.claim("a page of notes is got where the law allows it", law.get_notes.allows(due, notes=notes))
        due = law.get_notes(due, notes)
    if page is not None:
        run.claim("pages are got where the law allows it", law.get_pages.allows(due))
        due = law.get_pages(due)
    run.claim("the notes that are left are those of the law", spare_of(heap).spare == due.spare)
    run.claim(law.a_note_is_spare.says, law.a_note_is_spare(spare_of(heap)))


@proved("reserve.delete.refines", "refinement", "pages that go back leave their note, and nothing else does")
def delete_refines(run: Run) -> None:
    heap, _ = unknown_code(run)
    due, got = spare_of(heap), heap.pages.got
    run.call(lambda: bool(heap.delete(run.any_number("address"))))
    run.goals.clear()  # what containers ask of the code is a claim of `delete.refines`
    if heap.pages.got is not got:  # a run was given back
        due = law.give_pages(due)
    run.claim("the notes that are left are those of the law", spare_of(heap).spare == due.spare)


@proved("extent.refines", "refinement", "the extent of a live block has the bytes asked for, and nothing else has one")
def extent_refines(run: Run) -> None:
    heap, state = unknown_code(run)
    address = run.point("block")
    before = _contents(heap)
    extent = run.call(heap.extent, address)
    same = all(now is was for now, was in zip(_contents(heap), before, strict=True))
    run.claim("nothing changes", same)
    if extent is None:
        run.claim("only what is no live block has none", neg(state.is_live(address)))
        return
    run.claim("only a live block has one", state.is_live(address))
    run.claim("it has the bytes that were asked for", state.size(address) <= extent)


def _contents(heap: Any) -> list[Any]:
    """Which contents the containers have: who writes to one puts others in their place."""
    kept = heap.slabs.has, heap.slabs.is_free, heap.slabs.count, heap.large.has, heap.large.at, heap.notes.has
    return [*kept, heap.pages.got, heap.empty.has, heap.room.has, heap.spare.length]


CODE = (get_refines, delete_refines, extent_refines)


def obligations() -> Iterator[Obligation]:
    yield from CODE
