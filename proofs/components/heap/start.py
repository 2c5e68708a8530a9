"""Proof that a heap starts as the law says, for every size of page, every alignment, and classes of many sizes.

The constructor computes its classes from binary logarithms of sizes, so it is run for each logarithm there can be: each
class alone, each pair of classes, and all of them. Nothing is claimed of other lists of classes.
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


class UnusedSource:
    """The source of the heap's pages, which a constructor does not call."""


def cases(page_shift: int) -> Iterator[tuple[Sequence[int], int | None]]:
    """Lists of classes, each with an alignment, for pages of 2^page_shift bytes."""
    page, powers = 1 << page_shift, [1 << shift for shift in range(page_shift + 2)]
    presets = (8, 64, 256, 1024, 262144)
    for alignment in (None, *powers[:-1]):
        yield from ((classes, alignment) for classes in (powers, powers[::-1], presets, presets[:4], (24, 65), ()))
    for size in (*powers, *(power + 1 for power in powers)):
        yield from (([size], alignment) for alignment in (None, 4, 16, page))
    yield from ((pair[::-1], None) for pair in combinations(powers, 2))


def run() -> str | None:
    """What is wrong in the first case in which something is; None if all is right."""
    pages: Any = UnusedSource()
    other = Heap(pages, [8, 64], 4096, None)
    for page_shift in range(LEAST_PAGE, LARGEST_PAGE + 1):
        for classes, alignment in cases(page_shift):
            given = list(classes)
            heap = Heap(pages, given, 1 << page_shift, alignment)
            failed = [says for says, holds in claims(heap, page_shift, classes, alignment) if not holds]
            if share(heap, other) or given != list(classes) or heap.pages is not pages:
                failed.append("it has containers of its own, and the source of pages that it was given")
            if failed:
                return f"Heap(pages, {given}, {1 << page_shift}, {alignment}): not true: {'; '.join(failed)}"
            other = heap
    return None


def claims(heap: Heap, page_shift: int, classes: Iterable[int], alignment: int | None) -> Iterator[tuple[str, bool]]:
    """What must hold of a new heap, in words, and whether it does."""
    yield "it has the attributes that proofs compare", vars(heap).keys() == ATTRIBUTES
    yield (
        "nothing is live, and no page is got",
        not (heap.slabs or heap.large or heap.run_of or heap.notes or heap.empty or heap.spare),
    )
    yield "no slab has room", not any(heap.room)
    yield "the note in reserve lies in the page that stands for the kernel's image", heap.reserve >> page_shift == 0
    yield "pages have their size", heap.page_shift == page_shift
    yield "blocks are aligned as the law says", 1 << heap.least == max(NATURAL, alignment or NATURAL)
    yield "there is room for each class", len(heap.room) == len(heap.served) == page_shift + 1
    due = due_classes(heap.least, page_shift, classes)
    yield "each class has its slabs, if they hold two objects", heap.layouts == {s: layout(page_shift, s) for s in due}
    least = [min((shift for shift in due if shift >= size), default=0) for size in range(page_shift + 1)]
    yield "each size is served by the least class that is large enough", heap.served == least


def due_classes(least: int, page_shift: int, classes: Iterable[int]) -> set[int]:
    """The binary logarithms of the slots that a heap with these classes should have.

    Of each class it is the least power of two that is aligned and large enough, if a slab of such slots is worth a
    page.
    """
    wanted = {
        next((shift for shift in range(least, page_shift + 1) if size <= 1 << shift), page_shift) for size in classes
    }
    return {shift for shift in wanted if layout(page_shift, shift) is not None}


CODE = (Computation("heap.nothing.refines", "heap", "refinement", CLAIM, run, SCOPE),)


def obligations() -> Iterator[Computation]:
    yield from CODE
