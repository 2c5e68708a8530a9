"""What each proof may cost the solver: its budget, which a change of the law or the code must not outgrow unseen.

A cost is the solver's own count of resources (`rlimit`), which is the same on every machine, for the same text, seed
and version of the solver. It is all that the solver is asked for a claim: its goals, and whether it speaks of anything;
not the questions which ways through the code there are. What was proved at once with other claims has an equal share.
What is settled by running something, as contracts are, has no such count, and so no budget.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.discharge import Result
from memoracle.proofs.obligations.obligation import GEOMETRY

FILE = Path(__file__).resolve().with_name("budgets.toml")
WARNED, FAILED = 2, 4  # times a budget, which a cost must not exceed
LEAST = 10_000  # of a budget: what costs less than this takes no time
DIGITS = 2  # of a budget that are not rounded up, so that small changes of a cost leave its line as it is
PROVED = "proved"
HEAD = """\
# What each proof may cost the solver, in its own count of resources (rlimit); a line for each, sorted.
# `memoracle prove --budgets check` compares; `memoracle prove --budgets update` writes this file.
"""


class BudgetsError(Exception):
    """Budgets that cannot be used. line: of their file, counted from 1; None where it is about the whole file."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Budgets:
    """by_name: of each obligation.  solver: the solver, with its version, whose count they are in."""

    solver: str
    by_name: dict[str, int]


@dataclass(frozen=True)
class Over:
    """A cost that is more than a budget allows."""

    name: str
    rlimit: int
    budget: int

    @property
    def times(self) -> float:
        """How many times the budget it is."""
        return self.rlimit / self.budget


@dataclass(frozen=True)
class Comparison:
    """What came of comparing costs with budgets.

    compared: how many were.  warned, failed: those over `WARNED` and over `FAILED` times their budget, the worst first.
    without_budget: obligations of which no budget is known.  without_obligation: budgets of what there is not.
    """

    compared: int
    warned: Sequence[Over]
    failed: Sequence[Over]
    without_budget: Sequence[str]
    without_obligation: Sequence[str]


def has_cost(result: Result) -> bool:
    """Whether it is the solver that settled a claim, which is about every size; there are many geometries."""
    return result.solver == solver.VERSION and result.scope != GEOMETRY


def budget_of(rlimit: int) -> int:
    """The budget for what costs so much: rounded up."""
    step: int = 10 ** max(len(str(rlimit)) - DIGITS, 0)
    return max(-(-rlimit // step) * step, LEAST)


def text_of(results: Iterable[Result]) -> str:
    """The file of budgets by what a run of all obligations did cost."""
    costs = {each.name: budget_of(each.rlimit) for each in results if has_cost(each)}
    lines = (f'"{name}" = {budget}\n' for name, budget in sorted(costs.items()))
    return f'{HEAD}solver = "{solver.VERSION}"\n\n[rlimit]\n{"".join(lines)}'


def read(path: Path) -> Budgets:
    """The budgets of a file; raises BudgetsError."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as fault:
        raise BudgetsError(f"cannot be read: {fault.strerror or fault}") from None
    except (ValueError, RecursionError) as fault:  # it is no UTF-8, no TOML, has a number without end, or is too deep
        raise BudgetsError(f"is no TOML file: {fault}") from None
    if content.keys() != {"solver", "rlimit"} or not isinstance(content["rlimit"], dict):
        raise BudgetsError("has other keys than `solver` and `rlimit`, or lacks one")
    if not isinstance(content["solver"], str):
        raise BudgetsError("`solver` is no name of a solver", _line_of(text, "solver"))
    for name, budget in content["rlimit"].items():
        if type(budget) is not int or budget <= 0:
            raise BudgetsError(f"the budget of {name!r} is no positive number", _line_of(text, f'"{name}"'))
    return Budgets(content["solver"], content["rlimit"])


def _line_of(text: str, key: str) -> int | None:
    """The line in which a key stands."""
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if line.lstrip().startswith(key)), None)


def refuse_other_solver(budgets: Budgets) -> None:
    """Raises BudgetsError for budgets in the count of another solver, or of another version: they say nothing here."""
    if budgets.solver != solver.VERSION:
        raise BudgetsError(f"is of {budgets.solver}, whose costs are not those of {solver.VERSION}: update it")


def compared(budgets: Budgets, results: Sequence[Result], components: Iterable[str] | None) -> Comparison:
    """Costs beside budgets. components: of which all obligations are among the results; None: of all there are."""
    costs = {each.name: each for each in results if has_cost(each)}
    known = [Over(name, each.rlimit, budgets.by_name[name]) for name, each in costs.items() if name in budgets.by_name]
    over = sorted((each for each in known if each.times > WARNED), key=lambda each: (-each.times, each.name))
    left = sorted(budgets.by_name.keys() - costs.keys())
    whole = None if components is None else set(components)
    return Comparison(
        len(known),
        [each for each in over if each.times <= FAILED],
        [each for each in over if each.times > FAILED],
        sorted(costs.keys() - budgets.by_name.keys()),
        [name for name in left if whole is None or name.partition(".")[0] in whole],
    )
