"""A heap with unknown contents: any that satisfies the invariants of its containers.

It has pages of any size in the scope and classes of any sizes, with slabs as the law of layouts says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

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
from memoracle.proofs.components.heap.invariants import CONTAINER_INVARIANTS, blocks_fit
from memoracle.proofs.components.heap.law import LARGEST_PAGE, LEAST_PAGE
from memoracle.proofs.components.heap.layouts import layouts_have_heads
from memoracle.proofs.components.heap.models import BitmapConstructor, CountedNotes, Layouts, Slabs, Source
from memoracle.proofs.components.heap.symbolic_heap import MOST_BYTES, CountedHeap, SymbolicHeap, blocks_of, is_class
from memoracle.proofs.symbolic.containers import Map, Sets, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.numbers import number
from memoracle.proofs.symbolic.values import Condition, Function, Property
from memoracle.spec import heap as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when


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
    0.  lowest, below: the source of pages has none before the one, nor from the other on.
    """

    page_shift: Number
    least: Number
    natural: Truth
    power: Number
    is_class: Property
    layout_of: Callable[[Number], Layout]
    served: Function
    lowest: Number
    below: Number


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
        lowest=run.number("lowest", 1, MOST_PAGES),
        below=run.number("below", 0, MOST_PAGES),
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
        self.has_run, self.run_of = run.relation("has_run", "page"), run.function("run_of", "page", gives="page")
        self.is_noted, self.note = run.relation("noted", "page"), run.function("note", "page")
        self.runs = any_runs(run)
        self.spare, self.reserve = run.number("spare", 0, HIGHEST), run.number("reserve")


def reference(run: Run, sizes: Sizes, contents: HeapContents, places: Places) -> CountedHeap:
    """The reference with stand-ins that have these contents. Each call makes new stand-ins."""
    layouts = Layouts(run, sizes.is_class, sizes.layout_of)
    heap: Any = object.__new__(Heap)
    heap.__dict__.update(
        pages=Source(run, sizes.page_shift, *contents.runs, sizes.lowest, sizes.below),
        page_shift=sizes.page_shift,
        places=places,
        least=sizes.least,
        layouts=layouts,
        served=Words(run, sizes.served, sizes.page_shift + 1),
        room=Sets(run, contents.room, sizes.page_shift + 1, "page"),
        empty=Map(run, contents.has_empty, contents.empty),
        slabs=Slabs(run, layouts, contents.is_slab, contents.slot_of, contents.is_free, contents.count),
        large=Map(run, contents.is_large, contents.large, MOST_PAGES),
        run_of=Map(run, contents.has_run, contents.run_of),
        notes=Map(run, contents.is_noted, contents.note),
        spare=CountedNotes(run, contents.spare),
        reserve=contents.reserve,
    )
    made: CountedHeap = heap
    return made


def blocks_due(run: Run, sizes: Sizes) -> law.Heap:
    """A state of the law with these sizes, an arena and unknown blocks. Which are live is for `blocks_of` to say."""
    return law.Heap(
        page_shift=sizes.page_shift,
        alignment=when(sizes.natural, number(law.NATURAL), 1 << sizes.power),
        is_live=lambda address: False,
        size=run.function("size", "block"),
        block_at=run.function("block_at", "byte", gives="block"),
        aligned_to=run.function("aligned_to", "block", gives="alignment"),
        start=run.number("start"),
        end=run.number("end", 0, law.ADDRESSES),
    )


def unknown_code(run: Run, knowing: Iterable[Condition] = tuple(CONTAINER_INVARIANTS)) -> tuple[CountedHeap, law.Heap]:
    """The reference on unknown containers, and the state that it stands for before anything is run.

    The law's arena has all pages of the source.

    knowing: which of `CONTAINER_INVARIANTS` are assumed, if not all.
    """
    sizes, contents, places = any_sizes(run), HeapContents(run), unknown_places(run)
    before = reference(run, sizes, contents, places)
    blocks = blocks_due(run, sizes)
    run.assume(pages_have_sizes(places, sizes.page_shift), sizes.below <= 1 << 64 - sizes.page_shift)
    run.assume(blocks.start <= sizes.lowest << sizes.page_shift, sizes.below << sizes.page_shift <= blocks.end)
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
