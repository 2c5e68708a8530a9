"""Proofs of the code of `impl/buddy.py`: each method does what the law says.

The code runs on a buddy system of any depth, with any contents that satisfy the invariants (`symbolic_buddy.py`). Its
loops, which search, split and merge, are cut at their invariants. `_carve`, which splits a block out of a larger one,
and `_release`, which merges a block with its buddies, are proved by themselves (`carve_refines`, `release_refines`); in
the other proofs stand-ins take their places, which do what was proved of them. How pages are added is in `adding.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from memoracle.impl.buddy import order_for
from memoracle.proofs.components.buddy.law import ORDER, any_block, proved, unknown
from memoracle.proofs.components.buddy.symbolic_buddy import (
    SymbolicBuddy,
    assert_unchanged,
    contents,
    is_the_laws,
    unknown_code,
)
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.values import Relation
from memoracle.proofs.symbolic.withheld import Withheld
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import buddy as law
from memoracle.spec.blocks import Blocks, first_page, release
from memoracle.spec.clauses import Number, Truth, implies, neg, when


@dataclass
class Search:
    """The loop that searches for a free block, order by order.

    Invariant: of the orders that it has passed, no block that it could take is free.
    """

    buddy: SymbolicBuddy
    state: Blocks
    is_wanted: Relation  # whether the search could take this block, by its order and place
    wanted: Number  # the order at which the search begins

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        return self.on_back_edge(run, arguments[0])

    def havoc(self, run: Run) -> Number:
        order = run.point("order")
        run.suppose(self.wanted <= order, order <= self.buddy.highest)
        run.assume_for_all(("order", "block"), lambda o, block: self._none_passed(order, o, block))
        return order

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        run.assert_goal("the search stays among the orders", (self.wanted <= result) & (result <= self.buddy.highest))
        run.assert_goal("the search passes no block that it could take", self._none_passed(result, *any_block(run)))
        return Rises(result, self.buddy.highest)

    def _none_passed(self, order: Number, o: Number, block: Number) -> Truth:
        passed = (self.wanted <= o) & (o < order) & self.is_wanted(o, block)
        return implies(passed, neg(self.state.is_free(o, block)))


@dataclass
class Splitting:
    """The loop that splits a block.

    Invariant: the free blocks are those of the law's state in which the block over the page was split down to the held
    one.
    """

    buddy: SymbolicBuddy
    state: Blocks
    page: Number
    wanted: Number  # the order to which it is split
    points: ClassVar[Points] = {"has": ("order", "block")}

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        return self.on_back_edge(run, arguments[0])

    def havoc(self, run: Run) -> Number:
        order = run.point("order")
        run.suppose(self._in_between(order))
        self.buddy.free_blocks.has = law.split_down(self.state, self.page, order).is_free
        return order

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        run.assert_goal("the held block is no smaller than wanted", self._in_between(result))
        assert_free_blocks(run, self.buddy, law.split_down(self.state, self.page, result))
        return result

    def _in_between(self, order: Number) -> Truth:
        return (self.wanted <= order) & (order <= self.state.order_at(self.page))


@dataclass
class Merging:
    """The loop that merges a block with its buddies.

    Invariant: every buddy so far was free, and the free blocks are those of the law's state in which the block over the
    page was merged up to the held one.
    """

    buddy: SymbolicBuddy
    state: Blocks
    page: Number
    start: Number  # the order of the block that is freed
    order: Number  # of the held block after the loop
    points: ClassVar[Points] = {"has": ("order", "block")}

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        return self.on_back_edge(run, arguments[0])

    def havoc(self, run: Run) -> Number:
        order = self.order = run.point("order")
        run.suppose(self.start <= order, order <= self.state.highest)
        run.assume_for_all(("level",), lambda level: self._were_free(order, level))
        self.buddy.free_blocks.has = law.merge_up(self.state, self.page, self.start, order).is_free
        return order

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        run.assert_goal(
            "the held block is no larger than the largest", (self.start <= result) & (result <= self.state.highest)
        )
        run.assert_goal("all buddies so far were free", self._were_free(result, run.point("level")))
        assert_free_blocks(run, self.buddy, law.merge_up(self.state, self.page, self.start, result))
        return Rises(result, self.state.highest)

    def _were_free(self, order: Number, level: Number) -> Truth:
        return law.merges_free_buddies(self.state, self.page, self.start, order, level)


def assert_free_blocks(run: Run, buddy: SymbolicBuddy, state: Blocks) -> None:
    """Claims that the reference has the free blocks of this state."""
    block = any_block(run)
    run.assert_goal(
        "the free blocks are the law's while one is held", buddy.free_blocks.has(*block) == state.is_free(*block)
    )


class CarveStandIn:
    """Stands in for `_carve`: it does what `carve_refines` proves of that.

    It claims that the code calls it once at most, where the law allows it, and changes nothing before.
    after: what the reference contains after the call.  carved: the page and the order it was called with.
    """

    def __init__(self, run: Run, buddy: SymbolicBuddy, state: Blocks) -> None:
        self.run, self.buddy, self.state = run, buddy, state
        self.before = self.after = contents(buddy)
        self.carved: tuple[Number, Number] | None = None
        run.replace(buddy, "_carve", self)

    def __call__(self, order: Number, page: Number, wanted: Number) -> None:
        with self.run.reading_law():
            self.run.assert_goal("one block is carved", self.carved is None)
            assert_unchanged(self.run, self.buddy, self.before)
            self.run.assert_goal(
                "a block is carved where the law allows it", law.carve.allows(self.state, page=page, order=wanted)
            )
            self.run.assert_goal("it is carved out of the block that covers it", order == self.state.order_at(page))
            self.carved = (page, wanted)
            self.buddy.free_blocks.has = law.carve(self.state, page, wanted).is_free
            self.buddy.allocated[page] = wanted
            self.after = contents(self.buddy)

    def has_carved(self, page: Number, wanted: Number) -> Truth:
        """Whether the block of this order at this page was carved."""
        return self.carved is not None and (self.carved[0] == page) & (self.carved[1] == wanted)


@proved("carve.refines", "refinement", "the code that splits a block out of a larger free one does what the law says")
def carve_refines(run: Run) -> None:
    buddy, state = unknown_code(run)
    page, wanted = run.point("page"), run.point("order")
    law_obligations.permitted(run, law.carve, state, {"page": page, "order": wanted})
    whole, was_allocated, order_of = state.order_at(page), buddy.allocated.has, buddy.allocated.at
    cut(run, buddy, "_split", lambda order, page: Splitting(buddy, state, page, wanted))
    run.call(buddy._carve, whole, page, wanted)
    is_the_laws(run, buddy, law.carve(state, page, wanted))
    assert_noted(run, buddy, (was_allocated, order_of), page, wanted)


def assert_noted(run: Run, buddy: SymbolicBuddy, before: tuple[Any, Any], page: Number, wanted: Number) -> None:
    """Claims that the reference has one more block as allocated. before: which it had, and their orders."""
    was_allocated, order_of = before
    other = run.point("page")
    run.assert_goal(
        "one more is noted as allocated", buddy.allocated.has(other) == (was_allocated(other) | (other == page))
    )
    run.assert_goal("its order is noted", buddy.allocated.at(other) == when(other == page, wanted, order_of(other)))


@proved("allocate.refines", "refinement", "the code of allocate does what the law allows: best fit, lowest address")
def allocate_refines(run: Run) -> None:
    buddy, state = unknown_code(run)
    pages = run.any_number("pages")
    wanted = run.call(order_for, pages)
    cut(run, buddy, "_larger", lambda order: Search(buddy, state, lambda o, block: True, order))
    carve = CarveStandIn(run, buddy, state)
    page = run.call(buddy.allocate, pages)
    if page is None:
        choice = run.point_of_each(("page", "order"))
        run.assert_goal(
            "it fails only if no block is large enough", neg(law.allocate.allows(state, pages=pages, **choice))
        )
        assert_unchanged(run, buddy, carve.before)
        return
    assert wanted is not None, "a block for fewer than one page"
    assert_unchanged(run, buddy, carve.after)
    run.assert_goal("the block is the one that was carved", carve.has_carved(page, wanted))
    run.assert_goal("the law allows the block", law.allocate.allows(state, pages=pages, page=page, order=wanted))
    whole, (order, block) = state.order_at(page), any_block(run)
    better = state.is_free(order, block) & (wanted <= order)
    best = (whole < order) | ((whole == order) & (page >> whole <= block))
    run.assert_goal("it is split from the smallest block that fits, at the lowest address", implies(better, best))
    run.assert_goal("the lower half is kept", page == first_page(page, whole))


def by_order(method: str) -> bool:
    """Whether a method is told the order of a block, and not how many pages it has."""
    return method.endswith("_block")


def any_size(run: Run, method: str) -> tuple[Number, Number | None]:
    """Any number of pages that a method may be asked for, and the order of a block that holds as many.

    Of one that is told an order: any number, and how many pages a block of it has; none, where it is no order.
    """
    if by_order(method) and run.fork():
        order = run.point("order")
        return 1 << order, order
    if by_order(method):
        order = run.fresh("no_order", -HIGHEST, 2 * HIGHEST)  # of which no clause speaks
        run.assume((order < 0) | (ORDER.highest < order))
        return 0, order
    pages = run.any_number("pages")
    return pages, run.call(order_for, pages)


def reserves(run: Run, method: str) -> None:
    """Claims that a method reserves a block as the law says, and that only `fix` fixes it."""
    buddy, state = unknown_code(run)
    page, (pages, wanted) = run.any_number("page"), any_size(run, method)
    cut(run, buddy, "_larger", lambda order: Search(buddy, state, lambda o, block: block == page >> o, order))
    carve = CarveStandIn(run, buddy, state)
    if run.answers(getattr(buddy, method), *((wanted, page) if by_order(method) else (page, pages))):
        assert wanted is not None, "a block for fewer than one page"
        run.assert_goal("the law allows it", law.reserve.allows(state, pages=pages, page=page, order=wanted))
        if carve.carved is None:
            assert_taken_whole(run, buddy, state, carve.before, page, wanted)
        else:
            run.assert_goal("the block is the one that was carved", carve.has_carved(page, wanted))
            assert_unchanged(run, buddy, carve.after, but="fixed")
        other = run.point("page")
        is_now_fixed = (other == page) & (method == "fix")
        run.assert_goal(
            "the block is fixed by `fix`, and no other is",
            buddy.fixed.has(other) == (state.is_fixed(other) | is_now_fixed),
        )
        return
    order = run.point("order")
    run.assert_goal(
        "it fails only if the law says so", neg(law.reserve.allows(state, pages=pages, page=page, order=order))
    )
    assert_unchanged(run, buddy, carve.before)


def assert_taken_whole(
    run: Run, buddy: SymbolicBuddy, state: Blocks, before: Mapping[str, Any], page: Number, wanted: Number
) -> None:
    """Claims that the reference took a block that was free as it is, as the law carves it; `fixed` is left out."""
    assert_free_blocks(run, buddy, law.carve(state, page, wanted))
    assert_noted(run, buddy, before["allocated"], page, wanted)
    changed = {name: contents(buddy)[name] for name in ("free_blocks", "allocated")}
    assert_unchanged(run, buddy, {**before, **changed}, but="fixed")


@proved("reserve.refines", "refinement", "the code of reserve does what the law says")
def reserve_refines(run: Run) -> None:
    reserves(run, "reserve")


@proved("reserve-block.refines", "refinement", "the code that reserves a block of an order does what the law says")
def reserve_block_refines(run: Run) -> None:
    reserves(run, "reserve_block")


@proved("fix.refines", "refinement", "the code of fix does what the law says of reserve, and then of fix")
def fix_refines(run: Run) -> None:
    reserves(run, "fix")


@proved("release.refines", "refinement", "the code that frees a held block merges it fully, as the law says")
def release_refines(run: Run) -> None:
    buddy, state = unknown_code(run)
    order, page = run.point("order"), run.point("page")
    run.suppose(order <= state.highest)
    merging, before = Merging(buddy, state, page, order, order), contents(buddy)
    cut(run, buddy, "_merge", lambda order, page: merging)
    # A block is released that is allocated no more, or of pages that were only just added: see `ReleaseStandIn`.
    withheld = Withheld()
    withheld.take(buddy, "existing", "allocated", "fixed")
    run.call(buddy._release, order, page)
    withheld.put_back()
    merged, level = merging.order, run.point("level")
    run.assert_goal("the block is merged fully", law.merges_fully(state, page, order, merged))
    run.assert_goal("only free buddies merge", law.merges_free_buddies(state, page, order, merged, level))
    assert_free_blocks(run, buddy, release(law.joined(state, page, order, merged)))
    assert_unchanged(run, buddy, before, but="free_blocks")


class ReleaseStandIn:
    """Stands in for `_release`: it does what `release_refines` proves of that.

    state: whose free blocks the code has before each call, and in which nothing is held.
    released: the order and the page with which it was called, and the order that the block merged to.
    """

    NOTES = ("released", "state")  # what no loop's invariant need speak of

    def __init__(self, run: Run, buddy: SymbolicBuddy, state: Blocks) -> None:
        self.run, self.buddy, self.state = run, buddy, state
        self.released: tuple[Number, Number, Number] | None = None
        run.replace(buddy, "_release", self)

    def __call__(self, order: Number, page: Number) -> None:
        run, state = self.run, self.state
        with run.reading_law():
            run.assert_and_assume("the block has an order", (0 <= order) & (order <= state.highest))
            run.assert_and_assume("a page is a 64-bit number", (0 <= page) & (page <= HIGHEST))
            assert_free_blocks(run, self.buddy, state)
            merged = run.point("merged")
            run.suppose(law.merges_fully(state, page, order, merged))
            run.assume_for_all(("level",), lambda each: law.merges_free_buddies(state, page, order, merged, each))
            self.buddy.free_blocks.has = release(law.joined(state, page, order, merged)).is_free
            self.released = order, page, merged


def frees(run: Run, method: str) -> None:
    """Claims that a method frees a block as the law says."""
    buddy, state = unknown_code(run)
    page, (pages, order) = run.any_number("page"), any_size(run, method)
    before, freed = contents(buddy), ReleaseStandIn(run, buddy, state)
    if run.answers(getattr(buddy, method), *((order, page) if by_order(method) else (page, pages))):
        assert order is not None, "a block for fewer than one page"
        assert freed.released is not None, "nothing was freed"
        start, first, merged = freed.released
        run.assert_goal("the block is the one that was named", (first == page) & (start == order))
        values: dict[str, Number] = {"pages": pages, "page": page, "order": order, "merged": merged}
        run.assert_goal("the law allows it", law.free.allows(state, level=run.point("level"), **values))
        is_the_laws(run, buddy, law.free(state, *values.values()))
        return
    values = {"pages": pages, "page": page, "order": run.point("order")}
    run.assert_goal("it fails only if the law says so", neg(law.free.allows(state, **values)))
    run.assert_goal("nothing is freed", freed.released is None)
    assert_unchanged(run, buddy, before)


@proved("free.refines", "refinement", "the code of free does what the law says")
def free_refines(run: Run) -> None:
    frees(run, "free")


@proved("free-block.refines", "refinement", "the code that frees a block of an order does what the law says")
def free_block_refines(run: Run) -> None:
    frees(run, "free_block")


@proved("order-for.refines", "refinement", "the order for so many pages is that of the next power of two")
def order_for_refines(run: Run) -> None:
    state, pages = unknown(run), run.any_number("pages")
    order = run.fresh("order", 0, 65)  # more pages than any range has may be asked for
    found = run.call(order_for, pages)
    if found is None:
        run.assert_goal("only a number of pages below 1 has no order", neg(law.rounds_up(state, pages, order)))
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
    assert_unchanged(run, buddy, before)


CODE = (
    carve_refines,
    allocate_refines,
    reserve_refines,
    reserve_block_refines,
    fix_refines,
    release_refines,
    free_refines,
    free_block_refines,
    order_for_refines,
    size_refines,
)
