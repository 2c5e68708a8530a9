"""The report of `check`: as JSON, or as text with the state around each divergence drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from memoracle.console.console import console_on
from memoracle.console.counted import counted
from memoracle.console.exit_status import Status
from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import SAFE
from memoracle.diagnostics.warned import Warned
from memoracle.replay.coverage import Coverage
from memoracle.report import coverage_report
from memoracle.report.bars import bars, has_no_order
from memoracle.report.drawing import drawn
from memoracle.timeline.past import UNKNOWN_PAST, Past
from memoracle.trace.hexadecimal import in_hexadecimal
from memoracle.trace.inputs import InputError, shown
from memoracle.trace.quoting import escaped, shortened

RESULT = 60  # characters that are shown of a result
CONFORMS, DIVERGES, UNKNOWN, NOTHING = "conforms", "diverges", "unknown", "nothing"


@dataclass
class TraceResult:
    """What came of one trace.

    events: how many were read.  checked: how many of them count for a verdict.  fault: why it was not read to its end.
    interrupted: the user ended it.  stopped: it was read to its first divergence only.
    processors: of a recording in which operations overlap, how many made them.
    unknown: whether the budget of the search for a legal order of these ran out.
    order: of these, as far as an order of them is legal, and as it was judged: their lines.  is_log: whether it is one
    of kmem events.
    cut: of a run that was to cover a target, what of it is left, since its calls or its time ran out.
    """

    path: str
    level: str
    first_line: int = 1
    events: int = 0
    checked: int = 0
    divergences: list[Divergence] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    fault: InputError | None = None
    coverage: Coverage | None = None
    interrupted: bool = False
    stopped: bool = False
    processors: int = 0
    unknown: bool = False
    cut: str = ""
    order: Sequence[int] = ()
    is_log: bool = False

    @property
    def name(self) -> str:
        """By which messages call it."""
        return shown(self.path) + (f", from line {self.first_line}" if self.first_line > 1 else "")

    @property
    def whole(self) -> bool:
        """Whether it was read to its end, or to its first divergence."""
        return self.fault is None and not self.interrupted

    @property
    def status(self) -> Status:
        if self.fault is not None:
            return Status.UNUSABLE
        if self.divergences:
            return Status.BROKEN
        if self.unknown or self.cut:
            return Status.UNKNOWN
        return Status.HOLDS if self.checked else Status.NOTHING


def verdict(outcomes: Sequence[TraceResult]) -> str:
    """The verdict of a run; unknown if nothing was found in what could be read, but not all could."""
    if any(outcome.divergences for outcome in outcomes):
        return DIVERGES
    if not all(outcome.whole and not outcome.unknown and not outcome.cut for outcome in outcomes):
        return UNKNOWN
    return CONFORMS if all(outcome.checked for outcome in outcomes) else NOTHING


def level(outcomes: Sequence[TraceResult]) -> str:
    """The level of a run: the one of its traces, where kmem logs had to be checked at another."""
    levels = {outcome.level for outcome in outcomes}
    return SAFE if levels == {SAFE} else next(iter(levels - {SAFE}))


@dataclass(frozen=True)
class CheckRun:
    """What came of `check`.

    quiet: without what each trace exercised.  followed: divergences were reported when they came.
    more: keys that a report for programs has besides.  past: what led to divergences.
    """

    command: ClassVar[str] = "check"
    outcomes: Sequence[TraceResult]
    quiet: bool = False
    followed: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)
    past: Past = UNKNOWN_PAST

    def document(self) -> dict[str, Any]:
        return {**document(self.outcomes), **self.more}

    def write_text(self, out: TextIO) -> None:
        write_text(self.outcomes, out, self.quiet, self.followed)


def document(outcomes: Sequence[TraceResult]) -> dict[str, Any]:
    """The machine-readable report, keys and values as the public contract has them."""
    return {
        "memoracle": 1,
        "command": "check",
        "verdict": verdict(outcomes),
        "level": level(outcomes),
        "events": sum(outcome.events for outcome in outcomes),
        "warnings": [str(warning) for outcome in outcomes for warning in outcome.warnings]
        + [f"unreadable: {outcome.fault}" for outcome in outcomes if outcome.fault is not None]
        + [f"interrupted: {outcome.name}" for outcome in outcomes if outcome.interrupted],
        "warned": [warned(warning) for outcome in outcomes for warning in outcome.warnings],
        "divergences": [entry(divergence) for outcome in outcomes for divergence in outcome.divergences],
        "results": [result(outcome) for outcome in outcomes],
        "unreadable": [unread(outcome.fault) for outcome in outcomes if outcome.fault is not None],
        "coverage": coverage_report.document(outcome.coverage for outcome in outcomes),
        **concurrent(outcomes),
    }


def concurrent(outcomes: Sequence[TraceResult]) -> dict[str, Any]:
    """What there is of recordings in which operations overlap, if there are any."""
    of_them = [outcome for outcome in outcomes if outcome.processors]
    if not of_them:
        return {}
    events, processors = sum(each.events for each in of_them), max(each.processors for each in of_them)
    return {"concurrent": {"operations": events, "processors": processors}}


def result(outcome: TraceResult) -> dict[str, Any]:
    """What came of one trace. divergences: how many."""
    return {
        "file": outcome.path,
        "first_line": outcome.first_line,
        "verdict": verdict([outcome]),
        "status": int(outcome.status),
        "level": outcome.level,
        "events": outcome.events,
        "checked": outcome.checked,
        "divergences": len(outcome.divergences),
        "unreadable": None if outcome.fault is None else unread(outcome.fault),
        "interrupted": outcome.interrupted,
        "warnings": list(map(str, outcome.warnings)),
    }


def unread(fault: InputError) -> dict[str, Any]:
    """Why an input could not be read to its end. line: from which on, None if the fault is the whole file's."""
    return {"file": fault.path, "line": fault.line, "message": fault.message}


