"""Asks the solver step by step: hypotheses that are implications are put off until a model shows that they matter.

A proof has a clause at many points, and needs few of these. What is asked first leaves all of them out. If that cannot
be so, with all of them it cannot be either. Else the solver has a model, and what it breaks is asked with the rest,
until there is no model, or one that breaks nothing, of which all holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import z3


@dataclass
class Found:
    """verdict: `unsat`, `sat` or `unknown`; used: the places of what was asked; model, if sat; rlimit: what it cost."""

    verdict: str
    used: list[int]
    model: z3.ModelRef | None
    rlimit: int


def ask(solver: z3.Solver, assertions: Sequence[z3.BoolRef], rlimit: int) -> Found:
    """Whether all these can hold, by a solver that was asked nothing yet, and so much of its resources."""
    put_off = [place for place, each in enumerate(assertions) if is_put_off(each)]
    used = sorted(set(range(len(assertions))) - set(put_off))
    solver.add(*(assertions[place] for place in used))
    spent, before = 0, None
    while spent < rlimit:
        solver.set(rlimit=rlimit - spent)
        verdict = str(solver.check())
        counted = count(solver)
        spent, before = spent + counted - (before or 0), counted
        if verdict != "sat":
            return Found(verdict, sorted(used), None, spent)
        model = solver.model()
        broken = [place for place in put_off if not z3.is_true(model.eval(assertions[place], model_completion=True))]
        if not broken:
            return Found(verdict, sorted(used), model, spent)
        solver.add(*(assertions[place] for place in broken))
        used += broken
        put_off = [place for place in put_off if place not in set(broken)]
    return Found("unknown", sorted(used), None, spent)


def is_put_off(assertion: z3.BoolRef) -> bool:
    """Whether it is an implication, alone or together with facts: a clause at a point."""
    parts = assertion.children() if z3.is_and(assertion) else [assertion]
    return any(z3.is_implies(part) for part in parts)


def count(solver: z3.Solver) -> int:
    """The solver's count of what it has spent so far, in all checks."""
    statistics = solver.statistics()
    return next((int(statistics.get_key_value(key)) for key in statistics.keys() if key == "rlimit count"), 0)  # noqa: SIM118
