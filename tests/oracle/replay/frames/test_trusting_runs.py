"""Frees that are believed where runs of frames, blocks or zones are handed out."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from frame_events import (
    BOOT,
    BUDDY,
    KERNEL,
    LEVELS,
    MACHINE,
    PAGE,
    WHOLE,
    Check,
    Event,
    add,
    allocate,
    count,
    free,
    is_free,
    op,
)

from memoracle.diagnostics.levels import LEGAL, Rules
from memoracle.replay.dispatch import Replay
from memoracle.trace.geometry import geometry_from

TRUSTING = {"frame_free": "trusting"}
SINGLE = {key: value for key, value in MACHINE.items() if key != "frame_allocator"}
ZONED = SINGLE | {"zones": [{"name": "low", "start": 0, "bytes": 32 * PAGE}]}
OF_ALL = {"runs": MACHINE, "whole runs": WHOLE, "blocks": BUDDY, "zones": ZONED}
OF_SEVERAL = {name: each for name, each in OF_ALL.items() if name != "zones"}
each_machine = pytest.mark.parametrize("machine", OF_ALL.values(), ids=OF_ALL.keys())
of_several = pytest.mark.parametrize("machine", OF_SEVERAL.values(), ids=OF_SEVERAL.keys())


def told(report: Any) -> list[str]:
    return [warning.split("trace.jsonl:")[1] for warning in report.document["warnings"]]


@each_machine
@pytest.mark.parametrize("level", LEVELS)
def test_a_spurious_free_is_a_warning(check: Check, machine: dict[str, Any], level: str) -> None:
    events = [BOOT, free(5), free(17), count(17), is_free(17, True)]
    report = check(events, "--level", level, geometry=machine | TRUSTING)
    assert (report.status, told(report)) == (
        0,
        [
            "3: spurious free: frame 5 is already free",
            "4: spurious free: frame 17 does not exist: it is not usable memory",
        ],
    )


@of_several
def test_a_run_that_is_free_in_part_is_free_then(check: Check, machine: dict[str, Any]) -> None:
    events = [BOOT, allocate(4, 8), free(8, 2), free(8, 4), count(16), allocate(4, 8), free(14, 4), count(14)]
    report = check(events, geometry=machine | TRUSTING)
    assert report.status == 0
    assert told(report)[-2:] == [
        "5: spurious free: frames 8 to 11: frame 8 is already free (freed by line 4)",
        "8: spurious free: frames 14 to 17: frame 16 does not exist: it is not usable memory",
    ]
    part = "4: spurious free: frames 8 to 9: what was allocated (by line 3) is frames 8 to 11"
    assert told(report)[:-2] == ([part] if "frame_free_parts" in machine or machine is BUDDY else [])


@of_several
@pytest.mark.parametrize(
    ("event", "clause"),
    [
        (free(0, 4), "bitmap.frees-only-what-may-be-free"),
        (free(30, 4), "bitmap.frame-is-in-reach"),
        (free(6, 0), "runs.run-has-a-place"),
        (op("frame.free", address=PAGE + 1), "addresses.address-is-aligned"),
    ],
)
def test_what_is_never_free_or_no_frame_is_not_believed(
    check: Check, machine: dict[str, Any], event: Event, clause: str
) -> None:
    assert check([BOOT, event], geometry=machine | TRUSTING).broken == [(3, clause)]
    assert check([BOOT, event | {"error": "no"}, count(16)], geometry=machine | TRUSTING).broken == []


@each_machine
def test_only_what_does_not_exist_may_be_refused(check: Check, machine: dict[str, Any]) -> None:
    assert check([BOOT, free(17, error="none")], geometry=machine | TRUSTING).broken == []
    assert check([BOOT, free(5, error="free")], geometry=machine | TRUSTING).broken == [(3, "frame.free.must-succeed")]


@each_machine
@pytest.mark.parametrize("taken", [False, True])
def test_memory_that_was_freed_before_it_turned_up(check: Check, machine: dict[str, Any], taken: bool) -> None:
    used = [allocate(None, 17)] if taken else []
    events = [BOOT, free(17), *used, add(16, 4), count(20), add(17, 1, error="exists"), add(18, 1)]
    report = check(events, geometry=machine | TRUSTING)
    assert report.broken == [(len(events) + 1, "bitmap.adds-only-what-is-missing")]
    early = ["4: 1 frame that was added was freed before it existed"]
    assert told(report)[1:] == ([] if taken else early)
    refused = check([BOOT, free(17), add(16, 4, error="free"), count(17)], geometry=machine | TRUSTING)
    assert refused.broken == []


def random_events(chance: random.Random) -> list[Event]:
    """Of a kernel that believes its callers, one frame at a time; with some wrong answers."""
    known, events = {*range(4, 16), *range(20, 24)}, [BOOT]
    for _ in range(40):
        frame = chance.randrange(32)
        kind = chance.choice(["allocate", "free", "is_free"])
        if kind == "allocate" and known:
            frame = chance.choice(sorted(known)) if chance.random() < 0.95 else frame
            known.discard(frame)
            events.append(allocate(None, frame))
        elif kind == "free" and frame >= 4:
            known.add(frame)
            events.append(free(frame))
        else:
            events.append(is_free(frame, frame in known))
    return events


def broken(machine: dict[str, Any], events: list[Event]) -> list[int]:
    replay = Replay(Rules(geometry_from(machine | TRUSTING), LEGAL), "random")
    return [found.line for found in replay.divergences(msgspec.json.encode(event) for event in events)][:1]


def test_one_frame_at_a_time_all_are_the_same() -> None:
    named = 0
    for seed in range(40):
        events = random_events(random.Random(seed))
        due = broken(SINGLE, events)
        named += len(due)
        assert [broken(machine, events) for machine in OF_ALL.values()] == [due] * len(OF_ALL), seed
    assert 0 < named < 40


KERNEL_PAGES = op("kernel_pages.allocate", pages=2, frames=[5 * PAGE, 6 * PAGE], result=KERNEL)


@each_machine
def test_frames_of_kernel_pages_are_freed_by_these_alone(check: Check, machine: dict[str, Any]) -> None:
    trusted = check([BOOT, KERNEL_PAGES, free(5), free(6), allocate(None, 5), free(5)], geometry=machine | TRUSTING)
    assert trusted.broken == []
    assert [each.partition(":")[0] for each in told(trusted) if "spurious free" in each] == ["4", "5"]  # not again
    (found,) = check([BOOT, KERNEL_PAGES, free(5)], geometry=machine).document["divergences"]
    assert found["line"] == 4
    assert check([BOOT, KERNEL_PAGES, free(5, error="no")], geometry=machine).broken == []


@of_several
def test_all_frames_of_kernel_pages_that_a_run_has_are_freed(check: Check, machine: dict[str, Any]) -> None:
    events = [BOOT, KERNEL_PAGES, free(4, 4), allocate(4, 4), free(4, 4), count(16)]
    report = check(events, geometry=machine | TRUSTING)
    assert report.broken == []
    assert [each.partition(":")[0] for each in told(report) if "spurious free" in each] == ["4"]  # not again


@of_several
def test_a_frame_that_is_never_free_may_lie_within(check: Check, machine: dict[str, Any]) -> None:
    held = machine | TRUSTING | {"never_free": [{"start": 0, "bytes": 4 * PAGE}, {"start": 9 * PAGE, "bytes": PAGE}]}
    del held["kernel_image_frames"]
    (found,) = check([BOOT, free(8, 4)], geometry=held).document["divergences"]
    assert (found["line"], found["clause"]) == (3, "bitmap.frees-only-what-may-be-free")
    assert check([BOOT, free(8, 4, error="no"), count(15)], geometry=held).broken == []


@of_several
@pytest.mark.parametrize("mapped", [4, 5])
def test_who_maps_a_frame_that_is_freed_is_said_once(check: Check, machine: dict[str, Any], mapped: int) -> None:
    events = [BOOT, op("page.map", virtual=KERNEL, physical=mapped * PAGE), free(4, 4)]
    warned = told(check(events, geometry=machine | TRUSTING | {"free_while_mapped": "warn"}))
    assert "4: spurious free: frames 4 to 7: frame 4 is already free" in warned[0]
    assert [each.count(f"maps it at {KERNEL.lower()}") for each in warned] == ([1] if mapped == 4 else [0, 1])
    assert f"4: frame {mapped} was freed while" in warned[-1] or mapped == 4
