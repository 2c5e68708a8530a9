"""Discharges obligations."""

from __future__ import annotations

import signal
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import z3

from memoracle.proofs.obligations import reach, shift_lemmas, solver, unsat_cores
from memoracle.proofs.obligations.goals_apart import Needs
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.proofs.obligations.queries import conditions_of, question
from memoracle.proofs.obligations.reach import Proof
from memoracle.proofs.obligations.shown import Shown, identities
from memoracle.proofs.obligations.solver import Way
from memoracle.proofs.obligations.unsat_cores import Group
from memoracle.proofs.processor_time import EndlessError, limited
from memoracle.proofs.symbolic.execution import ExplorationError, Run, explore

TOGETHER = 60_000_000  # the solver's budget for all goals of a path together
ENDLESS = 300  # seconds of a processor, for the paths of a claim or what is computed for it: none takes a tenth of that
VALUES_AT_MOST = 60  # of a counterexample's, that are shown
NEEDED = 100_000_000  # the solver's budget for goals, given the hypotheses that they need
Question = tuple[str, Way, Needs | None]


@dataclass(frozen=True)
class Result:
    """The verdict on an obligation, as it is reported. tried_again: why it was settled a second time, if it was."""

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
    tried_again: str | None = None


def discharge(obligation: Obligation | Computation, use_cache: bool = True) -> Result:
    """Settles a claim: proves it, or finds how it fails."""
    if isinstance(obligation, Obligation):
        return _prove(obligation, use_cache)
    started = time.perf_counter()
    verdict, found = _computed(obligation)
    return _result(obligation, verdict, found, "none", time.perf_counter() - started, 0, False)


def jointly(members: Sequence[Obligation], use_cache: bool = True) -> list[Result]:
    """Settles parts of one claim: by that, if it is proved, at an equal share of the cost; or else each alone."""
    whole = members[0].part_of
    found = None if whole is None or any(each.part_of is not whole for each in members) else _prove(whole, use_cache)
    if found is None:
        return [discharge(each, use_cache) for each in members]
    seconds, rlimit = found.seconds / len(members), found.rlimit // len(members)
    if found.verdict == "proved":
        return [_result(each, "proved", None, found.solver, seconds, rlimit, found.cached) for each in members]
    alone = [discharge(each, use_cache) for each in members]
    return [replace(each, seconds=round(each.seconds + seconds, 4), rlimit=each.rlimit + rlimit) for each in alone]


def _computed(claim: Computation) -> tuple[str, str | None]:
    """The verdict on what is settled by computing, and what there is to show."""
    endless = EndlessError(f"it is not done within {ENDLESS:g} seconds of a processor")
    try:
        with limited(ENDLESS, endless, signal.ITIMER_PROF):
            wrong = claim.run()
    except EndlessError as error:
        return "unknown", str(error)
    if wrong is not None:
        return "refuted", wrong
    return "proved", None if claim.shows is None else claim.shows()


def _prove(obligation: Obligation, use_cache: bool) -> Result:
    """Proves a claim on every path, or finds how it fails."""
    started = time.perf_counter()
    answers: list[solver.Answer] = []
    costs: list[int] = []  # of the questions whether the proof speaks of anything
    try:
        endless = ExplorationError(f"its paths are not run within {ENDLESS:g} seconds of a processor")
        with limited(ENDLESS, endless, signal.ITIMER_PROF):
            runs = explore(obligation.sorts, obligation.body, obligation.integers)
    except ExplorationError as error:
        verdict: str = "unknown"
        counterexample: str | None = str(error)
    else:
        verdict, counterexample = _settle(obligation, runs, answers, costs, use_cache)
    seconds = time.perf_counter() - started
    rlimit = sum(answer.rlimit for answer in answers) + sum(costs)
    cached = bool(answers) and all(answer.cached for answer in answers)
    return _result(obligation, verdict, counterexample, solver.VERSION, seconds, rlimit, cached)


def _settle(
    obligation: Obligation, runs: list[Run], answers: list[solver.Answer], costs: list[int], use_cache: bool
) -> tuple[str, str | None]:
    """The verdict, and what it fails by; the solver's answers are added to these, and what else it was asked costs."""
    if not any(run.goals for run in runs):
        return "vacuous", "no path claims anything"
    shown = Shown()
    proofs: list[Proof] = []
    for run in sorted((run for run in runs if run.goals), key=partial(_difficulty, obligation)):
        answer, used = _fails(obligation, run, shown, use_cache)
        answers.append(answer)
        if answer.verdict != "unsat":
            return "refuted" if answer.verdict == "sat" else "unknown", _describe(run, answer)
        proofs.append(Proof(run, used))
    return reach.missed(obligation, runs, proofs, use_cache, costs) or ("proved", None)


