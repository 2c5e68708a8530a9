"""Proofs of the heap's law: live blocks stay disjoint and aligned, getting pages ends, and slabs are laid out right.

The invariants of blocks and of the reserve of notes hold initially and are preserved by each operation. The code that
lays slabs out is run on unknown numbers, and must return what the law of layouts says. The bitmap of a slab is that of
`spec/bitmap.py`; what a slab concludes from its count of free slots follows from that law, by induction over the slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from memoracle.impl import slab as slab_code
from memoracle.proofs.components.bitmap import law as bitmap
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import heap as law
from memoracle.spec import slab as slab_law
from memoracle.spec.clauses import Operation, implies, neg

# Binary logarithms: a smaller page has no room for two notes, and no x64 machine has larger ones.
LEAST_PAGE, LARGEST_PAGE = 6, 30
SCOPE = f"unbounded, of pages of 2^{LEAST_PAGE} to 2^{LARGEST_PAGE} bytes"
ADDRESS, SIZE = Sort("address"), Sort("size")
SORTS = {
    "address": ADDRESS,
    "byte": ADDRESS,
    "block": ADDRESS,
    "other": ADDRESS,
    "before": ADDRESS,
    "after": ADDRESS,
    "first": ADDRESS,
    "last": ADDRESS,
    "size": SIZE,
    "lost": SIZE,
    "cut": SIZE,
    "alignment": Sort("alignment"),
    "place": Sort("place", 1 << LARGEST_PAGE),
    "power": Sort("power", 63),
    "notes": Sort("notes", 1 << LARGEST_PAGE),
}
FUNCTIONS = {
    "is_live": law_obligations.any_point("block"),
    "size": law_obligations.any_point("block"),
    "block_at": law_obligations.any_point("byte"),
    "aligned_to": law_obligations.any_point("block"),
}


def unknown(run: HypothesisPool) -> law.Heap:
    """Any blocks, with any alignment, in pages of any size in the scope. Nothing is assumed of them yet."""
    return law.Heap(
        page_shift=run.number("page_shift", LEAST_PAGE, LARGEST_PAGE),
        alignment=run.number("alignment"),
        is_live=run.relation("is_live", "block"),
        size=run.function("size", "block"),
        block_at=run.function("block_at", "byte", gives="block"),
        aligned_to=run.function("aligned_to", "block", gives="alignment"),
        start=run.number("start"),
        end=run.number("end", 0, law.ADDRESSES),
    )


def initial(run: HypothesisPool) -> law.Heap:
    """The initial state, of pages of any size and with any alignment."""
    state = unknown(run)
    return law.nothing(state.page_shift, state.alignment, state.start, state.end)


LAW = law_obligations.Law(
    "heap", SORTS, FUNCTIONS, unknown, initial, law.INVARIANTS, law.OPERATIONS, law.THEOREMS, scope=SCOPE
)
RESERVE = law_obligations.Law(
    "heap",
    SORTS,
    {},
    lambda run: law.Reserve(spare=run.number("spare", 0, 2 * ADDRESS.highest)),
    lambda run: law.at_start(),
    law.RESERVE,
    law.RESERVE_OPERATIONS,
    (law.getting_pages_ends,),
    integers=True,
)


proved = Claims("heap", SORTS, SCOPE)


GONE = {law.new: (), law.delete: {"address"}, law.resize: {"block"}}  # the block that is there no longer


def keeps_others(operation: Operation) -> Obligation:
    """That an operation changes no block but the one that it makes or deletes."""
    claim = f"after {operation.name} every other block is as it was"

    @proved(f"{law_obligations.short(operation)}.keeps-other-blocks", "theorem", claim)
    def body(run: Run) -> None:
        before, after, values = law_obligations.happens(run, LAW, operation)
        block = run.point("block")
        other = before.is_live(block)
        for gone in values.keys() & GONE[operation]:
            other = other & (block != values[gone])
        same = after.is_live(block) & (after.size(block) == before.size(block))
        run.assert_goal("it is live, and has its bytes", implies(other, same))

    return body


OTHERS = tuple(map(keeps_others, law.OPERATIONS))


# The reserve


def reserve() -> Iterator[Obligation]:
    """That a note is always left. That their number stays within bounds is not claimed: the law sets no limit."""
    return (each for each in law_obligations.obligations(RESERVE) if not each.name.endswith("keeps-bounds"))


# Slabs


def unknown_layout(run: HypothesisPool, least_page: int = LEAST_PAGE) -> slab_law.Layout:
    """A layout of any numbers. Nothing is assumed of it yet.

    least_page: the binary logarithm of the smallest page there may be.
    """
    most = 1 << LARGEST_PAGE
    return slab_law.Layout(
        page_shift=run.number("page_shift", least_page, LARGEST_PAGE),
        slot_shift=run.number("slot_shift", 0, 63),
        slots=run.number("slots", 0, most),
        bitmap=run.number("bitmap", 0, most),
        first=run.number("first", 0, most),
        objects=run.number("objects", 0, most),
    )


@proved("layout.refines", "refinement", "the code of layout lays a slab out as the law says, for every page and slot")
def layout_refines(run: Run) -> None:
    due = unknown_layout(run)
    found = run.call(slab_code.layout, due.page_shift, due.slot_shift)
    if found is None:
        others = [each for each in slab_law.THEOREMS if each is not slab_law.is_worth_a_slab]
        run.assume(*(each(due, *[0] * len(each.points)) for each in others))
        run.assert_goal("it fails only where no slab has two objects", neg(slab_law.is_worth_a_slab(due)))
        return
    state = slab_law.Layout(*found)
    for clause in slab_law.THEOREMS:
        run.assert_goal(clause.says, clause(state, *run.point_of_each(clause.points).values()))


@proved("header.refines", "refinement", "the code and the law have one header, and one least number of objects")
def header_refines(run: Run) -> None:
    run.assert_goal("the header", slab_code.HEADER == slab_law.HEADER)
    run.assert_goal("the objects", slab_code.LEAST_OBJECTS == slab_law.LEAST_OBJECTS)


# What the count of a slab's free slots says of each slot: a consequence of the bitmap's law


def counted(name: str, claim: str, body: Callable[[Run, bitmap_law.Frames], None]) -> Obligation:
    """A theorem about any bitmap that satisfies the law of bitmaps."""

    def prove(run: Run) -> None:
        state = bitmap.unknown(run)
        run.assume_all(bitmap_law.CHECKED, state)
        body(run, state)

    return Obligation(f"heap.{name}", "heap", "theorem", claim, prove, bitmap.SORTS, integers=True)


def full_count(run: Run, state: bitmap_law.Frames) -> None:
    head, slot = run.point("frame"), run.point("frame")
    run.touch(("frame",), (slot + 1,))
    run.assume(head <= state.reach, state.free_below(head) == 0)
    for pair in ((head, slot), (slot + 1, state.reach)):
        run.touch(("frame", "later"), pair)
    run.assert_goal(slab_law.counts_every_object.says, slab_law.counts_every_object(state, head, slot))


# Each lemma about all slots is an induction: it holds below slot 0, and if it holds below a slot, below the next too.


def header_goes_on(run: Run, state: bitmap_law.Frames) -> None:
    slot = run.point("frame")
    run.assume(state.never_free(slot), state.free_below(slot) == 0)
    run.assert_goal("none is counted below the next", state.free_below(slot + 1) == 0)
    run.assert_goal("none is counted below the first", state.free_below(0) == 0)


def none_goes_on(run: Run, state: bitmap_law.Frames) -> None:
    slot = run.point("frame")
    run.assume_for_all(("frame",), lambda frame: neg(state.is_free(frame)))
    run.assume(state.free_below(slot) == 0)
    run.assert_goal("none is counted below the next", state.free_below(slot + 1) == 0)


def none_counted(run: Run, state: bitmap_law.Frames) -> None:
    run.assume_for_all(("frame",), lambda frame: state.free_below(frame) == 0)
    run.assert_goal("the count is 0", state.count == 0)
    run.assert_goal("none is counted below the first", state.free_below(0) == 0)


COUNTS = (
    counted("count-of-header.goes-on", "no slot under the header is counted", header_goes_on),
    counted("count-of-all.means-all", slab_law.counts_every_object.says, full_count),
    counted("count-of-none.goes-on", "if no slot is free, none is counted below one more", none_goes_on),
    counted("count-of-none.is-0", "if none is counted below any slot, the count is 0", none_counted),
)


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(LAW)
    yield from OTHERS
    yield from reserve()
    yield layout_refines
    yield header_refines
    yield from COUNTS
