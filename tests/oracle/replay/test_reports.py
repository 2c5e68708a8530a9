"""Traces after public bug reports: of each defect the line is named that shows it, and without it nothing is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memoracle.cli import main

REPORTS = Path(__file__).parents[2] / "data" / "reports"
# By case, the line that is named and the rule that it breaks.
CASES = {
    "r01-fallback-owns-twice": (9, "bitmap.allocates-only-free"),
    "r02-holes-are-free": (5, "bitmap.allocates-only-free"),
    "r05-two-entries-of-one-block": (4, "buddy.block-is-free"),
    "r07-memalign-twice-the-same": (3, "heap.address-is-unique"),
    "r09-odd-size-below-alignment": (3, "heap.is-aligned"),
    "r20-regions-never-merge": (3, "frame.allocate.must-succeed"),
    "r22-limit-is-ignored": (3, "runs.run-lies-within-limits"),
    "r23-boot-data-handed-out": (5, "bitmap.allocates-only-free"),
    "r26-partial-free-of-a-run": (4, "runs.run-is-free"),
}


def test_every_case_is_listed() -> None:
    assert sorted(path.name for path in REPORTS.glob("*.jsonl")) == sorted(
        f"{case}.{kind}.jsonl" for case in CASES for kind in ("bad", "good")
    )


@pytest.mark.parametrize("case", CASES)
def test_the_line_that_shows_the_defect_is_named(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "json", str(REPORTS / f"{case}.bad.jsonl")]) == 1
    (found,) = json.loads(capsys.readouterr().out)["divergences"]
    assert (found["line"], found["clause"]) == CASES[case]


@pytest.mark.parametrize("case", CASES)
def test_without_the_defect_it_conforms(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "json", str(REPORTS / f"{case}.good.jsonl")]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "conforms"
