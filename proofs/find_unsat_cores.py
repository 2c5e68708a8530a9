"""Finds which hypotheses the goals of each proof need, and notes them in `obligations/noted_cores/`.

`make hints` runs it, after a change of the law or the code, so that proofs stay quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from multiprocessing import get_context

import msgspec
import z3

from memoracle.proofs.obligations import instantiation
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.queries import failure, question
from memoracle.proofs.obligations.solver import ask
from memoracle.proofs.obligations.unsat_cores import Group, Hints, Needed, file_of, noted, noted_of, path_of
from memoracle.proofs.registry import obligations
from memoracle.proofs.symbolic.execution import Run, explore

TOGETHER = 100_000_000  # the solver's budget for all goals of a path
APART = 400_000_000  # for one goal
CHEAP = 2_000_000  # what needs no second thought


def find(obligation: Obligation) -> dict[str, Needed]:
    """The hypotheses that the goals of an obligation need: as noted, where there are still as many to choose from.

    Nothing for a path with a goal that is not proved.
    """
    found = {}
    for run in explore(obligation.sorts, obligation.body, obligation.integers):
        if not run.goals:
            continue
        hypotheses = run.hypotheses(obligation.rounds)
        groups = noted(obligation.name, run, len(hypotheses)) or _groups(obligation, run, hypotheses)
        if groups is not None:
            found[path_of(run)] = Needed(len(hypotheses), len(run.goals), groups)
    return found


def _groups(obligation: Obligation, run: Run, hypotheses: Sequence[z3.BoolRef]) -> list[Group] | None:
    """All goals together, or each apart, whichever costs the solver less."""
    places = range(len(run.goals))
    together = _group(obligation, run, list(places), hypotheses, TOGETHER)
    if together is not None and together[0] <= CHEAP:
        return [together[1]]
    apart = [_group(obligation, run, [place], hypotheses, APART) for place in places]
    found = [each for each in apart if each is not None]
    if len(found) == len(apart) and (together is None or sum(cost for cost, _ in found) < together[0]):
        return [group for _, group in found]
    return None if together is None else [together[1]]


def _group(
    obligation: Obligation, run: Run, goals: list[int], hypotheses: Sequence[z3.BoolRef], budget: int
) -> tuple[int, Group] | None:
    """What it costs to prove these goals, and from which hypotheses; None if the solver does not find it."""
    answers = []
    for needed in (_core(hypotheses, failure(run, goals), budget), list(range(len(hypotheses)))):
        if needed is not None:
            text = question(obligation, run, [hypotheses[place] for place in needed], goals)
            answer = ask(text, rlimit=budget)
            if answer.verdict == "unsat":
                answers.append((answer.rlimit, Group(goals, needed)))
                if answer.rlimit <= CHEAP:
                    break
    return min(answers, default=None)


def _core(hypotheses: Sequence[z3.BoolRef], failure: z3.BoolRef, budget: int) -> list[int] | None:
    """The places of hypotheses with which nothing fails: the solver's core, and the core of that, until it stays."""
    by_and_by = instantiation.ask(z3.Solver(), [*hypotheses, failure], budget)
    found = [place for place in by_and_by.used if place < len(hypotheses)] if by_and_by.verdict == "unsat" else None
    places = list(range(len(hypotheses))) if found is None else found
    while True:
        solver = z3.Solver()
        solver.set("rlimit", budget)
        for place in places:
            solver.assert_and_track(hypotheses[place], f"hypothesis#{place}")
        solver.add(failure)
        if solver.check() != z3.unsat:
            return found
        found = sorted(int(str(name).split("#")[1]) for name in solver.unsat_core())
        if len(found) >= 0.8 * len(places) or not found:
            return found
        places = found


def _found(name: str) -> tuple[str, dict[str, Needed]]:
    obligation = next(each for each in obligations([]) if each.name == name)
    assert isinstance(obligation, Obligation)
    return name, find(obligation)


def main(wanted: list[str]) -> None:
    """Finds the hints of the named components or obligations, or of all, and writes them down."""
    every = [each for each in obligations([]) if isinstance(each, Obligation)]
    names = [each.name for each in every if not wanted or {each.name, each.component} & set(wanted)]
    known = {each.name for each in every}
    # A process for each: the solver simplifies terms by their age, so every proof is built in a process of its own.
    with get_context("fork").Pool(maxtasksperchild=1) as pool:
        for name, paths in pool.imap_unordered(_found, names):
            sys.stderr.write(f"{name}: {len(paths)} paths\n")
            component = name.partition(".")[0]
            noted_of.cache_clear()
            kept = {each: found for each, found in noted_of(component).items() if each in known}
            write(component, kept | {name: paths})  # at once: what was found is kept if the rest is interrupted


def write(component: str, hints: Hints) -> None:
    """Notes what the obligations of a component need, a line for each."""
    lines = [
        b"%s: %s" % (msgspec.json.encode(name), msgspec.json.encode(paths))
        for name, paths in sorted(hints.items())
        if paths
    ]
    place = file_of(component).resolve()
    whole = place.with_suffix(".new")
    whole.write_bytes(b"{\n" + b",\n".join(lines) + b"\n}\n")
    whole.replace(place)  # another process may be reading it


if __name__ == "__main__":
    main(sys.argv[1:])
