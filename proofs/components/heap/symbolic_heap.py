"""A heap with unknown contents: its containers, their invariants, and the law's state that it stands for.

It has pages of any size in the scope and classes of any sizes, with slabs as the law of layouts says. How an address is
divided into page and slot is unknown too (`unknown_places`): the proofs assume lemmas about it where they need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from memoracle.impl import heap as heap_code
from memoracle.impl import slab as slab_code
from memoracle.impl.heap import Heap
from memoracle.impl.slab import Layout
from memoracle.proofs.components.heap.address_arithmetic import (
    MOST_PAGES,
    SHIFT,
    Places,
    pages_have_sizes,
    unknown_places,
)
from memoracle.proofs.components.heap.law import LARGEST_PAGE, LEAST_PAGE
from memoracle.proofs.components.heap.layouts import layouts_have_heads
from memoracle.proofs.components.heap.models import (
    BitmapConstructor,
    CountedNotes,
    Layouts,
    ListedNotes,
    Slabs,
    Source,
    count_is_right,
    is_in_run,
)
from memoracle.proofs.symbolic.containers import Map, Sets, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.numbers import number
from memoracle.proofs.symbolic.values import Condition, Function, Property
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import heap as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when


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
    notes: Map
    reserve: Number

    @property
    def spare(self) -> CountedNotes | ListedNotes: ...

    def slot_for(self, size: Number) -> Number: ...
    def new(self, size: Number) -> Number | None: ...
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


def blocks_of(heap: SymbolicHeap, state: law.Heap) -> law.Heap:
    """The law's state for a heap. What the heap need not keep, such as the sizes that were asked for, is `state`'s."""
    return replace(state, is_live=lambda address: is_object(heap, address) | is_run(heap, address))


MOST_BYTES = 1 << LARGEST_PAGE  # of a page: no page has more slots or objects

# What is compared

ATTRIBUTES = frozenset(
    {
        *("pages", "page_shift", "least", "layouts", "served"),  # which never change
        *("room", "empty", "slabs", "large", "notes"),  # of which `CONTAINER_INVARIANTS` must hold
        *("spare", "reserve"),  # the notes that no run of pages has: see `notes.py`
    }
)


def constants(heap: SymbolicHeap) -> list[object]:
    """What never changes: which objects the containers are, and what the constructor computed from sizes."""
    kept = [getattr(heap, name) for name in sorted(ATTRIBUTES - {"spare", "reserve"})]
    layouts, served = heap.layouts, heap.served
    return [*kept, heap.spare, layouts.has, layouts.of, served.at, served.length, heap.pages.shift]


def keeps_constants(run: Run, heap: SymbolicHeap, before: Sequence[object]) -> None:
    """Claims that what never changes has not changed."""
    stayed = all(now is was for now, was in zip(constants(heap), before, strict=True))
    run.assert_goal("sizes, classes and containers are the ones that the heap was made with", stayed)


# Invariants of the containers


def runs_are_apart(heap: HasPages, page: Number, later: Number) -> Truth:
    """A page belongs to one run of pages at most."""
    source = heap.pages
    return implies(source.got(page) & is_in_run(page, source.length(page), later), source.run_at(later) == page)


def runs_have_addresses(heap: HasPages, page: Number) -> Truth:
    """A run of pages lies between page 1 and the end of the addresses."""
    source = heap.pages
    fits = (1 <= page) & (1 <= source.length(page)) & (page + source.length(page) <= 1 << 64 - heap.page_shift)
    return implies(source.got(page), fits)


def runs_are_used_once(heap: SymbolicHeap, page: Number) -> Truth:
    """A slab is a run of one page, a larger block is a run of its own, and no run is both; each run has a note."""
    source, is_slab, is_large = heap.pages, heap.slabs.has(page), heap.large.has(page)
    slab = implies(is_slab, source.got(page) & (source.length(page) == 1))
    large = implies(is_large, source.got(page) & (source.length(page) == heap.large.at(page)))
    return slab & large & neg(is_slab & is_large) & (heap.notes.has(page) == source.got(page))


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
    slabs_have_classes: ("page",),
    slabs_are_counted: ("page", "slot"),
    room_is_known: ("shift", "page"),
    empty_is_known: ("page",),
    empty_is_a_slab: ("shift",),
}


# The invariants from which it follows that a new block has no byte of another
WHERE_BLOCKS_LIE = (runs_are_apart, runs_have_addresses, runs_are_used_once, slabs_have_classes, room_is_known)


def is_class(heap: SymbolicHeap, shift: Number) -> Truth:
    """Whether there is a class with slots of 2^shift bytes."""
    return heap.layouts.has(shift) & (heap.least <= shift) & (shift < heap.page_shift)


def frames_of_slab(layout: Layout, is_free: Property, count: Number) -> bitmap_law.Frames:
    """The bitmap of a slab as the law of bitmaps has it: its slots are the frames, those of its header never free."""
    head = layout.first >> layout.slot_shift
    header: Property = lambda slot: (0 <= slot) & (slot < head)  # noqa: E731
    return replace(bitmap_law.empty(layout.slots, header), is_free=is_free, count=count)


# Any heap


class Runs(NamedTuple):
    """The runs of pages that are handed out, as `Source` has them."""

    got: Property
    length: Function
    run_at: Function


def any_runs(run: Run, name: str = "") -> Runs:
    """Any runs of pages."""
    return Runs(
        got=run.relation(f"got{name}", "page"),
        length=run.function(f"length{name}", "page", high=MOST_PAGES),
        run_at=run.function(f"run_at{name}", "page", gives="page"),
    )


@dataclass(frozen=True)
class Sizes:
    """The sizes and classes that a heap is constructed with.

    least: the binary logarithm of the smallest slot.  natural: whether blocks have their natural alignment; if not,
    they are aligned to 2^power bytes.  served: by the binary logarithm of a size, that of the slots that serve it, or
    0.
    """

    page_shift: Number
    least: Number
    natural: Truth
    power: Number
    is_class: Property
    layout_of: Callable[[Number], Layout]
    served: Function


def any_sizes(run: Run) -> Sizes:
    """Any sizes of pages in the scope, any alignment, and any classes."""
    page_shift, least = run.number("page_shift", LEAST_PAGE, LARGEST_PAGE), run.number("least", 3, LARGEST_PAGE)
    natural, power = run.truth("natural"), run.number("power", 0, LARGEST_PAGE)
    run.assume(implies(natural, least == 3), implies(neg(natural), power <= least), power <= page_shift)
    numbers = [run.function(name, "shift", high=MOST_BYTES) for name in ("slots", "bitmap", "first", "objects")]

    def layout_of(shift: Number) -> Layout:
        values: list[Any] = [page_shift, shift, *(read(shift) for read in numbers)]
        return Layout(*values)

    return Sizes(
        page_shift,
        least,
        natural,
        power,
        is_class=run.relation("is_class", "shift"),
        layout_of=layout_of,
        served=run.function("served", "shift", high=SHIFT.highest, gives="shift"),
    )


class HeapContents:
    """Unknown contents of a heap's containers. Nothing is assumed of them yet."""

    def __init__(self, run: Run) -> None:
        self.room = run.relation("room", "shift", "page")
        self.has_empty, self.empty = run.relation("empty", "shift"), run.function("empty_page", "shift", gives="page")
        self.is_slab = run.relation("is_slab", "page")
        self.slot_of = run.function("slot_of", "page", high=SHIFT.highest, gives="shift")
        self.is_free = run.relation("is_free", "page", "slot")
        self.count = run.function("count", "page", high=MOST_BYTES)
        self.is_large, self.large = run.relation("large", "page"), run.function("large_pages", "page", high=MOST_PAGES)
        self.is_noted, self.note = run.relation("noted", "page"), run.function("note", "page")
        self.runs = any_runs(run)
        self.spare, self.reserve = run.number("spare", 0, HIGHEST), run.number("reserve")


