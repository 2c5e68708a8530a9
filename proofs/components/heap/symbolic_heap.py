"""Any heap: its containers with unknown contents, what they must be like, and which blocks they stand for."""

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
    opaque,
    pages_have_sizes,
)
from memoracle.proofs.components.heap.law import LARGEST_PAGE, LEAST_PAGE
from memoracle.proofs.components.heap.layouts import layouts_have_heads
from memoracle.proofs.components.heap.models import Layouts, Listed, NewBits, Notes, Slabs, Source, among, counts
from memoracle.proofs.symbolic.containers import Map, Sets, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.numbers import number
from memoracle.proofs.symbolic.values import Condition, Function, Property
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import heap as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when


class HasPages(Protocol):
    """What has its pages from a source."""

    pages: Source
    page_shift: Number


class SymbolicHeap(HasPages, Protocol):
    """The reference with these in the place of its attributes, and where addresses lie."""

    places: Places
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
    def spare(self) -> Notes | Listed: ...

    slot_for: Callable[..., Any]
    new: Callable[..., Any]
    delete: Callable[..., Any]
    extent: Callable[..., Any]
    _get: Callable[..., Any]


class CountedHeap(SymbolicHeap, Protocol):
    """A heap of whose spare notes only the number is known."""

    spare: Notes


# What an object of the reference stands for


def page_of(heap: SymbolicHeap, address: Number) -> Number:
    return heap.places.page(address)


def slot_of(heap: SymbolicHeap, address: Number) -> Number:
    """The slot that an address lies in, of its page."""
    return heap.places.slot(address, heap.slabs.slot_of(page_of(heap, address)))


def is_object(heap: SymbolicHeap, address: Number) -> Truth:
    """Whether an object of a slab that is taken starts at this address."""
    page, slot = page_of(heap, address), slot_of(heap, address)
    layout = heap.layouts.of(heap.slabs.slot_of(page))
    inside = layout.first >> layout.slot_shift <= slot
    starts = heap.places.starts(address, heap.slabs.slot_of(page))
    return heap.slabs.has(page) & starts & inside & neg(heap.slabs.is_free(page, slot))


def is_run(heap: SymbolicHeap, address: Number) -> Truth:
    """Whether a block of whole pages starts at this address."""
    return heap.large.has(page_of(heap, address)) & heap.places.begins(address)


def blocks_of(heap: SymbolicHeap, state: law.Heap) -> law.Heap:
    """The blocks of a heap; of what it need not keep (the sizes asked for) this state tells."""
    return replace(state, is_live=lambda address: is_object(heap, address) | is_run(heap, address))


MOST_BYTES = 1 << LARGEST_PAGE  # of a page: no page has more slots or objects

# What is compared

ATTRIBUTES = frozenset(
    {
        *("pages", "page_shift", "least", "layouts", "served"),  # which stay as they are
        *("room", "empty", "slabs", "large", "notes"),  # of which `KNOWN` says what they are like
        *("spare", "reserve"),  # the notes that no run has (`notes.py`)
    }
)


def constants(heap: SymbolicHeap) -> list[object]:
    """What stays as it is: the containers, and what the constructor found out about sizes and classes."""
    kept = [getattr(heap, name) for name in sorted(ATTRIBUTES - {"spare", "reserve"})]
    layouts, served = heap.layouts, heap.served
    return [*kept, heap.spare, layouts.has, layouts.of, served.at, served.length, heap.pages.shift]


def keeps_constants(run: Run, heap: SymbolicHeap, before: Sequence[object]) -> None:
    """Claims that these are still the ones that they were."""
    stayed = all(now is was for now, was in zip(constants(heap), before, strict=True))
    run.assert_goal("sizes, classes and containers are the ones that the heap was made with", stayed)


# What the containers are like


def runs_are_apart(heap: HasPages, page: Number, later: Number) -> Truth:
    """A page belongs to one run at most."""
    source = heap.pages
    return implies(source.got(page) & among(page, source.length(page), later), source.run_at(later) == page)


