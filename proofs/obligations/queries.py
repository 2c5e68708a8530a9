"""What the solver is asked of the goals of a run."""

from __future__ import annotations

from collections.abc import Sequence

import z3

from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic import z3_terms
from memoracle.proofs.symbolic.execution import Run


def question(
    obligation: Obligation, run: Run, given: Sequence[z3.BoolRef] | None = None, goals: Sequence[int] | None = None
) -> str:
    """The text that asks whether any of these goals of a run can fail, or any at all, given these hypotheses or all."""
    given = run.hypotheses(obligation.rounds) if given is None else given
    places = range(len(run.goals)) if goals is None else goals
    fails = {place: z3.Bool(f"fails#{place}") for place in places}
    failures = [flag == failure(run, [place]) for place, flag in fails.items()]
    some = z3_terms.negation(z3_terms.all_of([z3_terms.negation(flag) for flag in fails.values()]))
    return solver.text_of([*given, *failures, some], obligation.integers)


def failure(run: Run, goals: Sequence[int]) -> z3.BoolRef:
    """That some of these goals fails."""
    failures = [
        z3_terms.all_of([*goal.conditions, z3_terms.negation(goal.holds)])
        for goal in (run.goals[place] for place in goals)
    ]
    return z3_terms.any_of(failures)
