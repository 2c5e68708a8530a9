"""Recordings of overlapping operations, as `check` reads them and reports of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memoracle import check
from memoracle.cli import main
from tests.oracle.check_command import checked

HEADER = {"memoracle": 1, "geometry": {"preset": "x64-4k", "frames": 16, "kernel_image_frames": 2}}
TAKEN = {"op": "frame.allocate", "result": "0x4000"}
OVERLAP = [{**TAKEN, "_cpu": 0, "_call": 10, "_return": 40}, {**TAKEN, "_cpu": 1, "_call": "0x14", "_return": 30}]
FREED = {"op": "frame.free", "address": "0x4000", "_cpu": 2, "_call": 30, "_return": 50}
BOOT = {"op": "boot", "memory_map": [{"start": 0, "length": 65536, "type": 1}]}


def written(folder: Path, *events: dict[str, Any]) -> str:
    path = folder / "recording.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in (HEADER, *events)))
    return str(path)


def test_a_window_without_a_legal_order_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["check", written(tmp_path, *OVERLAP)]) == 1
    shown = capsys.readouterr().out
    assert "frame 4 is already allocated (by line 3)" in shown
    bars = shown[shown.index("  window") :].splitlines()
    assert bars[:5] == [
        "  window  2 operations of 2 processors have no legal order",
        "          _cpu 0  ├───1────┤",
        "          _cpu 1     ├2─┤",
        "          1  line 2: frame.allocate -> 0x4000",
        "          2  line 3: frame.allocate -> 0x4000",
    ]
    assert "1 divergence in concurrent: 2 operations of 2 processors" in shown


def test_an_order_that_is_legal_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, document, _ = checked(capsys, written(tmp_path, BOOT, *OVERLAP, FREED))
    assert (status, document["verdict"], document["events"]) == (0, "conforms", 4)
    assert document["concurrent"] == {"operations": 4, "processors": 3}
    assert document["coverage"]["operations"]["frame.allocate"] == {"events": 2, "failed": 0}


def test_the_window_is_in_the_report_for_programs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, document, _ = checked(capsys, written(tmp_path, *OVERLAP))
    assert status == 1
    assert document["divergences"][0]["window"] == [
        {"line": 2 + place, "event": event} for place, event in enumerate(OVERLAP)
    ]


def test_a_budget_that_runs_out_is_unknown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, document, _ = checked(capsys, "--budget", "1", written(tmp_path, *OVERLAP))
    assert (status, document["verdict"], document["divergences"]) == (3, "unknown", [])


def test_what_is_drawn_is_escaped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    failed = {"op": "frame.allocate", "error": "\x1b[31m::error::", "_cpu": 1, "_call": 20, "_return": 30}
    assert main(["check", written(tmp_path, failed)]) == 1
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "keys", "says"),
    [
        (3, {"_call": 50}, "_return: 30 is before the _call, 50"),
        (3, {"_call": 2.5}, '_call: an integer or a string "0x..." was expected'),
        (3, {"_return": "soon"}, "_return: an integer"),
        (3, {"_cpu": True}, "_cpu: an integer"),
        (3, {"_cpu": 0}, "_call: 20 is before the _return of line 2 on the same _cpu 0"),
        (3, {"_call": None}, "_call: an integer"),
        (3, {"result": "0xg"}, "result: neither an integer"),
        (3, {"zone": "none"}, "zone: "),
    ],
)
def test_a_bad_event_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: int, keys: dict[str, Any], says: str
) -> None:
    path = written(tmp_path, OVERLAP[0], {**OVERLAP[1], **keys})
    assert main(["check", path]) == 2
    assert f"{path}:{line}: {says}" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["_cpu", "_call", "_return"])
def test_all_have_times_or_none(capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str) -> None:
    lacking = {name: value for name, value in OVERLAP[1].items() if name != key}
    path = written(tmp_path, OVERLAP[0], lacking)
    assert main(["check", path]) == 2
    assert f"{path}:3: {key}: missing; all events of a recording have _cpu, _call, _return" in capsys.readouterr().err


def test_times_are_not_for_some_events_only(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = written(tmp_path, TAKEN, FREED)
    assert main(["check", path]) == 2
    assert f"{path}:3: _call: given here, and not of the events before" in capsys.readouterr().err


def test_a_recording_cannot_be_followed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["check", "--follow", written(tmp_path, *OVERLAP)]) == 2
    assert "--follow is not for them" in capsys.readouterr().err


def test_events_are_skipped_and_a_memory_map_is_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("BIOS-e820: [mem 0x0000000000000000-0x0000000000004fff] usable\n")
    odd = {"op": "tlb.flush", "_cpu": 1, "_call": 1, "_return": 2}
    counted = {"op": "frame.free_count", "result": 3, "_cpu": 0, "_call": 1, "_return": 2}
    options = ["--ignore-unknown", "--memory-map", str(log)]
    status, document, _ = checked(capsys, *options, written(tmp_path, counted, odd))
    assert (status, document["verdict"]) == (0, "conforms")
    assert "skipped 1 event" in document["warnings"][0]


def test_the_library_decides_it_too() -> None:
    found = check([HEADER, *OVERLAP])
    assert (found.verdict, len(found.divergences[0].window)) == ("diverges", 2)
