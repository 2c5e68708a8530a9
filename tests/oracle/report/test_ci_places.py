"""JUnit XML, SARIF and GitHub's commands: where what is wrong stands, and what makes it the same in another run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.divergence import Finding as Broken
from memoracle.report.check_report import CheckRun, TraceResult
from memoracle.report.ci import files, of_check, of_snapshot, sarif
from memoracle.report.ci.cases import Place
from memoracle.report.run import FaultRun
from memoracle.report.snapshot_report import SnapshotResult
from memoracle.snapshot.findings import ONE_MEMORY_TYPE, Finding, Findings, Line
from memoracle.snapshot.mappings import Mappings
from memoracle.trace.inputs import InputError

EVENT = {"op": "frame.allocate", "result": "0x0"}
BREAKS = Divergence("a.jsonl", 2, EVENT, Broken("bitmap.allocates-only-free", "only a free frame is", "it is not", ""))


def test_a_trace_that_begins_within_a_file_stands_where_it_begins() -> None:
    nothing = TraceResult("a.jsonl", "legal", first_line=5)
    (problem,) = of_check.of_check(CheckRun([nothing])).problems
    assert sarif.location(problem.place)["physicalLocation"]["region"] == {"startLine": 5}


def test_what_keeps_a_command_from_checking_stands_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "geometry.toml"
    path.touch()
    for fault, place in (
        (InputError(str(path), 3, "broken"), Place(str(path), 3)),
        (InputError("--executor", 3, "broken"), Place(None, None)),
        (ValueError("broken"), Place(None, None)),
    ):
        (problem,) = of_check.of_fault(FaultRun("check", fault)).problems
        assert problem.place == place


def test_a_window_is_related_but_for_the_operation_that_diverges() -> None:
    other = EVENT | {"result": "0x1000"}
    window = ((1, other), (2, EVENT), (4, EVENT))
    problem = of_check.diverges(replace(BREAKS, window=window), "a.jsonl", "a.jsonl")
    assert [(each.file, each.line) for each in problem.related] == [("a.jsonl", 1), ("a.jsonl", 4)]
    assert problem.related[0].says == "frame.allocate -> 0x1000"


def test_what_a_recorder_noted_makes_no_other_problem() -> None:
    noted = replace(BREAKS, event=EVENT | {"_time": 7}, line=9)
    problems = [of_check.diverges(each, "a.jsonl", "a.jsonl") for each in (BREAKS, noted)]
    assert problems[0].identity == problems[1].identity
    first, second = sarif.fingerprints(problems)
    assert (first[:-1], first[-1], second[-1]) == (second[:-1], "0", "1")


def test_a_file_outside_of_the_checkout_is_named_without_detours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    for name in files.CHECKOUTS:
        monkeypatch.delenv(name, raising=False)
    assert sarif.artifact("../a b.jsonl") == {"uri": f"file://{tmp_path}/a%20b.jsonl"}
    assert sarif.artifact("../inside/a.jsonl") == {"uri": "a.jsonl", "uriBaseId": sarif.HERE}
    for checkout, seen in ((tmp_path, "inside/a.jsonl"), (inside / "other", "a.jsonl")):
        monkeypatch.setenv("GITHUB_WORKSPACE", str(checkout))
        assert sarif.artifact("a.jsonl")["uri"] == seen


def test_what_a_line_of_a_snapshot_says_stands_in_that_line() -> None:
    result = SnapshotResult("a.txt", [], Mappings(), Findings(), "a.txt")
    places = Counter[Place]()
    for line in (7, None):
        found = Finding(Line(0, 0x1000, None, "b.txt", line), ONE_MEMORY_TYPE, "seen", "legal")
        places[of_snapshot.breaks(result, found).place] += 1
    assert places == {Place("b.txt", 7): 1, Place("b.txt", None): 1}
