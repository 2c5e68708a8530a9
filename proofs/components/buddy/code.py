"""Proofs of the buddy system's code: what `impl/buddy.py` does is what the law says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memoracle.impl.buddy import order_for
from memoracle.proofs.components.buddy.law import any_block, proved, unknown
from memoracle.proofs.components.buddy.symbolic_buddy import (
    SymbolicBuddy,
    contents,
    is_the_laws,
    unknown_code,
    untouched,
)
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.values import Relation
from memoracle.spec import buddy as law
from memoracle.spec.blocks import Blocks, first_page
from memoracle.spec.clauses import Number, Truth, implies, neg, when


@dataclass
class Search:
    """The loop that looks for a larger free block: none of the orders that it has passed has one."""

    buddy: SymbolicBuddy
    state: Blocks
    would_do: Relation  # whether the search is for such a block, of this order and place
    wanted: Number

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        return self.on_back_edge(run, arguments[0])

    def havoc(self, run: Run) -> Number:
        order = run.point("order")
        run.suppose(self.wanted <= order, order <= self.buddy.depth)
        run.assume_for_all(("order", "block"), lambda o, block: self._none_passed(order, o, block))
        return order

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        run.assert_goal("the search stays in the range", (self.wanted <= result) & (result <= self.buddy.depth))
        run.assert_goal("the search passes no block that would do", self._none_passed(result, *any_block(run)))
        return Rises(result, self.buddy.depth)

    def _none_passed(self, order: Number, o: Number, block: Number) -> Truth:
        passed = (self.wanted <= o) & (o < order) & self.would_do(o, block)
        return implies(passed, neg(self.state.is_free(o, block)))


@dataclass
class Splitting:
    """The loop that splits: the free blocks are what the law says while the block of some order is held."""

    buddy: SymbolicBuddy
    state: Blocks
    page: Number
    wanted: Number

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        return self.on_back_edge(run, arguments[0])

    def havoc(self, run: Run) -> Number:
        order = run.point("order")
        run.suppose(self._in_between(order))
        self.buddy.free_blocks.has = law.split_down(self.state, self.page, order).is_free
        return order

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        run.assert_goal("the held block is no smaller than wanted", self._in_between(result))
        free_are(run, self.buddy, law.split_down(self.state, self.page, result))
        return result

    def _in_between(self, order: Number) -> Truth:
        return (self.wanted <= order) & (order <= self.state.order_at(self.page))


@dataclass
class Merging:
    """The loop that merges: all buddies so far were free, and the free blocks are the law's while one is held."""

    buddy: SymbolicBuddy
    state: Blocks
    page: Number
    start: Number
    order: Number  # of the held block after the loop

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        return self.on_back_edge(run, arguments[0])

    def havoc(self, run: Run) -> Number:
        order = self.order = run.point("order")
        run.suppose(self.start <= order, order <= self.state.depth)
        run.assume_for_all(("level",), lambda level: self._were_free(order, level))
        self.buddy.free_blocks.has = law.merge_up(self.state, self.page, self.start, order).is_free
        return order

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        run.assert_goal(
            "the held block is no larger than the range", (self.start <= result) & (result <= self.state.depth)
        )
        run.assert_goal("all buddies so far were free", self._were_free(result, run.point("level")))
        free_are(run, self.buddy, law.merge_up(self.state, self.page, self.start, result))
        return Rises(result, self.state.depth)

    def _were_free(self, order: Number, level: Number) -> Truth:
        return law.merges_free_buddies(self.state, self.page, self.start, order, level)


def free_are(run: Run, buddy: SymbolicBuddy, state: Blocks) -> None:
    """Claims that the code's free blocks are those of a state of the law."""
    block = any_block(run)
    run.assert_goal(
        "the free blocks are the law's while one is held", buddy.free_blocks.has(*block) == state.is_free(*block)
    )


class Carving:
    """Stands in for `_carve`, of which `carve_refines` shows what it does: the code calls it once, where it may."""

    def __init__(self, run: Run, buddy: SymbolicBuddy, state: Blocks) -> None:
        self.run, self.buddy, self.state = run, buddy, state
        self.before = self.after = contents(buddy)
        self.carved: tuple[Number, Number] | None = None
        run.replace(buddy, "_carve", self)

    def __call__(self, order: Number, page: Number, wanted: Number) -> None:
        with self.run.reading_law():
            self.run.assert_goal("one block is carved", self.carved is None)
            untouched(self.run, self.buddy, self.before)
            self.run.assert_goal(
                "a block is carved where the law allows it", law.carve.allows(self.state, page=page, order=wanted)
            )
            self.run.assert_goal("it is carved out of the block that covers it", order == self.state.order_at(page))
            self.carved = (page, wanted)
            self.buddy.free_blocks.has = law.carve(self.state, page, wanted).is_free
            self.buddy.allocated[page] = wanted
            self.after = contents(self.buddy)

    def of(self, page: Number, wanted: Number) -> Truth:
        """Whether this block was carved."""
        return self.carved is not None and (self.carved[0] == page) & (self.carved[1] == wanted)


