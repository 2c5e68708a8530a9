"""Any heap: its containers with contents that nobody knows, what they must be like, and which blocks they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from memoracle.impl import heap as heap_code
from memoracle.impl import slab as slab_code
from memoracle.impl.heap import Heap
from memoracle.impl.slab import Layout
from memoracle.proofs.components.heap.address_arithmetic import MOST_PAGES, SHIFT, Places, exact
from memoracle.proofs.components.heap.law import LARGEST_PAGE, LEAST_PAGE
from memoracle.proofs.components.heap.models import Layouts, NewBits, Notes, Slabs, Source, among, counts
from memoracle.proofs.symbolic.containers import Map, Sets, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.numbers import number
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import heap as law
from memoracle.spec import slab as slab_law
from memoracle.spec.clauses import Number, Truth, implies, neg, when

# What an object of the reference stands for


def page_of(heap: Any, address: Number) -> Any:
    return heap.places.page(address)


def slot_of(heap: Any, address: Number) -> Any:
    """The slot that an address lies in, of its page."""
    return heap.places.slot(address, heap.slabs.slot_of(page_of(heap, address)))


def is_object(heap: Any, address: Number) -> Any:
    """Whether an object of a slab that is taken starts at this address."""
    page, slot = page_of(heap, address), slot_of(heap, address)
    layout = heap.layouts.of(heap.slabs.slot_of(page))
    inside = layout.first >> layout.slot_shift <= slot
    starts = heap.places.starts(address, heap.slabs.slot_of(page))
    return heap.slabs.has(page) & starts & inside & neg(heap.slabs.is_free(page, slot))


def is_run(heap: Any, address: Number) -> Any:
    """Whether a block of whole pages starts at this address."""
    return heap.large.has(page_of(heap, address)) & heap.places.begins(address)


def blocks_of(heap: Any, state: law.Heap) -> law.Heap:
    """The blocks of a heap; of what it need not keep (the sizes asked for) this state tells."""
    return replace(state, is_live=lambda address: is_object(heap, address) | is_run(heap, address))


# What is compared

ATTRIBUTES = frozenset(
    {
        *("pages", "page_shift", "least", "layouts", "served"),  # which stay as they are
        *("room", "empty", "slabs", "large", "notes"),  # of which `KNOWN` says what they are like
        *("spare", "reserve"),  # the notes that no run has (`notes.py`)
    }
)


def constants(heap: Any) -> list[object]:
    """What stays as it is: the containers, and what the constructor found out about sizes and classes."""
    kept = [getattr(heap, name) for name in sorted(ATTRIBUTES - {"spare", "reserve"})]
    layouts, served = heap.layouts, heap.served
    return [*kept, heap.spare, layouts.has, layouts.of, served.at, served.length, heap.pages.shift]


def keeps_constants(run: Run, heap: Any, before: Sequence[object]) -> None:
    """Claims that these are still the ones that they were."""
    stayed = all(now is was for now, was in zip(constants(heap), before, strict=True))
    run.assert_goal("sizes, classes and containers are the ones that the heap was made with", stayed)


# What the containers are like


def runs_are_apart(heap: Any, page: Number, later: Number) -> Truth:
    """A page belongs to one run at most."""
    source = heap.pages
    return implies(source.got(page) & among(page, source.length(page), later), source.run_at(later) == page)


def runs_have_addresses(heap: Any, page: Number) -> Truth:
    """A run of pages lies between page 1 and the end of the addresses."""
    source = heap.pages
    fits = (1 <= page) & (1 <= source.length(page)) & (page + source.length(page) <= 1 << 64 - heap.page_shift)
    return implies(source.got(page), fits)


def runs_are_used_once(heap: Any, page: Number) -> Any:
    """A slab is a run of one page, a larger block a run of its own, each with a note, and no run is both."""
    source, is_slab, is_large = heap.pages, heap.slabs.has(page), heap.large.has(page)
    slab = implies(is_slab, source.got(page) & (source.length(page) == 1))
    large = implies(is_large, source.got(page) & (source.length(page) == heap.large.at(page)))
    return slab & large & neg(is_slab & is_large) & (heap.notes.has(page) == source.got(page))


def slabs_have_classes(heap: Any, page: Any) -> Any:
    """A slab has a class, and its count is that of its free objects."""
    return implies(heap.slabs.has(page), is_class(heap, heap.slabs.slot_of(page)))


def slabs_are_counted(heap: Any, page: Any, slot: Any) -> Any:
    """The count of a slab is that of its free objects."""
    slab = heap.slabs
    layout = heap.layouts.of(slab.slot_of(page))
    frames = law_of(layout, lambda each: slab.is_free(page, each), slab.count(page))
    return implies(slab.has(page), counts(frames, slot))


def room_is_known(heap: Any, shift: Number, page: Number) -> Any:
    """Of each class, the slabs with a free object are known."""
    slab = heap.slabs
    return heap.room.has(shift, page) == (slab.has(page) & (slab.slot_of(page) == shift) & (slab.count(page) > 0))


def empty_is_known(heap: Any, page: Number) -> Truth:
    """A slab is empty if and only if it is the one of its class that is kept: there is no other."""
    slab, shift = heap.slabs, heap.slabs.slot_of(page)
    all_free = slab.count(page) == heap.layouts.of(shift).objects
    return implies(slab.has(page), all_free == heap.empty.maps(shift, page))


def empty_is_a_slab(heap: Any, shift: Number) -> Truth:
    """What is kept as an empty slab of a class is a slab of that class."""
    page = heap.empty.at(shift)
    return implies(heap.empty.has(shift), heap.slabs.has(page) & (heap.slabs.slot_of(page) == shift))


def blocks_fit(heap: Any, size: Callable[[Any], Any], block: Any) -> Any:
    """The last byte of a block lies in its slot, or in its pages."""
    page, last = page_of(heap, block), block + size(block) - 1
    ends = last <= HIGHEST
    in_slot = (page_of(heap, last) == page) & (slot_of(heap, last) == slot_of(heap, block))
    in_pages = page_of(heap, last) < page + heap.large.at(page)
    fits = implies(is_object(heap, block), in_slot) & implies(is_run(heap, block), in_pages)
    return implies((0 < size(block)) & (is_object(heap, block) | is_run(heap, block)), ends & fits)


KNOWN: dict[Callable[..., Any], tuple[str, ...]] = {
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
NEEDED_OF_LAYOUTS = (
    slab_law.page_is_its_slots,
    slab_law.objects_are_clear_of_the_header,
    slab_law.objects_fill_the_page,
    slab_law.objects_are_aligned,
    slab_law.is_worth_a_slab,
)


def is_class(heap: Any, shift: Number) -> Any:
    return heap.layouts.has(shift) & (heap.least <= shift) & (shift < heap.page_shift)


def law_of(layout: Layout, is_free: Property, count: Number) -> Any:
    head = layout.first >> layout.slot_shift
    return replace(bitmap_law.empty(layout.slots, head), is_free=is_free, count=count)


# Any heap


def source_of(run: Run, name: str) -> tuple[Any, Any, Any]:
    """Any runs of pages that are out."""
    return (
        run.relation(f"got{name}", "page"),
        run.function(f"length{name}", "page", high=MOST_PAGES),
        run.function(f"run_at{name}", "page", gives="page"),
    )


def unknown_code(
    run: Run, places: Places | None = None, knowing: Iterable[Callable[..., Any]] | None = None
) -> tuple[Any, law.Heap]:
    """The reference on unknown containers, and the state that it stands for before anything is run.

    places: where addresses lie, if that is not to be computed.  knowing: which of `KNOWN` is needed, if not all.
    """
    page_shift, least = run.number("page_shift", LEAST_PAGE, LARGEST_PAGE), run.number("least", 3, LARGEST_PAGE)
    natural, power = run.truth("natural"), run.number("power", 0, LARGEST_PAGE)
    run.assume(implies(natural, least == 3), implies(neg(natural), power <= least), power <= page_shift)
    most = 1 << LARGEST_PAGE
    numbers = {name: run.function(name, "shift", high=most) for name in ("slots", "bitmap", "first", "objects")}
    classes = run.relation("is_class", "shift")

    def layout_of(shift: Number) -> Layout:
        values: list[Any] = [page_shift, shift, *(read(shift) for read in numbers.values())]
        return Layout(*values)

    served = run.function("served", "shift", high=SHIFT.highest, gives="shift")
    room = run.relation("room", "shift", "page")
    large = (run.relation("large", "page"), run.function("large_pages", "page", high=MOST_PAGES))
    containers: dict[str, tuple[Any, ...]] = {
        "empty": (run.relation("empty", "shift"), run.function("empty_page", "shift", gives="page")),
        "notes": (run.relation("noted", "page"), run.function("note", "page")),
        "slabs": (
            run.relation("is_slab", "page"),
            run.function("slot_of", "page", high=SHIFT.highest, gives="shift"),
            run.relation("is_free", "page", "slot"),
            run.function("count", "page", high=most),
        ),
        "pages": source_of(run, ""),
    }
    spare, reserve = run.number("spare", 0, HIGHEST), run.number("reserve")

    def reference() -> Any:
        layouts = Layouts(run, classes, layout_of)
        heap = object.__new__(Heap)
        heap.__dict__.update(
            pages=Source(run, page_shift, *containers["pages"]),
            page_shift=page_shift,
            places=places or exact(page_shift),
            least=least,
            layouts=layouts,
            served=Words(run, served, page_shift + 1),
            room=Sets(run, room, page_shift + 1, "page"),
            empty=Map(run, *containers["empty"]),
            slabs=Slabs(run, layouts, *containers["slabs"]),
            large=Map(run, *large, MOST_PAGES),
            notes=Map(run, *containers["notes"]),
            spare=Notes(run, spare),
            reserve=reserve,
        )
        return heap

    before = reference()
    size = run.function("size", "block")
    ghost = law.Heap(
        page_shift=page_shift,
        alignment=when(natural, number(law.NATURAL), 1 << power),
        is_live=lambda address: False,
        size=size,
        block_at=run.function("block_at", "byte", gives="block"),
    )
    for clause in NEEDED_OF_LAYOUTS if knowing is None else NEEDED_OF_LAYOUTS[:1]:
        run.assume_for_all(
            ("shift",),
            lambda shift, clause=clause: implies(
                is_class(before, shift), clause(slab_law.Layout(*layout_of(shift)), *[0] * len(clause.points))
            ),
        )
    run.assume_for_all(("shift",), lambda shift: serves(before, shift))
    for known in KNOWN if knowing is None else knowing:
        run.assume_for_all(KNOWN[known], lambda *points, known=known: known(before, *points))
    run.assume_for_all(("block",), lambda address: blocks_fit(before, size, address))
    run.replace(slab_code, "Bitmap", NewBits(run))
    run.replace(heap_code, "notes_in", lambda address, page_shift: Notes(run, run.fresh("notes", 2, most)))
    return reference(), blocks_of(before, ghost)


def serves(heap: Any, shift: Number) -> Truth:
    """A size is served by a class that is large enough, or by whole pages."""
    slot = heap.served.at(shift)
    return implies(shift <= heap.page_shift, (slot == 0) | (is_class(heap, slot) & (shift <= slot)))
