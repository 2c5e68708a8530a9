"""Proofs that the code of a slab, `impl/slab.py`, hands out its objects as the law of its bitmap says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from memoracle.impl import slab as slab_code
from memoracle.impl.slab import Layout, Slab
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.heap.address_arithmetic import proved
from memoracle.proofs.components.heap.law import unknown_layout
from memoracle.proofs.components.heap.models import Bits, NewBits, counts
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import slab as law
from memoracle.spec.clauses import Number, neg

ATTRIBUTES = frozenset({"layout", "bitmap"})  # all of which `is_left` compares


def any_layout(run: Run) -> Layout:
    """A layout as the law says it is, of any page and slot."""
    due = unknown_layout(run)
    for clause in law.THEOREMS:
        run.assume_for_all(clause.points, lambda *points, clause=clause: clause(due, *points))
    return Layout(*vars(due).values())


def any_slab(run: Run) -> tuple[Any, Bits]:
    """A slab of which any objects are taken."""
    layout, kept = any_layout(run), SimpleNamespace()
    kept.is_free, kept.count = run.relation("is_free", "slot"), run.number("count", 0, (1 << 30))

    def write(is_free: Property, count: Number) -> None:
        kept.is_free, kept.count = is_free, count

    bits = Bits(run, layout.slots, layout.first >> layout.slot_shift, lambda: (kept.is_free, kept.count), write)
    state = bits.state
    run.suppose(counts(state, run.point("slot")))
    run.assume_for_all(("slot",), lambda slot: counts(state, slot))
    slab = object.__new__(Slab)
    slab.__dict__.update(layout=layout, bitmap=bits)
    return slab, bits


def is_left(run: Run, slab: Any, layout: Layout, bits: Bits, due: bitmap_law.Frames) -> None:
    """Claims that the slab is the one that it was, and that this of it is free."""
    run.assert_goal("it has its layout and its bitmap", slab.layout is layout and slab.bitmap is bits)
    slot = run.point("slot")
    run.assert_goal("the same objects are free as the law says", bits.state.is_free(slot) == due.is_free(slot))
    run.assert_goal("they are counted", bits.state.count == due.count)


@proved("slab.start.refines", "refinement", "at first every object of a slab is free, whatever its layout")
def start_refines(run: Run) -> None:
    layouts = [any_layout(run)] * 2
    run.replace(slab_code, "Bitmap", NewBits(run))
    both: list[Any] = [run.call(Slab, layout) for layout in layouts]
    for slab, layout in zip(both, layouts, strict=True):
        run.assert_goal("it has the attributes that proofs compare", vars(slab).keys() == ATTRIBUTES)
        run.assert_goal("it has this layout", slab.layout is layout)
        head = layout.first >> layout.slot_shift
        run.assert_goal(
            "its bitmap has a bit for each slot", (slab.bitmap.slots == layout.slots) & (slab.bitmap.head == head)
        )
        run.assert_goal("each slot was added to its bitmap", slab.bitmap.added)
        slot = run.point("slot")
        is_object = (head <= slot) & (slot < layout.slots)
        run.assert_goal("each object is free, and nothing else", slab.bitmap.is_free(slot) == is_object)
        run.assert_goal("they are counted", slab.bitmap.count() == layout.objects)
    run.assert_goal("two slabs have two bitmaps", both[0].bitmap is not both[1].bitmap and not share(*both))


@proved("slab.take.refines", "refinement", "take hands out an object that is free, and fails only if there is none")
def take_refines(run: Run) -> None:
    slab, bits = any_slab(run)
    layout, before = slab.layout, bits.state
    offset = run.call(slab.take)
    if offset is None:
        run.assert_goal("it fails only if no object is free", before.count == 0)
        is_left(run, slab, layout, bits, before)
        return
    slot = bits.taken
    run.assert_goal("the law of the bitmap allows it", bitmap_law.allocate.allows(before, frame=slot))
    run.assert_goal("it is where the object starts", offset == slot << layout.slot_shift)
    is_left(run, slab, layout, bits, bitmap_law.allocate(before, slot))


@proved("slab.give.refines", "refinement", "give takes an object back that is taken, and fails if none starts there")
def give_refines(run: Run) -> None:
    slab, bits = any_slab(run)
    layout, before = slab.layout, bits.state
    offset = run.point("size")
    slot = offset >> layout.slot_shift
    allowed = bitmap_law.free.allows(before, frame=slot) & (slot << layout.slot_shift == offset)
    if run.call(lambda: bool(slab.give(offset))):
        run.assert_goal("an object that is taken starts there", allowed)
        is_left(run, slab, layout, bits, bitmap_law.free(before, slot))
        return
    run.assert_goal("no object that is taken starts there", neg(allowed))
    is_left(run, slab, layout, bits, before)


@proved("slab.is-taken.refines", "refinement", "is_taken says whether an object that is taken starts there")
def is_taken_refines(run: Run) -> None:
    slab, bits = any_slab(run)
    layout, before = slab.layout, bits.state
    offset = run.point("size")
    slot = offset >> layout.slot_shift
    is_object = (layout.first <= offset) & (slot < layout.slots) & (slot << layout.slot_shift == offset)
    taken = is_object & neg(before.is_free(slot))
    run.assert_goal("it is so", taken if run.call(lambda: bool(slab.is_taken(offset))) else neg(taken))
    is_left(run, slab, layout, bits, before)


def asks(name: str, claim: str, due: Callable[[bitmap_law.Frames], Any]) -> Obligation:
    """A question about how many objects are free."""

    @proved(f"slab.{name.replace('_', '-')}.refines", "refinement", claim)
    def body(run: Run) -> None:
        slab, bits = any_slab(run)
        layout, before = slab.layout, bits.state
        answer = due(before)
        run.assert_goal("it is so", answer if run.call(lambda: bool(getattr(slab, name)())) else neg(answer))
        is_left(run, slab, layout, bits, before)

    return body


CODE = (
    start_refines,
    take_refines,
    give_refines,
    is_taken_refines,
    asks("is_empty", "a slab is empty if every object is free", lambda s: s.count == s.reach - s.image),
    asks("is_full", "a slab is full if no object is free", lambda s: s.count == 0),
)


def obligations() -> Iterator[Obligation]:
    yield from CODE