def runs_have_addresses(heap: HasPages, page: Number) -> Truth:
    """A run of pages lies between page 1 and the end of the addresses."""
    source = heap.pages
    fits = (1 <= page) & (1 <= source.length(page)) & (page + source.length(page) <= 1 << 64 - heap.page_shift)
    return implies(source.got(page), fits)


def runs_are_used_once(heap: SymbolicHeap, page: Number) -> Truth:
    """A slab is a run of one page, a larger block a run of its own, each with a note, and no run is both."""
    source, is_slab, is_large = heap.pages, heap.slabs.has(page), heap.large.has(page)
    slab = implies(is_slab, source.got(page) & (source.length(page) == 1))
    large = implies(is_large, source.got(page) & (source.length(page) == heap.large.at(page)))
    return slab & large & neg(is_slab & is_large) & (heap.notes.has(page) == source.got(page))


def slabs_have_classes(heap: SymbolicHeap, page: Number) -> Truth:
    """A slab has a class, and its count is that of its free objects."""
    return implies(heap.slabs.has(page), is_class(heap, heap.slabs.slot_of(page)))


def slabs_are_counted(heap: SymbolicHeap, page: Number, slot: Number) -> Truth:
    """The count of a slab is that of its free objects."""
    slab = heap.slabs
    layout = heap.layouts.of(slab.slot_of(page))
    frames = law_of(layout, lambda each: slab.is_free(page, each), slab.count(page))
    return implies(slab.has(page), counts(frames, slot))


def room_is_known(heap: SymbolicHeap, shift: Number, page: Number) -> Truth:
    """Of each class, the slabs with a free object are known."""
    slab = heap.slabs
    return heap.room.has(shift, page) == (slab.has(page) & (slab.slot_of(page) == shift) & (slab.count(page) > 0))


def empty_is_known(heap: SymbolicHeap, page: Number) -> Truth:
    """A slab is empty if and only if it is the one of its class that is kept: there is no other."""
    slab, shift = heap.slabs, heap.slabs.slot_of(page)
    all_free = slab.count(page) == heap.layouts.of(shift).objects
    return implies(slab.has(page), all_free == heap.empty.maps(shift, page))


def empty_is_a_slab(heap: SymbolicHeap, shift: Number) -> Truth:
    """What is kept as an empty slab of a class is a slab of that class."""
    page = heap.empty.at(shift)
    return implies(heap.empty.has(shift), heap.slabs.has(page) & (heap.slabs.slot_of(page) == shift))


def blocks_fit(heap: SymbolicHeap, size: Function, block: Number) -> Truth:
    """The last byte of a block lies in its slot, or in its pages."""
    page, last = page_of(heap, block), block + size(block) - 1
    ends = last <= HIGHEST
    in_slot = (page_of(heap, last) == page) & (slot_of(heap, last) == slot_of(heap, block))
    in_pages = page_of(heap, last) < page + heap.large.at(page)
    fits = implies(is_object(heap, block), in_slot) & implies(is_run(heap, block), in_pages)
    return implies((0 < size(block)) & (is_object(heap, block) | is_run(heap, block)), ends & fits)


KNOWN: dict[Condition, tuple[str, ...]] = {
    runs_are_apart: ("page", "later"),
    runs_have_addresses: ("page",),
    runs_are_used_once: ("page",),
    slabs_have_classes: ("page",),
    slabs_are_counted: ("page", "slot"),
    room_is_known: ("shift", "page"),
    empty_is_known: ("page",),
    empty_is_a_slab: ("shift",),
}


WHERE_BLOCKS_LIE = (runs_are_apart, runs_have_addresses, runs_are_used_once, slabs_have_classes, room_is_known)


def is_class(heap: SymbolicHeap, shift: Number) -> Truth:
    return heap.layouts.has(shift) & (heap.least <= shift) & (shift < heap.page_shift)


