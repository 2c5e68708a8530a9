"""Proof that full coalescing loses nothing: where every page of an aligned block is free, it lies in one free block.

It holds with holes, too: a page that is free exists. So an allocation fails if and only if no aligned run of free pages
is large enough. (That what is allocated was free is `allocate.moves-its-pages`.) It is an induction over the order of
the block: `.begins` is its base, one page. `.goes-on` is its step: where each half of a block lies in a free block, the
whole lies in one. The solver proves base and step; that these make an induction is no question to it. `.ends` is what
follows for a block of any order, and `free-pages-say-which-blocks-are-free` for two states in which the same pages are
free.
"""

from __future__ import annotations

from dataclasses import replace

from memoracle.proofs.components.buddy.law import ORDER, lawful, proved
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import blocks
from memoracle.spec import buddy as law
from memoracle.spec.clauses import Number


def any_run(run: Run) -> tuple[blocks.Blocks, Number, Number]:
    """Any state in which nothing is held, a page of its range, and the order of a block over that page."""
    state, page, order = lawful(run), run.point("page"), run.point("order")
    run.suppose(blocks.holds_nothing(state), blocks.in_range(state, page), law.block_is_no_larger(state, order))
    return state, page, order


@proved("free-runs-lie-in-one-block.begins", "theorem", "a free page lies in one free block")
def free_runs_begin(run: Run) -> None:
    state, page, _ = any_run(run)
    run.suppose(law.pages_of_the_block_are_free(state, page, 0, page))
    run.assert_goal("the page lies in a free block", law.block_is_free(state, page, 0))


@proved(
    "free-runs-lie-in-one-block.goes-on",
    "theorem",
    "if each half of a block lies in one free block, so does the whole, up to the largest order",
)
def free_runs_go_on(run: Run) -> None:
    state, page, order = any_run(run)
    run.suppose(law.block_is_no_larger(state, order + 1))
    opposite, other = page ^ (1 << order), run.point("page")
    run.touch(("page",), (opposite,))
    run.suppose(law.pages_of_the_block_are_free(state, page, order + 1, other))
    run.assert_goal("the other half lies in the range", blocks.in_range(state, opposite))
    for half in (page, opposite):
        run.assert_goal(
            "what is given of the whole is given of each half",
            law.pages_of_the_block_are_free(state, half, order, other),
        )
        run.suppose(law.block_is_free(state, half, order))  # the induction hypothesis
    run.assert_goal("the whole lies in one free block", law.block_is_free(state, page, order + 1))


@proved(
    "free-runs-lie-in-one-block.ends",
    "theorem",
    "an allocation may fail only if no aligned run of so many free pages is there: one that is may be allocated",
)
def free_runs_end(run: Run) -> None:
    state, page, order = any_run(run)
    pages = run.point("pages")
    run.suppose(law.rounds_up(state, pages, order), law.block_is_aligned(state, page, order))
    run.suppose(law.block_lies_in_range(state, page, order))
    run.suppose(law.block_is_free(state, page, order))  # what the induction shows of a run of free pages
    run.assert_goal("the run may be allocated", law.allocate.allows(state, pages=pages, page=page, order=order))


@proved(
    "free-pages-say-which-blocks-are-free",
    "theorem",
    "in two states in which the same pages are free, the same blocks are free",
)
def same_pages_same_blocks(run: Run) -> None:
    state, page, order = any_run(run)
    other = replace(
        state,
        is_page=run.relation("is_page_there", "page"),
        is_free=run.relation("is_free_there", "order", "block"),
        is_allocated=run.relation("is_allocated_there", "order", "block"),
        is_fixed=run.relation("is_fixed_there", "page"),
        order_at=run.function("order_there", "page", high=ORDER.highest, gives="order"),
    )
    run.assume_all(blocks.INVARIANTS, other)
    run.assume_for_all(("page",), lambda each: blocks.page_is_free(state, each) == blocks.page_is_free(other, each))
    run.suppose(state.is_free(order, page >> order))
    whole = other.order_at(page)
    for there, size in ((other, order), (state, whole)):
        each = run.point("page")
        run.assert_goal("every page is free there", law.pages_of_the_block_are_free(there, page, size, each))
        run.assert_goal("it is no larger than the largest", law.block_is_no_larger(there, size))
        run.suppose(law.block_is_free(there, page, size))  # what the induction shows
    run.assert_goal("the block is free there", other.is_free(order, page >> order))


RUNS = (free_runs_begin, free_runs_go_on, free_runs_end, same_pages_same_blocks)