def reference(run: Run, sizes: Sizes, contents: HeapContents, places: Places) -> CountedHeap:
    """The reference with stand-ins that have these contents. Each call makes new stand-ins."""
    layouts = Layouts(run, sizes.is_class, sizes.layout_of)
    heap: Any = object.__new__(Heap)
    heap.__dict__.update(
        pages=Source(run, sizes.page_shift, *contents.runs),
        page_shift=sizes.page_shift,
        places=places,
        least=sizes.least,
        layouts=layouts,
        served=Words(run, sizes.served, sizes.page_shift + 1),
        room=Sets(run, contents.room, sizes.page_shift + 1, "page"),
        empty=Map(run, contents.has_empty, contents.empty),
        slabs=Slabs(run, layouts, contents.is_slab, contents.slot_of, contents.is_free, contents.count),
        large=Map(run, contents.is_large, contents.large, MOST_PAGES),
        notes=Map(run, contents.is_noted, contents.note),
        spare=CountedNotes(run, contents.spare),
        reserve=contents.reserve,
    )
    made: CountedHeap = heap
    return made


def blocks_due(run: Run, sizes: Sizes) -> law.Heap:
    """A state of the law with these sizes and unknown blocks. Which are live is for `blocks_of` to say."""
    return law.Heap(
        page_shift=sizes.page_shift,
        alignment=when(sizes.natural, number(law.NATURAL), 1 << sizes.power),
        is_live=lambda address: False,
        size=run.function("size", "block"),
        block_at=run.function("block_at", "byte", gives="block"),
        aligned_to=run.function("aligned_to", "block", gives="alignment"),
    )


