"""Seeds faults in the reference and in the law, and asks whether a proof finds each; prints the score.

`python -m memoracle.proofs.mutation.score [COMPONENT ...]`; `--update` keeps the scores (`score_file.py`). A fault that
changes nothing is listed in `equivalent_mutants.toml`, with the reason. The list is held to: of a fault in the law the
solver must prove that it changes nothing (`equivalent_laws.py`); one in the code must have survived all claims, the
exhaustive runs among them.
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
from rich.progress import Progress
from rich.table import Table

from memoracle.proofs.mutation import score_file
from memoracle.proofs.mutation.equivalent_laws import changes_nothing
from memoracle.proofs.mutation.footprints import BrokenProofsError, Order, footprints, in_one_line
from memoracle.proofs.mutation.operators.mutants import Key, Mutant
from memoracle.proofs.mutation.results import hashed, keep_killers, kept, killers, name_of, settle
from memoracle.proofs.mutation.seeding import SECONDS, Verdict, faults, modules_of, tried

COMPONENTS = ("bitmap", "boot", "buddy", "kernel_half", "pat", "paging", "manager", "heap", "runs")
BY_PROOF, BY_RUN, FAILS, EQUIVALENTS = "refuted by a proof", "by a run", "fails to run", "equivalent"
NOT_TRIED = "not tried"
OUTCOMES = (BY_PROOF, BY_RUN, FAILS, EQUIVALENTS, "unknown", "survived", NOT_TRIED)
COLUMNS = dict(zip(OUTCOMES, score_file.COLUMNS, strict=True))
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")


class EquivalentsError(Exception):
    """The list of equivalent faults cannot be read."""


class Score(msgspec.Struct):
    """A component's faults, with what became of each."""

    component: str
    verdicts: list[tuple[Mutant, Verdict]] = []


def kept_score(component: str) -> Score:
    """What earlier runs found of a component's faults, if nothing that it depends on has changed."""
    found = [(mutant, kept(name_of(component, mutant.key))) for mutant in faults(component)]
    return Score(component, [(mutant, verdict or Verdict(NOT_TRIED, "")) for mutant, verdict in found])


def score(component: str, again: bool, seconds: int, jobs: int | None, progress: Progress) -> Score:
    """Tries every fault of a component."""
    known = footprints(component, jobs)
    last = killers(component)
    order = Order(known, last)
    limits = {name: each.limit for name, each in known.items()}
    every = faults(component)
    named = {name_of(component, mutant.key): mutant for mutant in every}
    tasks: dict[str, Callable[[], Verdict]] = {
        name: partial(tried, mutant, component, partial(order.claims, mutant), seconds, limits)
        for name, mutant in named.items()
    }
    bar = progress.add_task(component, total=len(tasks))
    found: dict[Key, Verdict] = {}
    try:
        for name, verdict in settle(tasks, again, jobs):
            mutant = named[name]
            found[mutant.key] = verdict
            if verdict.outcome == "refuted":
                order.learn(mutant, verdict.by)
                last[in_one_line(mutant.key)] = verdict.by
            progress.advance(bar)
            progress.refresh()
    finally:
        keep_killers(component, last)
    return Score(component, [(mutant, found[mutant.key]) for mutant in every])


# Faults that change nothing


def equivalents(text: str) -> dict[Key, str]:
    """The list of faults that change nothing, with the reason for each; raises EquivalentsError."""
    return {key: reason for key, (reason, _) in _listed(text).items()}


def ghosts(text: str) -> dict[Key, list[str]]:
    """By listed fault, the parts of the law's state that may differ, since no implementation keeps them."""
    return {key: parts for key, (_, parts) in _listed(text).items()}


def _listed(text: str) -> dict[Key, tuple[str, list[str]]]:
    try:
        entries = tomllib.loads(text).get("equivalent", [])
        listed = [
            (
                (e["module"], e["function"], e["original"], e["mutated"], e.get("occurrence", 0)),
                (e["reason"], list(e.get("ghosts", []))),
            )
            for e in entries
        ]
    except (tomllib.TOMLDecodeError, KeyError) as fault:
        raise EquivalentsError(f"{EQUIVALENT.name}: {fault}") from None
    for key, (reason, _) in listed:
        if not reason.strip():
            raise EquivalentsError(f"{EQUIVALENT.name}: no reason for {shown(key)}")
    return dict(listed)


def shown(key: Key) -> str:
    module, function, original, mutated, nth = key
    return f"{module} {function}: {original} -> {mutated}" + (f" (number {nth})" if nth else "")


def misfits(scores: Sequence[Score], listed: dict[Key, str]) -> list[str]:
    """What is wrong with the list of equivalent faults: entries without a fault, and faults that were refuted."""
    verdicts = {mutant.key: verdict for each in scores for mutant, verdict in each.verdicts}
    modules = {module for each in scores for module in modules_of(each.component)}
    wrong = []
    for key in listed:
        if key[0] in modules and key not in verdicts:
            wrong.append(f"there is no such fault: {shown(key)}")
        elif key in verdicts and verdicts[key].outcome == "refuted":
            wrong.append(f"not equivalent, {verdicts[key].by} refutes it: {shown(key)}")
        elif key in verdicts and verdicts[key].outcome not in ("survived", NOT_TRIED):
            wrong.append(f"not shown to be equivalent, {verdicts[key].by}: {shown(key)}")
    return wrong


