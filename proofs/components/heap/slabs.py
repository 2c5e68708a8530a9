"""Proofs that the code of a slab, `impl/slab.py`, hands out its objects as the law of its bitmap says.

The slab has any layout that satisfies the law of layouts, and any of its objects are taken. Its bitmap is a stand-in
that does what the bitmap's law says (`models.py`), since the code of bitmaps is proved by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Protocol

from memoracle.impl import slab as slab_code
from memoracle.impl.slab import Layout, Slab
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.heap.address_arithmetic import proved
from memoracle.proofs.components.heap.law import unknown_layout
from memoracle.proofs.components.heap.models import BitmapConstructor, BitmapContents, SlabBitmap, count_is_right
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import slab as law
from memoracle.spec.clauses import Number, Truth, neg

ATTRIBUTES = frozenset({"layout", "bitmap"})  # all of which `assert_slab` compares


class SymbolicSlab(Protocol):
    """The reference with stand-ins in the place of its attributes."""

    layout: Layout
    bitmap: SlabBitmap

    def take(self) -> Number | None: ...
    def give(self, offset: Number) -> bool: ...
    def is_taken(self, offset: Number) -> bool: ...


def any_layout(run: Run) -> Layout:
    """Any layout that satisfies the law, for any sizes of page and slot."""
    due = unknown_layout(run)
    for clause in law.THEOREMS:
        run.assume_for_all(clause.points, lambda *points, clause=clause: clause(due, *points))
    return Layout(*vars(due).values())


def any_slab(run: Run) -> tuple[SymbolicSlab, SlabBitmap]:
    """A slab of which any objects are taken, and its bitmap."""
    layout, contents = any_layout(run), SimpleNamespace()
    contents.is_free, contents.count = run.relation("is_free", "slot"), run.number("count", 0, (1 << 30))

    def read() -> BitmapContents:
        return contents.is_free, contents.count

    def write(is_free: Property, count: Number) -> None:
        contents.is_free, contents.count = is_free, count

    bits = SlabBitmap(run, layout.slots, layout.first >> layout.slot_shift, read, write)
    state = bits.state
    run.suppose(count_is_right(state, bits.head, run.point("slot")))
    run.assume_for_all(("slot",), lambda slot: count_is_right(state, bits.head, slot))
    slab: Any = object.__new__(Slab)
    slab.__dict__.update(layout=layout, bitmap=bits)
    return slab, bits


def assert_slab(run: Run, slab: SymbolicSlab, layout: Layout, bits: SlabBitmap, due: bitmap_law.Frames) -> None:
    """Claims that a slab has this layout and this bitmap, and that the bitmap stands for this state."""
    run.assert_goal("it has its layout and its bitmap", slab.layout is layout and slab.bitmap is bits)
    slot = run.point("slot")
    run.assert_goal("those objects are free that are free by the law", bits.state.is_free(slot) == due.is_free(slot))
    run.assert_goal("they are counted", bits.state.count == due.count)


@proved("slab.start.refines", "refinement", "at first every object of a slab is free, whatever its layout")
def start_refines(run: Run) -> None:
    layouts = [any_layout(run)] * 2
    run.replace(slab_code, "Bitmap", BitmapConstructor(run))
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


@proved("slab.take.refines", "refinement", "take hands out a free object, and fails only if there is none")
def take_refines(run: Run) -> None:
    slab, bits = any_slab(run)
    layout, before = slab.layout, bits.state
    offset = run.call(slab.take)
    if offset is None:
        run.assert_goal("it fails only if no object is free", before.count == 0)
        assert_slab(run, slab, layout, bits, before)
        return
    slot = bits.taken
    run.assert_goal("the law of the bitmap allows it", bitmap_law.allocate.allows(before, frame=slot))
    run.assert_goal("it is where the object starts", offset == slot << layout.slot_shift)
    assert_slab(run, slab, layout, bits, bitmap_law.allocate(before, slot))


@proved("slab.give.refines", "refinement", "give takes a taken object back, and fails if none starts at that offset")
def give_refines(run: Run) -> None:
    slab, bits = any_slab(run)
    layout, before = slab.layout, bits.state
    offset = run.point("size")
    slot = offset >> layout.slot_shift
    allowed = bitmap_law.free.allows(before, frame=slot) & (slot << layout.slot_shift == offset)
    if run.answers(slab.give, offset):
        run.assert_goal("an object that is taken starts there", allowed)
        assert_slab(run, slab, layout, bits, bitmap_law.free(before, slot))
        return
    run.assert_goal("no object that is taken starts there", neg(allowed))
    assert_slab(run, slab, layout, bits, before)


@proved("slab.is-taken.refines", "refinement", "is_taken says whether a taken object starts at an offset")
def is_taken_refines(run: Run) -> None:
    slab, bits = any_slab(run)
    layout, before = slab.layout, bits.state
    offset = run.point("size")
    slot = offset >> layout.slot_shift
    is_object = (layout.first <= offset) & (slot < layout.slots) & (slot << layout.slot_shift == offset)
    taken = is_object & neg(before.is_free(slot))
    run.assert_goal("the answer is right", taken if run.answers(slab.is_taken, offset) else neg(taken))
    assert_slab(run, slab, layout, bits, before)


def answers(name: str, claim: str, due: Callable[[SlabBitmap], Truth]) -> Obligation:
    """That a method answers a question about the number of free objects as it should, and changes nothing.

    due: the right answer.
    """

    @proved(f"slab.{name.replace('_', '-')}.refines", "refinement", claim)
    def body(run: Run) -> None:
        slab, bits = any_slab(run)
        layout, before = slab.layout, bits.state
        answer = due(bits)
        run.assert_goal("the answer is right", answer if run.answers(getattr(slab, name)) else neg(answer))
        assert_slab(run, slab, layout, bits, before)

    return body


CODE = (
    start_refines,
    take_refines,
    give_refines,
    is_taken_refines,
    answers("is_empty", "a slab is empty if every object is free", lambda bits: bits.count() == bits.slots - bits.head),
    answers("is_full", "a slab is full if no object is free", lambda bits: bits.count() == 0),
)


def obligations() -> Iterator[Obligation]:
    yield from CODE
