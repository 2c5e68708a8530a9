"""What came of traces, as a page: of `check` and of `drive`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memoracle.console.counted import counted
from memoracle.diagnostics.divergence import Divergence
from memoracle.report import coverage_report
from memoracle.report.bars import untimed
from memoracle.report.check_report import TraceResult, account, verdict
from memoracle.report.drawing import drawn
from memoracle.report.html.bars_data import bars_data
from memoracle.report.html.page import page, warnings_data
from memoracle.report.html.printed import printed
from memoracle.report.html.timeline_data import finding_data, in_a_line, timeline_data
from memoracle.timeline.past import Past
from memoracle.trace.inputs import shown

MOST_FINDINGS = 50


def trace_page(
    command: str,
    title: str,
    outcomes: Sequence[TraceResult],
    past: Past,
    said: str = "",
    branches: str = "",
    name: str = "",
) -> str:
    """past: what led to the divergences.  said: what the command says of the run.  branches: of the reference.

    name: of the trace, if it is not called by its path.
    """
    timelines: list[dict[str, Any]] = []
    findings = list[dict[str, Any]]()
    number = sum(len(outcome.divergences) for outcome in outcomes)
    for outcome in outcomes:
        divergences = outcome.divergences[: MOST_FINDINGS - len(findings)]
        findings += findings_of(outcome, divergences, past, timelines, name)
    left = number - len(findings)
    content = {
        "command": command,
        "title": title,
        "verdict": verdict(outcomes),
        "summary": account(outcomes[0]) if len(outcomes) == 1 else of_all(outcomes),
        "warnings": warnings_data(
            [warning._replace(path=name or warning.path) for outcome in outcomes for warning in outcome.warnings]
        ),
        "findings": findings,
        "more_findings": f"{counted(left, 'more divergence')} not shown here: the JSON report has all." if left else "",
        "traces": [trace_of(each, name) for each in outcomes],
        "said": said,
        "branches": branches,
        "timelines": timelines,
    }
    return page("trace.html", content)


def findings_of(
    outcome: TraceResult, divergences: Sequence[Divergence], past: Past, timelines: list[dict[str, Any]], name: str
) -> Iterator[dict[str, Any]]:
    """timelines: those of the page so far, to which theirs are added.  name: as for a page."""
    led, why = past.timelines(outcome)
    by_line = {each.divergence.line: each for each in led}
    for divergence in divergences:
        place = None
        if divergence.line in by_line:
            place = len(timelines)
            timelines.append(timeline_data(by_line[divergence.line]))
        near = past.neighbourhood(outcome, divergence) if divergence.window else None
        yield {
            "place": f"{name or shown(divergence.file)}:{divergence.line}",
            "event": in_a_line(untimed(divergence.event) if divergence.window else divergence.event),
            "finding": finding_data(divergence.finding),
            "timeline": place,
            "why": why,
            "bars": None if near is None else bars_data(near, divergence),
            "before": in_words(divergence.finding.before),
            "after": in_words(divergence.finding.after),
        }


def of_all(outcomes: Sequence[TraceResult]) -> str:
    """How many traces came to which verdict."""
    found = Counter(verdict([each]) for each in outcomes)
    return f"{counted(len(outcomes), 'trace')}: {', '.join(f'{count:,} {name}' for name, count in found.items())}"


def in_words(state: Mapping[str, Any]) -> str:
    """A state as a terminal shows it."""
    if not state:
        return ""
    return printed(lambda console: console.print(drawn(state)))


def trace_of(outcome: TraceResult, name: str) -> dict[str, Any]:
    found = coverage_report.document([outcome.coverage])
    coverage = None
    if found is not None and not outcome.stopped:
        untested = {op: found["untested"].get(op, []) for op in found["operations"]}
        coverage = {
            "operations": [
                {"op": op, **counts, "untested": ", ".join(untested[op])} for op, counts in found["operations"].items()
            ],
            "untested": any(untested.values()),
            "untested_clauses": sum(map(len, untested.values())),
        }
    return {
        "name": name or outcome.name,
        "verdict": verdict([outcome]),
        "summary": account(outcome),
        "fault": None if outcome.fault is None else str(outcome.fault),
        "coverage": coverage,
    }
