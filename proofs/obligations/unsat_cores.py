"""Which hypotheses each goal needs, found once and shipped, so that the solver need not look through all of them.

A proof from fewer hypotheses is a proof; it only takes less as given. Where the ones that are noted don't suffice,
because the law or the code has changed, all are taken. `make hints` (`proofs/find_unsat_cores.py`) finds them again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from memoracle.proofs.obligations.solver import Way
from memoracle.proofs.symbolic.execution import Run

FOLDER = Path(__file__).parent / "noted_cores"


class Group(NamedTuple):
    """Goals of a path, the hypotheses that they need, by their places, and the way to ask that costs least.

    conditions: those of the path that a single goal needs, by their places; all, if it is not said.
    """

    goals: list[int]
    hypotheses: list[int]
    way: Way = Way.AT_ONCE
    conditions: list[int] | None = None


class Needed(NamedTuple):
    """What was found of a path: how many hypotheses and goals it has, and the groups of goals."""

    hypotheses: int
    goals: int
    groups: list[Group]


Hints = dict[str, dict[str, Needed]]  # by an obligation's name, then by a path's choices


@cache
def noted_of(component: str) -> Hints:
    """What is noted of a component's obligations."""
    try:
        return msgspec.json.decode(file_of(component).read_bytes(), type=Hints)
    except FileNotFoundError:
        return {}


def file_of(component: str) -> Path:
    """Where it is noted."""
    return FOLDER / f"{component}.json"


def noted(obligation: str, run: Run, hypotheses: int) -> list[Group] | None:
    """The goals of a run with the hypotheses that they need; None if that was not found for so many of either."""
    needed = noted_of(obligation.partition(".")[0]).get(obligation, {}).get(path_of(run))
    if needed is None or (needed.hypotheses, needed.goals) != (hypotheses, len(run.goals)):
        return None
    goals = sorted(goal for group in needed.groups for goal in group.goals)
    # Which goals, hypotheses and conditions there are comes from the run; of each goal one thing is noted.
    fit = goals == list(range(len(run.goals))) and all(_fits(run, group, hypotheses) for group in needed.groups)
    return needed.groups if fit else None


def _fits(run: Run, group: Group, hypotheses: int) -> bool:
    """Whether the path has all that a group names."""
    conditions = {place for goal in group.goals for place in group.conditions or ()}
    known = min((len(run.goals[goal].conditions) for goal in group.goals), default=0)
    return set(group.hypotheses) <= set(range(hypotheses)) and conditions <= set(range(known))


def path_of(run: Run) -> str:
    """A name for a path: the choices that were made along it."""
    return "".join("+" if choice else "-" for choice in run.taken)
