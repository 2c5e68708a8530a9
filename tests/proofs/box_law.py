"""A small law of items in a box, with operations that keep its invariant and its bounds, and others that do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.law_obligations import Law
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.spec.clauses import Clause, Number, Operation, Truth, clause, implies, operation, when

MOST = 9
SORTS = {"item": Sort("item"), "weight": Sort("weight")}


@dataclass(frozen=True)
class Box:
    """State: which items lie in a box, what each weighs, and how much may be in it."""

    limit: Number
    has: Callable[[Number], Truth]
    weighs: Callable[[Number], Number]


def unknown(run: Run) -> Box:
    return Box(run.number("limit", 1, MOST), run.relation("has", "item"), run.function("weighs", "item", high=MOST))


@clause("each item is light enough")
def is_light(s: Box, item: Number) -> Truth:
    return implies(s.has(item), s.weighs(item) <= s.limit)


@clause("what is put in is light enough")
def may_be_put(s: Box, item: Number, weight: Number) -> Truth:
    return weight <= s.limit


@clause("it is heavier than all others")
def is_heaviest(s: Box, item: Number, weight: Number, other: Number) -> Truth:
    return implies(s.has(other), s.weighs(other) < weight)


def put(s: Box, item: Number, weight: Number) -> Box:
    """An item is put in."""
    return replace(
        s,
        has=lambda other: s.has(other) | (other == item),
        weighs=lambda other: when(other == item, weight, s.weighs(other)),
    )


puts = operation("test.put", guard=[may_be_put])(put)
puts_any = operation("test.put-any", guard=[])(put)
puts_heaviest = operation("test.put-heaviest", guard=[may_be_put, is_heaviest])(put)


@operation("test.tighten", guard=[])
def tighten(s: Box) -> Box:
    """Less may be in the box from here on."""
    return replace(s, limit=s.limit - 1)


@operation("test.loosen", guard=[])
def loosen(s: Box) -> Box:
    """More may be in the box from here on."""
    return replace(s, limit=s.limit + 1)


@clause("nothing weighs more than any box holds")
def none_is_heavy(s: Box, item: Number) -> Truth:
    return implies(s.has(item), s.weighs(item) <= MOST)


@clause("nothing weighs as much as may be in it")
def none_is_as_heavy(s: Box, item: Number) -> Truth:
    return implies(s.has(item), s.weighs(item) < s.limit)


def law_of(*operations: Operation, theorems: tuple[Clause, ...] = (), empty: bool = True) -> Law:
    def initial(run: Run) -> Box:
        return replace(unknown(run), has=lambda item: not empty)

    sorts = {**SORTS, "other": SORTS["item"]}
    functions = dict.fromkeys(("has", "weighs"), law_obligations.any_point("item"))
    return Law("test", sorts, functions, unknown, initial, (is_light,), operations, theorems)
