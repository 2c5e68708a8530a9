"""Which hypotheses each goal needs, found once and shipped, so that the solver need not look through all of them.

A proof from fewer hypotheses is a proof; it only takes less as given. Where the ones that are noted don't suffice,
because the law or the code has changed, all are taken. `make hints` finds them anew.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import z3

from memoracle.proofs.obligations import Obligation
from memoracle.proofs.paths import Run, explore

FILE = Path(__file__).with_name("hints.json")
BUDGET = 2_000_000_000

# By an obligation's name, then by a path's choices: how many hypotheses there are, and for each goal the places of
# those that it needs.
Hints = dict[str, dict[str, tuple[int, list[list[int]]]]]


@cache
def _noted() -> Hints:
    try:
        noted: Hints = json.loads(FILE.read_text())
    except FileNotFoundError:
        return {}
    return noted


def noted(obligation: str, run: Run, hypotheses: int) -> list[list[int]] | None:
    """For each goal of a run, the places of the hypotheses that it needs; None if that was not found for so many."""
    many, needed = _noted().get(obligation, {}).get(_path(run), (-1, []))
    return needed if many == hypotheses and len(needed) == len(run.goals) else None


def known() -> frozenset[str]:
    """The obligations of some path of which it was found."""
    return frozenset(name for name, paths in _noted().items() if paths)


def _path(run: Run) -> str:
    return "".join("+" if choice else "-" for choice in run.taken)


def find(obligation: Obligation, rounds: int) -> dict[str, tuple[int, list[list[int]]]]:
    """The hypotheses that the goals of an obligation need: as noted, where there are still as many to choose from.

    Nothing for a path with a goal that is not proved.
    """
    found = {}
    for run in explore(obligation.sorts, obligation.body, obligation.integers):
        hypotheses = run.hypotheses(rounds)
        still = noted(obligation.name, run, len(hypotheses))
        if still is None:
            needed = [_core(hypotheses, [*goal.conditions, z3.Not(goal.holds)]) for goal in run.goals]
            if None in needed:
                continue
            still = [core for core in needed if core is not None]
        found[_path(run)] = (len(hypotheses), still)
    return found


def _core(hypotheses: list[z3.BoolRef], failure: list[z3.BoolRef]) -> list[int] | None:
    """The places of hypotheses from which a goal follows: the solver's core, and the core of that, until it stays."""
    places = list(range(len(hypotheses)))
    while True:
        solver = z3.Solver()
        solver.set("rlimit", BUDGET)
        for place in places:
            solver.assert_and_track(hypotheses[place], f"hypothesis#{place}")
        solver.add(*failure)
        if solver.check() != z3.unsat:
            return None
        core = sorted(int(str(name).split("#")[1]) for name in solver.unsat_core())
        if len(core) >= 0.8 * len(places) or not core:
            return core
        places = core


def _found(name: str) -> tuple[str, dict[str, tuple[int, list[list[int]]]]]:
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
    FILE.write_text(json.dumps(dict(sorted(hints.items())), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
