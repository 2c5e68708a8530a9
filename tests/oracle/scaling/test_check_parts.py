"""A trace that is checked in parts gets the answer that it gets in sequence."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manager_recorder import Recorder, recorded
from small_geometry import SMALL

from memoracle import Buddy, cli
from memoracle.cli import main
from memoracle.commands import check_parts
from memoracle.commands.check_inputs import Check
from memoracle.commands.check_parts import Part, digits_of, in_parts, replayed
from memoracle.commands.check_spread import outcomes_of_all, unit_of
from memoracle.replay.coverage import Coverage
from memoracle.report import check_report
from memoracle.report.check_report import TraceResult
from memoracle.scaling.workers import of_executor

HEADER = {"memoracle": 1, "geometry": SMALL}
PAGE, ORDER = 1 << 21, 4
PROCESSES = 13


class Here(Executor):
    """Does each unit as it is handed over, in this process."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future = Future[Any]()
        future.set_result(work(*arguments, **named))
        return future


@pytest.fixture(autouse=True, scope="module")
def _small_files_are_large() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check_parts, "LEAST_BYTES", 1)
        yield


def run_of(seed: int, count: int) -> list[dict[str, Any]]:
    """What a manager that conforms is asked and answers: ranges of some processes, and frames."""
    random = Random(seed)
    ranges: dict[int, tuple[Buddy, list[tuple[int, int]]]] = {}
    frames, taken = [*range(2, 16)], list[int]()
    told: list[dict[str, Any]] = []
    for _ in range(count):
        process = random.randint(1, PROCESSES)
        kind = random.choice(["range", "range", "range", "frame", "life", "size"])
        if kind == "frame":
            if taken and random.random() < 0.5:
                frames.append(taken.pop())
                told.append({"op": "frame.free", "address": frames[-1] * PAGE})
            elif frames:
                taken.append(frames.pop(random.randrange(len(frames))))
                told.append({"op": "frame.allocate", "result": taken[-1] * PAGE})
            else:
                told.append({"op": "frame.allocate", "error": "none"})
        elif process not in ranges:
            ranges[process] = Buddy(ORDER), []
            told.append({"op": "process.create", "result": process})
        elif kind == "life":
            if random.random() < 0.3:
                del ranges[process]
                told.append({"op": "process.exit", "process": process})
        else:
            told.append(of_range(random, process, *ranges[process], kind == "size"))
    return told


def of_range(
    random: Random, process: int, buddy: Buddy, blocks: list[tuple[int, int]], is_question: bool
) -> dict[str, Any]:
    if is_question:
        page, pages = random.choice(blocks) if blocks else (random.randrange(16), 0)
        return {"op": "range.size", "process": process, "address": page * PAGE, "result": pages}
    if blocks and random.random() < 0.5:
        page, pages = blocks.pop(random.randrange(len(blocks)))
        buddy.free(page, pages)
        return {"op": "range.free", "process": process, "address": page * PAGE, "pages": pages}
    pages = random.choice([1, 2, 4])
    found = buddy.allocate(pages)
    asked = {"op": "range.allocate", "process": process, "pages": pages}
    if found is None:
        return asked | {"error": "none"}
    blocks.append((found, pages))
    return asked | {"result": found * PAGE}


def spoilt(random: Random, lines: list[str]) -> None:
    """Changes something in a line, or leaves it out, or has it twice: much of that is a fault."""
    place = random.randrange(1, len(lines))
    try:
        event = json.loads(lines[place])
    except ValueError:
        return  # it was cut off before
    match random.randrange(7):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, lines[place])
        case 2:
            event["process"] = random.randint(0, PROCESSES)
            lines[place] = json.dumps(event)
        case 3:
            event["result"] = random.randrange(16) * PAGE
            lines[place] = json.dumps(event)
        case 4:
            lines[place] = json.dumps(dict(reversed(event.items())))
        case 5:
            lines[place] = json.dumps(event | {"_cpu": 3, "crash": "it died"})
        case 6:
            lines[place] = lines[place][: random.randrange(len(lines[place]) + 1)]


def told(outcomes: list[TraceResult]) -> tuple[dict[str, Any], list[Coverage | None], list[str]]:
    """All that a report says."""
    return (
        check_report.document(outcomes),
        [each.coverage for each in outcomes],
        [str(each.fault) for each in outcomes],
    )


