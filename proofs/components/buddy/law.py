"""Proofs of the buddy system's law, `spec/blocks.py` and `spec/buddy.py`.

Each step (a block is picked up, split, merged, settled or released) keeps the invariants, at any depth and any order.
Whole operations are not proved directly: `carve.begins`, `.goes-on` and `.ends` show by induction over the order of the
held block that carving is a run of steps, and `free.…` the same of freeing. So operations keep the invariants because
their steps do. Allocating and reserving carve a block, and their guards imply that of carving. The theorems follow from
the invariants alone; nothing else is assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.law_answers import any_state, one_answer
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.spec import blocks
from memoracle.spec import buddy as law
from memoracle.spec.clauses import Clause, Number, Operation, implies, neg

DEEPEST = 52  # 2^52 pages of 4 KiB are all of a 64-bit address space
PAGE, ORDER, BLOCK = Sort("page"), Sort("order", 63), Sort("block")
SORTS = {
    "page": PAGE,
    "each": PAGE,
    "order": ORDER,
    "block": BLOCK,
    "level": ORDER,
    "merged": ORDER,
    "other": ORDER,
    "pages": Sort("size"),
    "place": Sort("place", 1 << DEEPEST),
    "place_after": Sort("place_after"),  # where a block of a list ends
    "process": Sort("process"),
    "space": Sort("space"),
}


def any_block(run: Run) -> tuple[Number, Number]:
    """Any order, and any block of that order. It is named by a page in it, since every block has one."""
    points = run.point_of_each(("order", "page"))
    return points["order"], points["page"] >> points["order"]


FUNCTIONS = {
    "is_page": law_obligations.any_point("page"),
    "is_free": any_block,
    "is_allocated": any_block,
    "is_fixed": law_obligations.any_point("page"),
    "order_at": law_obligations.any_point("page"),
}


def unknown(run: HypothesisPool) -> blocks.Blocks:
    """Any state of a range of any depth, in which a block may be held. Nothing is assumed of it yet."""
    depth, highest = run.number("depth", 0, DEEPEST), run.number("highest", 0, DEEPEST)
    held_order = run.number("held_order", 0, ORDER.highest)
    held_page = run.number("held_page")
    holding = run.truth("holding")
    run.touch(("order",), (held_order,))
    run.touch(("page",), (held_page,))
    run.touch(("order", "block"), (held_order, held_page >> held_order))
    run.touch(("order",), (highest,))
    return blocks.Blocks(
        depth=depth,
        highest=highest,
        is_page=run.relation("is_page", "page"),
        is_free=run.relation("is_free", "order", "block"),
        is_allocated=run.relation("is_allocated", "order", "block"),
        is_fixed=run.relation("is_fixed", "page"),
        holding=holding,
        held_order=held_order,
        held_page=held_page,
        order_at=run.function("order_at", "page", high=ORDER.highest, gives="order"),
    )


def initial(run: HypothesisPool) -> blocks.Blocks:
    """The initial state, at any depth and with any largest order."""
    state = unknown(run)
    run.assume(blocks.largest_block_fits(state))
    return blocks.whole(state.depth, state.highest)


def initial_empty(run: HypothesisPool) -> blocks.Blocks:
    """The same, where no page exists."""
    whole = initial(run)
    return blocks.empty(whole.depth, whole.highest)


LAW = law_obligations.Law(
    "buddy",
    SORTS,
    FUNCTIONS,
    unknown,
    initial,
    blocks.INVARIANTS,
    (*blocks.STEPS, law.fix),
    law.THEOREMS,
)


proved = Claims("buddy", SORTS)


def lawful(run: Run) -> blocks.Blocks:
    """Any state that satisfies the invariants."""
    state = unknown(run)
    run.assume_all(blocks.INVARIANTS, state)
    return state


def initially_empty(clause: Clause) -> Obligation:
    """That an invariant holds where no page exists."""

    @proved(
        f"initially-empty.{law_obligations.short(clause)}", "initial", f"where no page exists at first, {clause.says}"
    )
    def body(run: Run) -> None:
        run.assert_goal(clause.says, clause(initial_empty(run), *run.point_of_each(clause.points).values()))

    return body


# Operations are runs of steps


@proved("steps-need-what-is-held", "theorem", "a block is split, merged, settled or released only while it is held")
def steps_need_what_is_held(run: Run) -> None:
    state = lawful(run)
    for step in (blocks.split, blocks.merge, blocks.settle, blocks.release):
        allowed = step.allows(state, **run.point_of_each(step.points))
        run.assert_goal(f"{step.name} needs a held block", implies(allowed, state.holding))


@proved("whole-operations-hold-nothing", "theorem", "no other operation begins while a block is held")
def whole_operations_hold_nothing(run: Run) -> None:
    state = lawful(run)
    for operation in (blocks.pick_up, blocks.appear, law.carve, law.allocate, law.reserve, law.fix):
        allowed = operation.allows(state, **run.point_of_each(operation.points))
        run.assert_goal(f"{operation.name} holds nothing before", implies(allowed, neg(state.holding)))


def any_carve(run: Run) -> tuple[blocks.Blocks, Number, Number]:
    """Any state, and the page and order of any block that may be carved there."""
    state, page, order = lawful(run), run.point("page"), run.point("order")
    law_obligations.permitted(run, law.carve, state, {"page": page, "order": order})
    return state, page, order


@proved("carve.begins", "invariant", "before it is split, the free block is picked up unchanged")
def carve_begins(run: Run) -> None:
    state, page, _ = any_carve(run)
    whole = state.order_at(page)
    run.assert_goal("a block is picked up", blocks.pick_up.allows(state, order=whole, page=page))
    law_obligations.same_state(run, LAW, blocks.pick_up(state, whole, page), law.split_down(state, page, whole))


@proved("carve.goes-on", "invariant", "splitting down to the next lower order is splitting once more")
def carve_goes_on(run: Run) -> None:
    state, page, order = any_carve(run)
    held = run.point("order")
    run.assume(order < held, held <= state.order_at(page))
    before = law.split_down(state, page, held)
    run.assert_goal("a block is split", blocks.split.allows(before, page=page))
    law_obligations.same_state(run, LAW, blocks.split(before, page), law.split_down(state, page, held - 1))


@proved("carve.ends", "invariant", "the block can be settled once it was split down to its order")
def carve_ends(run: Run) -> None:
    state, page, order = any_carve(run)
    run.assert_goal("a block is settled", blocks.settle.allows(law.split_down(state, page, order)))


def any_free(run: Run) -> tuple[blocks.Blocks, Number, Number, Number]:
    """Any state, the page and order of any block that may be freed there, and the order of the block it merges to."""
    state = lawful(run)
    values = run.point_of_each(law.free.points)
    law_obligations.permitted(run, law.free, state, values)
    return state, values["page"], values["order"], values["merged"]


def assert_merges_once_more(
    run: Run, merged_to: Callable[[Number], blocks.Blocks], order: Number, last: Number
) -> None:
    """Claims that where a block was merged to any order below the last, one more merge leads to the next higher one.

    merged_to: the state in which it was merged to a held one of an order.  order: the one that it began with.
    """
    held = run.point("order")
    run.assume(order <= held, held < last)
    before = merged_to(held)
    run.assert_goal("a block is merged", blocks.merge.allows(before))
    law_obligations.same_state(run, LAW, blocks.merge(before), merged_to(held + 1))


@proved("free.begins", "invariant", "before it is merged, the allocated block is picked up unchanged")
def free_begins(run: Run) -> None:
    state, page, order, _ = any_free(run)
    run.assert_goal("a block is picked up", blocks.pick_up.allows(state, order=order, page=page))
    law_obligations.same_state(run, LAW, blocks.pick_up(state, order, page), law.merge_up(state, page, order, order))


@proved("free.goes-on", "invariant", "merging up to the next higher order is merging once more")
def free_goes_on(run: Run) -> None:
    state, page, order, merged = any_free(run)
    assert_merges_once_more(run, partial(law.merge_up, state, page, order), order, merged)


@proved("free.ends", "invariant", "the block can be released once it was merged up to its order")
def free_ends(run: Run) -> None:
    state, page, order, merged = any_free(run)
    run.assert_goal("a block is released", blocks.release.allows(law.merge_up(state, page, order, merged)))


def carves(operation: Operation) -> Obligation:
    """That an operation's guard implies that of carving the same block."""

    @proved(
        f"{law_obligations.short(operation)}.carves",
        "invariant",
        f"{operation.name} carves only a block that can be carved",
    )
    def body(run: Run) -> None:
        state, values = lawful(run), run.point_of_each(operation.points)
        law_obligations.permitted(run, operation, state, values)
        for clause in law.carve.guard:
            run.assert_goal(clause.says, clause(state, *(values[point] for point in clause.points)))

    return body


