"""What a law owes is refuted where the law does not keep it: an invariant, a bound, a theorem, a part of a state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from box_law import (
    SORTS,
    Box,
    is_light,
    law_of,
    loosen,
    none_is_as_heavy,
    none_is_heavy,
    put,
    puts,
    puts_any,
    puts_heaviest,
    tighten,
    unknown,
)

from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.law_obligations import Law
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation


def verdicts(law: Law) -> dict[str, str]:
    return {each.name: discharge(each, use_cache=False).verdict for each in law_obligations.obligations(law)}


def test_each_operation_owes_each_invariant_and_the_bounds() -> None:
    due = {
        "test.initially.is-light": "proved",
        "test.put.keeps-is-light": "proved",
        "test.put.keeps-bounds": "proved",
        "test.put-any.keeps-is-light": "refuted",
        "test.put-any.keeps-bounds": "refuted",
        "test.tighten.keeps-is-light": "refuted",
        "test.tighten.keeps-bounds": "refuted",
        "test.loosen.keeps-is-light": "proved",
        "test.loosen.keeps-bounds": "refuted",
        "test.none-is-heavy": "proved",
        "test.none-is-as-heavy": "refuted",
    }
    assert verdicts(law_of(puts, puts_any, tighten, loosen, theorems=(none_is_heavy, none_is_as_heavy))) == due
    assert verdicts(law_of(empty=False)) == {"test.initially.is-light": "refuted"}


def test_a_guard_is_given_of_all_other_points() -> None:
    def heavier(before: Box, after: Box, item: Number, other: Number) -> Truth:
        """What was put in is heavier than each other item."""
        return implies(before.has(other), before.weighs(other) < after.weighs(item))

    for of, due in ((puts_heaviest, "proved"), (puts, "refuted")):
        assert discharge(law_obligations.changes(law_of(of), of, heavier, own=("item",)), False).verdict == due


@pytest.mark.parametrize("part", ["limit", "has", "weighs", ""])
def test_each_part_of_two_states_is_compared(part: str) -> None:
    law = law_of()
    others: dict[str, Any] = {"limit": 3, "has": lambda item: False, "weighs": lambda item: 0}

    def compares(*but: str) -> str:
        def body(run: Run) -> None:
            state = unknown(run)
            other = replace(state, **{part: others[part]}) if part else state
            law_obligations.same_state(run, law, state, other, but)

        return discharge(Claims("test", SORTS)("same", "theorem", "they are the same")(body), use_cache=False).verdict

    assert compares() == ("refuted" if part else "proved")
    if part:
        assert compares(part) == "proved"


def test_what_is_dropped_is_not_given() -> None:
    kept, dropped = (law_obligations.preserved(law_of(puts), puts, is_light, each) for each in (None, is_light.name))
    assert [discharge(each, use_cache=False).verdict for each in (kept, dropped)] == ["proved", "refuted"]


def test_an_operation_that_can_never_happen_proves_nothing() -> None:
    @clause("it lies in the box and does not")
    def contradicts(s: Box, item: Number) -> Truth:
        return s.has(item) & neg(s.has(item))

    never = operation("test.put-never", guard=[contradicts])(put)
    assert verdicts(law_of(never))["test.put-never.keeps-is-light"] == "vacuous"