def warned(warning: Warned) -> dict[str, Any]:
    """What is worth knowing, and where: file and line are None where it is about none."""
    return {"file": warning.path, "line": warning.line, "message": warning.words}


def entry(divergence: Divergence) -> dict[str, Any]:
    finding = divergence.finding
    window = [{"line": line, "event": event} for line, event in divergence.window]
    return {
        "file": divergence.file,
        "line": divergence.line,
        "event": divergence.event,
        "clause": finding.clause,
        "says": finding.says,
        "message": finding.message,
        "legal": finding.legal,
        "before": finding.before,
        "after": finding.after,
        **({"window": window} if window else {}),
        **({"window_is_cut_short": True} if divergence.window_is_cut_short else {}),
    }


def write_text(outcomes: Sequence[TraceResult], out: TextIO, quiet: bool = False, followed: bool = False) -> None:
    """quiet: without what each trace exercised, which is said of those that were read to their end.

    followed: the divergences were reported when they came.
    """
    console = console_on(out)
    for outcome in outcomes:
        for warning in outcome.warnings:
            console.print(escaped(f"warning: {warning}"), soft_wrap=True)
        for divergence in () if followed else outcome.divergences:
            show(divergence, console)
    for outcome in outcomes:
        colour = "red" if verdict([outcome]) in (DIVERGES, UNKNOWN) else "green"
        console.print(Text(escaped(summary(outcome)), colour), soft_wrap=True)
        if (
            not quiet
            and outcome.whole
            and not outcome.stopped
            and outcome.checked
            and not outcome.unknown
            and outcome.coverage
        ):
            console.print(coverage_report.table(outcome.coverage))


def summary(outcome: TraceResult) -> str:
    return f"{outcome.name}: {verdict([outcome])}: {account(outcome)}"


def account(outcome: TraceResult) -> str:
    """What came of a trace, in a line without its name and its verdict."""
    found = len(outcome.divergences)
    divergences = f"{counted(found, 'divergence')} in " if found else ""
    events = counted(outcome.events, "event")
    if skipped := outcome.events - outcome.checked:
        events += f", {skipped:,} of them skipped"
    if outcome.processors:
        events = f"concurrent: {counted(outcome.events, 'operation')} of {counted(outcome.processors, 'processor')}"
    told = f"{divergences}{events}, at level {outcome.level}"
    if outcome.unknown and not found:
        told += "; the budget ran out before a legal order was found or ruled out"
    if outcome.cut and not found:
        told += f"; {outcome.cut}"
    if outcome.interrupted:
        return f"{told}; interrupted"
    if outcome.fault is None:
        return told
    return f"{told}; unreadable" + (f" from line {outcome.fault.line} on" if outcome.fault.line else "")


def show(divergence: Divergence, console: Console) -> None:
    """One divergence: which event, which rule, what was seen and expected, and the state around it."""
    finding = divergence.finding
    heading = f"{shown(divergence.file)}:{divergence.line}: {told(divergence.event)}"
    console.print(Text(escaped(heading), "bold red"), soft_wrap=True)
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    facts.add_row("rule", Text(escaped(f"{finding.says} [{finding.clause}]")))
    facts.add_row("seen", Text(escaped(finding.message), "bold"))
    facts.add_row("legal", Text(escaped(finding.legal)))
    if finding.after != finding.before:
        facts.add_row("before", drawn(finding.before))
        facts.add_row("after", drawn(finding.after))
    elif finding.before:
        facts.add_row("state", drawn(finding.before))
    console.print(Padding(facts, (0, 0, 0 if divergence.window else 1, 2)))
    if divergence.window:
        console.print(
            Text(f"  window  {has_no_order(divergence.window, divergence.window_is_cut_short)}"), soft_wrap=True
        )
        for row in bars(divergence.window, told):
            console.print(Text(f"          {escaped(row)}"), soft_wrap=True)
        console.print()


def told(event: Mapping[str, Any]) -> str:
    """An event in one line: its operation, its arguments, what came of it, and what the recorder noted.

    Addresses are in hexadecimal, however the trace has them.
    """
    return " ".join(parts(in_hexadecimal(event)))


def subject_of(divergence: Divergence) -> str:
    """The event in a line that goes on with what was seen of it, which may say itself how the call failed."""
    event, message = divergence.event, divergence.finding.message
    said = {key for key in ("error", "crash") if key in event and f"({written(event[key])})" in message}
    return told({key: value for key, value in event.items() if key not in said})


def parts(event: Mapping[str, Any]) -> Iterator[str]:
    yield str(event["op"])
    for key, value in event.items():
        if key not in ("op", "result", "error", "crash", "memory_map") and not key.startswith("_"):
            page = (
                f" ({value:#x})" if key == "pfn" and isinstance(value, int) else ""
            )  # a log may have it in either form
            yield f"{shortened(key)}={written(value)}{page}"
    if "crash" in event:
        yield f"crashed: {written(event['crash'])}"
    elif "error" in event:
        yield f"failed: {written(event['error'])}"
    elif event.get("result") is not None:
        yield f"-> {shortened(written(event['result']), RESULT)}"
    noted = [f"{shortened(key)}={written(value)}" for key, value in event.items() if key.startswith("_")]
    if noted:
        yield f"({', '.join(noted)})"


def written(value: object) -> str:
    """A value as a trace has it; a string without its quotes."""
    return shortened(value if isinstance(value, str) else json.dumps(value))