def _difficulty(obligation: Obligation, run: Run) -> int:
    """In which order runs are settled: those with fitting hints first, then by their hypotheses, so that the solver
    finds soon how one fails.
    """
    hypotheses = len(run.hypotheses(obligation.rounds))
    return hypotheses if unsat_cores.noted(obligation.name, run, hypotheses) is None else -1


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


def _fails(obligation: Obligation, run: Run, shown: Shown, use_cache: bool) -> tuple[solver.Answer, Sequence[int]]:
    """Whether some goal of a run can fail that was not shown on another path.

    If none can, also the places of the hypotheses from which that was shown.
    """
    given = run.hypotheses(obligation.rounds)
    needed = unsat_cores.noted(obligation.name, run, len(given))
    if needed is not None:
        answer = _as_noted(obligation, run, given, needed, shown, use_cache)
        if answer.verdict == "unsat":
            return answer, sorted({place for group in needed for place in group.hypotheses})
    return _of_all(obligation, run, given, use_cache), range(len(given))


def _of_all(obligation: Obligation, run: Run, given: Sequence[z3.BoolRef], use_cache: bool) -> solver.Answer:
    """The answer about the goals of a run with all hypotheses."""
    together = question(obligation, run, given)
    for way in (Way.GOALS_APART, Way.BY_AND_BY, Way.AT_ONCE):
        answer = solver.ask(together, use_cache, TOGETHER, way)
        if answer.verdict != "unknown":
            return answer
    texts = [question(obligation, run, given, [place]) for place in range(len(run.goals))]
    answer = _none_can([(text, Way.BY_AND_BY, None) for text in texts], use_cache, solver.RLIMIT)
    if answer.verdict == "unknown":
        answer = _none_can([(text, Way.AT_ONCE, None) for text in texts], use_cache, solver.RLIMIT)
    return answer


def _as_noted(
    obligation: Obligation,
    run: Run,
    given: Sequence[z3.BoolRef],
    needed: list[Group],
    shown: Shown,
    use_cache: bool,
) -> solver.Answer:
    """The answer about goals with what is noted of each; those that are asked apart stand in one text."""
    used = [(goal, group, known) for group in needed for goal, known in _used(run, given, group)]
    left = {goal: known for goal, _, known in used if not shown.covers(run.goals[goal].holds, known)}
    apart = {goal: group for goal, group, _ in used if goal in left and group.way is Way.GOALS_APART}
    questions: list[Question] = []
    if apart:
        every = sorted({place for each in apart.values() for place in each.hypotheses})
        of_goal = dict(sorted(apart.items()))
        needs = tuple(tuple(bisect_left(every, place) for place in each.hypotheses) for each in of_goal.values())
        conditions = {goal: each.conditions for goal, each in of_goal.items()}
        text = question(obligation, run, [given[place] for place in every], list(of_goal), conditions)
        questions.append((text, Way.GOALS_APART, needs))
    for each in needed:
        goals = [goal for goal in each.goals if goal in left and goal not in apart]
        if goals:
            conditions = dict.fromkeys(goals, each.conditions)
            text = question(obligation, run, [given[place] for place in each.hypotheses], goals, conditions)
            exact = each.way in solver.SHIFTS_UNKNOWN and not shift_lemmas.may_be_used(obligation.name)
            questions.append((text, Way.AT_ONCE if exact else each.way, None))
    answer = _none_can(questions, use_cache, NEEDED)
    if answer.verdict == "unsat":
        for goal, known in left.items():
            shown.add(run.goals[goal].holds, known)
    return answer


def _used(run: Run, given: Sequence[z3.BoolRef], group: Group) -> Iterator[tuple[int, frozenset[int]]]:
    """What each goal of a group is to follow from."""
    hypotheses = identities(given[place] for place in group.hypotheses)
    for goal in group.goals:
        yield goal, hypotheses | identities(conditions_of(run.goals[goal], group.conditions))


def _none_can(questions: list[Question], use_cache: bool, rlimit: int) -> solver.Answer:
    """The answer to the first question that is not answered by `unsat`, or to all; each is asked in its way."""
    spent, seconds, cached = 0, 0.0, True
    answer = solver.Answer("unsat", 0, 0.0, True, {})  # where nothing is left to ask
    for text, way, needs in questions:
        answer = solver.ask(text, use_cache, rlimit, way, needs)
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