def law_of(layout: Layout, is_free: Property, count: Number) -> bitmap_law.Frames:
    head = layout.first >> layout.slot_shift
    return replace(bitmap_law.empty(layout.slots, head), is_free=is_free, count=count)


# Any heap


class Runs(NamedTuple):
    """The runs of pages that are out, as `Source` has them."""

    got: Property
    length: Function
    run_at: Function


def any_runs(run: Run, name: str = "") -> Runs:
    """Any runs of pages that are out."""
    return Runs(
        got=run.relation(f"got{name}", "page"),
        length=run.function(f"length{name}", "page", high=MOST_PAGES),
        run_at=run.function(f"run_at{name}", "page", gives="page"),
    )


@dataclass(frozen=True)
class Sizes:
    """What a heap was made for: the sizes of pages, of blocks and of the classes that serve them.

    natural: a block is aligned as its size is; if not, to 2^power bytes.
    """

    page_shift: Number
    least: Number
    natural: Truth
    power: Number
    is_class: Property
    layout_of: Callable[[Number], Layout]
    served: Function


def any_sizes(run: Run) -> Sizes:
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


class Contents:
    """What the containers of a heap have, of which nothing is known yet."""

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


def reference(run: Run, sizes: Sizes, contents: Contents, places: Places) -> CountedHeap:
    """The reference with stand-ins that have these contents; each call makes stand-ins of its own."""
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
        spare=Notes(run, contents.spare),
        reserve=contents.reserve,
    )
    made: CountedHeap = heap
    return made


def blocks_due(run: Run, sizes: Sizes) -> law.Heap:
    """Any blocks that a heap of these sizes may have; which are live is for what it has to tell."""
    return law.Heap(
        page_shift=sizes.page_shift,
        alignment=when(sizes.natural, number(law.NATURAL), 1 << sizes.power),
        is_live=lambda address: False,
        size=run.function("size", "block"),
        block_at=run.function("block_at", "byte", gives="block"),
    )


def unknown_code(run: Run, knowing: Iterable[Condition] = tuple(KNOWN)) -> tuple[CountedHeap, law.Heap]:
    """The reference on unknown containers, and the state that it stands for before anything is run.

    knowing: which of `KNOWN` is needed, if not all.
    """
    sizes, contents, where = any_sizes(run), Contents(run), opaque(run)
    before = reference(run, sizes, contents, where)
    ghost = blocks_due(run, sizes)
    run.assume(pages_have_sizes(where, sizes.page_shift))
    run.assume_for_all(("shift",), lambda shift: layouts_are_right(before, shift))
    run.assume_for_all(("shift",), lambda shift: serves(before, shift))
    for known in knowing:
        run.assume_for_all(KNOWN[known], lambda *points, known=known: known(before, *points))
    run.assume_for_all(("block",), lambda address: blocks_fit(before, ghost.size, address))
    use_models(run)
    return reference(run, sizes, contents, where), blocks_of(before, ghost)


def use_models(run: Run) -> None:
    """Puts models in the place of what the code of a heap calls: new bitmaps, and the notes of a new page."""
    run.replace(slab_code, "Bitmap", NewBits(run))
    run.replace(heap_code, "notes_in", lambda address, page_shift: Notes(run, run.fresh("notes", 2, MOST_BYTES)))


def layouts_are_right(heap: SymbolicHeap, shift: Number) -> Truth:
    """What the law says of the layout of each class (see `arithmetic.layouts-have-heads`)."""
    layout = heap.layouts.of(shift)
    return implies(is_class(heap, shift), layouts_have_heads(layout) & (2 <= layout.objects))


def serves(heap: SymbolicHeap, shift: Number) -> Truth:
    """A size is served by a class that is large enough, or by whole pages."""
    slot = heap.served.at(shift)
    return implies(shift <= heap.page_shift, (slot == 0) | (is_class(heap, slot) & (shift <= slot)))
