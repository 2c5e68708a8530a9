"""Zones: what a request names, and what is given and counted of them, whatever the allocator of frames is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PAGE = 1 << 12
ZONES = [
    {"name": "dma", "start": 0, "bytes": 8 * PAGE},
    {"name": "normal", "start": hex(8 * PAGE), "bytes": 16 * PAGE},
    {"name": "node 1", "start": 28 * PAGE, "bytes": 4 * PAGE},
]
SINGLE: dict[str, Any] = {"preset": "x64-4k", "frames": 32, "kernel_image_frames": 4, "zones": ZONES}
RUNS = SINGLE | {"frame_allocator": "runs"}
BUDDY = SINGLE | {"frame_allocator": "buddy", "frame_max_order": 3}
MACHINES = {"single": SINGLE, "runs": RUNS, "buddy": BUDDY}

Check = Callable[..., Any]
Event = dict[str, Any]


def allocate(zone: str | list[str] | None, frame: int | None, **keys: Any) -> Event:
    named = {} if zone is None else {"zone": zone}
    answer = {"error": "none"} if frame is None else {"result": frame * PAGE}
    return {"op": "frame.allocate"} | named | keys | answer


def free(frame: int, **keys: Any) -> Event:
    return {"op": "frame.free", "address": frame * PAGE} | keys


def count(zone: str | None, frames: int) -> Event:
    return {"op": "frame.free_count", "result": frames} | ({} if zone is None else {"zone": zone})


EACH_CONFORMS: dict[str, list[Event]] = {
    "in the zone": [allocate("normal", 8), allocate("dma", 4), allocate("node 1", 28), count(None, 25)],
    "in order of preference": [allocate(["node 1", "dma"], 28 + k) for k in range(4)]
    + [allocate(["node 1", "dma"], 4), allocate("node 1", None), count("node 1", 0), count("dma", 3)],
    "no zone was named": [allocate(None, 4), count("dma", 3), count("normal", 16), count("node 1", 4)],
    "an empty list serves nobody": [allocate([], None), allocate([], None), count(None, 28)],
    "limits within the zone": [
        *(allocate("normal", 12, **{"from": 12 * PAGE}), allocate("normal", None, below=8 * PAGE)),
        *(allocate("dma", None, **{"from": 8 * PAGE}), free(12), count("normal", 16)),
    ],
    "one zone is named twice": [allocate(["dma", "dma"], 4)],
}
RUNS_CONFORM: dict[str, list[Event]] = {
    "a run in a zone": [allocate("dma", 4, count=4), allocate("dma", None, count=1), allocate("normal", 8, count=16)],
    "no run across a border": [allocate("dma", None, count=5), allocate(["dma", "node 1"], None, count=5)],
    "no zone was named": [allocate(None, 4, count=20), count("dma", 0), count("normal", 0)],
    "the first that can serve": [allocate(["node 1", "normal"], 8, count=5), allocate(["node 1", "dma"], 28, count=3)],
}
BLOCKS_CONFORM: dict[str, list[Event]] = {
    "a block in a zone": [
        allocate("dma", 4, count=3),
        allocate("normal", 8, order=3),
        allocate("node 1", None, order=3),
    ],
    "the zone ends within a larger block": [allocate("node 1", 28, order=2), free(28, order=2), count("node 1", 4)],
}
CONFORMS = [
    *((name, machine, events) for machine in MACHINES for name, events in EACH_CONFORMS.items()),
    *((name, "runs", events) for name, events in RUNS_CONFORM.items()),
    *((name, "buddy", events) for name, events in BLOCKS_CONFORM.items()),
]


LEVELS = ("safe", "legal", "exact")


@pytest.mark.parametrize(("name", "machine", "events"), CONFORMS)
def test_conforms(check: Check, name: str, machine: str, events: list[Event]) -> None:
    for level in LEVELS:
        assert check(events, "--level", level, geometry=MACHINES[machine]).broken == [], level


DIVERGES: dict[str, tuple[list[Event], str, str]] = {
    "another zone": (
        [allocate("dma", 8)],
        "runs.zone-is-named",
        "frame 8 lies in the zone 'normal'; asked for: 'dma' (0x0 to 0x7fff)",
    ),
    "no zone": (
        [allocate(["dma", "node 1"], 25)],
        "runs.run-lies-in-zone",
        "frame 25 lies in no zone; asked for: 'dma' (0x0 to 0x7fff), 'node 1' (0x1c000 to 0x1ffff)",
    ),
    "none was named": ([allocate([], 8)], "runs.zone-is-named", "frame 8 lies in the zone 'normal'; no zone"),
    "taken": (
        [allocate("dma", 5), allocate("dma", 5)],
        "runs.run-is-free",
        "frame 5 is already allocated (by",
    ),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("events", "clause", "message"), DIVERGES.values(), ids=DIVERGES.keys())
def test_what_is_given_lies_in_a_zone_that_was_named(
    check: Check, events: list[Event], clause: str, message: str, machine: str
) -> None:
    report = check(events, geometry=MACHINES[machine])
    assert report.broken == [(len(events) + 1, clause)]
    assert report.document["divergences"][0]["message"].startswith(message)


def test_a_run_across_a_border_is_named(check: Check) -> None:
    report = check([allocate("dma", 6, count=4)], geometry=RUNS)
    assert report.broken == [(2, "runs.run-lies-in-zone")]
    told = "frames 6 to 9: frame 9 lies in the zone 'normal'; asked for: 'dma' (0x0 to 0x7fff)"
    assert report.document["divergences"][0]["message"] == told


PREFERS: dict[str, list[Event]] = {
    "the first zone can serve": [allocate(["normal", "dma"], 4)],
    "the first zone can serve still": [*(allocate("node 1", 28 + k) for k in range(3)), allocate(["node 1", "dma"], 4)],
    "another is lower": [allocate("normal", 9)],
    "within limits": [allocate(["dma", "normal"], 7, **{"from": 6 * PAGE})],
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("events", PREFERS.values(), ids=PREFERS.keys())
def test_at_exact_the_first_zone_that_can_serves(check: Check, events: list[Event], machine: str) -> None:
    assert check(events, geometry=MACHINES[machine]).broken == []
    report = check(events, "--level", "exact", geometry=MACHINES[machine])
    assert report.broken == [(len(events) + 1, "frame.allocate.policy")]
    (found,) = report.document["divergences"]
    before = isinstance(events[-1]["zone"], list) and "from" not in events[-1]
    assert ("in a zone named before" in found["message"]) == before


@pytest.mark.parametrize("machine", MACHINES)
def test_it_fails_only_if_no_zone_can_serve(check: Check, machine: str) -> None:
    events = [
        *(allocate("dma", frame) for frame in (4, 5, 6, 7)),
        allocate("dma", None),
        allocate(["dma", "normal"], None),
    ]
    report = check(events, geometry=MACHINES[machine])
    assert report.broken == [(7, "frame.allocate.must-succeed")]
    assert "in one of the zones named" in report.document["divergences"][0]["legal"]


@pytest.mark.parametrize(
    ("zones", "words"),
    [
        ("dma", "; the lowest begins at frame 4 "),
        (["node 1", "dma"], "; the lowest in the first zone that can serve begins at frame 28 "),
    ],
)
def test_the_lowest_run_is_of_the_zone_preferred(check: Check, zones: str | list[str], words: str) -> None:
    report = check([allocate(zones, 8, count=2)], geometry=RUNS)
    assert words in report.document["divergences"][0]["legal"]


def test_at_exact_it_is_the_first_zone_that_can_serve(check: Check) -> None:
    events = [allocate(["node 1", "normal"], 8), allocate(["normal", "node 1"], 9)]
    assert check(events, geometry=RUNS).broken == []
    report = check(events, "--level", "exact", "--keep-going", geometry=RUNS)
    assert report.broken == [(2, "frame.allocate.policy")]
    assert report.document["divergences"][0]["message"].endswith("is free and in a zone named before")


def test_a_wrong_count_of_a_zone_is_named_once(check: Check) -> None:
    events = [count("dma", 3), count("dma", 3), count("normal", 16), count("dma", 4), count("dma", 5), count(None, 28)]
    report = check(events, "--keep-going", geometry=RUNS)
    assert report.broken == [(line, "runs.tells-the-count-of-a-zone") for line in (2, 6)]
    said = "it says that 3 frames are free in the zone 'dma', but 4 are"
    assert report.document["divergences"][0]["message"] == said
    assert check([count("dma", 3), count("dma", 0)], geometry=RUNS, private_frames=True).broken == []
    assert check([count("dma", 5)], geometry=RUNS, private_frames=True).broken != []
    failed = [{"op": "frame.free_count", "zone": "dma", "error": "no"}]
    assert check(failed, geometry=RUNS).broken == [(2, "frame.free_count.must-succeed")]


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_what_of_a_zone_lies_past_all_frames_does_not_exist(check: Check, machine: dict[str, Any]) -> None:
    zones = [
        *ZONES[:2],
        {"name": "far", "start": 30 * PAGE, "bytes": 1 << 40},
        {"name": "none", "start": 1 << 50, "bytes": PAGE},
    ]
    machine = machine | {"zones": zones}
    events = [count("far", 2), allocate("far", 30), allocate("far", 31), allocate("far", None), count("none", 0)]
    assert check([*events, allocate("none", None), allocate(["none", "dma"], 4)], geometry=machine).broken == []
    report = check([allocate("none", 30)], geometry=machine)
    assert report.broken == [(2, "runs.zone-is-named")]
    assert "asked for: 'none' (no frames)" in report.document["divergences"][0]["message"]


MALFORMED: list[tuple[dict[str, Any], list[Event], str]] = [
    (RUNS, [allocate("high", 4)], "zone: 'high' is none of this geometry's zones: 'dma', 'normal', 'node 1'"),
    (RUNS, [allocate(["dma", "high"], None)], "zone: 'high' is none"),
    (RUNS, [count("high", 4)], "zone: 'high' is none"),
    (SINGLE, [allocate("dma", 4, count=2)], 'count: no such argument in this geometry: its frame_allocator, "single"'),
    (SINGLE, [free(4, order=0)], "order: no such argument"),
    (SINGLE | {"zones": []}, [allocate("dma", 4)], "zone: no such argument in this geometry: it has no zones"),
    (SINGLE | {"zones": []}, [count("dma", 4)], "zone: no such argument in this geometry: it has no zones"),
    (RUNS | {"zones": [*ZONES, ZONES[0]]}, [], "zones[3].name: 'dma' is the name of another, too"),
    (RUNS | {"zones": [*ZONES, ZONES[0] | {"name": "x"}]}, [], "zones: 'dma' and 'x' have frames in common"),
    (RUNS | {"zones": [ZONES[0] | {"name": ""}]}, [], "zones[0].name: it is empty"),
    (RUNS | {"zones": [ZONES[0] | {"name": 3}]}, [], "zones[0].name: 3 is not a string"),
    (RUNS | {"zones": [{"start": 0, "bytes": PAGE}]}, [], "zones[0].name: missing"),
    (RUNS | {"zones": [{"name": "x", "start": 0}]}, [], "zones[0].bytes: missing"),
    (RUNS | {"zones": [ZONES[0] | {"start": 5}]}, [], "zones[0].start: 0x5 is not a multiple"),
    (RUNS | {"zones": [ZONES[0] | {"start": (1 << 64) - PAGE}]}, [], "zones[0]: 0xfffffffffffff000 to 0x10000000"),
    (RUNS | {"zones": [ZONES[0] | {"node": 1}]}, [], "zones[0].node: unknown key"),
    (RUNS | {"zones": {"dma": 0}}, [], "zones: a table is not a list"),
]


@pytest.mark.parametrize(("machine", "events", "message"), MALFORMED)
def test_what_cannot_be_is_no_trace(check: Check, machine: dict[str, Any], events: list[Event], message: str) -> None:
    report = check([*events, count(None, 28)], geometry=machine)
    assert report.status == 2
    assert message in report.errors


def test_what_is_at_stake_of_zones(check: Check) -> None:
    untested = check([allocate(None, None)], "--level", "safe", geometry=RUNS).document["coverage"]["untested"]
    assert {"runs.zone-is-named", "runs.run-lies-in-zone"} <= set(untested["frame.allocate"])
