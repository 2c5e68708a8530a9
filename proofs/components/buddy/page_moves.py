"""Proofs of which pages an operation of the buddy system moves.

Each step moves pages between free, allocated and held; this is proved of any state that satisfies the invariants. An
operation is a run of steps (`buddy_law.BY_STEPS`), so which pages it moves follows from theirs: where it begins, when
it goes on by one more step, and where it ends. There a state is no more than what is so of one page, any page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from memoracle.proofs.components.buddy.law import LAW, carving, freeing, proved
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import blocks
from memoracle.spec import buddy as law
from memoracle.spec.clauses import Number, Operation, Truth, implies, neg


@dataclass(frozen=True)
class Page:
    """What is so of a page in a state."""

    free: Truth
    allocated: Truth
    held: Truth

    def becomes(self, free: Truth, allocated: Truth, held: Truth) -> Truth:
        return (self.free == free) & (self.allocated == allocated) & (self.held == held)


def seen(state: blocks.Blocks, page: Number) -> Page:
    return Page(law.page_is_free(state, page), law.page_is_allocated(state, page), law.page_is_held(state, page))


def unseen(run: Run) -> Page:
    """A page of a state of which nothing else is known."""
    return Page(*(run.fresh_truth(name) for name in ("free", "allocated", "held")))


Moves: TypeAlias = Callable[[Page, Page, Truth], Truth]

# Steps. `block`: whether the page lies in the block that is picked up, kept, or made


def picked_up(was: Page, now: Page, block: Truth) -> Truth:
    return now.becomes(was.free & neg(block), was.allocated & neg(block), block)


def was_split(was: Page, now: Page, block: Truth) -> Truth:
    return now.becomes(was.free | (was.held & neg(block)), was.allocated, block) & implies(block, was.held)


def was_merged(was: Page, now: Page, block: Truth) -> Truth:
    return now.becomes(was.free & neg(block), was.allocated, block) & implies(block, was.held | was.free)


def settled(was: Page, now: Page, block: Truth) -> Truth:
    return now.becomes(was.free, was.allocated | was.held, False)


def released(was: Page, now: Page, block: Truth) -> Truth:
    return now.becomes(was.free | was.held, was.allocated, False)


def step(operation: Operation, moves: Moves, order: Callable[..., Number]) -> Obligation:
    """order: of the block in the step's hands after it."""

    @proved(
        f"{law_obligations.short(operation)}.moves-its-pages", "theorem", f"{operation.name} moves no page but its own"
    )
    def body(run: Run) -> None:
        before, after, values = law_obligations.happens(run, LAW, operation)
        page, kept = run.point("page"), values.get("page", before.held_page)
        block = blocks.same_block(order(before, **values), page, kept)
        run.suppose(blocks.in_range(before, page))
        in_its_block = implies(law.page_is_held(before, page), before.order_at(page) == before.held_order)
        run.assert_and_assume("a page that is held lies in the held block", in_its_block)
        run.assert_goal("the pages move as they are to", moves(seen(before, page), seen(after, page), block))

    return body


STEPS = (
    step(blocks.pick_up, picked_up, lambda s, order, page: order),
    step(blocks.split, was_split, lambda s, page: s.held_order - 1),
    step(blocks.merge, was_merged, lambda s: s.held_order + 1),
    step(blocks.settle, settled, lambda s: s.held_order),
    step(blocks.release, released, lambda s: s.held_order),
)


def after_step(run: Run, was: Page, moves: Moves, block: Truth) -> Page:
    """What a step makes of a page."""
    now = unseen(run)
    run.suppose(moves(was, now, block))
    return now


# Operations


@proved(
    "allocate.moves-its-pages", "theorem", "allocate moves the pages of its block from free to allocated, and no others"
)
def allocate_moves_pages(run: Run) -> None:
    state, page, order = carving(run)
    other, held, whole = run.point("page"), run.point("order"), state.order_at(page)
    first = seen(state, other)
    block = {each: blocks.same_block(at, page, other) for each, at in (("whole", whole), ("wanted", order))}
    run.suppose(blocks.in_range(state, other), neg(state.holding))
    run.assert_and_assume("the whole block is free", implies(block["whole"], first.free & neg(first.allocated)))

    def picked(now: Page, within: Any) -> Truth:
        return now.becomes(first.free & neg(within), first.allocated, within) & implies(within, block["whole"])

    begun = after_step(run, first, picked_up, block["whole"])
    run.assert_goal("at first the whole block is held", picked(begun, block["whole"]))
    last = unseen(run)
    run.suppose(picked(last, block["wanted"]))
    end, own = after_step(run, last, settled, block["wanted"]), block["wanted"]
    run.assert_goal("each page of the block was free and is allocated", implies(own, first.free & end.allocated))
    run.assert_goal("no other page moves", end.becomes(first.free & neg(own), first.allocated | own, False))
    before, after = blocks.same_block(held, page, other), blocks.same_block(held - 1, page, other)
    run.suppose(order < held, held <= whole)
    run.assert_and_assume("what is kept lies in what was held", implies(after, before))
    middle = unseen(run)
    run.suppose(picked(middle, before))
    run.assert_goal(
        "when it was split, the kept half is held", picked(after_step(run, middle, was_split, after), after)
    )


@proved("free.moves-its-pages", "theorem", "free moves the pages of its block from allocated to free, and no others")
def free_moves_pages(run: Run) -> None:
    state, page, order, merged = freeing(run)
    other, held = run.point("page"), run.point("order")
    first = seen(state, other)
    own, whole = blocks.same_block(order, page, other), blocks.same_block(merged, page, other)
    run.suppose(blocks.in_range(state, other), neg(state.holding))
    run.assert_and_assume("the block is allocated", implies(own, first.allocated & neg(first.free)))

    def picked(now: Page, within: Any) -> Truth:
        pages = now.becomes(first.free & neg(within), first.allocated & neg(own), within)
        return pages & implies(own, within) & implies(within, own | first.free)

    run.assert_goal("at first the block is held", picked(after_step(run, first, picked_up, own), own))
    last = unseen(run)
    run.suppose(picked(last, whole))
    end = after_step(run, last, released, whole)
    run.assert_goal("each page of the block was allocated and is free", implies(own, first.allocated & end.free))
    run.assert_goal("no other page moves", end.becomes(first.free | own, first.allocated & neg(own), False))
    before, after = blocks.same_block(held, page, other), blocks.same_block(held + 1, page, other)
    run.suppose(order <= held, held < merged)
    run.assert_and_assume("what was held lies in what both are", implies(before, after))
    middle = unseen(run)
    run.suppose(picked(middle, before))
    run.assert_goal("when it was merged, both are held", picked(after_step(run, middle, was_merged, after), after))


MOVES = (*STEPS, allocate_moves_pages, free_moves_pages)
