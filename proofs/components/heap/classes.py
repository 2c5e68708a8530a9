"""The classes of one heap: the slabs that the reference makes of them have the layout that the law says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from memoracle.impl import heap as code
from memoracle.impl import slab
from memoracle.proofs.obligations.obligation import GEOMETRY, Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.spec import heap as law
from memoracle.spec import slab as slab_law
from memoracle.spec.bitmap import is_multiple
from memoracle.spec.clauses import implies

declare = Claims("heap", {"place": Sort("place")}, GEOMETRY)


class Served(NamedTuple):
    """How blocks of a class are served. layout: of the slabs; None: they are whole pages."""

    size: int  # bytes
    layout: slab.Layout | None


def served(page_size: int, classes: Sequence[int], alignment: int | None) -> list[Served]:
    """How the reference serves the blocks of each class."""
    heap = code.Heap(cast(code.Pages, None), classes, page_size, alignment)  # which asks for no page yet
    return [Served(size, heap.layouts.get(heap.slot_for(size, 1))) for size in classes]


def of_classes(page_size: int, classes: Sequence[int], alignment: int | None) -> Iterator[Obligation]:
    """That each class that is served from slabs has slabs as the law says, whose objects serve its size."""
    for each in served(page_size, classes, alignment):
        if each.layout is not None:
            yield _of_class(each.size, page_size, slab_law.Layout(*each.layout), alignment)


def _of_class(size: int, page_size: int, layout: slab_law.Layout, alignment: int | None) -> Obligation:
    says = (
        f"the slabs of blocks of {size:,} bytes, in pages of {page_size:,} bytes, are laid out as the law says, and "
        "their objects are large enough and aligned"
    )

    @declare(f"geometry.class-{size}", "theorem", says)
    def body(run: Run) -> None:
        place = run.point("place")
        for clause in slab_law.THEOREMS:
            run.assert_goal(clause.says, clause(layout, *[place] * len(clause.points)))
        heap = law.nothing(layout.page_shift, law.NATURAL if alignment is None else alignment)
        run.assert_goal("a block fits into an object", size <= 1 << layout.slot_shift)
        due = law.alignment_of(heap, size)
        aligned = is_multiple(slab_law.start_of(layout, place), due)
        run.assert_goal(law.is_aligned.says, implies((0 <= place) & (place < layout.objects), aligned))

    return body
