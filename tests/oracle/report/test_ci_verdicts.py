"""JUnit XML, SARIF and GitHub's commands: whatever keeps a run from success counts as failed in each of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from memoracle.cli import main
from memoracle.console.exit_status import Status
from memoracle.diagnostics.divergence import Divergence, Finding
from memoracle.diagnostics.warned import Warned
from memoracle.proofs.obligations.discharge import Result
from memoracle.report.check_report import CheckRun, TraceResult
from memoracle.report.ci import github, junit, sarif, step_summary
from memoracle.report.ci.findings import findings_of
from memoracle.report.destinations import Draft
from memoracle.report.drive_report import DriveRun
from memoracle.report.proof_report import ProofRun
from memoracle.report.run import Run
from memoracle.report.snapshot_report import SnapshotResult, SnapshotRun
from memoracle.snapshot.findings import Findings
from memoracle.snapshot.mappings import Mappings
from memoracle.snapshot.walk import Unreadable
from memoracle.trace.inputs import InputError

HOLDS = TraceResult("a.jsonl", "legal", events=2, checked=2)
EVENT = {"op": "frame.allocate", "result": "0x0"}
BREAKS = Divergence("a.jsonl", 2, EVENT, Finding("bitmap.allocates-only-free", "only a free frame is", "it is not", ""))
LIMIT = InputError("a.jsonl", 3, "broken")
TRACES = {
    "conforms": (HOLDS, []),
    "diverges": (replace(HOLDS, divergences=[BREAKS]), ["broken"]),
    "unreadable": (replace(HOLDS, fault=LIMIT), ["unreadable"]),
    "diverges, then unreadable": (replace(HOLDS, divergences=[BREAKS], fault=LIMIT), ["broken", "unreadable"]),
    "unknown": (replace(HOLDS, unknown=True), ["unknown"]),
    "covered in part": (replace(HOLDS, cut="not all was walked"), ["unknown"]),
    "diverges, covered in part": (replace(HOLDS, divergences=[BREAKS], cut="not all was walked"), ["broken"]),
    "nothing": (replace(HOLDS, checked=0), ["nothing"]),
    "interrupted": (replace(HOLDS, interrupted=True), ["interrupted"]),
}
PROVED = Result("a.holds", "a", "theorem", "it holds", "unbounded", "proved", "z3", 0.5, 1, False, "spec/a.py:1", None)
SNAPSHOT = SnapshotResult("a.raw", [], Mappings(), Findings(), None)


def told(run: Run) -> list[str]:
    """The kinds of what is wrong, as all three formats have them."""
    texts = {}
    for module in (junit, sarif, github):
        draft = Draft(None)
        module.write(run, draft)
        texts[module] = draft.getvalue()
    (log,) = json.loads(texts[sarif])["runs"]
    kinds = [each["properties"]["kind"] for each in log["results"]]
    assert {each["level"] for each in log["results"]} <= {"error"}
    assert log["invocations"][0]["executionSuccessful"] is not bool({"unreadable", "interrupted"} & {*kinds})
    lines = texts[github].splitlines()
    assert sum(line.startswith("::error ") for line in lines) == len(kinds)
    cases = list(ElementTree.fromstring(texts[junit]).iter("testcase"))
    due = [] if not kinds else ["failure" if {*kinds} == {"broken"} else "error"]
    assert [each.tag for case in cases for each in case if each.tag != "system-out"] == due
    return kinds


@pytest.mark.parametrize(("result", "kinds"), TRACES.values(), ids=TRACES)
def test_what_is_wrong_with_a_trace(result: TraceResult, kinds: list[str]) -> None:
    assert bool(kinds) == (result.status is not Status.HOLDS or result.interrupted)
    assert told(CheckRun([result])) == kinds
    assert told(DriveRun("a.so", result, [], 1, 2, "", None, 1.0)) == kinds


@pytest.mark.parametrize(
    ("result", "kinds"),
    [
        (SNAPSHOT, []),
        (replace(SNAPSHOT, checked=False), ["nothing"]),
        (replace(SNAPSHOT, whole=False), ["unknown"]),
        (replace(SNAPSHOT, whole=False, unreadable=[Unreadable(0, 0x1000, None)] * 2), ["unknown"] * 2),
    ],
)
def test_what_is_wrong_with_a_snapshot(result: SnapshotResult, kinds: list[str]) -> None:
    assert bool(kinds) == (result.status is not Status.HOLDS)
    assert told(SnapshotRun(result)) == kinds


class Besides:
    """Something that `prove` was asked to do besides."""

    key = "emit_smt"

    def __init__(self, status: Status) -> None:
        self.status = status

    def document(self) -> dict[str, Any]:
        return {}

    def tell(self, console: Console) -> None:
        console.print("what came of it")


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        (Status.HOLDS, []),
        (Status.BROKEN, ["broken"]),
        (Status.UNUSABLE, ["unreadable"]),
        (Status.UNKNOWN, ["unknown"]),
        (Status.NOTHING, ["nothing"]),
    ],
)
def test_what_is_wrong_with_what_prove_does_besides(status: Status, kinds: list[str]) -> None:
    assert told(ProofRun("x64-2m", [PROVED], {}, [], 1.0, parts=[Besides(status)])) == kinds


def test_warnings_are_no_failures_and_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    spurious = Warned("a.jsonl", 2, "spurious\x1b\n::error::free")
    warned = CheckRun([replace(HOLDS, warnings=[spurious, Warned("a.jsonl", None, "skipped 1 event")])])
    assert told(warned) == []
    for module in (junit, sarif, github):
        module.write(warned, draft := Draft(None))
        assert "spurious\\x1b" in draft.getvalue().replace("\\\\", "\\")
        assert not draft.getvalue().splitlines()[0].startswith("::error")


def test_of_many_warnings_none_is_left_out_unsaid() -> None:
    warnings = [Warned("a.jsonl", line, "spurious") for line in range(1, 1 + 2000)]
    run = CheckRun([replace(HOLDS, warnings=warnings)])
    texts = []
    for module in (github, junit, sarif):
        module.write(run, draft := Draft(None))
        texts.append(draft.getvalue())
    lines = texts[0].splitlines()
    assert lines[github.MOST] == "::warning title=memoracle check::and 1,950 more"
    assert sum(line.startswith("::") for line in lines) == github.MOST + 1
    assert "and 1,000 warnings more" in texts[1]
    assert len(json.loads(texts[2])["runs"][0]["invocations"][0]["toolExecutionNotifications"]) == len(warnings)
    text = step_summary.summary(findings_of(run))
    assert "<li>and 1,950 warnings more</li>" in text
    assert text.count("<li>") == step_summary.MOST_CASES + 1
    assert "more</li>" not in step_summary.summary(findings_of(CheckRun([replace(HOLDS, warnings=warnings[:50])])))


def test_a_warning_says_where_it_stands() -> None:
    """Where it is about a line, and where it is about a file, or nothing that can be shown."""
    warnings = [Warned("a.jsonl", 2, "a"), Warned("a.jsonl", None, "b"), Warned("-", 3, "c"), Warned(None, None, "d")]
    run = CheckRun([replace(HOLDS, warnings=warnings)])
    document = run.document()
    said = ["a.jsonl:2: a", "a.jsonl: b", "<stdin>:3: c", "d"]
    assert document["warnings"] == document["results"][0]["warnings"] == said
    assert [(each["file"], each["line"]) for each in document["warned"]] == [tuple(each[:2]) for each in warnings]
    github.write(run, draft := Draft(None))
    title = "title=memoracle check"
    assert draft.getvalue().splitlines()[:4] == [
        f"::warning file=a.jsonl,line=2,{title}::a",
        f"::warning file=a.jsonl,{title}::b",
        f"::warning {title}::<stdin>:3: c",
        f"::warning {title}::d",
    ]
    sarif.write(run, draft := Draft(None))
    (log,) = json.loads(draft.getvalue())["runs"]
    first, second, third, last = log["invocations"][0]["toolExecutionNotifications"]
    assert [each["message"]["text"] for each in (first, second, third, last)] == said
    place = first["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("a.jsonl", 2)
    assert third["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "<stdin>"}]
    assert "locations" not in last
    junit.write(run, draft := Draft(None))
    shown = ElementTree.fromstring(draft.getvalue()).findtext(".//system-out") or ""
    assert shown.splitlines()[:4] == [f"warning: {each}" for each in said]


def test_warnings_of_a_run_stand_in_the_trace_that_was_kept() -> None:
    warned = replace(HOLDS, path="<run>", warnings=[Warned("<run>", 2, "a")])
    for kept, place in (("kept.jsonl", "file=kept.jsonl,line=2,"), (None, "")):
        github.write(DriveRun("a.so", warned, [], 1, 2, "", kept, 1.0), draft := Draft(None))
        assert draft.getvalue().startswith(f"::warning {place}title=memoracle drive::a\n")


def test_a_step_says_no_more_than_a_server_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(github.SUMMARY, str(tmp_path / "summary.md"))
    long = Divergence("a.jsonl", 2, EVENT, Finding("a.b", "it is short", "x" * 100_000, ""))
    draft = Draft(None)
    github.write(CheckRun([replace(HOLDS, divergences=[long], warnings=[Warned(None, None, "<b>")])]), draft)
    assert len(draft.getvalue()) < 2 * github.MOST_CHARACTERS
    assert "<b>" not in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_a_component_of_which_something_fails_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(github.SUMMARY, str(tmp_path / "summary.md"))
    results = [PROVED, replace(PROVED, component="b"), replace(PROVED, component="b", verdict="unknown")]
    github.write(ProofRun("x64-2m", results, {}, [], 1.0), Draft(None))
    said = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "✅</td><td><code>a<" in said
    assert "❌</td><td><code>b<" in said


def test_what_is_said_is_no_command() -> None:
    draft = Draft(None)
    github.write(CheckRun([replace(HOLDS, path="::error::x")]), draft)
    assert draft.getvalue().startswith("::error") is False
    assert "error::x: conforms" in draft.getvalue()


def test_what_sarif_says_can_be_printed() -> None:
    hostile = Finding("bitmap.allocates-only-free", "only a free frame is", "\x1b[31m\u202e", "\x07")
    draft = Draft(None)
    sarif.write(CheckRun([replace(HOLDS, divergences=[replace(BREAKS, finding=hostile)])]), draft)
    said = json.loads(draft.getvalue())["runs"][0]["results"][0]["message"]["text"]
    assert said.isprintable()


def test_a_summary_that_cannot_be_written_costs_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(github.SUMMARY, str(tmp_path / "nowhere" / "summary.md"))
    trace = tmp_path / "a.jsonl"
    trace.write_text(f'{{"memoracle": 1}}\n{json.dumps(EVENT)}\n')
    command, junit = ["check", str(trace)], f"--report=junit={tmp_path / 'junit'}"
    assert main([*command, f"--report=github={tmp_path / 'github'}", "--quiet"]) == 2
    assert "summary.md: cannot write" in capsys.readouterr().err
    assert main([*command, "--format", "github", junit]) == 2
    printed = capsys.readouterr()
    assert printed.out.startswith("::error ")
    assert "summary.md: cannot write" in printed.err
    assert (tmp_path / "github").read_text(encoding="utf-8") == printed.out
    assert (tmp_path / "junit").is_file()
