"""Discharges obligations."""

from __future__ import annotations

import time
from dataclasses import dataclass

import z3

from memoracle.proofs import solver
from memoracle.proofs.obligations import Obligation
from memoracle.proofs.paths import Goal, Run, explore

ROUNDS = (1, 2, 3)  # how often clauses are instantiated at new points before a counterexample is believed


@dataclass(frozen=True)
class Result:
    """The verdict on an obligation, as it is reported."""

    name: str
    component: str
    kind: str
    claim: str
    scope: str
    verdict: str
    solver: str
    seconds: float
    rlimit: int
    cached: bool
    source: str
    counterexample: str | None


def discharge(obligation: Obligation, use_cache: bool = True) -> Result:
    """Proves a claim on every path, or finds how it fails."""
    started = time.perf_counter()
    runs = explore(obligation.sorts, obligation.body, obligation.integers)
    answers: list[solver.Answer] = []
    verdict, counterexample = "proved", None
    if not any(run.goals for run in runs):
        verdict, counterexample = "vacuous", "no path claims anything"
    for run in runs:
        if not run.goals:
            continue
        answer = _fails(run, obligation.integers, use_cache)
        answers.append(answer)
        if answer.verdict != "unsat":
            verdict = "refuted" if answer.verdict == "sat" else "unknown"
            counterexample = _describe(run, answer)
            break
    return Result(
        obligation.name,
        obligation.component,
        obligation.kind,
        obligation.claim,
        obligation.scope,
        verdict,
        solver.VERSION,
        round(time.perf_counter() - started, 4),
        sum(answer.rlimit for answer in answers),
        bool(answers) and all(answer.cached for answer in answers),
        obligation.source,
        counterexample,
    )


def _fails(run: Run, integers: bool, use_cache: bool) -> solver.Answer:
    """Whether some goal of a run can fail."""
    for rounds in ROUNDS:
        fails = [z3.Bool(f"fails#{place}") for place in range(len(run.goals))]
        failures = [flag == _failure(goal) for flag, goal in zip(fails, run.goals, strict=True)]
        assertions = [*run.hypotheses(rounds), *failures, z3.Or(fails)]
        answer = solver.ask(solver.text_of(assertions, integers), use_cache)
        if answer.verdict != "sat":
            break
    return answer


def _failure(goal: Goal) -> z3.BoolRef:
    return z3.And(*goal.conditions, z3.Not(goal.holds))


def _describe(run: Run, answer: solver.Answer) -> str:
    failed = [goal.says for place, goal in enumerate(run.goals) if answer.model.get(f"fails#{place}")]
    values = {name: value for name, value in answer.model.items() if "fails#" not in name and "given#" not in name}
    shown = ", ".join(f"{name.split('#')[0]} = {value}" for name, value in values.items())
    return f"it can fail that {failed[0] if failed else '?'}: {shown}"
