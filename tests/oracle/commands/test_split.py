"""Several traces in one file: an error that says so, or with --split one after another."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from memoracle.cli import main

HEADER = '{"memoracle": 1}'
RIGHT = '{"op": "frame.free_count", "result": 2046}'
WRONG = '{"op": "frame.free_count", "result": 3}'
BOOT = '{"op": "boot", "memory_map": [{"start": 0, "length": 16777216, "type": 1}]}'
SIX = '{"op": "frame.free_count", "result": 6}'


def run(run_lines: Callable[..., Any], lines: list[str], *options: str) -> tuple[Any, ...]:
    report = run_lines(lines, *options)
    return report.status, report.document["verdict"], report.document["events"], report.broken


def test_without_the_option_it_is_an_error(run_lines: Callable[..., Any]) -> None:
    for second in (HEADER, '{"memoracle": 1, "geometry": "x64-4k", "_boot": 2}', '{"memoracle": 2}'):
        report = run_lines([HEADER, RIGHT, second, RIGHT])
        assert (report.status, report.document["events"]) == (2, 1)
        assert "trace.jsonl:3: the trace starts again at line 3: one trace a file, or --split" in report.errors


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ([HEADER, RIGHT], (0, "conforms", 1, [])),
        ([HEADER, RIGHT, HEADER, RIGHT, RIGHT], (0, "conforms", 3, [])),
        ([HEADER, BOOT, SIX, HEADER, RIGHT, HEADER, BOOT, SIX], (0, "conforms", 5, [])),
        ([HEADER, WRONG, WRONG, HEADER, RIGHT, HEADER, WRONG], (1, "diverges", 3, [2, 7])),
        ([HEADER, RIGHT, HEADER], (4, "nothing", 1, [])),
        ([HEADER, HEADER, RIGHT], (4, "nothing", 1, [])),
        ([HEADER, "{", HEADER, WRONG], (2, "diverges", 1, [4])),
        ([HEADER, RIGHT, '{"memoracle": 1, "geometry": "z80"}', RIGHT, HEADER, RIGHT], (2, "unknown", 2, [])),
        ([HEADER, RIGHT, HEADER, RIGHT, BOOT], (1, "diverges", 3, [5])),
        ([HEADER, '{"op": "frame.free_count", "result": 2046, "_x": "\\"memoracle\\""}'], (0, "conforms", 1, [])),
        ([HEADER, '{"op": "frame.free_count", "result": 2046, "_x": {"memoracle": 1}}'], (0, "conforms", 1, [])),
    ],
)
def test_each_trace_is_checked_by_itself(
    run_lines: Callable[..., Any], lines: list[str], outcome: tuple[int, str, int, list[int]]
) -> None:
    status, verdict, events, broken = run(run_lines, lines, "--split")
    assert (status, verdict, events, [line for line, _ in broken]) == outcome


def test_faults_name_the_line_of_the_file(run_lines: Callable[..., Any]) -> None:
    report = run_lines([HEADER, "{", HEADER, RIGHT, '{"op": "fly"}', '{"memoracle": 3}', RIGHT], "--split")
    assert report.status == 2
    assert [line.split("trace.jsonl:")[1].split(":")[0] for line in report.errors.splitlines()] == ["2", "5", "6"]


def test_earlier_lines_are_those_of_the_file(run_lines: Callable[..., Any]) -> None:
    allocate = '{"op": "frame.allocate", "result": 4194304}'
    report = run_lines([HEADER, RIGHT, HEADER, allocate, allocate], "--split")
    assert [found["message"] for found in report.document["divergences"]] == [
        "frame 2 is already allocated (by line 4)"
    ]


def test_the_text_says_where_each_trace_starts(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join([HEADER, RIGHT, HEADER, json.dumps({"op": "fly"}), RIGHT]))
    assert main(["check", "--split", "--ignore-unknown", "--quiet", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{path}: conforms: 1 event, at level legal",
        f"{path}, from line 3: conforms: 2 events, 1 of them skipped, at level legal",
    ]
