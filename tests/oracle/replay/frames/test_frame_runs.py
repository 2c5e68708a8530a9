"""`frame.reserve` takes just the frames that it names; `memory.add` adds memory after boot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memoracle.diagnostics.levels import LEGAL, Rules
from memoracle.replay.containers.sparse_lines import LAST
from memoracle.replay.frames.known_frames import KnownFrames
from memoracle.trace.geometry import geometry_from

PAGE = 1 << 12
LEVELS = ("safe", "legal", "exact")
MACHINE: dict[str, Any] = {"preset": "x64-4k", "frames": 16, "kernel_image_frames": 1}
BOOT = {"op": "boot", "memory_map": [{"start": 0, "length": 8 * PAGE, "type": 1}]}  # frames 8 to 15 do not exist

Check = Callable[..., Any]
Event = dict[str, Any]


def reserve(frame: int, count: int, **keys: Any) -> Event:
    return {"op": "frame.reserve", "address": frame * PAGE, "count": count} | keys


def add(start: int, length: int, **keys: Any) -> Event:
    return {"op": "memory.add", "start": start, "length": length} | keys


def free(frame: int, **keys: Any) -> Event:
    return {"op": "frame.free", "address": frame * PAGE} | keys


def allocate(frame: int | None) -> Event:
    return {"op": "frame.allocate"} | ({"error": "none"} if frame is None else {"result": frame * PAGE})


def count(frames: int) -> Event:
    return {"op": "frame.free_count", "result": frames}


CONFORMS: dict[str, list[Event]] = {
    "frames in a row": [BOOT, reserve(2, 3), count(4), allocate(1), allocate(5), free(3), allocate(3)],
    "one frame, and all that are left": [BOOT, reserve(1, 1), reserve(2, 6), count(0), allocate(None)],
    "what is not free is refused": [
        *(BOOT, allocate(1), reserve(1, 1, error="taken"), reserve(0, 2, error="image")),
        *(reserve(7, 2, error="missing"), reserve(15, 2, error="outside"), reserve(-1, 1, error="negative")),
        *(reserve(2, 0, error="none"), reserve(2, -1, error="fewer"), reserve(0, 1 << 62, error="more")),
        *({"op": "frame.reserve", "address": 2 * PAGE + 1, "count": 1, "error": "amid"}, count(6)),
    ],
    "memory that turns up": [BOOT, add(10 * PAGE, 2 * PAGE), count(9), reserve(1, 7), allocate(10), allocate(11)],
    "only whole pages of it": [BOOT, add(8 * PAGE + 1, 3 * PAGE), count(9), add(8 * PAGE, PAGE), count(10)],
    "less than a page": [BOOT, add(9 * PAGE + 5, 10), add(0, 5), count(7)],
    "past the bitmap's end": [BOOT, add(14 * PAGE, 1 << 40), count(9), add((1 << 64) - 1, 5)],
    "what exists is refused": [
        *(BOOT, add(7 * PAGE, 2 * PAGE, error="exists"), add(0, PAGE, error="image"), allocate(1)),
        *(add(4 * PAGE, PAGE, error="exists"), count(6)),
    ],
    "twice is refused": [BOOT, add(8 * PAGE, PAGE), add(8 * PAGE, PAGE, error="again"), allocate(1), count(7)],
    "numbers out of range are refused": [BOOT, add(-1, 5, error="negative"), add(0, 1 << 64, error="large"), count(7)],
    "without boot all memory exists": [add(8 * PAGE, PAGE, error="exists"), count(15)],
    "what was added is freed and allocated": [
        BOOT,
        reserve(1, 7),
        add(9 * PAGE, PAGE),
        allocate(9),
        free(9),
        allocate(9),
    ],
    "in a word that was searched": [
        *(BOOT, *map(allocate, range(1, 8)), allocate(None), add(12 * PAGE, PAGE), allocate(12), allocate(None)),
        *(add(8 * PAGE, PAGE), allocate(8), allocate(None)),
    ],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Check, events: list[Event], level: str) -> None:
    assert check(events, "--level", level, geometry=MACHINE).broken == []


RESERVED_WRONGLY: dict[str, tuple[list[Event], str, str]] = {
    "a frame that is taken": (
        [allocate(1), reserve(1, 2)],
        "bitmap.reserves-only-free",
        "frame 1 is already allocated",
    ),
    "a frame of the image": ([reserve(0, 2)], "bitmap.reserves-only-free", "frame 0 is the kernel image's"),
    "a frame that does not exist": ([BOOT, reserve(7, 2)], "bitmap.reserves-only-free", "frame 8 does not exist"),
    "past the bitmap": ([reserve(15, 1 << 50)], "bitmap.reserves-only-free", "frame 16 is outside the bitmap"),
    "below 0": ([reserve(-2, 1)], "bitmap.reserves-only-free", "frame -2 is outside the bitmap"),
    "none": ([reserve(2, 0)], "bitmap.reserves-some", "0 frames cannot be reserved"),
    "amid a frame": (
        [{"op": "frame.reserve", "address": 5, "count": 1}],
        "addresses.address-is-aligned",
        "0x5 is",
    ),
    "amid a frame that is free": (
        [{"op": "frame.reserve", "address": 2 * PAGE + 5, "count": 1}],
        "addresses.address-is-aligned",
        "0x2005 is",
    ),
    "none, past the bitmap": ([reserve(16, 0)], "bitmap.reserves-some", "0 frames cannot be reserved"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause", "message"), RESERVED_WRONGLY.values(), ids=RESERVED_WRONGLY.keys())
def test_what_is_reserved_wrongly_is_named(
    check: Check, events: list[Event], clause: str, message: str, level: str
) -> None:
    report = check(events, "--level", level, geometry=MACHINE)
    assert report.broken == [(len(events) + 1, clause)]
    assert report.document["divergences"][0]["message"].startswith(message)


def test_what_was_reserved_wrongly_is_taken_where_it_can_be(check: Check) -> None:
    report = check([allocate(3), reserve(2, 3), count(12), allocate(4)], "--keep-going", geometry=MACHINE)
    assert [line for line, _ in report.broken] == [3, 5]
    found = report.document["divergences"][0]
    assert [(found[when]["state"], found[when]["free_frames"]) for when in ("before", "after")] == [
        ("free", 14),
        ("allocated", 12),
    ]


def test_a_frame_that_was_reserved_twice_may_be_freed_twice(check: Check) -> None:
    report = check([allocate(3), reserve(2, 3), free(3), free(3), free(3)], "--keep-going", geometry=MACHINE)
    assert [line for line, _ in report.broken] == [3, 6]


def test_what_is_reserved_past_the_end_is_taken_to_the_last_frame(check: Check) -> None:
    report = check([reserve(14, 3), count(13), allocate(15)], "--keep-going", geometry=MACHINE)
    assert [line for line, _ in report.broken] == [2, 4]


def test_a_reservation_of_free_frames_must_succeed(check: Check) -> None:
    report = check([reserve(2, 3, error="no")], geometry=MACHINE)
    assert report.broken == [(2, "frame.reserve.must-succeed")]
    assert check([reserve(2, 3, error="no")], "--level", "safe", geometry=MACHINE).broken == []


def test_a_frame_that_may_be_taken_excuses_it(check: Check) -> None:
    events = [{"op": "frame.is_free", "address": 3 * PAGE, "result": False}, reserve(2, 3, error="no")]
    assert [line for line, _ in check(events, "--keep-going", geometry=MACHINE).broken] == [2]
    assert [line for line, _ in check([count(13), events[1]], "--keep-going", geometry=MACHINE).broken] == [2]
    private = check([reserve(2, 3, error="no")], geometry=MACHINE, private_frames=True)
    assert private.broken == []


@pytest.mark.parametrize("level", ["legal", "exact"])
def test_memory_that_exists_is_not_added(check: Check, level: str) -> None:
    events = [BOOT, add(10 * PAGE, PAGE), add(9 * PAGE, 3 * PAGE), count(10)]
    report = check(events, "--level", level, "--keep-going", geometry=MACHINE)
    assert report.broken == [(4, "bitmap.adds-only-what-is-missing")]
    assert report.document["divergences"][0]["message"] == "frame 10 exists already (added by line 3)"


@pytest.mark.parametrize("level", ["legal", "exact"])
def test_memory_of_more_than_64_bits_is_not_added(check: Check, level: str) -> None:
    report = check([BOOT, add(8 * PAGE, 1 << 64)], "--level", level, geometry=MACHINE)
    assert report.broken == [(3, "boot.record-has-64-bits")]


def test_memory_that_is_missing_must_be_added(check: Check) -> None:
    report = check([BOOT, add(8 * PAGE, PAGE, error="no")], geometry=MACHINE, private_frames=True)
    assert report.broken == [(3, "memory.add.must-succeed")]


def test_at_safe_it_is_followed_and_not_judged(check: Check) -> None:
    events = [BOOT, add(7 * PAGE, 2 * PAGE), add(9 * PAGE, PAGE, error="no"), reserve(8, 1), allocate(9)]
    report = check(events, "--level", "safe", geometry=MACHINE)
    assert report.broken == [(6, "bitmap.allocates-only-free")]


def test_what_was_freed_on_trust_before_it_existed_is_a_warning(check: Check) -> None:
    events = [BOOT, free(9), add(9 * PAGE, 2 * PAGE), count(9), allocate(9), allocate(10)]
    report = check(events, geometry=MACHINE | {"frame_free": "trusting"})
    assert report.broken == []
    assert [warning.partition(": ")[2] for warning in report.document["warnings"][1:]] == [
        "1 frame that was added was freed before it existed"
    ]
    two = check(
        [BOOT, free(9), free(10), add(9 * PAGE, 2 * PAGE), count(9)], geometry=MACHINE | {"frame_free": "trusting"}
    )
    assert [warning.partition(": ")[2] for warning in two.document["warnings"][2:]] == [
        "2 frames that were added were freed before they existed"
    ]
    refused = [BOOT, free(9), add(9 * PAGE, 2 * PAGE, error="free"), count(8)]
    assert check(refused, geometry=MACHINE | {"frame_free": "trusting"}).broken == []


def test_memory_is_unknown_after_a_misuse_that_is_undefined(check: Check) -> None:
    geometry = MACHINE | {"misuse": {"memory.add": "undefined"}}
    events = [BOOT, add(0, 9 * PAGE), count(3), reserve(1, 3, error="no"), add(9 * PAGE, PAGE, error="no")]
    assert check(events, geometry=geometry).broken == []


ADDED = add(8 * PAGE, 4 * PAGE, error="no")  # it took effect all the same
SIGNS: dict[str, list[Event]] = {
    "one is allocated": [allocate(9), free(9)],
    "one is reserved": [reserve(7, 3)],
    "one is free": [{"op": "frame.is_free", "address": 9 * PAGE, "result": True}],
    "they are counted": [count(11)],
    "it is added again": [ADDED, add(10 * PAGE, PAGE, error="exists")],
    "kernel pages have them": [
        {"op": "kernel_pages.allocate", "pages": 2, "frames": [9 * PAGE, 8 * PAGE], "result": "0xffffffff00400000"},
        {"op": "kernel_pages.free", "address": "0xffffffff00400000", "pages": 2},
    ],
}
ALLOCATORS: dict[str, dict[str, Any]] = {
    "single": MACHINE,
    "runs": MACHINE | {"frame_allocator": "runs"},
    "buddy": MACHINE | {"frame_allocator": "buddy"},
    "zones": MACHINE | {"zones": [{"name": "all", "start": 0, "bytes": 16 * PAGE}]},
}


@pytest.mark.parametrize("signs", SIGNS.values(), ids=SIGNS.keys())
@pytest.mark.parametrize("geometry", ALLOCATORS.values(), ids=ALLOCATORS.keys())
def test_memory_that_is_there_although_it_was_refused_is_one_fault(
    check: Check, geometry: dict[str, Any], signs: list[Event]
) -> None:
    taken = {9} if signs[0]["op"] == "frame.allocate" else {7, 8, 9} if signs[0]["op"] == "frame.reserve" else set()
    rest = [allocate(frame) for frame in range(8, 12) if frame not in taken]
    more = [*signs, *rest, ADDED, free(11), free(11)]  # the last is a fault of its own
    report = check([BOOT, ADDED, *more], "--keep-going", geometry=geometry)
    assert [line for line, _ in report.broken] == [3, 3 + len(more)]
    assert report.broken[0][1] == "memory.add.must-succeed"


def test_so_it_is_where_a_zone_is_counted(check: Check) -> None:
    counts = [count(frames) | {"zone": "all"} for frames in (11, 11, 12)]
    report = check([BOOT, ADDED, *counts], "--keep-going", geometry=ALLOCATORS["zones"])
    assert report.broken == [(3, "memory.add.must-succeed"), (6, "runs.tells-the-count-of-a-zone")]


def test_memory_that_was_refused_and_is_not_there_is_one_fault(check: Check) -> None:
    events = [
        BOOT,
        ADDED,
        count(7),
        {"op": "frame.is_free", "address": 9 * PAGE, "result": False},
        ADDED | {"error": "x"},
    ]
    added = [add(8 * PAGE, 4 * PAGE), count(11), allocate(8)]
    report = check([*events, *added, allocate(12)], "--keep-going", geometry=MACHINE)
    assert report.broken == [(3, "memory.add.must-succeed"), (10, "bitmap.allocates-only-free")]


def test_memory_that_was_refused_and_then_added_explains_nothing_more(check: Check) -> None:
    added = add(8 * PAGE, 4 * PAGE)
    report = check([BOOT, ADDED, added, count(15), added, count(11)], "--keep-going", geometry=MACHINE)
    assert [line for line, _ in report.broken] == [3, 5, 6]
    assert report.document["divergences"][2]["message"] == "frame 8 exists already (added by line 4)"


@pytest.mark.parametrize("first", [16, 17, 1 << 40])
def test_what_is_out_of_reach_is_refused_rightly_however_much_it_is(check: Check, first: int) -> None:
    count = (1 << 64) - 1
    assert check([reserve(first, count, error="no")], geometry=MACHINE).broken == []
    assert check([reserve(first, count)], geometry=MACHINE).broken == [(2, "bitmap.reserves-only-free")]
    doubted = [{"op": "frame.is_free", "address": 3 * PAGE, "result": False}, reserve(2, count, error="no")]
    assert [line for line, _ in check(doubted, "--keep-going", geometry=MACHINE).broken] == [2]


@pytest.mark.parametrize("frames", [1 << 26, 1 << 16])  # each has a place for its line, or only those spoken of
def test_many_frames_in_a_row_are_reserved_at_once(check: Check, frames: int) -> None:
    machine = MACHINE | {"frames": frames}
    taken = [reserve(1, 69), reserve(70, frames - 80), count(10), free(4096), allocate(4096), count(10)]
    assert check([*taken, reserve(frames - 10, 10), allocate(None)], "--level", "exact", geometry=machine).broken == []
    again = [*taken, free(frames - 100), reserve(0, frames), free(frames - 101), count(1), reserve(frames, 1)]
    report = check([*again, reserve(1, frames - 1)], "--keep-going", geometry=machine)
    assert report.broken == [(line, "bitmap.reserves-only-free") for line in (9, 12, 13)]
    assert report.document["divergences"][2]["message"] == "frame 1 is already allocated (by line 2)"


def test_frames_that_a_reservation_takes_are_not_in_doubt_any_more(check: Check) -> None:
    def said_free(frame: int, answer: bool) -> Event:
        return {"op": "frame.is_free", "address": frame * PAGE, "result": answer}

    denied = [said_free(frame, False) for frame in (3, 5)]
    events = [*denied, reserve(2, 3), count(12), said_free(5, False), said_free(3, True)]
    report = check(events, "--keep-going", geometry=MACHINE)
    assert report.broken == [(line, "bitmap.tells-whether-free") for line in (2, 3, 7)]
    again = check([*denied, reserve(2, 3), free(3), allocate(3), allocate(5)], "--keep-going", geometry=MACHINE)
    assert [line for line, _ in again.broken] == [2, 3]


def test_where_all_frames_are_reserved_none_is_missing(check: Check) -> None:
    events = [count(13), reserve(1, 15), free(3), reserve(3, 1, error="taken")]
    report = check(events, "--keep-going", geometry=MACHINE)
    assert [line for line, _ in report.broken] == [2, 5]
    assert report.document["coverage"]["exhausted"]["frames"]


@pytest.mark.parametrize("frames", [1 << 25, 1 << 16])
def test_each_frame_in_a_row_knows_who_reserved_it(check: Check, frames: int) -> None:
    machine = MACHINE | {"frames": frames}
    again = [1, 69, 70, frames - 11]
    rows = [reserve(1, 69), reserve(70, frames - 80)]
    found = check([*rows, *(reserve(frame, 1) for frame in again)], "--keep-going", geometry=machine)
    assert [each["message"] for each in found.document["divergences"]] == [
        f"frame {frame} is already allocated (by line {line})" for frame, line in zip(again, (2, 2, 3, 3), strict=True)
    ]


@pytest.mark.parametrize("frames", [1 << 25, 1 << 16])
def test_of_a_line_that_no_number_of_32_bits_counts_nothing_is_known(frames: int) -> None:
    known = KnownFrames(Rules(geometry_from(MACHINE | {"frames": frames}), LEGAL))
    for line in (LAST, LAST + 1):
        known.remember_row(1, 1000, line)
        assert {known.lines[frame] for frame in (1, 600, 999)} == {line if line <= LAST else 0}


def test_memory_that_exists_in_part_is_there_wholly_once_it_was_added(check: Check) -> None:
    booted = {"op": "boot", "memory_map": [{"start": 0, "length": 64 * PAGE, "type": 1}]}
    report = check([booted, add(3 * PAGE, 77 * PAGE), count(79)], "--keep-going", geometry=MACHINE | {"frames": 256})
    assert report.broken == [(3, "bitmap.adds-only-what-is-missing")]


def test_how_many_are_counted_says_which_memory_is_there_although_it_was_refused(check: Check) -> None:
    refused = [add(8 * PAGE, 2 * PAGE, error="no"), add(11 * PAGE, PAGE, error="no")]
    report = check([BOOT, *refused, count(8), allocate(11), allocate(9)], "--keep-going", geometry=MACHINE)
    assert [line for line, _ in report.broken] == [3, 4]


def test_frames_that_kernel_pages_have_are_not_reserved(check: Check) -> None:
    pages = {"op": "kernel_pages.allocate", "pages": 2, "result": "0xffffffff00400000"}
    report = check([pages, reserve(1, 13), reserve(14, 2)], geometry=MACHINE)
    assert report.broken == [(4, "bitmap.allocates-only-free")]
    assert report.document["divergences"][0]["message"].startswith(
        "frame 15 was allocated, but kernel pages have all frames"
    )
    assert report.document["divergences"][0]["after"]["free_frames"] == 0


def test_what_is_added_and_not_reserved_wholly(check: Check) -> None:
    refused = [BOOT, add(9 * PAGE, 2 * PAGE, error="no"), reserve(6, 5)]
    report = check([*refused, count(5), free(10), allocate(9)], "--keep-going", geometry=MACHINE)
    assert report.broken[0] == (3, "memory.add.must-succeed")
    assert [line for line, _ in report.broken] == [3, 4, 7]
