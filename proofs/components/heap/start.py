"""That a heap starts as the law says, whatever its pages, its classes and its alignment.

What the constructor does with a size is run for every binary logarithm that there can be, alone and beside another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

from memoracle.impl.heap import Heap
from memoracle.impl.slab import layout
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.heap.law import LARGEST_PAGE, LEAST_PAGE
from memoracle.proofs.components.heap.symbolic_heap import ATTRIBUTES
from memoracle.proofs.obligations.obligation import Computation

NATURAL = 8  # bytes, to which every block is aligned
SCOPE = (
    f"bounded: pages of 2^{LEAST_PAGE} to 2^{LARGEST_PAGE} bytes, every alignment, classes of every power of two and "
    "of one byte more, alone, in pairs, and all of them"
)
CLAIM = "the reference starts as the law says, with containers of its own"


class Obtained:
    """Where the heap has its pages from: nothing is asked of it."""


def cases(page_shift: int) -> Iterator[tuple[Sequence[int], int | None]]:
    """Lists of classes, and alignments."""
    page, powers = 1 << page_shift, [1 << shift for shift in range(page_shift + 2)]
    presets = (8, 64, 256, 1024, 262144)
    for alignment in (None, *powers[:-1]):
        yield from ((classes, alignment) for classes in (powers, powers[::-1], presets, presets[:4], (24, 65), ()))
    for size in (*powers, *(power + 1 for power in powers)):
        yield from (([size], alignment) for alignment in (None, 4, 16, page))
    yield from ((pair[::-1], None) for pair in combinations(powers, 2))


def run() -> str | None:
    """What of the first case in which something is wrong is so; None if all is right."""
    pages: Any = Obtained()
    other = Heap(pages, [8, 64], 4096, None)
    for page_shift in range(LEAST_PAGE, LARGEST_PAGE + 1):
        for classes, alignment in cases(page_shift):
            given = list(classes)
            heap = Heap(pages, given, 1 << page_shift, alignment)
            said = [says for says, holds in claims(heap, page_shift, classes, alignment) if not holds]
            if share(heap, other) or given != list(classes) or heap.pages is not pages:
                said.append("it has containers of its own, and the source of pages that it was given")
            if said:
                return f"Heap(pages, {given}, {1 << page_shift}, {alignment}): not so: {'; '.join(said)}"
            other = heap
    return None


def claims(heap: Heap, page_shift: int, classes: Iterable[int], alignment: int | None) -> Iterator[tuple[str, bool]]:
    """What must be so of a new heap."""
    yield "it has the attributes that proofs compare", vars(heap).keys() == ATTRIBUTES
    yield (
        "nothing is live, and no page is got",
        not (heap.slabs or heap.large or heap.notes or heap.empty or heap.spare),
    )
    yield "no slab has room", not any(heap.room)
    yield "the note in reserve lies in the page that stands for the kernel's image", heap.reserve >> page_shift == 0
    yield "pages have their size", heap.page_shift == page_shift
    yield "blocks are aligned as is due", 1 << heap.least == max(NATURAL, alignment or NATURAL)
    yield "there is room for each class", len(heap.room) == len(heap.served) == page_shift + 1
    due = due_classes(heap.least, page_shift, classes)
    yield "each class has its slabs, if they hold two objects", heap.layouts == {s: layout(page_shift, s) for s in due}
    least = [min((shift for shift in due if shift >= size), default=0) for size in range(page_shift + 1)]
    yield "each size is served by the least class that is large enough", heap.served == least


def due_classes(least: int, page_shift: int, classes: Iterable[int]) -> set[int]:
    """The least aligned powers of two that hold each class's sizes, where a slab of them is worth its page."""
    wanted = {
        next((shift for shift in range(least, page_shift + 1) if size <= 1 << shift), page_shift) for size in classes
    }
    return {shift for shift in wanted if layout(page_shift, shift) is not None}


CODE = (Computation("heap.nothing.refines", "heap", "refinement", CLAIM, run, SCOPE),)


def obligations() -> Iterator[Computation]:
    yield from CODE