def unknown_code(run: Run, knowing: Iterable[Condition] = tuple(CONTAINER_INVARIANTS)) -> tuple[CountedHeap, law.Heap]:
    """The reference on unknown containers, and the state that it stands for before anything is run.

    knowing: which of `CONTAINER_INVARIANTS` are assumed, if not all.
    """
    sizes, contents, places = any_sizes(run), HeapContents(run), unknown_places(run)
    before = reference(run, sizes, contents, places)
    blocks = blocks_due(run, sizes)
    run.assume(pages_have_sizes(places, sizes.page_shift))
    run.assume_for_all(("shift",), lambda shift: layouts_are_right(before, shift))
    run.assume_for_all(("shift",), lambda shift: serves(before, shift))
    for known in knowing:
        run.assume_for_all(CONTAINER_INVARIANTS[known], lambda *points, known=known: known(before, *points))
    run.assume_for_all(("block",), lambda address: blocks_fit(before, blocks.size, address))
    use_models(run)
    return reference(run, sizes, contents, places), blocks_of(before, blocks)


def use_models(run: Run) -> None:
    """Puts stand-ins in the place of what the heap's code calls to make bitmaps, and notes in a new page."""
    run.replace(slab_code, "Bitmap", BitmapConstructor(run))
    run.replace(heap_code, "notes_in", lambda address, page_shift: CountedNotes(run, run.fresh("notes", 2, MOST_BYTES)))


def layouts_are_right(heap: SymbolicHeap, shift: Number) -> Truth:
    """The layout of each class is as the law says: see `arithmetic.layouts-have-heads`."""
    layout = heap.layouts.of(shift)
    return implies(is_class(heap, shift), layouts_have_heads(layout) & (2 <= layout.objects))


def serves(heap: SymbolicHeap, shift: Number) -> Truth:
    """Sizes of up to 2^shift bytes are served by a class that is large enough, or, if there is none, by whole pages."""
    slot = heap.served.at(shift)
    return implies(shift <= heap.page_shift, (slot == 0) | (is_class(heap, slot) & (shift <= slot)))
