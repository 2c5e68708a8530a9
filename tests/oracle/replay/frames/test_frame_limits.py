"""`frame.allocate` with an alignment and limits, in bytes: any free frame within them may be given."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

PAGE = 1 << 12
LEVELS = ("safe", "legal", "exact")
MACHINE: dict[str, Any] = {"preset": "x64-4k", "frames": 16, "kernel_image_frames": 1}

Check = Callable[..., Any]
Event = dict[str, Any]


def allocate(frame: int | None, **asked: Any) -> Event:
    """None: it is refused."""
    answer: Event = {"error": "none"} if frame is None else {"result": frame * PAGE}
    return {"op": "frame.allocate"} | asked | answer


def free(frame: int) -> Event:
    return {"op": "frame.free", "address": frame * PAGE}


ALL_BELOW_4 = [allocate(1), allocate(2), allocate(3)]
CONFORMS: dict[str, list[Event]] = {
    "the lowest within the limits": [allocate(5, **{"from": 5 * PAGE, "below": 9 * PAGE})],
    "limits amid a frame": [allocate(6, **{"from": 5 * PAGE + 1}), allocate(None, below=2 * PAGE - 1)],
    "the last below a limit": [allocate(1, below=2 * PAGE), allocate(None, below=2 * PAGE)],
    "an alignment": [allocate(4, alignment=4 * PAGE), allocate(8, alignment=4 * PAGE), allocate(1)],
    "an alignment of less than a page": [allocate(1, alignment=1), allocate(2, alignment=8)],
    "an alignment past all memory": [allocate(None, alignment=1 << 63)],
    "all three": [allocate(8, **{"from": PAGE, "below": "0xa000", "alignment": "0x8000"})],
    "none is free below": [*ALL_BELOW_4, allocate(None, below=4 * PAGE), allocate(4)],
    "freed below": [*ALL_BELOW_4, free(2), allocate(2, below=4 * PAGE), allocate(None, below=4 * PAGE)],
    "limits past either end": [allocate(1, **{"from": -5, "below": 1 << 70}), allocate(None, **{"from": 16 * PAGE})],
    "limits the wrong way round": [allocate(None, **{"from": 9 * PAGE, "below": 5 * PAGE})],
    "what is no alignment is refused": [allocate(None, alignment=each) for each in (0, -4096, 3 * PAGE, 12288)],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Check, events: list[Event], level: str) -> None:
    assert check(events, "--level", level, geometry=MACHINE).broken == []


# Each ends with the event that breaks the clause, at every level.
UNSAFE: dict[str, tuple[list[Event], str, str]] = {
    "above the limit": (
        [allocate(4, below=4 * PAGE)],
        "bitmap.lies-within-limits",
        "frame 4 ends at 0x5000, above 0x4000",
    ),
    "across the limit": ([allocate(3, below=4 * PAGE - 1)], "bitmap.lies-within-limits", "frame 3 ends at 0x4000"),
    "below the limit": (
        [allocate(4, **{"from": 4 * PAGE + 1})],
        "bitmap.lies-within-limits",
        "frame 4 begins at 0x4000, below 0x4001",
    ),
    "not aligned": (
        [allocate(6, alignment=4 * PAGE)],
        "bitmap.is-aligned-as-asked",
        "frame 6 begins at 0x6000, which is not a multiple of 0x4000",
    ),
    "not free": (
        [allocate(1), allocate(1, below=4 * PAGE)],
        "bitmap.allocates-only-free",
        "frame 1 is already allocated (by line 2)",
    ),
    "no such alignment": (
        [allocate(3, alignment=3 * PAGE)],
        "bitmap.alignment-is-a-power-of-two",
        "12288 is not a power of two",
    ),
    "amid a frame": (
        [{"op": "frame.allocate", "below": 4 * PAGE, "result": 5}],
        "addresses.address-is-aligned",
        "0x5 is",
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause", "message"), UNSAFE.values(), ids=UNSAFE.keys())
def test_what_does_not_lie_within_is_named(
    check: Check, events: list[Event], clause: str, message: str, level: str
) -> None:
    report = check(events, "--level", level, geometry=MACHINE)
    assert report.broken == [(len(events) + 1, clause)]
    assert report.document["divergences"][0]["message"].startswith(message)


def test_the_frame_is_taken_all_the_same(check: Check) -> None:
    events = [allocate(6, below=4 * PAGE), allocate(6), free(6), free(6), free(6)]
    report = check(events, "--keep-going", geometry=MACHINE)
    assert [line for line, _ in report.broken] == [2, 3, 6]


def test_what_is_legal_is_named(check: Check) -> None:
    (found,) = check([allocate(9, **{"from": PAGE, "below": 4 * PAGE, "alignment": 8})], geometry=MACHINE).document[
        "divergences"
    ]
    assert found["legal"] == "a free frame at a multiple of 0x8 from 0x1000 on below 0x4000"
    (found,) = check([*ALL_BELOW_4, allocate(9, below=4 * PAGE)], geometry=MACHINE).document["divergences"]
    assert found["legal"] == "only a refusal"
    (found,) = check([allocate(9, below=4 * PAGE)], "--level", "exact", geometry=MACHINE).document["divergences"]
    assert found["legal"] == "the lowest: frame 1"


@pytest.mark.parametrize("level", ["legal", "exact"])
def test_it_must_succeed_where_a_frame_is_free(check: Check, level: str) -> None:
    report = check([*ALL_BELOW_4[:2], allocate(None, below=4 * PAGE)], "--level", level, geometry=MACHINE)
    assert report.broken == [(4, "frame.allocate.must-succeed")]
    assert check([allocate(None, below=4 * PAGE)], "--level", "safe", geometry=MACHINE).broken == []


def test_any_is_legal_and_the_lowest_is_exact(check: Check) -> None:
    events = [allocate(7, **{"from": 5 * PAGE})]
    assert check(events, geometry=MACHINE).broken == []
    report = check(events, "--level", "exact", geometry=MACHINE)
    assert report.broken == [(2, "frame.allocate.policy")]
    (found,) = report.document["divergences"]
    assert found["message"] == "frame 7 was allocated, but frame 5 is free and lower, within the limits"
    assert found["legal"] == "frame 5 (0x5000)"


def test_a_frame_that_may_have_leaked_is_no_reason_to_insist(check: Check) -> None:
    """It was refused once although frame 3 is free; that it is refused again is the same fault."""
    events = [*ALL_BELOW_4[:2], allocate(None, below=4 * PAGE), allocate(None, below=4 * PAGE)]
    assert len(check(events, "--keep-going", geometry=MACHINE).broken) == 1


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"op": "frame.allocate", "count": 2, "result": 0}, 'count: .* frame_allocator, "single"'),
        ({"op": "frame.allocate", "order": 1, "error": "none"}, 'order: .* frame_allocator, "single"'),
        ({"op": "frame.allocate", "zone": "dma", "result": 0}, "zone: .* has no zones"),
        ({"op": "frame.allocate", "zone": ["dma"], "below": 5, "result": 0}, "zone: .* has no zones"),
        ({"op": "frame.free", "address": 4096, "count": 2}, 'count: .* frame_allocator, "single"'),
        ({"op": "frame.free", "address": 4096, "order": 0, "error": "no"}, 'order: .* frame_allocator, "single"'),
    ],
)
@pytest.mark.parametrize("frame_free", ["checked", "trusting"])
def test_arguments_of_other_allocators_are_malformed(check: Check, event: Event, told: str, frame_free: str) -> None:
    report = check([allocate(1), event], geometry=MACHINE | {"frame_free": frame_free})
    assert report.status == 2
    assert report.document["verdict"] == "unknown"
    pytest.importorskip("re").search(told, report.errors).group()
    assert ":3: " in report.errors


@pytest.mark.parametrize("level", LEVELS)
def test_random_runs_agree_with_a_plain_search(check: Check, level: str) -> None:
    random, taken, events = Random(level), {0}, list[Event]()
    for _ in range(400):
        if len(taken) > 1 and random.random() < 0.4:
            frame = random.choice(sorted(taken - {0}))
            taken.remove(frame)
            events.append(free(frame))
            continue
        first, last, alignment = random.randrange(17), random.randrange(18), random.choice([1, 2, 4, 8])
        may = [frame for frame in range(first, min(last, 16)) if frame % alignment == 0 and frame not in taken]
        given = None if not may else min(may) if level == "exact" else random.choice(may)
        events.append(allocate(given, **{"from": first * PAGE, "below": last * PAGE, "alignment": alignment * PAGE}))
        taken |= set() if given is None else {given}
    assert check(events, "--level", level, geometry=MACHINE).broken == []
