"""What a run of `snapshot` comes to: one case, the snapshot."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.console.output import Draft
from memoracle.report.check_report import NOTHING as NOTHING_CHECKED
from memoracle.report.check_report import UNKNOWN as IS_UNKNOWN
from memoracle.report.ci.cases import BROKEN, NOTHING, UNKNOWN, Case, Findings, Place, Problem, Rule, Suite
from memoracle.report.ci.of_check import CHECKED, warning
from memoracle.report.snapshot_report import CUT, SnapshotResult, SnapshotRun, summary, told_unread, within, write_text
from memoracle.snapshot.findings import Entry, Finding, Line
from memoracle.snapshot.findings import Rule as OtherRule

SEEN_WHOLE = Rule("memoracle.snapshot-is-whole", "all tables are in the snapshot, and looked at")


def of_snapshot(run: SnapshotRun) -> Findings:
    result = run.result
    problems = list(problems_of(result))
    draft = Draft(None)
    write_text(result, draft, quiet=True)
    text = draft.getvalue() if problems else ""
    case = Case(result.name, summary(result), problems, text, warnings=list(map(warning, result.warnings)))
    return Findings(run.command, result.verdict, summary(result), [Suite(result.name, [case], result.file)])


def problems_of(result: SnapshotResult) -> Iterator[Problem]:
    for finding in result.findings.kept:
        yield breaks(result, finding)
    whole = Place(result.file)
    for each in result.unreadable:
        words = told_unread(each)
        yield Problem(UNKNOWN, SEEN_WHOLE, whole, result.name, words, identity=(result.name, words))
    if result.verdict == NOTHING_CHECKED:
        words = "no rule was put to the test"
        yield Problem(NOTHING, CHECKED, whole, result.name, words, identity=(result.name,))
    elif result.verdict == IS_UNKNOWN and not result.unreadable:
        yield Problem(UNKNOWN, SEEN_WHOLE, whole, result.name, CUT, identity=(result.name,))


def breaks(result: SnapshotResult, finding: Finding) -> Problem:
    place, rule = finding.place, finding.rule
    where = Place(place.file, place.line) if isinstance(place, Line) else Place(result.file)
    source = rule.source if isinstance(rule, OtherRule) else None
    level = place.level if isinstance(place, Entry) else None
    return Problem(
        BROKEN,
        Rule(rule.name, rule.says, source, is_of_law=source is None),
        where,
        within(place),
        finding.message,
        finding.legal,
        identity=(result.name, str(place.space), f"{place.virtual:#x}", str(level)),
    )
