"""What the law of runs says is put in words of frames, blocks and pages: whoever records these knows no places."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from frame_events import BUDDY, LEVELS, MACHINE, PAGE, PARTS, TAKEN, WHOLE, Check, Event, allocate, free, op, reserve
from run_events import CREATE, RUNS
from run_events import allocate as allocate_pages
from run_events import free as free_pages

from memoracle.cli import main
from memoracle.diagnostics.terms import BLOCKS, FRAMES, ONE_FRAME, PAGES, PAGES_OF_LOG, Terms, reported, terms_of
from memoracle.replay.coverage import stakes_of
from memoracle.spec import bitmap, given_runs, run_lists, runs, zones
from memoracle.spec.clauses import Clause, Operation
from memoracle.trace.geometry import geometry_from

ZONES = {"zones": [{"name": "low", "start": 0, "bytes": 16 * PAGE}]}
SINGLE = MACHINE | {"frame_allocator": "single"} | ZONES
MACHINES = {"one": SINGLE, "runs": MACHINE, "whole": WHOLE, "zones": MACHINE | ZONES, "blocks": BUDDY, "parts": PARTS}
LAW = (runs, given_runs, run_lists, zones)
SENTENCES = {
    each.name: each
    for module in LAW
    for each in vars(module).values()
    if isinstance(each, Clause | Operation) and each.name.startswith(("runs.", "zones."))
}


@pytest.fixture
def rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The rule that the report names at the last event."""

    def run(events: list[Event], geometry: dict[str, Any]) -> str:
        path = tmp_path / "t.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in [{"memoracle": 1, "geometry": geometry}, *events]))
        main(["check", "--quiet", str(path)])
        shown = " ".join(capsys.readouterr().out.split())
        found = re.search(r" rule (.*?) \[", shown)
        assert found is not None
        return found[1]

    return run


@pytest.mark.parametrize("terms", [ONE_FRAME, FRAMES, BLOCKS, PAGES, PAGES_OF_LOG])
@pytest.mark.parametrize("of", SENTENCES.values(), ids=SENTENCES.keys())
def test_no_sentence_is_about_places(of: Clause | Operation, terms: Terms) -> None:
    assert re.search(r"\bplaces?\b|\bthe reach\b|all of the frame\b|frame of so many", terms.of(of.says), re.I) is None


@pytest.mark.parametrize("geometry", [*MACHINES.values(), RUNS], ids=[*MACHINES, "pages"])
def test_what_may_break_has_its_terms(geometry: dict[str, Any]) -> None:
    read = geometry_from(geometry)
    about = {kind for kind, stake in stakes_of(read).items() for each in (*stake.calls, *stake.answers)
             if each.name in SENTENCES}  # fmt: skip
    assert about
    assert about <= set(terms_of(read))


CASES: dict[str, tuple[dict[str, Any], list[Event], str]] = {
    "a run": (MACHINE, [allocate(0, 9)], "a run has at least one frame"),
    "a block": (BUDDY, [allocate(0, 9)], "a block has at least one frame"),
    "pages": (RUNS, [CREATE, allocate_pages(0, 0)], "a run has at least one page"),
    "a free run": (MACHINE, [*TAKEN, allocate(2, 8)], "all of the run is free"),
    "a free block": (BUDDY, [*TAKEN, allocate(2, 8)], "all of the block is free"),
    "a free frame": (SINGLE, [*TAKEN, op("frame.allocate", zone="low", result=8 * PAGE)], "the frame is free"),
    "what is reserved is a run": (BUDDY, [*TAKEN, reserve(7, 2)], "all of the run is free"),
    "past the end": (MACHINE, [allocate(4, 30)], "all of the run lies within the bitmap's reach"),
    "past the range": (RUNS, [CREATE, allocate_pages(4, 1 << 20)], "all of the run lies within the range"),
    "a zone": (SINGLE, [op("frame.allocate", zone="low", result=20 * PAGE)], "the frame lies in the zone"),
    "freed twice": (WHOLE, [free(9, 1)], "no frame of the run is free"),
    "a block twice": (BUDDY, [free(9, 1)], "no frame of the block is free"),
    "parts twice": (PARTS, [free(9, 1)], "no frame of the run is free"),
    "pages twice": (RUNS, [CREATE, free_pages(9, 1)], "no page of the run is free"),
    "refused": (
        MACHINE,
        [allocate(2, None)],
        "any run of so many free frames, aligned as asked and within the limits asked for, becomes allocated",
    ),
    "a block refused": (
        BUDDY,
        [allocate(2, None)],
        "any block of so many free frames, aligned as asked and within the limits asked for, becomes allocated",
    ),
    "a frame refused": (
        SINGLE,
        [op("frame.allocate", zone="low", error="none")],
        "any free frame in one of the zones named, aligned and within limits, becomes allocated",
    ),
    "pages refused": (
        RUNS,
        [CREATE, op("range.allocate", process=1, pages=2, error="none")],
        "any run of so many free pages, aligned as asked and within the limits asked for, becomes allocated",
    ),
    "a count": (
        SINGLE,
        [op("frame.free_count", zone="low", result=1)],
        "the answer is the number of free frames in the zone",
    ),
}


