"""Which hypotheses each goal needs, found once and shipped, so that the solver need not look through all of them.

A proof from fewer hypotheses is a proof; it only takes less as given. Where the ones that are noted don't suffice,
because the law or the code has changed, all are taken. `make hints` finds them anew.
"""

from __future__ import annotations

import sys
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import msgspec
import z3

from memoracle.proofs.obligations import Obligation
from memoracle.proofs.paths import Run, explore
from memoracle.proofs.terms import all_of

FILE = Path(__file__).with_name("hints.json")
TOGETHER = 100_000_000  # the solver's budget for all goals of a path
APART = 2_000_000_000  # for one goal



class Group(NamedTuple):
    """Goals of a path that are asked together, and the hypotheses that they need, by their places."""

    goals: list[int]
    hypotheses: list[int]


class Needed(NamedTuple):
    """What was found of a path: how many hypotheses and goals it has, and the groups of goals."""

    hypotheses: int
    goals: int
    groups: list[Group]


Hints = dict[str, dict[str, Needed]]  # by an obligation's name, then by a path's choices


@cache
def _noted() -> Hints:
    try:
        return msgspec.json.decode(FILE.read_bytes(), type=Hints)
    except FileNotFoundError:
        return {}


def noted(obligation: str, run: Run, hypotheses: int) -> list[Group] | None:
    """The goals of a run with the hypotheses that they need; None if that was not found for so many of either."""
    needed = _noted().get(obligation, {}).get(_path(run))
    if needed is None or (needed.hypotheses, needed.goals) != (hypotheses, len(run.goals)):
        return None
    return needed.groups


def known() -> frozenset[str]:
    """The obligations of some path of which it was found."""
    return frozenset(name for name, paths in _noted().items() if paths)


def _path(run: Run) -> str:
    return "".join("+" if choice else "-" for choice in run.taken)


def find(obligation: Obligation, rounds: int) -> dict[str, Needed]:
    """The hypotheses that the goals of an obligation need: as noted, where there are still as many to choose from.

    Nothing for a path with a goal that is not proved.
    """
    found = {}
    for run in explore(obligation.sorts, obligation.body, obligation.integers):
        if not run.goals:
            continue
        hypotheses = run.hypotheses(rounds)
        groups = noted(obligation.name, run, len(hypotheses)) or _groups(run, hypotheses)
        if groups is not None:
            found[_path(run)] = Needed(len(hypotheses), len(run.goals), groups)
    return found


def _groups(run: Run, hypotheses: list[z3.BoolRef]) -> list[Group] | None:
    """All goals together, if the solver can settle them so, else each apart."""
    failures = [all_of([*goal.conditions, z3.Not(goal.holds)]) for goal in run.goals]
    needed = _core(hypotheses, z3.Or(failures), TOGETHER)
    if needed is not None:
        return [Group(list(range(len(failures))), needed)]
    groups = []
    for place, failure in enumerate(failures):
        needed = _core(hypotheses, failure, APART)
        if needed is None:
            return None
        groups.append(Group([place], needed))
    return groups


def _core(hypotheses: list[z3.BoolRef], failure: z3.BoolRef, budget: int) -> list[int] | None:
    """The places of hypotheses with which nothing fails: the solver's core, and the core of that, until it stays."""
    places = list(range(len(hypotheses)))
    while True:
        solver = z3.Solver()
        solver.set("rlimit", budget)
        for place in places:
            solver.assert_and_track(hypotheses[place], f"hypothesis#{place}")
        solver.add(failure)
        if solver.check() != z3.unsat:
            return places if len(places) < len(hypotheses) else None
        core = sorted(int(str(name).split("#")[1]) for name in solver.unsat_core())
        if len(core) >= 0.8 * len(places) or not core:
            return core
        places = core


def _found(name: str) -> tuple[str, dict[str, Needed]]:
    from memoracle.proofs.components import obligations
    from memoracle.proofs.runner import ROUNDS

    obligation = next(each for each in obligations([]) if each.name == name)
    assert isinstance(obligation, Obligation)
    return name, find(obligation, ROUNDS[obligation.integers])


def main(components: list[str]) -> None:
    """Finds the hints of the named components, or of all, and writes them down."""
    from memoracle.proofs.components import obligations

    names = [each.name for each in obligations(components) if isinstance(each, Obligation)]
    hints = {name: paths for name, paths in _noted().items() if name not in names}
    # A process for each: the solver simplifies terms by their age, so every proof is built in a process of its own.
    with get_context("fork").Pool(maxtasksperchild=1) as pool:
        for name, paths in pool.imap_unordered(_found, names):
            sys.stderr.write(f"{name}: {len(paths)} paths\n")
            hints[name] = paths
    FILE.write_bytes(msgspec.json.encode(dict(sorted(hints.items()))) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
