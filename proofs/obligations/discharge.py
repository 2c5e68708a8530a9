"""Discharges obligations."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import z3

from memoracle.proofs.obligations import solver, unsat_cores
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.proofs.obligations.queries import question
from memoracle.proofs.symbolic.execution import Run, explore

BRIEFLY = 1_000_000  # the solver's budget to find one case in which what is given is so
TOGETHER = 60_000_000  # the solver's budget for all goals of a path together
VALUES_AT_MOST = 60  # of a counterexample's, that are shown
NEEDED = 100_000_000  # the solver's budget for goals, given the hypotheses that they need


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


def discharge(obligation: Obligation | Computation, use_cache: bool = True) -> Result:
    """Settles a claim: proves it, or finds how it fails."""
    if isinstance(obligation, Obligation):
        return _prove(obligation, use_cache)
    started = time.perf_counter()
    wrong = obligation.run()
    verdict = "proved" if wrong is None else "refuted"
    found = wrong if wrong is not None or obligation.shows is None else obligation.shows()
    return _result(obligation, verdict, found, "none", time.perf_counter() - started, 0, False)


def _prove(obligation: Obligation, use_cache: bool) -> Result:
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
        answer = _fails(obligation, run, use_cache)
        answers.append(answer)
        if answer.verdict != "unsat":
            verdict = "refuted" if answer.verdict == "sat" else "unknown"
            counterexample = _describe(run, answer)
            break
    if verdict == "proved":
        possible = _happens(obligation, runs, use_cache)
        if possible != "sat":
            verdict = "vacuous" if possible == "unsat" else "unknown"
            counterexample = "what the proof takes as given cannot be so on any path"
    seconds = time.perf_counter() - started
    rlimit = sum(answer.rlimit for answer in answers)
    cached = bool(answers) and all(answer.cached for answer in answers)
    return _result(obligation, verdict, counterexample, solver.VERSION, seconds, rlimit, cached)


def _result(
    of: Obligation | Computation,
    verdict: str,
    counterexample: str | None,
    solver: str,
    seconds: float,
    rlimit: int,
    cached: bool,
) -> Result:
    return Result(
        of.name,
        of.component,
        of.kind,
        of.claim,
        of.scope,
        verdict,
        solver,
        round(seconds, 4),
        rlimit,
        cached,
        of.source,
        counterexample,
    )


def _fails(obligation: Obligation, run: Run, use_cache: bool) -> solver.Answer:
    """Whether some goal of a run can fail."""
    given = run.hypotheses(obligation.rounds)
    needed = unsat_cores.noted(obligation.name, run, len(given))
    if needed is not None:
        texts = [question(obligation, run, [given[place] for place in each.hypotheses], each.goals) for each in needed]
        answer = _none_can(texts, use_cache, NEEDED)
        if answer.verdict == "unsat":
            return answer
    answer = solver.ask(question(obligation, run, given), use_cache, TOGETHER)
    if answer.verdict != "unknown":
        return answer
    texts = [question(obligation, run, given, [place]) for place in range(len(run.goals))]
    return _none_can(texts, use_cache, solver.RLIMIT)


def _happens(obligation: Obligation, runs: list[Run], use_cache: bool) -> str:
    """Whether what a proof takes as given can be so where some goal stands: `sat`, `unsat` or `unknown`."""
    verdict = "unsat"
    for budget in (BRIEFLY, TOGETHER):
        for run, place, used in _stands(obligation, runs):
            text = solver.text_of([*used, *run.goals[place].conditions], obligation.integers)
            answer = solver.ask(text, use_cache, budget)
            if answer.verdict == "sat":
                return "sat"
            verdict = "unknown" if answer.verdict == "unknown" else verdict
    return verdict


def _stands(obligation: Obligation, runs: list[Run]) -> Iterator[tuple[Run, int, list[z3.BoolRef]]]:
    """Where goals stand, and what is used there: of each path the last first, and of these those that use least."""
    found = []
    for run in runs:
        given = run.hypotheses(obligation.rounds)
        every = unsat_cores.Group(list(range(len(run.goals))), list(range(len(given))))
        for goals, used in unsat_cores.noted(obligation.name, run, len(given)) or [every]:
            found += [(len(run.goals) - place, len(used), run, place, used) for place in goals]
    for _, _, run, place, used in sorted(found, key=lambda each: each[:2]):
        given = run.hypotheses(obligation.rounds)
        yield run, place, [given[each] for each in used]


def _none_can(texts: list[str], use_cache: bool, rlimit: int) -> solver.Answer:
    """The answer to the first question that is not answered by `unsat`, or to all."""
    spent, seconds, cached = 0, 0.0, True
    for text in texts:
        answer = solver.ask(text, use_cache, rlimit)
        spent, seconds, cached = spent + answer.rlimit, seconds + answer.seconds, cached and answer.cached
        if answer.verdict != "unsat":
            break
    return replace(answer, rlimit=spent, seconds=seconds, cached=cached)


def _describe(run: Run, answer: solver.Answer) -> str:
    failed = [goal.says for place, goal in enumerate(run.goals) if answer.model.get(f"fails#{place}")]
    if answer.verdict == "unknown":
        return "the solver gave up"
    said = f"it can fail that {failed[0] if failed else '?'}"
    values = [name for name in answer.model if not name.startswith(("fails#", "given#"))]
    plain = Counter(name.split("#")[0] for name in values)
    shown = []
    for name in values:
        short = name.split("#")[0]
        shown.append(f"  {short if plain[short] == 1 else name} = {answer.model[name]}")
    more = [f"  and {len(shown) - VALUES_AT_MOST} more"] if len(shown) > VALUES_AT_MOST else []
    return "\n".join([f"{said}, where" if shown else said, *shown[:VALUES_AT_MOST], *more])