@pytest.mark.parametrize(("geometry", "events", "said"), CASES.values(), ids=CASES.keys())
def test_a_rule_is_about_what_is_recorded(
    rule: Callable[..., str], geometry: dict[str, Any], events: list[Event], said: str
) -> None:
    assert rule(events, geometry).startswith(said)


def test_so_it_is_of_a_crash_and_of_a_log(check: Check, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = check([op("frame.allocate", count=0, crash="panic")], geometry=BUDDY).document["divergences"]
    assert found["message"].endswith("it may be refused: a block has at least one frame")
    log = tmp_path / "kmem.txt"
    log.write_text("".join(f"  a-1 [000] .... {n}.0: mm_page_free: page=0x1 pfn=0x202 order=0\n" for n in (1, 2)))
    main(["check", "--quiet", str(log)])
    assert "no page of the block is free [runs.frees-only-allocated]" in capsys.readouterr().out


def test_the_law_says_how_it_is_reported() -> None:
    assert reported(runs.run_has_a_place) == [
        "a run has at least one frame",
        "a block has at least one frame",
        "a run has at least one page",
    ]
    assert reported(runs.alignment_is_a_power_of_two) == reported(bitmap.allocate) == []
    assert reported(runs.free)[0].startswith("Frames in use become free: part of a run")


# Words of what was seen


@pytest.mark.parametrize("level", LEVELS[:2])
def test_of_blocks_the_largest_free_one_is_named(check: Check, level: str) -> None:
    """A run that is longer may be of no use: frames 9 to 14 have no block of more than 4 frames."""
    taken = [reserve(4, 5), reserve(15, 17)]
    found = check([*taken, allocate(8, 8)], "--level", level, geometry=BUDDY).document["divergences"][0]
    assert found["legal"] == "only a refusal: the largest free block has 2 frames, from frame 10 (0xa000)"
    found = check([*taken, allocate(2, 8)], "--level", level, geometry=BUDDY).document["divergences"][0]
    assert found["legal"].startswith("any free block of 2 frames, aligned to its size; the lowest begins at frame 10")
    found = check([*taken, allocate(8, 8)], "--level", level, geometry=MACHINE).document["divergences"][0]
    assert found["legal"] == "only a refusal: the longest free run has 6 frames, from frame 9 (0x9000)"


ORDERS: list[tuple[int | str, str | None]] = [
    (-1, "order -1 is no order"),
    (-(1 << 70), f"order {-(1 << 70)} is no order"),
    (1000000, None),
    (65, None),
    ("0x100000000000000000", None),
    (1 << 62, None),
]


@pytest.mark.parametrize("machine", [MACHINE, WHOLE, BUDDY, PARTS, MACHINE | ZONES], ids=lambda machine: str(machine))
@pytest.mark.parametrize(("order", "message"), ORDERS)
@pytest.mark.parametrize("event", [op("frame.allocate", result=8 * PAGE), op("frame.free", address=8 * PAGE)])
def test_an_order_that_is_none_is_named_as_the_event_says_it(
    check: Check, capsys: pytest.CaptureFixture[str], event: Event, order: int | str, message: str | None, machine: Any
) -> None:
    for level in LEVELS[:2]:
        report = check([*TAKEN, event | {"order": order}], "--level", level, geometry=machine)
        (found,) = report.document["divergences"]
        too_large = f"order {order}: a block has 8 frames at most"
        outside = f"order {order} from frame 8 on is outside the bitmap, which has frames 0 to 31"
        of_blocks = machine["frame_allocator"] == "buddy" and event["op"] == "frame.allocate"
        assert found["message"] == (message or (too_large if of_blocks else outside))
        assert found["before"]["run"] == found["after"]["run"] == {"first": 8, "order": order}


def test_an_order_is_shown_beside_its_frames(check: Check) -> None:
    (found,) = check([allocate(None, 16, order=4)], geometry=BUDDY).document["divergences"]
    assert found["message"] == "order 4 (16 frames): a block has 8 frames at most"
    (found,) = check([allocate(None, 30, order=4)], geometry=MACHINE).document["divergences"]
    assert found["message"].startswith("frames 30 to 45 are outside the bitmap")
    assert found["before"]["run"] == {"first": 30, "frames": 16}
    in_zone = allocate(None, 8, order=1000000, zone="low")
    (found,) = check([in_zone], geometry=MACHINE | ZONES).document["divergences"]
    assert "1000000" in found["message"]
    (found,) = check([allocate(None, 8, order=70, below=PAGE)], geometry=MACHINE).document["divergences"]
    assert found["message"] == "order 70 from frame 8 on ends above 0x1000"


def test_a_run_of_no_end_breaks_no_limit_that_was_not_named(check: Check) -> None:
    assert check([allocate(1 << 65, 8)], geometry=MACHINE).broken == [(2, "runs.run-lies-in-reach")]
