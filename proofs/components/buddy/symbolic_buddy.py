"""Any buddy system: its containers with unknown contents, what they must be like, and which blocks they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from memoracle.impl.buddy import Buddy
from memoracle.proofs.abstraction.objects import blocks_of
from memoracle.proofs.components.buddy.law import DEEPEST, LAW, ORDER
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.symbolic.containers import Map, Set, Sets
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.blocks import INVARIANTS, Blocks, is_aligned
from memoracle.spec.clauses import Number, Truth, implies

ATTRIBUTES = frozenset(
    {"depth", "free_blocks", "allocated", "fixed"}
)  # all of which `contents` and `is_the_laws` compare


class SymbolicBuddy(Protocol):
    """The reference with these in the place of its attributes."""

    depth: Number
    free_blocks: Sets
    allocated: Map
    fixed: Set

    allocate: Callable[..., Any]
    reserve: Callable[..., Any]
    free: Callable[..., Any]
    fix: Callable[..., Any]
    size: Callable[..., Any]
    blocks: Callable[..., Any]
    _carve: Callable[..., Any]


def starts_are_blocks(buddy: SymbolicBuddy, page: Number) -> Truth:
    """What is noted as allocated is a block in the range."""
    order = buddy.allocated.at(page)
    in_range = (page >> buddy.depth == 0) & (order <= buddy.depth)
    return implies(buddy.allocated.has(page), in_range & is_aligned(page, order))


def unknown_code(run: Run) -> tuple[SymbolicBuddy, Blocks]:
    """The reference on unknown containers, and the state that it stands for before anything is run."""
    depth = run.number("depth", 0, DEEPEST)
    run.touch(("order",), (depth,))
    is_free, is_fixed = run.relation("is_free", "order", "block"), run.relation("is_fixed", "page")
    is_start, order_of = (
        run.relation("is_start", "page"),
        run.function("order_of", "page", high=ORDER.highest, gives="order"),
    )

    def reference() -> SymbolicBuddy:
        buddy: Any = object.__new__(Buddy)
        containers = {
            "depth": depth,
            "free_blocks": Sets(run, is_free, depth + 1, "block"),
            "allocated": Map(run, is_start, order_of, ORDER.highest),
            "fixed": Set(run, is_fixed, "page"),
        }
        buddy.__dict__.update(containers)
        made: SymbolicBuddy = buddy
        return made

    before = reference()
    state = replace(blocks_of(before), order_at=run.function("order_at", "page", high=ORDER.highest, gives="order"))
    run.assume_all(INVARIANTS, state)
    run.assume_for_all(("page",), lambda page: starts_are_blocks(before, page))
    return reference(), state


NOT_KEPT = ("order_at", "held_order", "held_page")  # by the reference, between two operations


def contents(buddy: SymbolicBuddy) -> dict[str, object]:
    """What each attribute has: who writes to a container puts other contents in the place of these."""
    return {
        "depth": buddy.depth,
        "free_blocks": buddy.free_blocks.has,
        "allocated": (buddy.allocated.has, buddy.allocated.at),
        "fixed": buddy.fixed.has,
    }


def untouched(run: Run, buddy: SymbolicBuddy, before: Mapping[str, object], but: str = "") -> None:
    """Claims that the object is what it was, but for this attribute."""
    for name, now in contents(buddy).items():
        if name != but:
            run.assert_goal(f"{name} is left as it was", now is before[name] or now == before[name])


def is_the_laws(run: Run, buddy: SymbolicBuddy, due: Blocks) -> None:
    """Claims that the object is what this state describes, each attribute, and its notes are such as they must be."""
    law_obligations.same_state(run, LAW, blocks_of(buddy), due, NOT_KEPT)
    run.assert_goal("what is noted as allocated is a block", starts_are_blocks(buddy, run.point("page")))