def differing(scores: Sequence[Score], listed: dict[Key, list[str]], jobs: int | None) -> list[str]:
    """The listed faults in the law that the solver does not prove to change nothing."""
    of_law = [
        (each.component, mutant)
        for each in scores
        for mutant, _ in each.verdicts
        if mutant.key in listed and mutant.module.startswith("spec/")
    ]
    tasks = {
        hashed(name_of(component, mutant.key), "equivalent", *listed[mutant.key]): partial(
            changes_nothing, mutant, component, listed[mutant.key]
        )
        for component, mutant in of_law
    }
    named = dict(zip(tasks, (mutant for _, mutant in of_law), strict=True))
    found = settle(tasks, False, jobs)
    return [f"{verdict.by}: {shown(named[name].key)}" for name, verdict in found if verdict.outcome != "proved"]


# The report


def report(scores: Sequence[Score], listed: dict[Key, str], console: Console) -> bool:
    """Prints the scores and every fault that is not accounted for; whether there is none."""
    verdicts = [(each.component, mutant, verdict) for each in scores for mutant, verdict in each.verdicts]
    components = Counter((component, _outcome(mutant, verdict, listed)) for component, mutant, verdict in verdicts)
    operators = Counter((mutant.operator, _outcome(mutant, verdict, listed)) for _, mutant, verdict in verdicts)
    console.print(_table("component", components))
    console.print(_table("operator", operators))
    open_ones = [(m, verdict) for _, m, verdict in verdicts if _outcome(m, verdict, listed) in ("survived", "unknown")]
    for mutant, verdict in open_ones:
        nth = f" (number {mutant.occurrence})" if mutant.occurrence else ""
        say(console, f"{mutant.module}:{mutant.line} {mutant.function}{nth}: {verdict.outcome}, {verdict.by}")
        say(console, f"  - {mutant.original}\n  + {mutant.mutated}")
    return not open_ones


def _outcome(mutant: Mutant, verdict: Verdict, listed: dict[Key, str]) -> str:
    if verdict.outcome == "refuted":
        return BY_PROOF if verdict.kind == "proof" else BY_RUN
    if verdict.outcome == "broken":
        return FAILS
    if verdict.outcome == NOT_TRIED:
        return NOT_TRIED
    return EQUIVALENTS if mutant.key in listed else verdict.outcome


def keep_scores(scores: Sequence[Score], listed: dict[Key, str], wrong: Sequence[str], commit: str) -> str:
    """Keeps the scores of components that were wholly tried, and says which; raises ScoresError, OSError."""
    if wrong:
        raise score_file.ScoresError(f"{score_file.FILE.name} is as it was, since {EQUIVALENT.name} is wrong")
    outcomes = {each.component: Counter(_outcome(*tried, listed) for tried in each.verdicts) for each in scores}
    whole = {name: by for name, by in outcomes.items() if not by[NOT_TRIED]}
    columns = {
        name: {"faults": by.total(), **{COLUMNS[each]: by[each] for each in OUTCOMES}} for name, by in whole.items()
    }
    score_file.update(columns, commit)
    left = [name for name in outcomes if name not in whole]
    said = f"{score_file.FILE.name} has the scores of {', '.join(whole) or 'none of these'}"
    return said + (f"; not wholly tried: {', '.join(left)}" if left else "")


def _table(title: str, count: Counter[tuple[str, str]]) -> Table:
    table = Table(title)
    for column in ("faults", *OUTCOMES, "score"):
        table.add_column(column, justify="right")
    for row in dict.fromkeys(row for row, _ in count):
        by = [count[row, outcome] for outcome in OUTCOMES]
        caught = sum(count[row, outcome] for outcome in (BY_PROOF, BY_RUN, FAILS))
        table.add_row(
            row, *map(str, [sum(by), *by]), f"{caught}/{sum(by) - count[row, EQUIVALENTS] - count[row, NOT_TRIED]}"
        )
    return table


def say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m memoracle.proofs.mutation.score", description=__doc__.split("\n")[0]
    )
    parser.add_argument("component", metavar="COMPONENT", nargs="*", help=f"of {', '.join(COMPONENTS)} (default: all)")
    parser.add_argument("--again", action="store_true", help="try again what was not refuted before")
    limit = f"of a processor's time to try a fault in (default: {SECONDS})"
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="N", help=limit)
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="tried at once (default: as many as there are processors)"
    )
    parser.add_argument("--kept", action="store_true", help="try nothing: report what earlier runs have found")
    words = f"keep the scores in {score_file.FILE.name}, with the commit that what was tried is as of"
    parser.add_argument("--update", action="store_true", help=words)
    args = parser.parse_args(arguments)
    for name in args.component:
        if name not in COMPONENTS:
            parser.error(f"{name} is no component")
    errors = Console(stderr=True)
    try:
        text = EQUIVALENT.read_text(encoding="utf-8")
        listed = equivalents(text)
        commit = score_file.committed() if args.update else None
        with Progress(console=errors, transient=True, auto_refresh=False, disable=not errors.is_terminal) as progress:
            scores = [
                kept_score(component) if args.kept else score(component, args.again, args.seconds, args.jobs, progress)
                for component in args.component or COMPONENTS
            ]
        wrong = misfits(scores, listed)
        wrong += [] if args.kept and not args.update else differing(scores, ghosts(text), args.jobs)
    except (EquivalentsError, BrokenProofsError, score_file.ScoresError, OSError) as fault:
        say(errors, str(fault))
        return 2
    except KeyboardInterrupt:
        errors.print("Interrupted; what was found is kept.")
        return 130
    whole = report(scores, listed, Console(width=None if sys.stdout.isatty() else 120))
    for each in wrong:
        say(errors, f"{EQUIVALENT.name}: {each}")
    tried_all = all(verdict.outcome != NOT_TRIED for each in scores for _, verdict in each.verdicts)
    if commit is not None:
        try:
            say(errors, keep_scores(scores, listed, wrong, commit))
        except (score_file.ScoresError, OSError) as fault:
            say(errors, str(fault))
            return 2
    return 0 if whole and tried_all and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
