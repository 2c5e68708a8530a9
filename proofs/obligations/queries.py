"""What the solver is asked of the goals of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import z3

from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic import z3_terms
from memoracle.proofs.symbolic.execution import Goal, Run

NOTHING_NOTED: Mapping[int, Sequence[int] | None] = MappingProxyType({})


def question(
    obligation: Obligation,
    run: Run,
    given: Sequence[z3.BoolRef] | None = None,
    goals: Sequence[int] | None = None,
    conditions: Mapping[int, Sequence[int] | None] = NOTHING_NOTED,
) -> str:
    """The text that asks whether any of these goals of a run can fail, or any at all, given these hypotheses or all.

    conditions: of a goal, the places of those of its path that it needs; all, if nothing is said.
    """
    given = run.hypotheses(obligation.rounds) if given is None else given
    places = range(len(run.goals)) if goals is None else goals
    fails = {place: z3.Bool(f"fails#{place}") for place in places}
    failures = [flag == _failure(run, place, conditions.get(place)) for place, flag in fails.items()]
    some = z3_terms.negation(z3_terms.all_of([z3_terms.negation(flag) for flag in fails.values()]))
    return solver.text_of([*given, *failures, some], obligation.integers)


def failure(run: Run, goals: Sequence[int]) -> z3.BoolRef:
    """That some of these goals fails."""
    return z3_terms.any_of([_failure(run, place, None) for place in goals])


def _failure(run: Run, place: int, conditions: Sequence[int] | None) -> z3.BoolRef:
    goal = run.goals[place]
    return z3_terms.all_of([*conditions_of(goal, conditions), z3_terms.negation(goal.holds)])


def conditions_of(goal: Goal, places: Sequence[int] | None) -> Sequence[z3.BoolRef]:
    """What is known where a goal stands: all of it, or what stands at these places."""
    return goal.conditions if places is None else [goal.conditions[place] for place in places]
