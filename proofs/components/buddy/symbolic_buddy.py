"""A buddy system with unknown contents: its containers, their invariants, and the law's state for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from memoracle.impl.buddy import Buddy
from memoracle.proofs.abstraction.objects import blocks_of
from memoracle.proofs.components.buddy.law import DEEPEST, LAW, ORDER
from memoracle.proofs.components.runs.symbolic_place_set import the_next_is_not_in
from memoracle.proofs.components.runs.symbolic_runs import Members
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.symbolic.containers import Map, Set, Sets
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.blocks import INVARIANTS, Blocks, is_aligned
from memoracle.spec.clauses import Clause, Number, Truth, implies

ATTRIBUTES = frozenset(
    {"depth", "highest", "existing", "free_blocks", "allocated", "fixed"}
)  # all of which `contents` and `is_the_laws` compare


class SymbolicBuddy(Protocol):
    """The reference with stand-ins in the place of its attributes."""

    depth: Number
    highest: Number
    existing: Members
    free_blocks: Sets
    allocated: Map
    fixed: Set

    def add(self, page: Number, pages: Number) -> bool: ...
    def allocate(self, pages: Number) -> Number | None: ...
    def reserve(self, page: Number, pages: Number) -> bool: ...
    def reserve_block(self, order: Number, page: Number) -> bool: ...
    def free(self, page: Number, pages: Number) -> bool: ...
    def free_block(self, order: Number, page: Number) -> bool: ...
    def fix(self, page: Number, pages: Number) -> bool: ...
    def size(self, page: Number) -> Number: ...
    def blocks(self) -> Sequence[tuple[Number, Number, Truth]]: ...
    def _fitting(self, page: Number, last: Number) -> Number: ...
    def _carve(self, order: Number, page: Number, wanted: Number) -> None: ...
    def _release(self, order: Number, page: Number) -> None: ...


def allocated_are_blocks(buddy: SymbolicBuddy, page: Number) -> Truth:
    """What the reference has as allocated is a block: it lies in the range, and is aligned to its size."""
    order = buddy.allocated.at(page)
    in_range = (page >> buddy.depth == 0) & (order <= buddy.highest)
    return implies(buddy.allocated.has(page), in_range & is_aligned(page, order))


def unknown_code(run: Run, given: Sequence[Clause] = INVARIANTS) -> tuple[SymbolicBuddy, Blocks]:
    """The reference on unknown containers, and the state that it stands for before anything is run.

    given: what matters of the invariants that the state satisfies.
    """
    depth, highest = run.number("depth", 0, DEEPEST), run.number("highest", 0, DEEPEST)
    run.touch(("order",), (highest,))
    next_missing = run.function("next_missing", "page", gives="page")
    is_free, is_fixed = run.relation("is_free", "order", "block"), run.relation("is_fixed", "page")
    is_start, order_of = (
        run.relation("is_start", "page"),
        run.function("order_of", "page", high=ORDER.highest, gives="order"),
    )

    def reference() -> SymbolicBuddy:
        buddy: Any = object.__new__(Buddy)
        containers = {
            "depth": depth,
            "highest": highest,
            "existing": Members(run, 1 << depth, next_missing, "page"),
            "free_blocks": Sets(run, is_free, highest + 1, "block"),
            "allocated": Map(run, is_start, order_of, ORDER.highest),
            "fixed": Set(run, is_fixed, "page"),
        }
        buddy.__dict__.update(containers)
        made: SymbolicBuddy = buddy
        return made

    before = reference()
    state = replace(blocks_of(before), order_at=run.function("order_at", "page", high=ORDER.highest, gives="order"))
    run.assume_all(given, state)
    run.assume_for_all(("page",), lambda page: allocated_are_blocks(before, page))
    run.assume_for_all(("page",), lambda page: the_next_is_not_in(next_missing, page))
    return reference(), state


NOT_KEPT = ("order_at", "held_order", "held_page")  # parts of the law's state that the reference does not have


def contents(buddy: SymbolicBuddy) -> dict[str, object]:
    """What each attribute contains. A write to a stand-in gives it a new function, so an equal one was not written."""
    return {
        "depth": buddy.depth,
        "highest": buddy.highest,
        "existing": buddy.existing.next_out,
        "free_blocks": buddy.free_blocks.has,
        "allocated": (buddy.allocated.has, buddy.allocated.at),
        "fixed": buddy.fixed.has,
    }


def assert_unchanged(run: Run, buddy: SymbolicBuddy, before: Mapping[str, object], but: str = "") -> None:
    """Claims that the reference contains what it did before, but for this attribute."""
    for name, now in contents(buddy).items():
        if name != but:
            run.assert_goal(f"{name} is left as it was", now is before[name] or now == before[name])


def is_the_laws(run: Run, buddy: SymbolicBuddy, due: Blocks) -> None:
    """Claims that the reference stands for this state, and that what it has as allocated is a block."""
    law_obligations.same_state(run, LAW, blocks_of(buddy), due, NOT_KEPT)
    run.assert_goal("what is noted as allocated is a block", allocated_are_blocks(buddy, run.point("page")))
