"""The report of `prove`: what was checked, to what bound, on what trust; as JSON, or as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from memoracle.console.console import console_on
from memoracle.console.counted import counted
from memoracle.console.exit_status import Status
from memoracle.proving.part import Part
from memoracle.report.proof_summary import three_lines
from memoracle.timeline.timeline import Timeline
from memoracle.trace.quoting import escaped, escaped_lines

if TYPE_CHECKING:
    from memoracle.proofs.obligations.discharge import Result

SLOWEST = 10
PROVED, REFUTED, UNKNOWN, VACUOUS, NOTHING = "proved", "refuted", "unknown", "vacuous", "nothing"
VERDICTS = (PROVED, REFUTED, UNKNOWN, VACUOUS)
# A vacuous claim checks nothing, so it counts as nothing checked.
STATUSES = {
    REFUTED: Status.BROKEN,
    UNKNOWN: Status.UNKNOWN,
    VACUOUS: Status.NOTHING,
    PROVED: Status.HOLDS,
    NOTHING: Status.NOTHING,
}
UNBOUNDED = "unbounded"
HAZARD = "expected-refutation"


@dataclass(frozen=True)
class Stated:
    """A clause or an operation of the law, and where it is stated: `file.py:line`."""

    name: str
    says: str
    source: str


@dataclass(frozen=True)
class ProofRun:
    """What came of a run.

    geometry: its name.  replays: by component, how to replay what is refuted of it.  seconds: by the clock on the wall.
    law: by the name of an obligation that is not proved, the clauses of the law that it is about.
    verbose: with every obligation.  brief: in three lines.  more: keys that a report for programs has besides.
    parts: of the report, of what else was asked for.
    steps: by component, a run of the reference that fails.
    """

    command: ClassVar[str] = "prove"
    geometry: str
    results: Sequence[Result]
    replays: dict[str, str]
    trust: Sequence[str]
    seconds: float
    law: Mapping[str, Sequence[Stated]] = field(default_factory=dict)
    verbose: bool = False
    brief: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    steps: Callable[[], Mapping[str, Timeline]] = dict

    def document(self) -> dict[str, Any]:
        return {**document(self), **self.more}

    def write_text(self, out: TextIO) -> None:
        if self.brief:
            counts = verdict(self.results), totals(self.results), unbounded(self.results)
            out.write(f"{three_lines(self, *counts)}\n")
        else:
            write_text(self, out, self.verbose)


def verdict(results: Sequence[Result]) -> str:
    """The verdict of a run: the gravest of its obligations'; nothing if there are none."""
    found = {result.verdict for result in results}
    return next((each for each in STATUSES if each in found), NOTHING)


def status(results: Sequence[Result]) -> Status:
    """The exit status of a run."""
    return STATUSES[verdict(results)]


def totals(results: Sequence[Result]) -> dict[str, int]:
    """How many have each verdict."""
    counted = Counter(result.verdict for result in results)
    return {each: counted[each] for each in VERDICTS}


def document(outcome: ProofRun) -> dict[str, Any]:
    """The machine-readable report, keys and values as the public contract has them."""
    return {
        "memoracle": 1,
        "command": "prove",
        "verdict": verdict(outcome.results),
        "geometry": outcome.geometry,
        "obligations": [entry(result, outcome) for result in outcome.results],
        "totals": totals(outcome.results),
        "trust": list(outcome.trust),
        **{part.key: part.document() for part in outcome.parts},
    }


def entry(result: Result, outcome: ProofRun) -> dict[str, Any]:
    """One obligation; what is refuted is followed by how to replay it. law: where it stands that it is about."""
    content = asdict(result)
    if result.tried_again is None:
        del content["tried_again"]
    if result.verdict == REFUTED:
        content["counterexample"] = f"{result.counterexample}\n\n{outcome.replays[result.component]}"
    if result.verdict != PROVED:
        content["law"] = [asdict(each) for each in outcome.law.get(result.name, ())]
    return content


def write_text(outcome: ProofRun, out: TextIO, verbose: bool) -> None:
    console = console_on(out)
    results = outcome.results
    for component, group in groupby(results, key=lambda result: result.component):
        console.print(component_table(component, list(group)))
    if verbose and results:
        console.print(list_of("Every obligation", results, everything=True))
    if results:
        slowest = sorted(results, key=lambda result: result.seconds, reverse=True)[:SLOWEST]
        console.print(list_of("The slowest", slowest))
        if told := bounds(outcome):
            console.print(told)
        tell_hazards(results, console)
        console.print("Trusted", style="bold")
        trusted = Table.grid(padding=(0, 1))
        for line in outcome.trust:
            trusted.add_row("  -", Text(line))
        console.print(trusted)
    for told in tried_again(results):
        console.print(Text(told, "yellow"), soft_wrap=True)
    tell_failures(outcome, console)
    for part in outcome.parts:
        part.tell(console)
    console.print(Text(summary(outcome), "green" if status(results) is Status.HOLDS else "red"))