BY_STEPS = (
    *map(carves, (law.allocate, law.reserve)),
    carve_begins,
    carve_goes_on,
    carve_ends,
    free_begins,
    free_goes_on,
    free_ends,
)


# Theorems about runs of operations


@proved("free-after-allocate", "theorem", "free after allocate restores the state exactly: there is no other outcome")
def free_after_allocate(run: Run) -> None:
    state, page, order = any_carve(run)
    pages, whole = run.point("pages"), state.order_at(page)
    run.assume(law.rounds_up(state, pages, order))
    between = law.carve(state, page, order)
    values = {"pages": pages, "page": page, "order": order}
    allowed = law.free.allows(between, level=run.point("level"), merged=whole, **values)
    run.assert_goal("the block can be freed, and merges to the one it was split from", allowed)
    after = law.free(between, *values.values(), whole)
    law_obligations.same_state(run, LAW, after, state, ("held_order", "held_page"))
    merged = run.point("merged")
    run.assume_for_all(("level",), lambda level: law.merges_free_buddies(between, page, order, merged, level))
    also = law.merges_fully(between, page, order, merged)
    run.assert_goal("it merges to no other", implies(also, merged == whole))


@proved("spaces-are-apart", "theorem", "what one process does never changes another's blocks")
def spaces_are_apart(run: Run) -> None:
    process, other, anything = run.point("process"), run.point("process"), unknown(run)
    is_free = run.relation("is_free_of", "process", "order", "block")
    is_allocated = run.relation("is_allocated_of", "process", "order", "block")
    is_fixed = run.relation("is_fixed_of", "process", "page")

    def of(each: Number) -> blocks.Blocks:
        return replace(
            anything,
            is_free=lambda order, block: is_free(each, order, block),
            is_allocated=lambda order, block: is_allocated(each, order, block),
            is_fixed=lambda page: is_fixed(each, page),
        )

    before = law.Spaces(lives=run.relation("lives", "process"), of=of)
    after = law.within(before, process, anything)
    law_obligations.same_state(run, LAW, after.of(process), anything)
    run.assume(process != other)
    law_obligations.same_state(run, LAW, after.of(other), before.of(other))


LAWS = (
    *law_obligations.obligations(LAW),
    *map(initially_empty, LAW.invariants),
    steps_need_what_is_held,
    whole_operations_hold_nothing,
    *BY_STEPS,
    free_after_allocate,
    spaces_are_apart,
    one_answer(proved, any_state(LAW), law.size_is_of_the_block, ["pages"]),
    one_answer(proved, any_state(LAW), law.lists_the_block, ["pages"], ["allocated"]),
    one_answer(proved, any_state(LAW), law.lists_in_address_order, ["page"]),
)
