"""Proofs of which pages an operation of the buddy system moves between free, allocated and held.

First, of each step: how it moves any page, in any state that satisfies the invariants. Then, of whole operations. These
are runs of steps (`law.BY_STEPS`), so it is an induction: what is claimed of any one page holds after the first step,
is kept by each further step, and gives the theorem after the last. The induction is about that page alone, and uses of
the steps only what was proved of them first; so it needs no state in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from memoracle.proofs.components.buddy.law import LAW, any_carve, any_free, proved
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import blocks
from memoracle.spec.clauses import Number, Operation, Truth, implies, neg


@dataclass(frozen=True)
class Page:
    """Whether a page is free, allocated or held in some state."""

    free: Truth
    allocated: Truth
    held: Truth

    def is_now(self, free: Truth, allocated: Truth, held: Truth) -> Truth:
        return (self.free == free) & (self.allocated == allocated) & (self.held == held)


def page_in(state: blocks.Blocks, page: Number) -> Page:
    """The page as it is in this state."""
    return Page(
        blocks.page_is_free(state, page), blocks.page_is_allocated(state, page), blocks.page_is_held(state, page)
    )


def unknown_page(run: Run) -> Page:
    """The page in a state of which nothing else is known."""
    return Page(*(run.fresh_truth(name) for name in ("free", "allocated", "held")))


Moves: TypeAlias = Callable[[Page, Page, Truth], Truth]  # how a step moves a page: before, after, and `block`

# How each step moves a page. `block`: whether the page lies in the block that the step leaves or last had in hand


def picked_up(was: Page, now: Page, block: Truth) -> Truth:
    return now.is_now(was.free & neg(block), was.allocated & neg(block), block)


def was_split(was: Page, now: Page, block: Truth) -> Truth:
    return now.is_now(was.free | (was.held & neg(block)), was.allocated, block) & implies(block, was.held)


def was_merged(was: Page, now: Page, block: Truth) -> Truth:
    return now.is_now(was.free & neg(block), was.allocated, block) & implies(block, was.held | was.free)


def settled(was: Page, now: Page, block: Truth) -> Truth:
    return now.is_now(was.free, was.allocated | was.held, False)


def released(was: Page, now: Page, block: Truth) -> Truth:
    return now.is_now(was.free | was.held, was.allocated, False)


def step(operation: Operation, moves: Moves, order: Callable[..., Number]) -> Obligation:
    """That a step moves pages in this way.

    order: that of the block which is held after the step, or, if none is, of the block that was held before.
    """

    @proved(
        f"{law_obligations.short(operation)}.moves-its-pages", "theorem", f"{operation.name} moves no page but its own"
    )
    def body(run: Run) -> None:
        before, after, values = law_obligations.happens(run, LAW, operation)
        page, in_block = run.point("page"), values.get("page", before.held_page)
        block = blocks.same_block(order(before, **values), page, in_block)
        in_its_block = implies(blocks.page_is_held(before, page), before.order_at(page) == before.held_order)
        run.assert_and_assume("a page that is held lies in the held block", in_its_block)
        run.assert_goal("the page moves as it should", moves(page_in(before, page), page_in(after, page), block))

    return body


STEPS = (
    step(blocks.pick_up, picked_up, lambda s, order, page: order),
    step(blocks.split, was_split, lambda s, page: s.held_order - 1),
    step(blocks.merge, was_merged, lambda s: s.held_order + 1),
    step(blocks.settle, settled, lambda s: s.held_order),
    step(blocks.release, released, lambda s: s.held_order),
)


def after_step(run: Run, was: Page, moves: Moves, block: Truth) -> Page:
    """The page after a step that moves pages in this way."""
    now = unknown_page(run)
    run.suppose(moves(was, now, block))
    return now


# Operations


@proved(
    "allocate.moves-its-pages", "theorem", "allocate moves the pages of its block from free to allocated, and no others"
)
def allocate_moves_pages(run: Run) -> None:
    state, page, order = any_carve(run)
    other, held, whole = run.point("page"), run.point("order"), state.order_at(page)
    first = page_in(state, other)
    block = {each: blocks.same_block(at, page, other) for each, at in (("whole", whole), ("wanted", order))}
    run.suppose(neg(state.holding))
    run.assert_and_assume("the whole block is free", implies(block["whole"], first.free & neg(first.allocated)))

    def is_split(now: Page, in_held: Truth) -> Truth:
        """The induction hypothesis: the page is held if it lies in the held block (`in_held`), else it is as it was."""
        return now.is_now(first.free & neg(in_held), first.allocated, in_held) & implies(in_held, block["whole"])

    begun = after_step(run, first, picked_up, block["whole"])
    run.assert_goal("at first the whole block is held", is_split(begun, block["whole"]))
    last = unknown_page(run)
    run.suppose(is_split(last, block["wanted"]))
    end, own = after_step(run, last, settled, block["wanted"]), block["wanted"]
    run.assert_goal("each page of the block was free and is allocated", implies(own, first.free & end.allocated))
    run.assert_goal("no other page moves", end.is_now(first.free & neg(own), first.allocated | own, False))
    before, after = blocks.same_block(held, page, other), blocks.same_block(held - 1, page, other)
    run.suppose(order < held, held <= whole)
    run.assert_and_assume("the half that stays held lies in the block that was held", implies(after, before))
    middle = unknown_page(run)
    run.suppose(is_split(middle, before))
    run.assert_goal(
        "after one more split, one half is held", is_split(after_step(run, middle, was_split, after), after)
    )


@proved("free.moves-its-pages", "theorem", "free moves the pages of its block from allocated to free, and no others")
def free_moves_pages(run: Run) -> None:
    state, page, order, merged = any_free(run)
    other, held = run.point("page"), run.point("order")
    first = page_in(state, other)
    own, whole = blocks.same_block(order, page, other), blocks.same_block(merged, page, other)
    run.suppose(neg(state.holding))
    run.assert_and_assume("the block is allocated", implies(own, first.allocated & neg(first.free)))

    def is_merged(now: Page, in_held: Truth) -> Truth:
        """The induction hypothesis: the held block (`in_held`) is the freed one and blocks that were free."""
        pages = now.is_now(first.free & neg(in_held), first.allocated & neg(own), in_held)
        return pages & implies(own, in_held) & implies(in_held, own | first.free)

    run.assert_goal("at first the block is held", is_merged(after_step(run, first, picked_up, own), own))
    last = unknown_page(run)
    run.suppose(is_merged(last, whole))
    end = after_step(run, last, released, whole)
    run.assert_goal("each page of the block was allocated and is free", implies(own, first.allocated & end.free))
    run.assert_goal("no other page moves", end.is_now(first.free | own, first.allocated & neg(own), False))
    before, after = blocks.same_block(held, page, other), blocks.same_block(held + 1, page, other)
    run.suppose(order <= held, held < merged)
    run.assert_and_assume("the block that was held lies in the merged block", implies(before, after))
    middle = unknown_page(run)
    run.suppose(is_merged(middle, before))
    run.assert_goal(
        "after one more merge, the merged block is held", is_merged(after_step(run, middle, was_merged, after), after)
    )


MOVES = (*STEPS, allocate_moves_pages, free_moves_pages)
