"""Proofs of pages that turn up: of the law of `spec/added_blocks.py`, and of the code that adds them.

That adding a block is a run of steps, and so keeps the invariants, is the same induction as for freeing one. The code
adds a stretch block by block: its loop is cut at its invariant, which says of every page how it is, and not which
blocks are free. That follows (`free-pages-say-which-blocks-are-free`, in `coalescing.py`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

from memoracle.proofs.components.buddy.code import ReleaseStandIn, assert_free_blocks
from memoracle.proofs.components.buddy.law import (
    DEEPEST,
    LAW,
    ORDER,
    any_block,
    assert_merges_once_more,
    lawful,
    proved,
)
from memoracle.proofs.components.buddy.page_moves import (
    Page,
    after_step,
    page_in,
    released,
    step,
    unknown_page,
    was_merged,
)
from memoracle.proofs.components.buddy.symbolic_buddy import (
    SymbolicBuddy,
    assert_unchanged,
    contents,
    is_the_laws,
    unknown_code,
)
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import added_blocks as law
from memoracle.spec import blocks
from memoracle.spec.blocks import Blocks
from memoracle.spec.clauses import Number, Truth, implies, neg

# To add a block is a run of steps


def any_added(run: Run) -> tuple[Blocks, Number, Number, Number]:
    """Any state, the page and order of any block that may be added there, and the order of the block it merges to."""
    state = lawful(run)
    values = run.point_of_each(law.add_block.points)
    law_obligations.permitted(run, law.add_block, state, values)
    return state, values["page"], values["order"], values["merged"]


@proved("add-block.begins", "invariant", "before it is merged, the block that is added appears")
def add_begins(run: Run) -> None:
    state, page, order, _ = any_added(run)
    allowed = blocks.appear.allows(state, order=order, page=page, each=run.point("each"))
    run.assert_goal("a block appears", allowed)
    law_obligations.same_state(run, LAW, blocks.appear(state, order, page), law.turned_up(state, page, order, order))


@proved("add-block.goes-on", "invariant", "merging up to the next higher order is merging once more, of what is added")
def add_goes_on(run: Run) -> None:
    state, page, order, merged = any_added(run)
    assert_merges_once_more(run, partial(law.turned_up, state, page, order), order, merged)


@proved("add-block.ends", "invariant", "the block that is added can be released once it was merged up to its order")
def add_ends(run: Run) -> None:
    state, page, order, merged = any_added(run)
    run.assert_goal("a block is released", blocks.release.allows(law.turned_up(state, page, order, merged)))


@proved("add-block.adds-a-stretch", "theorem", "once a block was added, so many pages exist besides, from its first on")
def adds_a_stretch(run: Run) -> None:
    state, page, order, merged = any_added(run)
    now, each = law.add_block(state, page, order, merged), run.point("page")
    exists = state.is_page(each) | law.in_stretch(page, 1 << order, each)
    run.assert_goal(
        "a page exists if it did, or is one of so many from the first page of the block on", now.is_page(each) == exists
    )


# Which pages move


def appeared(was: Page, now: Page, block: Truth) -> Truth:
    """How a page moves when a block appears. `block`: whether the page lies in it."""
    return now.is_now(was.free, was.allocated, block) & implies(block, was.is_now(False, False, False))


@proved(
    "add-block.moves-its-pages", "theorem", "the pages of a block that is added become free, and no other page moves"
)
def add_moves_pages(run: Run) -> None:
    state, page, order, merged = any_added(run)
    other, held = run.point("page"), run.point("order")
    first = page_in(state, other)
    own, whole = blocks.same_block(order, page, other), blocks.same_block(merged, page, other)
    run.suppose(neg(state.holding))
    run.assert_and_assume("no page of the block is in a state", implies(own, neg(first.free | first.allocated)))

    def is_merged(now: Page, in_held: Truth) -> Truth:
        """The induction hypothesis: the held block (`in_held`) is the added one and blocks that were free."""
        pages = now.is_now(first.free & neg(in_held), first.allocated, in_held)
        return pages & implies(own, in_held) & implies(in_held, own | first.free)

    run.assert_goal("at first the block is held", is_merged(after_step(run, first, appeared, own), own))
    last = unknown_page(run)
    run.suppose(is_merged(last, whole))
    end = after_step(run, last, released, whole)
    run.assert_goal("each page of the block is free", implies(own, end.free))
    run.assert_goal("no other page moves", end.is_now(first.free | own, first.allocated, False))
    before, after = blocks.same_block(held, page, other), blocks.same_block(held + 1, page, other)
    run.suppose(order <= held, held < merged)
    run.assert_and_assume("the block that was held lies in the merged block", implies(before, after))
    middle = unknown_page(run)
    run.suppose(is_merged(middle, before))
    run.assert_goal(
        "after one more merge, the merged block is held", is_merged(after_step(run, middle, was_merged, after), after)
    )


# The code


@proved("fitting.refines", "refinement", "the block that is added next is the largest that begins there and fits")
def fitting_refines(run: Run) -> None:
    buddy, state = unknown_code(run, [blocks.largest_block_fits])
    page, last, before = run.point("page"), run.point("page"), contents(buddy)
    run.suppose(page < last, last <= 1 << state.depth)
    order = run.call(buddy._fitting, page, last)

    def fits(each: Number) -> Truth:
        return (each <= state.highest) & blocks.is_aligned(page, each) & (page + (1 << each) <= last)

    run.assert_goal("it is aligned, no larger than the largest, and fits", (0 <= order) & fits(order))
    run.assert_goal("no larger one does", neg(fits(order + 1)))
    assert_unchanged(run, buddy, before)


@proved(
    "aligned-blocks-are-stretches", "theorem", "the block of an aligned page is the stretch of its pages from there on"
)
def aligned_blocks_are_stretches(run: Run) -> None:
    page, order, each = run.point("page"), run.fresh("order", 0, DEEPEST), run.point("page")
    run.suppose(blocks.is_aligned(page, order))
    in_block = law.in_stretch(page, 1 << order, each)
    run.assert_goal("a page is in both or in neither", blocks.same_block(order, page, each) == in_block)


class FittingStandIn:
    """Stands in for `_fitting`: it does what `fitting_refines` proves of that."""

    def __init__(self, run: Run, buddy: SymbolicBuddy) -> None:
        self.run, self.buddy = run, buddy
        run.replace(buddy, "_fitting", self)

    def __call__(self, page: Number, last: Number) -> Number:
        run, buddy = self.run, self.buddy
        with run.reading_law():
            there = (0 <= page) & (page < last) & (last <= 1 << buddy.depth)
            run.assert_and_assume("a block begins within the range, before where it is to end", there)
            order = run.point("order")
            run.suppose(order <= buddy.highest, blocks.is_aligned(page, order), page + (1 << order) <= last)
        return order


class Adding:
    """The loop that adds a stretch of pages block by block.

    Invariant: the free blocks are those of a state that satisfies the law's invariants, in which the pages up to the
    one that it has come to exist and are free, and every other page is as it was.
    state: that state. That it satisfies the invariants follows from the steps, and matters to what stand-ins do.
    """

    points: ClassVar[Points] = {"has": ("order", "block")}

    def __init__(self, run: Run, buddy: SymbolicBuddy, before: Blocks, first: Number, last: Number) -> None:
        self.buddy, self.before, self.first, self.last = buddy, before, first, last
        self.state, self.page = before, first
        self.freed, _ = ReleaseStandIn(run, buddy, before), FittingStandIn(run, buddy)

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        run.assert_goal("it goes on to the last page", arguments[1] == self.last)
        self.page = arguments[0]
        self.freed.state, self.freed.released = self.state, None
        return self._claims(run, self.state, self.page, run.point("page"))

    def havoc(self, run: Run) -> Number:
        page = self.page = run.point("page")
        run.suppose((self.first <= page) & (page <= self.last))
        state = self.state = replace(
            self.before,
            is_page=lambda each: self.before.is_page(each) | law.in_stretch(self.first, page - self.first, each),
            is_free=run.relation("is_free_now", "order", "block"),
            order_at=run.function("order_now", "page", high=ORDER.highest, gives="order"),
        )
        so_far = law.Addition(self.before, state)
        run.assume_for_all(("page",), lambda each: law.adds_free_pages(so_far, self.first, page - self.first, each))
        self.buddy.free_blocks.has = state.is_free
        return page

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        assert self.freed.released is not None, "nothing was freed"
        order, page, merged = self.freed.released
        run.assert_goal("the block begins at the page that it has come to", page == self.page)
        run.assert_and_assume("the next begins where the block ends", result == page + (1 << order))
        values, each = {"page": page, "order": order, "merged": merged}, run.point("page")
        allowed = law.add_block.allows(self.state, **values, each=each, level=run.point("level"))
        run.assert_goal("the law allows the block", allowed)
        now = law.add_block(self.state, page, order, merged)
        self.run, self.now, self.step = run, now, (self.state, order, page)
        self.look_at(each)
        return self._claims(run, now, result, each)

    def look_at(self, each: Number) -> None:
        """Takes as given of a page what theorems say of the step of this turn."""
        before, order, page = self.step
        block, was = blocks.same_block(order, page, each), page_in(before, each)
        self.run.suppose(block == law.in_stretch(page, 1 << order, each))  # `aligned_blocks_are_stretches`
        # So `add_moves_pages` shows; that the state satisfies the invariants follows from its steps.
        self.run.suppose(page_in(self.now, each).is_now(was.free | block, was.allocated, False))

    def witnesses(self, result: Number) -> list[object]:
        return [result, self.now.is_free, self.now.order_at]

    def _claims(self, run: Run, now: Blocks, page: Number, each: Number) -> Rises:
        run.assert_goal("it stays in the stretch", (self.first <= page) & (page <= self.last))
        assert_free_blocks(run, self.buddy, now)
        assert_added(run, law.Addition(self.before, now), self.first, page - self.first, each)
        return Rises(page, self.last)


def assert_added(run: Run, addition: law.Addition, page: Number, pages: Number, each: Number) -> None:
    """Claims that a stretch was added, and nothing else has changed; each: any page."""
    order, block = any_block(run)
    points = {"page": page, "pages": pages, "each": each, "order": order, "block": block}
    for clause in law.ADDED:
        run.assert_goal(clause.says, clause(addition, *(points[point] for point in clause.points)))


@proved("add.refines", "refinement", "the code of add makes just these pages exist, free and merged, as the law says")
def add_refines(run: Run) -> None:
    buddy, state = unknown_code(run, [blocks.largest_block_fits])
    page, pages = run.any_number("page"), run.any_number("pages")
    before, loop = contents(buddy), Adding(run, buddy, state, page, page + pages)
    cut(run, buddy, "_add", lambda page, last: loop)

    def broken(each: Number) -> Truth:
        points: dict[str, Number] = {"page": page, "pages": pages, "each": each}
        return any_of(neg(clause(state, *(points[point] for point in clause.points))) for clause in law.ADD)

    if run.answers(buddy.add, page, pages):
        run.assert_goal("the law allows it", neg(broken(run.point("each"))))
        run.assert_goal("the whole stretch is added", loop.page == loop.last)
        is_the_laws(run, buddy, loop.state)
        assert_added(run, law.Addition(state, loop.state), page, pages, run.point("page"))
        return
    refused = any_of(map(broken, (*buddy.existing.met, run.point("each"))))
    run.assert_goal("it fails only if the law says so", refused)
    run.assert_goal("nothing is freed", loop.freed.released is None)
    assert_unchanged(run, buddy, before)


CODE = (
    step(blocks.appear, appeared, lambda s, order, page: order),
    add_begins,
    add_goes_on,
    add_ends,
    adds_a_stretch,
    add_moves_pages,
    fitting_refines,
    aligned_blocks_are_stretches,
    add_refines,
)