def unbounded(results: Sequence[Result]) -> int:
    """How many are about every size that 64-bit addresses admit."""
    return sum(result.scope == UNBOUNDED for result in results)


def component_table(component: str, results: Sequence[Result]) -> Table:
    """How many of each kind hold, and to what bound."""
    drawn = Table("kind", title=component, title_justify="left")
    for each in VERDICTS:
        drawn.add_column(each, justify="right")
    drawn.add_column("scope", overflow="fold")
    for kind in dict.fromkeys(result.kind for result in results):
        of_kind = [result for result in results if result.kind == kind]
        counted = totals(of_kind)
        scopes = Counter(bound(result) for result in of_kind)
        told = "\n".join(f"{count} {scope}" for scope, count in scopes.items())
        drawn.add_row(kind, *(Text(str(counted[each]), colour(each, counted[each])) for each in VERDICTS), told)
    return drawn


def colour(verdict: str, count: int) -> str:
    if not count:
        return "dim"
    return "green" if verdict == PROVED else "bold red"


def bound(result: Result) -> str:
    """The scope without what differs from one obligation to the next: how many states and cases it came to."""
    return result.scope.partition(";")[0]


def list_of(title: str, results: Sequence[Result], everything: bool = False) -> Table:
    """Obligations with what they cost; and, with everything, what each says and where it stands."""
    drawn = Table(title=title, title_justify="left")
    drawn.add_column("obligation", overflow="fold")
    drawn.add_column("seconds", justify="right", no_wrap=True)
    drawn.add_column("rlimit", justify="right", no_wrap=True)
    drawn.add_column("verdict", no_wrap=True)
    for result in results:
        more = (result.claim, result.source, result.scope) if everything else ()
        answer = f"{result.verdict}, cached" if result.cached else result.verdict
        drawn.add_row(Text("\n  ".join((result.name, *more))), f"{result.seconds:.2f}", f"{result.rlimit:,}", answer)
    return drawn


def bounds(outcome: ProofRun) -> str:
    """How many obligations are unbounded, if any are, and what that means."""
    count = unbounded(outcome.results)
    if not count:
        return ""
    return (
        f"{count} of {len(outcome.results)} are unbounded: they are about every size that 64-bit addresses "
        f"admit, so about {escaped(outcome.geometry)} and every other geometry."
    )


def tried_again(results: Sequence[Result]) -> list[str]:
    """What was settled only when it was tried again, and why."""
    return [f"Tried again, alone: {each.name}: {each.tried_again}" for each in results if each.tried_again is not None]


def tell_hazards(results: Sequence[Result], console: Console) -> None:
    """The known hazards, whose claims fail as they should, and how."""
    for result in results:
        if result.kind == HAZARD and result.verdict == PROVED and result.counterexample:
            console.print(Text(f"Expected refutation: {result.name}", "bold"))
            console.print(Padding(Text(f"it fails, as it should, that {result.claim}:"), (0, 0, 0, 2)))
            console.print(Padding(Text(escaped_lines(result.counterexample)), (0, 0, 0, 4)))


def tell_failures(outcome: ProofRun, console: Console) -> None:
    """In full whatever is not proved; after what is refuted of a component, how to replay it."""
    failed = [result for result in outcome.results if result.verdict != PROVED]
    for component, group in groupby(failed, key=lambda result: result.component):
        refuted = False
        for result in group:
            refuted |= result.verdict == REFUTED
            console.print(Text(f"\n{result.verdict}: {result.name} ({result.source})", "bold red"))
            facts = Table.grid(padding=(0, 2))
            facts.add_row("claim", Text(result.claim))
            facts.add_row("scope", Text(result.scope))
            facts.add_row(
                "reason" if result.verdict != REFUTED else "counterexample",
                Text(escaped_lines(str(result.counterexample))),
            )
            console.print(Padding(facts, (0, 0, 0, 2)))
        if refuted:
            console.print(f"\nTo replay what is refuted of {component}:", style="bold")
            console.print(outcome.replays[component], soft_wrap=True)
    if failed:
        console.print()


def summary(outcome: ProofRun) -> str:
    """The last line; it begins with the verdict."""
    results = outcome.results
    verdicts = ", ".join(f"{count} {each}" for each, count in totals(results).items())
    cached = sum(result.cached for result in results)
    told = f"{verdict(results)}: {counted(len(results), 'obligation')} ({verdicts}; {cached} from the cache)"
    return f"{told} in {outcome.seconds:.1f} s"
