"""Which ways a path may take: exactly those that the solver, asked of each, rules out not."""

from __future__ import annotations

import hypothesis.strategies as st
import z3
from hypothesis import given, settings

from memoracle.proofs.symbolic.feasibility import Feasibility

NUMBERS = z3.Ints("a b c")
HELD = z3.Function("held", z3.IntSort(), z3.BoolSort())


@st.composite
def truths(draw: st.DrawFn) -> z3.BoolRef:
    one, other = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from([*NUMBERS, 0, 1, 2]))
    made = draw(st.sampled_from([one < other, one == other, HELD(one), z3.Implies(HELD(one), one > other)]))
    return made if draw(st.booleans()) else z3.Not(made)


def ruled_in(facts: list[z3.BoolRef], known: list[z3.BoolRef], condition: z3.BoolRef) -> list[bool]:
    found = []
    for way, holds in ((True, condition), (False, z3.Not(condition))):
        solver = z3.Solver()
        solver.add(*facts, *known, holds)
        if solver.check() != z3.unsat:
            found.append(way)
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_way_is_possible_if_the_solver_does_not_rule_it_out(data: st.DataObject) -> None:
    """Along a path on which facts and conditions are added, and which turns back, as where ways come together."""
    feasibility = Feasibility(integers=True)
    facts: list[z3.BoolRef] = []
    known: list[z3.BoolRef] = []
    for _ in range(data.draw(st.integers(1, 8))):
        facts += data.draw(st.lists(truths(), max_size=2))
        known = known[: data.draw(st.integers(0, len(known)))] if data.draw(st.booleans()) else known
        condition = data.draw(truths())
        possible = feasibility.possible(facts, known, condition)
        assert possible == ruled_in(facts, known, condition)
        if possible:
            way = data.draw(st.sampled_from(possible))
            known = [*known, condition if way else z3.Not(condition)]


def test_where_what_is_known_cannot_be_there_is_no_way() -> None:
    a, b, _ = NUMBERS
    feasibility = Feasibility(integers=True)
    assert feasibility.possible([a > 1], [], b > a) == [True, False]
    assert feasibility.possible([a > 1, a < 1], [b > a], b > 3) == []
    assert feasibility.possible([a > 1, a < 1], [], a > 3) == []
