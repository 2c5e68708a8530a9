"""A heap with stand-ins in the place of its attributes, and the law's state that it stands for.

How an address is divided into page and slot is unknown too (`unknown_places`): the proofs assume lemmas about it where
they need them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from memoracle.proofs.components.heap.address_arithmetic import Places
from memoracle.proofs.components.heap.law import LARGEST_PAGE
from memoracle.proofs.components.heap.models import CountedNotes, Layouts, ListedNotes, Slabs, Source
from memoracle.proofs.symbolic.containers import Map, Sets, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import heap as law
from memoracle.spec.clauses import Number, Truth, neg, when


class HasPages(Protocol):
    """An object that gets pages from a source."""

    pages: Source
    page_shift: Number


class SymbolicHeap(HasPages, Protocol):
    """The reference with stand-ins in the place of its attributes."""

    places: Places  # which the reference does not have: it computes where an address lies
    least: Number
    layouts: Layouts
    served: Words
    room: Sets
    empty: Map
    slabs: Slabs
    large: Map
    run_of: Map
    notes: Map
    reserve: Number

    @property
    def spare(self) -> CountedNotes | ListedNotes: ...

    def slot_for(self, size: Number, alignment: Number) -> Number: ...
    def new(self, size: Number, alignment: Number = 1) -> Number | None: ...
    def resize(self, address: Number, size: Number, alignment: Number = 1) -> Number | None: ...
    def delete(self, address: Number) -> bool: ...
    def extent(self, address: Number) -> Number | None: ...
    def _get(self, pages: Number) -> Number | None: ...


class CountedHeap(SymbolicHeap, Protocol):
    """A heap of whose spare notes only the number is known."""

    spare: CountedNotes


# Which blocks the reference has


def page_of(heap: SymbolicHeap, address: Number) -> Number:
    """The page that an address lies in."""
    return heap.places.page(address)


def slot_of(heap: SymbolicHeap, address: Number) -> Number:
    """The slot that an address lies in, if its page is a slab."""
    return heap.places.slot(address, heap.slabs.slot_of(page_of(heap, address)))


def is_object(heap: SymbolicHeap, address: Number) -> Truth:
    """Whether a taken object of a slab starts at this address."""
    page, slot = page_of(heap, address), slot_of(heap, address)
    layout = heap.layouts.of(heap.slabs.slot_of(page))
    inside = layout.first >> layout.slot_shift <= slot
    starts = heap.places.starts(address, heap.slabs.slot_of(page))
    return heap.slabs.has(page) & starts & inside & neg(heap.slabs.is_free(page, slot))


def is_run(heap: SymbolicHeap, address: Number) -> Truth:
    """Whether a block of whole pages starts at this address."""
    return heap.large.has(page_of(heap, address)) & heap.places.begins(address)


def first_page_of(heap: SymbolicHeap, address: Number) -> Number:
    """The first page of the run of pages that a block lies in: of its slab, or of its own pages."""
    page = page_of(heap, address)
    return when(heap.large.has(page), heap.run_of.at(page), page)


def blocks_of(heap: SymbolicHeap, state: law.Heap) -> law.Heap:
    """The law's state for a heap. What the heap need not keep, such as the sizes that were asked for, is `state`'s."""
    return replace(state, is_live=lambda address: is_object(heap, address) | is_run(heap, address))


MOST_BYTES = 1 << LARGEST_PAGE  # of a page: no page has more slots or objects

# What is compared

CHANGING = (
    *("pages", "room", "empty", "slabs", "large", "run_of", "notes"),  # of which `CONTAINER_INVARIANTS` must hold
    *("spare", "reserve"),  # the notes that no run of pages has: see `notes.py`
)
ATTRIBUTES = frozenset({"page_shift", "least", "layouts", "served", *CHANGING})  # which else never change


def constants(heap: SymbolicHeap) -> list[object]:
    """What never changes: which objects the containers are, and what the constructor computed from sizes."""
    kept = [getattr(heap, name) for name in sorted(ATTRIBUTES - {"spare", "reserve"})]
    layouts, served = heap.layouts, heap.served
    return [*kept, heap.spare, layouts.has, layouts.of, served.at, served.length, heap.pages.shift]


def keeps_constants(run: Run, heap: SymbolicHeap, before: Sequence[object]) -> None:
    """Claims that what never changes has not changed."""
    stayed = all(now is was for now, was in zip(constants(heap), before, strict=True))
    run.assert_goal("sizes, classes and containers are the ones that the heap was made with", stayed)


def is_class(heap: SymbolicHeap, shift: Number) -> Truth:
    """Whether there is a class with slots of 2^shift bytes."""
    return heap.layouts.has(shift) & (heap.least <= shift) & (shift < heap.page_shift)
