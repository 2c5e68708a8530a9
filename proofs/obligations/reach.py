"""Whether a proof speaks of anything: what it takes as given can be so, and its runs come to each end of the code.

A claim after code says nothing of a return that no run reaches, nor of a loop that no run turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import z3

from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.solver import Way
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.exits import Exit, exits_of, line_of

BRIEFLY = 4_000_000  # the solver's budget to find one case in which what is given is so
LONGER = 60_000_000
TRIES = ((BRIEFLY, Way.BY_AND_BY), (LONGER, Way.BY_AND_BY), (LONGER, Way.AT_ONCE))
T = TypeVar("T")


class Proof(NamedTuple):
    """A run of which no goal can fail, and the places of the hypotheses from which that was shown."""

    run: Run
    used: Sequence[int]


def missed(
    obligation: Obligation, runs: list[Run], proofs: list[Proof], use_cache: bool, costs: list[int]
) -> tuple[str, str] | None:
    """What the runs do not come to: `vacuous` or `unknown`, and why; None if they come to all that they must.

    costs: what each question costs the solver is added to these.
    """
    ended = [run for run in runs if run.ended]
    cut, turned = _all(run.cut for run in runs), _all(run.turned for run in runs)
    for site in sorted(cut - turned, key=str):
        return "vacuous", f"no run turns the loop in {site}"
    # A theorem is about some ways through the code; that each is the law's is for refinements to show.
    watched = _all(run.exits.watched for run in runs) if obligation.kind != "theorem" else set()
    elsewhere = {name for run in runs for name in run.exits.elsewhere}
    due = {each for code in watched if code.co_qualname not in elsewhere for each in exits_of(code)}
    reached = _all(run.exits.reached for run in ended)
    for each in sorted(due - reached, key=line_of):
        return "vacuous", f"no run reaches the return in {each}"
    if not due:
        whole = [proof for proof in proofs if proof.run.ended]
        if not whole:
            return "vacuous", "no run comes to the end of the proof"
        return _judged(_some_goal(obligation, whole, use_cache, costs), "what the proof takes as given cannot be so")
    # Of the runs that come to a return any will do; one of which less is given is asked about at less cost.
    ended.sort(key=lambda run: len(run.hypotheses(obligation.rounds)))
    shown: set[Exit] = set()
    for each in sorted(due, key=line_of):
        if each in shown:
            continue
        for budget, way in TRIES:
            verdict = "unsat"
            for run in (run for run in ended if each in run.exits.reached):
                answer = _can_be(obligation, run, use_cache, budget, way, costs)
                if answer == "sat":
                    shown |= run.exits.reached
                    verdict = "sat"
                    break
                verdict = "unknown" if answer == "unknown" else verdict
            if verdict != "unknown":
                break
        if verdict != "sat":
            return _judged(verdict, f"no run reaches the return in {each}: what leads there cannot be so")
    return None


def _judged(verdict: str, why: str) -> tuple[str, str] | None:
    return None if verdict == "sat" else ("vacuous" if verdict == "unsat" else "unknown", why)


def _all(sets: Iterable[set[T]]) -> set[T]:
    return {each for one in sets for each in one}


def _can_be(obligation: Obligation, run: Run, use_cache: bool, budget: int, way: Way, costs: list[int]) -> str:
    """Whether all that is known at the end of a run can be so."""
    text = solver.text_of([*run.hypotheses(obligation.rounds), *run.conditions], obligation.integers)
    return _asked(text, use_cache, budget, way, costs)


def _asked(text: str, use_cache: bool, budget: int, way: Way, costs: list[int]) -> str:
    answer = solver.ask(text, use_cache, budget, way)
    costs.append(answer.rlimit)
    return answer.verdict


def _some_goal(obligation: Obligation, proofs: list[Proof], use_cache: bool, costs: list[int]) -> str:
    """Whether what a proof takes as given can be so where some goal stands: `sat`, `unsat` or `unknown`."""
    for budget, way in TRIES:
        verdict = "unsat"
        for run, place, used in _stands(obligation, proofs):
            text = solver.text_of([*used, *run.goals[place].conditions], obligation.integers)
            answer = _asked(text, use_cache, budget, way, costs)
            if answer == "sat":
                return "sat"
            verdict = "unknown" if answer == "unknown" else verdict
        if verdict == "unsat":
            break
    return verdict


def _stands(obligation: Obligation, proofs: list[Proof]) -> Iterator[tuple[Run, int, list[z3.BoolRef]]]:
    """Where goals stand, and what is used there: of each path the last first, and of these those that use least.

    Used is all that any goal of the path uses: what is used for one alone may be less than what cannot be so.
    """
    found = [
        (len(run.goals) - place, len(used), run, place, used) for run, used in proofs for place in range(len(run.goals))
    ]
    for _, _, run, place, used in sorted(found, key=lambda each: each[:2]):
        given = run.hypotheses(obligation.rounds)
        yield run, place, [given[each] for each in used]
