"""Seeds faults in the reference and in the law, and asks whether a proof finds each; prints the score.

`python -m memoracle.proofs.mutation.score [COMPONENT ...]`. A fault that changes nothing is listed in
`equivalent_mutants.toml`, with the reason.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from memoracle.proofs.mutation.operators import Key, Mutant
from memoracle.proofs.mutation.seeding import (
    SECONDS,
    Verdict,
    concerned,
    faults,
    lines_run,
    modules_of,
    name_of,
    settle,
    sources,
    tried,
)
from memoracle.proofs.obligations.process_pool import Failure, run_each

COMPONENTS = ("bitmap", "boot", "buddy", "kernel_half", "pat", "paging", "manager", "heap")
PHASES = ("proofs", "runs")
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")


class EquivalentsError(Exception):
    """The list of equivalent faults cannot be read."""


class BrokenProofsError(Exception):
    """The proofs of the sound modules cannot be run."""


class Score(msgspec.Struct):
    """A component's faults, with what became of each."""

    component: str
    verdicts: list[tuple[Mutant, str, Verdict]] = []  # with the phase that settled it


def score(component: str, again: bool, seconds: int, progress: Progress, phases: Sequence[str] = PHASES) -> Score:
    """Tries every fault of a component."""
    [(_, lines)] = run_each([partial(lines_run, component)])
    if isinstance(lines, Failure):
        raise BrokenProofsError(f"{component}: its proofs cannot be run: {lines.reason}")
    text = sources()
    left = {mutant.key: mutant for mutant in faults(component)}
    found: dict[Key, tuple[str, Verdict]] = {}
    for phase in phases:
        keys = {name_of(phase, text, key): key for key in left}
        tasks: dict[str, Callable[[], Verdict]] = {
            name: partial(tried, left[key], component, phase, concerned(left[key], lines), seconds)
            for name, key in keys.items()
        }
        bar = progress.add_task(f"{component}: {phase}", total=len(tasks))

        def advance(bar: TaskID = bar) -> None:
            progress.advance(bar)
            progress.refresh()

        for name, verdict in settle(tasks, again, advance):
            key = keys[name]
            if verdict.outcome == "refuted" or key not in found or found[key][1].outcome == "survived":
                found[key] = phase, verdict
            if verdict.outcome == "refuted":
                del left[key]
    return Score(component, [(mutant, *found[mutant.key]) for mutant in faults(component)])


# Faults that change nothing


def equivalents(text: str) -> dict[Key, str]:
    """The list of faults that change nothing, with the reason for each; raises EquivalentsError."""
    try:
        entries = tomllib.loads(text).get("equivalent", [])
        listed = [
            ((e["module"], e["function"], e["original"], e["mutated"], e.get("occurrence", 0)), e["reason"])
            for e in entries
        ]
    except (tomllib.TOMLDecodeError, KeyError) as fault:
        raise EquivalentsError(f"{EQUIVALENT.name}: {fault}") from None
    for key, reason in listed:
        if not reason.strip():
            raise EquivalentsError(f"{EQUIVALENT.name}: no reason for {shown(key)}")
    return dict(listed)


def shown(key: Key) -> str:
    module, function, original, mutated, nth = key
    return f"{module} {function}: {original} -> {mutated}" + (f" (number {nth})" if nth else "")


def misfits(scores: Sequence[Score], listed: dict[Key, str]) -> list[str]:
    """What is wrong with the list of equivalent faults: those that there are not, and those that were refuted."""
    verdicts = {mutant.key: verdict for each in scores for mutant, _, verdict in each.verdicts}
    modules = {module for each in scores for module in modules_of(each.component)}
    wrong = []
    for key in listed:
        if key[0] in modules and key not in verdicts:
            wrong.append(f"there is no such fault: {shown(key)}")
        elif key in verdicts and verdicts[key].outcome == "refuted":
            wrong.append(f"not equivalent, {verdicts[key].by} refutes it: {shown(key)}")
    return wrong


# The report


def report(scores: Sequence[Score], listed: dict[Key, str], console: Console) -> bool:
    """Prints the scores and every fault that is not accounted for; whether there is none."""
    table = Table("component", title="Seeded faults")
    columns = ("faults", "refuted", "by the solver", "by runs only", "fail to run", "equivalent", "unknown", "survived")
    for column in columns:
        table.add_column(column, justify="right")
    table.add_column("score", justify="right")
    open_ones = []
    for each in scores:
        count: Counter[str] = Counter()
        for mutant, phase, verdict in each.verdicts:
            outcome = verdict.outcome
            if outcome == "refuted":
                count["by the solver" if phase == "proofs" else "by runs only"] += 1
            elif outcome == "broken":
                outcome = "fail to run"
            elif mutant.key in listed:
                outcome = "equivalent"
            if outcome in ("survived", "unknown"):
                open_ones.append((mutant, verdict))
            count[outcome] += 1
        count["faults"] = len(each.verdicts)
        real = count["faults"] - count["equivalent"]
        caught = count["refuted"] + count["fail to run"]
        table.add_row(each.component, *(str(count[column]) for column in columns), f"{caught}/{real}")
    console.print(table)
    for mutant, verdict in open_ones:
        nth = f" (number {mutant.occurrence})" if mutant.occurrence else ""
        say(console, f"{mutant.module}:{mutant.line} {mutant.function}{nth}: {verdict.outcome}, {verdict.by}")
        say(console, f"  - {mutant.original}\n  + {mutant.mutated}")
    return not open_ones


def say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m memoracle.proofs.mutation.score", description=__doc__.split("\n")[0]
    )
    parser.add_argument("component", metavar="COMPONENT", nargs="*", help=f"of {', '.join(COMPONENTS)} (default: all)")
    parser.add_argument("--again", action="store_true", help="try anew what was not refuted before")
    limit = f"of a processor's time to try a fault in (default: {SECONDS})"
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="N", help=limit)
    first = "what a fault is tried on first; the runs are quick, and the proofs say more (default: proofs)"
    parser.add_argument("--first", choices=PHASES, default=PHASES[0], help=first)
    args = parser.parse_args(arguments)
    for name in args.component:
        if name not in COMPONENTS:
            parser.error(f"{name} is no component")
    errors = Console(stderr=True)
    try:
        listed = equivalents(EQUIVALENT.read_text(encoding="utf-8"))
        with Progress(console=errors, transient=True, auto_refresh=False, disable=not errors.is_terminal) as progress:
            scores = [
                score(component, args.again, args.seconds, progress, sorted(PHASES, key=args.first.__ne__))
                for component in args.component or COMPONENTS
            ]
    except (EquivalentsError, BrokenProofsError, OSError) as fault:
        say(errors, str(fault))
        return 2
    except KeyboardInterrupt:
        errors.print("Interrupted; what was found is kept.")
        return 130
    whole = report(scores, listed, Console(width=None if sys.stdout.isatty() else 120))
    wrong = misfits(scores, listed)
    for each in wrong:
        say(errors, f"{EQUIVALENT.name}: {each}")
    return 0 if whole and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