@proved("carve.refines", "refinement", "the code that splits a block out of a larger free one does what the law says")
def carve_refines(run: Run) -> None:
    buddy, state = unknown_code(run)
    page, wanted = run.point("page"), run.point("order")
    law_obligations.permitted(run, law.carve, state, {"page": page, "order": wanted})
    whole, noted, order_of = state.order_at(page), buddy.allocated.has, buddy.allocated.at
    cut(run, buddy, "_split", lambda order, page: Splitting(buddy, state, page, wanted))
    run.call(buddy._carve, whole, page, wanted)
    is_the_laws(run, buddy, law.carve(state, page, wanted))
    other = run.point("page")
    run.assert_goal("one more is noted as allocated", buddy.allocated.has(other) == (noted(other) | (other == page)))
    run.assert_goal("its order is noted", buddy.allocated.at(other) == when(other == page, wanted, order_of(other)))


@proved("allocate.refines", "refinement", "the code of allocate does what the law allows: best fit, lowest address")
def allocate_refines(run: Run) -> None:
    buddy, state = unknown_code(run)
    pages = run.any_number("pages")
    wanted = run.call(order_for, pages)
    cut(run, buddy, "_larger", lambda order: Search(buddy, state, lambda o, block: True, order))
    carving = Carving(run, buddy, state)
    page = run.call(buddy.allocate, pages)
    if page is None:
        choice = run.point_of_each(("page", "order"))
        run.assert_goal(
            "it fails only if no block is large enough", neg(law.allocate.allows(state, pages=pages, **choice))
        )
        untouched(run, buddy, carving.before)
        return
    untouched(run, buddy, carving.after)
    run.assert_goal("the block is the one that was carved", carving.of(page, wanted))
    run.assert_goal("the law allows the block", law.allocate.allows(state, pages=pages, page=page, order=wanted))
    whole, (order, block) = state.order_at(page), any_block(run)
    better = state.is_free(order, block) & (wanted <= order)
    best = (whole < order) | ((whole == order) & (page >> whole <= block))
    run.assert_goal("it is split from the smallest block that fits, at the lowest address", implies(better, best))
    run.assert_goal("the lower half is kept", page == first_page(page, whole))


def reserves(run: Run, code: str) -> None:
    """The code of reserve, or of fix, which reserves first, does what the law says."""
    buddy, state = unknown_code(run)
    page, pages = run.any_number("page"), run.any_number("pages")
    wanted = run.call(order_for, pages)
    cut(run, buddy, "_larger", lambda order: Search(buddy, state, lambda o, block: block == page >> o, order))
    carving = Carving(run, buddy, state)
    if run.call(lambda: bool(getattr(buddy, code)(page, pages))):
        run.assert_goal("the block is the one that was carved", carving.of(page, wanted))
        run.assert_goal("the law allows it", law.reserve.allows(state, pages=pages, page=page, order=wanted))
        untouched(run, buddy, carving.after, but="fixed")
        fixed = run.point("page")
        also = (fixed == page) & (code == "fix")
        run.assert_goal(
            "the block is never freed if it was fixed", buddy.fixed.has(fixed) == (state.is_fixed(fixed) | also)
        )
        return
    order = run.point("order")
    run.assert_goal(
        "it fails only if the law says so", neg(law.reserve.allows(state, pages=pages, page=page, order=order))
    )
    untouched(run, buddy, carving.before)


@proved("reserve.refines", "refinement", "the code of reserve does what the law says")
def reserve_refines(run: Run) -> None:
    reserves(run, "reserve")


@proved("fix.refines", "refinement", "the code of fix does what the law says of reserve, and then of fix")
def fix_refines(run: Run) -> None:
    reserves(run, "fix")


@proved("free.refines", "refinement", "the code of free does what the law says")
def free_refines(run: Run) -> None:
    buddy, state = unknown_code(run)
    page, pages = run.any_number("page"), run.any_number("pages")
    start = run.call(order_for, pages)
    held, before = Merging(buddy, state, page, start, start), contents(buddy)
    cut(run, buddy, "_merge", lambda order, page: held)
    if run.call(lambda: bool(buddy.free(page, pages))):
        values = {"pages": pages, "page": page, "order": start, "merged": held.order}
        run.assert_goal("the law allows it", law.free.allows(state, level=run.point("level"), **values))
        is_the_laws(run, buddy, law.free(state, *values.values()))
        return
    fresh = {"pages": pages, "page": page, "order": run.point("order")}
    run.assert_goal("it fails only if the law says so", neg(law.free.allows(state, **fresh)))
    untouched(run, buddy, before)


@proved("order-for.refines", "refinement", "the order for so many pages is that of the next power of two")
def order_for_refines(run: Run) -> None:
    state, pages, order = unknown(run), run.any_number("pages"), run.fresh("order", 0, 65)  # also more than ranges have
    found = run.call(order_for, pages)
    if found is None:
        run.assert_goal("there is none only for no pages", neg(law.rounds_up(state, pages, order)))
        return
    run.assert_goal("it is the order of the next power of two", law.rounds_up(state, pages, found))
    run.assert_goal("there is no other", implies(law.rounds_up(state, pages, order), order == found))


@proved("size.refines", "refinement", "the code of size answers what the law says, and changes nothing")
def size_refines(run: Run) -> None:
    buddy, state = unknown_code(run)
    page, before = run.any_number("page"), contents(buddy)
    run.assert_goal(
        "it is the size of the block that starts there",
        law.size_is_of_the_block(state, page, run.call(buddy.size, page)),
    )
    untouched(run, buddy, before)


CODE = (
    carve_refines,
    allocate_refines,
    reserve_refines,
    fix_refines,
    free_refines,
    order_for_refines,
    size_refines,
)