def both(lines: list[str], count: int, *options: str) -> tuple[bool, TraceResult]:
    """Whether a trace was checked in parts, and what came of it, which is the same in sequence."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/trace.jsonl"
        Path(path).write_text("\n".join(lines) + "\n")
        check = Check(cli.parser(["check"]).parse_args(["check", "--quiet", *options, path]))
        workers = of_executor(Here(), count)
        alone = check.outcomes_of(path)
        assert told(outcomes_of_all(check, [path], workers)) == told(alone)
        return isinstance(in_parts(check, path, workers), TraceResult), alone[0]


@given(st.integers(0, 1 << 32), st.sampled_from([1, 2, 5, 20]), st.sampled_from(["legal", "safe", "exact"]))
def test_what_conforms_is_checked_in_parts(seed: int, count: int, level: str) -> None:
    lines = [json.dumps(each) for each in (HEADER, *run_of(seed, 150))]
    if level == "exact":
        lines = [each for each in lines if '"frame' not in each]
    in_part, alone = both(lines, count, "--level", level)
    assert in_part == (alone.status == 0)


@given(st.integers(0, 1 << 32), st.sampled_from([1, 2, 5]), st.booleans(), st.integers(1, 3))
def test_what_is_spoilt_gets_the_answer_of_a_check_in_sequence(seed: int, count: int, keep: bool, faults: int) -> None:
    random = Random(seed)
    lines = [json.dumps(each) for each in (HEADER, *run_of(seed, 120))]
    for _ in range(faults):
        spoilt(random, lines)
    in_part, alone = both(lines, count, *(["--keep-going"] if keep else []))
    assert not in_part or alone.status == 0


@given(st.integers(0, 1 << 32), st.booleans(), st.integers(0, 2))
def test_whatever_a_manager_does_gets_the_same_answer_in_parts(seed: int, are_named: bool, faults: int) -> None:
    random = Random(seed)
    geometry = SMALL | {"frames": 24, "process_range": {"start": 0, "pages": 8}}
    events = recorded(Recorder(random, are_named), 60).events
    lines = [json.dumps(each) for each in ({"memoracle": 1, "geometry": geometry}, *events)]
    for _ in range(faults):
        spoilt(random, lines)
    in_part, alone = both(lines, random.choice([1, 2, 5]))
    assert not in_part or alone.status == 0


@pytest.mark.parametrize("spoilt_by", ["12 ,", "12\t,", "  12,", '"0xc",'])
def test_a_line_whose_part_is_not_plain_is_counted_once(spoilt_by: str) -> None:
    events = [{"op": "process.create", "result": 12}, *(allocated(12, page) for page in range(4))]
    lines = [json.dumps(each) for each in (HEADER, *events)]
    in_part, alone = both(lines, 3)
    assert (in_part, alone.status) == (True, 0)
    lines[3] = lines[3].replace("12,", spoilt_by)
    in_part, alone = both(lines, 3)
    assert (in_part, alone.status) == (False, 0)


def allocated(process: int, page: int) -> dict[str, Any]:
    return {"op": "range.allocate", "process": process, "pages": 1, "result": page * PAGE}


def test_each_process_is_of_one_part() -> None:
    for count in range(2, 12):
        digits = b"".join(digits_of(number, count) for number in range(1, count))
        assert sorted(digits) == sorted(b"0123456789")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([HEADER | {"private_frames": True}], "its implementation takes frames without saying so"),
        ([HEADER, {"op": "frame.free_count", "result": 14, "_call": 1, "_return": 2}], "its operations overlap"),
        (
            [
                HEADER,
                {"op": "process.create", "result": 1},
                {"process": 1, "op": "range.allocate", "pages": 1, "result": 0},
            ],
            "a line says in another form",
        ),
        ([HEADER, {"op": "frame.free_count", "result": 3}], "something is found in it"),
    ],
)
def test_why_a_trace_is_checked_in_sequence_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lines: list[dict[str, Any]], words: str
) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    main(["check", "--jobs", "2", str(path)])
    errors = capsys.readouterr().err
    assert errors.startswith(f"memoracle: {path} is checked in sequence: {words}")


def test_a_part_takes_its_own_lines_alone(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in (HEADER, *run_of(7, 300))))
    check = Check(cli.parser(["check"]).parse_args(["check", "--quiet", str(path)]))
    parts = [replayed(Part(unit_of(check, [str(path)]), number, 3)) for number in range(3)]
    whole = check.outcomes_of(str(path))[0]
    assert {each.events for each in parts} == {whole.events}
    assert all(each.coverage is not None and sum(each.coverage.events.values()) < whole.events for each in parts)
