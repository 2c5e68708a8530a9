"""`prove --budgets`: whether each proof costs the solver what it may, or what it may cost from now on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from memoracle.console.counted import counted
from memoracle.console.exit_status import Status
from memoracle.console.output import write_file
from memoracle.proving.part import Part
from memoracle.trace.inputs import InputError

if TYPE_CHECKING:
    from memoracle.proofs.budgets import Budgets, Comparison, Over
    from memoracle.proofs.obligations.discharge import Result

CHECK, UPDATE = "check", "update"
OPTION = "--budgets"


def add_budget_option(parser: argparse.ArgumentParser) -> None:
    """Adds --budgets, read as `budgets`."""
    words = "hold what each proof costs the solver to its budget, or write the budgets anew from a run of everything"
    parser.add_argument(OPTION, choices=(CHECK, UPDATE), help=words)


def wanted_budgets(args: argparse.Namespace) -> Budgets | None:
    """The budgets to hold costs to, if that is wanted; raises InputError.

    An update is of everything, and of what it costs now.
    """
    from memoracle.proofs import budgets

    if args.budgets == UPDATE:
        if args.component or args.changed_since is not None:
            raise InputError(OPTION, None, "an update is of all obligations: neither COMPONENT nor --changed-since")
        args.no_cache = True
    if args.budgets != CHECK:
        return None
    try:
        found = budgets.read(budgets.FILE)
        budgets.refuse_other_solver(found)
    except budgets.BudgetsError as fault:
        raise InputError(str(budgets.FILE), fault.line, str(fault)) from None
    return found


def part_of(args: argparse.Namespace, due: Budgets | None, results: Sequence[Result]) -> list[Part]:
    """What the report says of budgets, if anything; writes their file. Raises OutputError."""
    from memoracle.proofs import budgets

    if args.budgets == UPDATE:
        return [_update(results)]
    whole = () if args.changed_since is not None else args.component or None
    return [] if due is None else [BudgetReport(budgets.compared(due, results, whole))]


def _update(results: Sequence[Result]) -> Part:
    from memoracle.proofs import budgets

    costs = sum(map(budgets.has_cost, results))
    is_whole = bool(costs) and all(each.verdict == budgets.PROVED for each in results)
    if is_whole:
        write_file(str(budgets.FILE), budgets.text_of(results))
    return BudgetUpdate(str(budgets.FILE), costs, is_whole)


@dataclass(frozen=True)
class BudgetUpdate:
    """What came of an update. costs: how many budgets there are.  is_written: whether all was proved."""

    file: str
    costs: int
    is_written: bool
    key: str = "budgets"

    @property
    def status(self) -> Status:
        return Status.HOLDS if self.is_written else Status.NOTHING

    def document(self) -> dict[str, Any]:
        return {"file": self.file, "written": self.is_written, "budgets": self.costs}

    def tell(self, console: Console) -> None:
        said = f"{self.file}: {counted(self.costs, 'budget')}"
        if not self.is_written:
            said = f"{self.file} is as it was: not everything was proved"
        console.print(Text(said), soft_wrap=True)


@dataclass(frozen=True)
class BudgetReport:
    """Costs beside their budgets."""

    found: Comparison
    key: str = "budgets"

    @property
    def status(self) -> Status:
        if self.found.failed:
            return Status.BROKEN
        return Status.NOTHING if self.found.without_budget else Status.HOLDS  # what is held to no budget is not checked

    def document(self) -> dict[str, Any]:
        def entries(over: Sequence[Over]) -> list[dict[str, Any]]:
            return [{**asdict(each), "times": round(each.times, 2)} for each in over]

        return {
            "compared": self.found.compared,
            "warnings": entries(self.found.warned),
            "failures": entries(self.found.failed),
            "without_budget": list(self.found.without_budget),
            "without_obligation": list(self.found.without_obligation),
        }

    def tell(self, console: Console) -> None:
        from memoracle.proofs.budgets import FAILED, WARNED

        over = [*self.found.failed, *self.found.warned]
        if over:
            drawn = Table("obligation", title="Over budget", title_justify="left")
            for column in ("rlimit", "budget", "times", ""):
                drawn.add_column(column, justify="right", no_wrap=True)
            for each in over:
                said = Text("failure", "bold red") if each in self.found.failed else Text("warning", "yellow")
                drawn.add_row(Text(each.name), f"{each.rlimit:,}", f"{each.budget:,}", f"{each.times:.1f}", said)
            console.print(drawn)
        for name in self.found.without_budget:
            console.print(Text(f"an obligation without a budget: {name}", "yellow"))
        for name in self.found.without_obligation:
            console.print(Text(f"a budget without an obligation: {name}", "yellow"))
        told = [
            f"{counted(self.found.compared, 'cost')} compared",
            f"{len(self.found.failed)} over {FAILED} times the budget",
            f"{len(self.found.warned)} over {WARNED} times",
        ]
        console.print(Text(f"Budgets: {', '.join(told)}", "red" if self.found.failed else ""))
