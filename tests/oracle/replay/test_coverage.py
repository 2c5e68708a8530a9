"""What a trace exercised is said after its verdict: operations, exhaustion, and the rules that nothing tested."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from misuses import BOOT, CREATED, MISUSES, PAGE, op

from memoracle.cli import main
from memoracle.replay.coverage import AT_STAKE, KINDS
from memoracle.trace.events import OPERATIONS, operation_of_kind

FRAMES = [op("frame.allocate", result=frame * PAGE) for frame in range(2, 16)]
NO_FRAME = op("frame.allocate", error="none is left")
ALL_PAGES = [CREATED, op("range.allocate", process=1, pages=16, result=0)]
NO_RANGE = op("range.allocate", process=1, pages=1, error="none is left")


def coverage(report: Any) -> dict[str, Any]:
    found = report.document["coverage"]
    assert isinstance(found, dict)
    return found


def test_operations_are_counted_by_kind(check: Callable[..., Any]) -> None:
    free = op("frame.free", address=2 * PAGE)
    events = [BOOT, *FRAMES[:2], free, free | {"error": "it is free"}, free | {"_cpu": 1, "error": "again"}]
    assert coverage(check(events))["operations"] == {
        "boot": {"events": 1, "failed": 0},
        "frame.allocate": {"events": 2, "failed": 0},
        "frame.free": {"events": 3, "failed": 2},
    }


EXHAUSTED: dict[str, tuple[list[dict[str, Any]], bool, bool]] = {
    "nothing": (FRAMES[:13], False, False),
    "the last frame": (FRAMES, True, False),
    "no frame": ([*FRAMES, NO_FRAME], True, False),
    "the last frame for kernel pages": (
        [*FRAMES[:13], op("kernel_pages.allocate", pages=1, frames=[15 * PAGE], result=hex(0xFFFFFFFF00400000))],
        True,
        False,
    ),
    "the last frame, which is not named": (
        [*FRAMES[:13], op("kernel_pages.allocate", pages=1, result=hex(0xFFFFFFFF00400000))],
        True,
        False,
    ),
    "the last frame by number": ([op("boot", memory_map=[]), NO_FRAME], True, False),
    "no frame for a process": ([*FRAMES, op("process.create", error="no memory")], True, False),
    "no range": ([*ALL_PAGES, NO_RANGE], False, True),
    "no range for kernel pages": ([op("kernel_pages.allocate", pages=9, error="no room")], False, True),
    "a range that is full, of which nothing more is asked": (ALL_PAGES, False, False),
    "no pages are asked for": ([CREATED, NO_RANGE | {"pages": 0}], False, False),
}


@pytest.mark.parametrize("level", ["safe", "legal", "exact"])
@pytest.mark.parametrize(("events", "frames", "ranges"), EXHAUSTED.values(), ids=EXHAUSTED.keys())
def test_exhaustion(check: Callable[..., Any], events: list[Any], frames: bool, ranges: bool, level: str) -> None:
    report = check(events, "--level", level)
    assert report.status == 0
    assert coverage(report)["exhausted"] == {"frames": frames, "ranges": ranges}


RUNS = {"preset": "x64-2m", "frames": 16, "frame_allocator": "runs"}
OF_SEVERAL = op("frame.allocate", count=15, error="too few in a row")
BELOW = {"below": PAGE}


@pytest.mark.parametrize("allocator", ["runs", "buddy"])
def test_a_failure_for_several_frames_leaves_some(check: Callable[..., Any], allocator: str) -> None:
    geometry = RUNS | {"frame_allocator": allocator}
    some = check([OF_SEVERAL, NO_FRAME | BELOW], geometry=geometry)
    assert (some.status, coverage(some)["exhausted"]["frames"]) == (0, False)
    none = check([op("frame.reserve", address=2 * PAGE, count=14), OF_SEVERAL], geometry=geometry)
    assert (none.status, coverage(none)["exhausted"]["frames"]) == (0, True)
    nothing = check([op("boot", memory_map=[]), OF_SEVERAL], geometry=geometry)
    assert (nothing.status, coverage(nothing)["exhausted"]["frames"]) == (0, True)


def test_a_failure_within_limits_leaves_some(check: Callable[..., Any]) -> None:
    assert not coverage(check([NO_FRAME | BELOW]))["exhausted"]["frames"]
    assert coverage(check([op("boot", memory_map=[]), NO_FRAME | BELOW]))["exhausted"]["frames"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (op("pat.decode", index=0, result="write-back"), None),
        (FRAMES[0], "frames"),
        (op("range.size", process=0, address="0xffffffff00400000", result=0), "ranges"),
        (op("kernel_pages.allocate", pages=1, result="0xffffffff00400000"), "frames or ranges"),
    ],
)
def test_what_never_ran_out_is_said_of_what_events_are_about(
    event: dict[str, Any], said: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", written(tmp_path, "t", [event])]) == 0
    rows = [line.split("out of") for line in capsys.readouterr().out.splitlines() if "ran out of" in line]
    assert [(verb.split(), what.strip()) for verb, what in rows] == ([(["never", "ran"], said)] if said else [])


def untested(report: Any, operation: str) -> list[str]:
    clauses = coverage(report)["untested"].get(operation, [])
    assert isinstance(clauses, list)
    return clauses


@pytest.mark.parametrize("misuse", MISUSES, ids=[f"{misuse.op}: {misuse.clause}" for misuse in MISUSES])
def test_a_call_that_breaks_a_rule_tests_it(check: Callable[..., Any], misuse: Any, small: dict[str, Any]) -> None:
    assert misuse.clause in untested(
        check([*misuse.before, op("pat.register", result="0x0005040600010406")]), misuse.op
    )
    assert misuse.clause not in untested(check(misuse.fails()), misuse.op)
    assert misuse.clause not in untested(check(misuse.succeeds()), misuse.op)
    ignored = small | {"misuse": {misuse.op: "ignore"}}
    assert misuse.clause not in untested(check(misuse.succeeds(), geometry=ignored), misuse.op)


def test_every_rule_of_a_call_can_be_tested() -> None:
    """No rule is said to be untested that no trace can test, and none is left out."""
    broken = {(misuse.op, misuse.clause) for misuse in MISUSES}
    assert {(operation_of_kind(kind), clause.name) for kind in KINDS for clause in AT_STAKE[kind].calls} == broken
    assert {operation_of_kind(kind) for kind in AT_STAKE} == OPERATIONS


def test_rules_of_answers_are_tested_by_answers(check: Callable[..., Any]) -> None:
    failed = check([*FRAMES, NO_FRAME])
    assert untested(failed, "frame.allocate") == []
    assert "bitmap.allocates-only-free" in untested(check([BOOT]), "frame.allocate")
    assert untested(check([op("frame.is_free", address=0, result=False)]), "frame.is_free") == [
        "bitmap.frame-is-in-reach"
    ]
    refused = check([op("pat.decode", index=8, error="no")])
    assert untested(refused, "pat.decode") == ["pat.tells-the-type"]


def test_at_safe_what_is_not_judged_is_not_tested(check: Callable[..., Any]) -> None:
    events = [op("frame.free_count", result=14), *FRAMES[:1]]
    report = check(events, "--level", "safe")
    assert untested(report, "frame.free_count") == ["bitmap.tells-the-count"]
    assert untested(report, "frame.allocate") == []


def test_what_follows_a_crash_exercises_nothing(check: Callable[..., Any]) -> None:
    after = [FRAMES[0], NO_FRAME, op("pat.register", result=1), op("frame.free", address=0, crash="again")]
    report = check([op("frame.free_count", crash="panic"), *after], "--keep-going")
    assert coverage(report)["operations"] == {"frame.free_count": {"events": 1, "failed": 1}}
    restarted = check([op("frame.free_count", crash="panic"), *after, BOOT, FRAMES[0]], "--keep-going")
    assert coverage(restarted)["operations"].keys() == {"frame.free_count", "boot", "frame.allocate"}


def written(tmp_path: Path, name: str, events: list[dict[str, Any]]) -> str:
    path = tmp_path / name
    geometry = {"preset": "x64-2m", "frames": 16}
    path.write_text("".join(json.dumps(each) + "\n" for each in [{"memoracle": 1, "geometry": geometry}, *events]))
    return str(path)


def test_traces_of_one_run_are_counted_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = written(tmp_path, "one", [*FRAMES, NO_FRAME])
    two = written(tmp_path, "two", [op("frame.free", address=2 * PAGE, error="it is free")])
    assert main(["check", "--format", "json", one, two]) == 0
    found = json.loads(capsys.readouterr().out)["coverage"]
    assert found["operations"]["frame.allocate"] == {"events": 15, "failed": 1}
    assert found["operations"]["frame.free"] == {"events": 1, "failed": 1}
    assert found["exhausted"]["frames"]
    assert "bitmap.frees-only-allocated" not in found["untested"]["frame.free"]


def test_text_has_a_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "t", [*FRAMES, NO_FRAME, op("frame.free", address=0, error="the image's")])
    assert main(["check", path]) == 0
    out = capsys.readouterr().out
    verdict, *said = [" ".join(line.split()) for line in out.splitlines()]
    assert verdict.endswith("conforms: 16 events, at level legal")
    told = " ".join(said)
    assert told.startswith("exercised 15 frame.allocate (1 failed), 1 frame.free (1 failed) ran out of frames ")
    assert "ran out of frames never tested frame.free [bitmap.frame-is-in-reach, " in told
    assert "frees-only-what-may-be-free" not in told
    assert len(said) <= 8
    assert main(["check", "--quiet", path]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_a_trace_that_was_not_read_to_its_end_is_not_summed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "t", [op("frame.free_count", result=3), *FRAMES])
    assert main(["check", path]) == 1
    assert "exercised" not in capsys.readouterr().out
    assert main(["check", "--keep-going", path]) == 1
    assert "14 frame.allocate" in capsys.readouterr().out


def test_what_has_no_events_of_a_trace_has_no_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    data = Path(__file__).parents[2] / "data"
    assert main(["check", "--format", "json", str(data / "e820" / "qemu-4g.txt")]) == 0
    assert json.loads(capsys.readouterr().out)["coverage"] is None
