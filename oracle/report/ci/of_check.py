"""What a run of `check` or `drive` comes to: a case for each trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from memoracle.console.console import console_on
from memoracle.console.counted import counted
from memoracle.console.output import Draft
from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.warned import Warned
from memoracle.report import coverage_report
from memoracle.report.check_report import UNKNOWN as IS_UNKNOWN
from memoracle.report.check_report import CheckRun, TraceResult, show, subject_of, summary, told, verdict
from memoracle.report.ci.cases import (
    BROKEN,
    INTERRUPTED,
    NOTHING,
    UNKNOWN,
    UNREADABLE,
    Case,
    Findings,
    Place,
    Problem,
    Rule,
    Suite,
)
from memoracle.report.drive_report import DriveRun
from memoracle.report.run import FaultRun
from memoracle.trace.files import is_file
from memoracle.trace.inputs import InputError, shown
from memoracle.trace.quoting import escaped

MOST_SHOWN = 100  # divergences of a trace, in full

READABLE = Rule("memoracle.input-can-be-read", "every input can be read to its end")
CHECKED = Rule("memoracle.something-is-checked", "something is put to the test")
DECIDED = Rule("memoracle.order-is-decided", "a legal order of operations that overlap is found or ruled out")
COVERED = Rule("memoracle.all-is-covered", "every call is made in every state that the target reaches")
WHOLE = Rule("memoracle.run-is-whole", "the run goes on to its end")


def of_check(run: CheckRun) -> Findings:
    suites = [
        Suite(shown(path), [case(each) for each in outcomes], path)
        for path, outcomes in groupby(run.outcomes, key=lambda outcome: outcome.path)
    ]
    said = "; ".join(map(summary, run.outcomes))
    return Findings(run.command, verdict(run.outcomes), said, suites)


def of_drive(run: DriveRun) -> Findings:
    """Its trace is the one that was kept, if it failed."""
    draft = Draft(None)
    run.write_text(draft)
    result = run.result
    found = case(result, run.kept or "", run.target)
    said = "; ".join([summary(result), *run.said.splitlines()])
    found = replace(found, name=run.target, said=said, text=draft.getvalue(), seconds=run.seconds)
    return Findings(run.command, verdict([result]), said, [Suite(run.target, [found], run.kept)])


def case(outcome: TraceResult, file: str | None = None, subject: str = "") -> Case:
    """One trace. file: where it is, if not where it was read from.  subject: what made it, if it is no file."""
    where = outcome.path if file is None else file
    problems = list(problems_of(outcome, where, subject))
    text = text_of(outcome) if problems else ""
    tested = "" if outcome.coverage is None else ", ".join(coverage_report.counts(outcome.coverage))
    warnings = [warning(each if file is None else each._replace(path=file or None)) for each in outcome.warnings]
    return Case(outcome.name, summary(outcome), problems, text, tested, warnings=warnings)


def warning(warned: Warned) -> Place:
    return Place(warned.path, warned.line, warned.words)


def text_of(outcome: TraceResult) -> str:
    """What `check` says of it, as far as somebody reads it."""
    draft = Draft(None)
    console = console_on(draft)
    for divergence in outcome.divergences[:MOST_SHOWN]:
        show(divergence, console)
    if (more := len(outcome.divergences) - MOST_SHOWN) > 0:
        console.print(f"and {counted(more, 'divergence')} more\n")
    said = [summary(outcome), *([] if outcome.fault is None else [str(outcome.fault)])]
    for line in said:
        console.print(escaped(line), soft_wrap=True)
    return draft.getvalue()


def problems_of(outcome: TraceResult, file: str, subject: str) -> Iterator[Problem]:
    """What is wrong with a trace: what diverges, and why there is no verdict, or no whole one."""
    for divergence in outcome.divergences:
        yield diverges(divergence, file, subject or outcome.path)
    start, name = Place(file or None, outcome.first_line if file else None), subject or outcome.name
    if outcome.fault is not None:
        yield unreadable(outcome.fault)
    elif outcome.unknown:
        words = "the budget ran out before a legal order was found or ruled out"
        yield Problem(UNKNOWN, DECIDED, start, name, words, identity=(name,))
    elif outcome.cut and not outcome.divergences:
        yield Problem(UNKNOWN, COVERED, start, name, outcome.cut, identity=(name,))
    elif not outcome.checked:
        yield Problem(NOTHING, CHECKED, start, name, "nothing was checked", identity=(name,))
    if outcome.interrupted:
        yield Problem(INTERRUPTED, WHOLE, start, name, "interrupted", identity=(name,))


def diverges(divergence: Divergence, file: str, source: str) -> Problem:
    """file: nothing where the trace is none.  source: what was checked, by the name that it has in every run."""
    finding = divergence.finding
    place = Place(file, divergence.line) if file else Place(None)
    window = tuple(Place(place.file, line, told(each)) for line, each in divergence.window if line != divergence.line)
    return Problem(
        BROKEN,
        Rule(finding.clause, finding.says, is_of_law=True),
        place,
        subject_of(divergence),
        finding.message,
        finding.legal,
        identity=(source, *identity_of(divergence)),
        related=window,
    )


def identity_of(divergence: Divergence) -> tuple[str, ...]:
    """The event without what its recorder noted, which differs from run to run."""
    event = {key: value for key, value in divergence.event.items() if not key.startswith("_")}
    return (divergence.finding.clause, told(event))


def of_fault(run: FaultRun) -> Findings:
    """What keeps a command from checking anything."""
    fault, subject = run.fault, f"memoracle {run.command}"
    said = escaped(str(fault))  # the name of a file may have lines
    path = fault.path if isinstance(fault, InputError) and is_file(fault.path) else None
    line = fault.line if isinstance(fault, InputError) and path else None
    problem = Problem(UNREADABLE, READABLE, Place(path, line), subject, said, identity=(said,))
    if isinstance(fault, KeyboardInterrupt):
        said = "interrupted"
        problem = Problem(INTERRUPTED, WHOLE, Place(None), subject, said, identity=(said,))
    found = Case(subject, said, [problem], escaped(said))
    return Findings(run.command, IS_UNKNOWN, said, [Suite(subject, [found], path)])


def unreadable(fault: InputError) -> Problem:
    place = Place(fault.path, fault.line)
    return Problem(UNREADABLE, READABLE, place, shown(fault.path), fault.message, identity=(fault.path, fault.message))
