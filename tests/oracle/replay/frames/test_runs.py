"""Runs of frames: any number of neighbouring ones are handed out, and given back in any parts or whole."""

from __future__ import annotations

from typing import Any

import pytest
from frame_events import (
    BOOT,
    BUDDY,
    KERNEL,
    LEVELS,
    MACHINE,
    PAGE,
    PARTS,
    TAKEN,
    WHOLE,
    Check,
    Event,
    add,
    allocate,
    boot,
    count,
    free,
    is_free,
    op,
    reserve,
)

from memoracle.replay.coverage import OF_RUNS
from memoracle.trace.events import operation_of_kind

RUNS_CONFORM: dict[str, list[Event]] = {
    "one frame": [allocate(None, 4), allocate(1, 5), count(26), free(4), free(5, 1), count(28)],
    "several frames": [allocate(3, 4), allocate(5, 7), count(20), is_free(11, False), is_free(12, True)],
    "by order": [allocate(None, 4, order=2), allocate(None, 8, order=0), free(4) | {"order": 2}, allocate(4, 4)],
    "all there are": [allocate(28, 4), allocate(1, None), count(0), free(4, 28), count(28)],
    "in parts": [allocate(6, 4), free(6, 2), count(24), allocate(2, 6), free(5, 5), allocate(5, 5)],
    "several runs at once": [allocate(2, 4), allocate(2, 6), free(4, 4), allocate(4, 4)],
    "what does not fit fails": [BOOT, allocate(13, None), allocate(12, 4), allocate(5, None), allocate(4, 20)],
    "no run across a hole": [BOOT, allocate(12, 4), allocate(3, 20), allocate(2, None)],
    "alignment and limits": [
        *(allocate(3, 8, alignment=8 * PAGE), allocate(3, 4), allocate(2, 11, **{"from": 10 * PAGE})),
        *(allocate(1, None, below=7 * PAGE), allocate(2, 16, alignment=16 * PAGE, below=18 * PAGE)),
        allocate(2, None, alignment=16 * PAGE, below=32 * PAGE),
    ],
    "limits within pages": [allocate(1, 5, **{"from": 4 * PAGE + 1}), allocate(1, None, below=5 * PAGE - 1)],
    "reserved, and given back": [reserve(6, 4), allocate(2, 4), allocate(1, 10), free(6, 4), allocate(4, 6)],
    "what is not free is not reserved": [
        *(BOOT, allocate(2, 4), reserve(5, 2, error="taken"), reserve(15, 2, error="missing")),
        *(reserve(0, 1, error="image"), reserve(31, 1 << 60, error="outside"), reserve(-1, 1, error="negative")),
        *(reserve(8, 0, error="none"), reserve(8, -1, error="fewer"), count(14)),
    ],
    "frees that are refused": [
        *(BOOT, allocate(4, 4), free(4, 5, error="more"), free(3, 2, error="image"), free(8, 1, error="free")),
        *(free(15, 2, error="missing"), free(4, 0, error="none"), free(4, -1, error="fewer")),
        *(free(4, 1 << 70, error="huge"), free(-1, 1, error="negative"), free(31, 2, error="outside")),
        *(op("frame.free", address=4 * PAGE + 1, count=1, error="amid"), count(12)),
    ],
    "requests that are refused": [
        *(allocate(0, None), allocate(-1, None), allocate(1 << 70, None), allocate(None, None, order=1 << 70)),
        *(allocate(None, None, order=-1), allocate(1, None, alignment=3), allocate(1, None, alignment=0), count(28)),
        *(allocate(2, None, alignment=1 << 70), allocate(2, None, below=-5), allocate(2, None, **{"from": 1 << 70})),
    ],
    "memory that turns up joins": [
        *(BOOT, allocate(16, None), add(16, 4), allocate(20, 4), add(15, 1, error="exists"), count(0)),
        *(add(24, 2), allocate(3, None), allocate(2, 24)),
    ],
    "frames freed by pages": [
        *(op("process.create", result=1), allocate(4, 4)),
        *(
            op("page.map", process=1, virtual=0, physical=5 * PAGE),
            op("page.unmap", process=1, virtual=0, release=True),
        ),
        *(count(25), is_free(5, True), allocate(1, 5)),
    ],
    "frames of kernel pages": [
        allocate(2, 4),
        op("kernel_pages.allocate", pages=2, frames=[6 * PAGE, 7 * PAGE], result=KERNEL),
        free(5, 2, error="kernel pages"),
        op("kernel_pages.free", address=KERNEL, pages=2),
        *(allocate(2, 6), count(24)),
    ],
}
WHOLE_CONFORMS: dict[str, list[Event]] = {
    "just what was given": [
        *(allocate(3, 4), free(4, 2, error="less"), free(5, 2, error="amid"), free(5, error="amid"), count(25)),
        *(allocate(2, 7), free(4, 5, error="two"), free(4, 3), free(4, 3, error="free"), allocate(1, 4), free(4)),
    ],
    "a free that does not say how many": [
        *(allocate(3, 4), free(5, error="amid"), free(4), count(28), free(4, error="free"), allocate(1, 4), free(4)),
    ],
    "what was reserved": [reserve(6, 4), free(6, 1, error="less"), free(6, 4), count(28)],
    "a release of a part changes nothing": [
        *(op("process.create", result=1), allocate(4, 4)),
        *(
            op("page.map", process=1, virtual=0, physical=5 * PAGE),
            op("page.unmap", process=1, virtual=0, release=True),
        ),
        *(count(24), free(4, 4), count(28)),
    ],
}
BLOCKS_CONFORM: dict[str, list[Event]] = {
    "rounded up, and aligned": [allocate(3, 12), allocate(5, 16), free(12, 3), count(20), free(16, 8), count(28)],
    "by order": [allocate(None, 8, order=3), allocate(None, 4, order=0), free(8) | {"order": 3}, free(4), count(28)],
    "no more than the largest": [allocate(9, None), allocate(None, None, order=4), allocate(8, 8), count(20)],
    "nowhere but aligned": [BOOT, allocate(8, 8), allocate(8, None), allocate(4, 20), allocate(4, 4), count(0)],
    "regions merge": [boot((8, 2), (10, 2)), allocate(4, 8)],
    "added memory merges": [boot((8, 2)), allocate(4, None), add(10, 2), allocate(4, 8)],
    "freed blocks merge": [
        *(boot((8, 4)), *(allocate(1, frame) for frame in (8, 9, 10, 11)), allocate(2, None), free(9), free(10)),
        *(allocate(2, None), free(8), allocate(2, 8), free(8, 2), free(11), allocate(4, 8)),
    ],
    "a free gives back the block": [
        *(allocate(4, 8), free(8, 2, error="part"), free(8, 8, error="more"), free(10, 2, error="amid"), free(8, 3)),
    ],
    "what was reserved is not rounded up": [reserve(8, 3), allocate(1, 11), free(8, 3), free(11), count(28)],
    "aligned more than to its size": [allocate(2, 16, alignment=16 * PAGE), allocate(2, None, alignment=64 * PAGE)],
}
PARTS_CONFORM: dict[str, list[Event]] = {
    "a block in pieces": [allocate(4, 8), free(9, 3), count(27), allocate(2, 10), free(8, 1), allocate(2, 8)],
}
CONFORMS = [
    *((MACHINE, LEVELS, name, events) for name, events in RUNS_CONFORM.items()),
    *((WHOLE, LEVELS, name, events) for name, events in WHOLE_CONFORMS.items()),
    *((BUDDY, LEVELS[:2], name, events) for name, events in BLOCKS_CONFORM.items()),
    *((PARTS, LEVELS[:2], name, events) for name, events in PARTS_CONFORM.items()),
]


@pytest.mark.parametrize(
    ("machine", "events", "level"),
    [
        pytest.param(machine, events, level, id=f"{machine['frame_allocator']}-{name}-{level}")
        for machine, levels, name, events in CONFORMS
        for level in levels
    ],
)
def test_conforms(check: Check, machine: dict[str, Any], events: list[Event], level: str) -> None:
    assert check(events, "--level", level, geometry=machine).broken == []


# By what is wrong in the last event: the machine, the events, the clause, and how the message begins.
DIVERGES: dict[str, tuple[dict[str, Any], list[Event], str, str]] = {
    "taken": (
        MACHINE,
        [*TAKEN, allocate(4, 10)],
        "runs.run-is-free",
        "frames 10 to 13: frame 10 is already allocated (by line 2)",
    ),
    "across a hole": (MACHINE, [BOOT, allocate(8, 12)], "runs.run-is-free", "frames 12 to 19: frame 16 does not exist"),
    "the image": (MACHINE, [allocate(2, 3)], "runs.run-is-free", "frames 3 to 4: frame 3 is the kernel image's"),
    "past the end": (MACHINE, [allocate(4, 30)], "runs.run-lies-in-reach", "frames 30 to 33 are outside the bitmap"),
    "below 0": (
        MACHINE,
        [allocate(4, -2)],
        "runs.run-lies-within-limits",
        "frames -2 to 1 begin at -0x2000, below 0x0",
    ),
    "amid a page": (
        MACHINE,
        [op("frame.allocate", count=2, result=5)],
        "addresses.address-is-aligned",
        "0x5 is not a multiple",
    ),
    "misaligned": (
        MACHINE,
        [allocate(2, 9, alignment=2 * PAGE)],
        "runs.run-is-aligned",
        "frame 9 begins at 0x9000, which is not a multiple of 0x2000",
    ),
    "too low": (
        MACHINE,
        [allocate(2, 9, **{"from": 10 * PAGE})],
        "runs.run-lies-within-limits",
        "frames 9 to 10 begin at 0x9000, below 0xa000",
    ),
    "too high": (
        MACHINE,
        [allocate(2, 9, below=10 * PAGE)],
        "runs.run-lies-within-limits",
        "frames 9 to 10 end at 0xb000, above 0xa000",
    ),
    "none": (MACHINE, [allocate(0, 9)], "runs.run-has-a-place", "0 frames are no run"),
    "no alignment": (
        MACHINE,
        [allocate(2, 9, alignment=3)],
        "bitmap.alignment-is-a-power-of-two",
        "3 is not a power of two",
    ),
    "reserved although taken": (
        MACHINE,
        [*TAKEN, reserve(6, 3)],
        "runs.run-is-free",
        "frames 6 to 8: frame 8 is already allocated (by line 2)",
    ),
    "reserved none": (MACHINE, [reserve(6, 0)], "runs.run-has-a-place", "0 frames are no run"),
    "reserved beyond": (MACHINE, [reserve(31, 1 << 60)], "runs.run-lies-in-reach", "frames 31 to "),
    "reserved amid a page": (
        MACHINE,
        [op("frame.reserve", address=PAGE + 1, count=1)],
        "addresses.address-is-aligned",
        "0x1001 is not",
    ),
    "freed twice": (
        MACHINE,
        [*TAKEN, free(8, 4), free(8, 4)],
        "runs.frees-only-allocated",
        "frames 8 to 11: frame 8 is already free (freed by line 3)",
    ),
    "freed with more": (
        MACHINE,
        [*TAKEN, free(8, 5)],
        "runs.frees-only-allocated",
        "frames 8 to 12: frame 12 is already free",
    ),
    "freed with the image": (
        MACHINE,
        [allocate(2, 4), free(3, 2)],
        "runs.frees-only-what-may-be-free",
        "frames 3 to 4: frame 3 is the kernel image's",
    ),
    "freed across a hole": (
        MACHINE,
        [BOOT, allocate(12, 4), free(12, 6)],
        "runs.frees-only-existing",
        "frames 12 to 17: frame 16 does not exist",
    ),
    "freed past the end": (MACHINE, [free(31, 2)], "runs.run-lies-in-reach", "frames 31 to 32 are outside"),
    "freed none": (MACHINE, [*TAKEN, free(8, 0)], "runs.run-has-a-place", "0 frames are no run"),
    "freed amid a page": (
        MACHINE,
        [op("frame.free", address=5, count=1)],
        "addresses.address-is-aligned",
        "0x5 is not a multiple",
    ),
    "kernel pages freed": (
        MACHINE,
        [
            op("kernel_pages.allocate", pages=1, frames=[4 * PAGE], result=KERNEL),
            reserve(5, 1),
            free(4, 2),
        ],
        "manager.takes-back-what-was-given",
        "frames 4 to 5: frame 4 is allocated (by line 2), for kernel pages",
    ),
    "a part": (
        WHOLE,
        [*TAKEN, free(8, 2)],
        "runs.frees-a-whole-run",
        "frames 8 to 9: what was allocated (by line 2) is frames 8 to 11",
    ),
    "from the middle": (
        WHOLE,
        [*TAKEN, free(10)],
        "runs.frees-a-whole-run",
        "frame 10: what was allocated (by line 2) is frames 8 to 11",
    ),
    "two at once": (
        WHOLE,
        [*TAKEN, reserve(12, 2), free(8, 6)],
        "runs.frees-a-whole-run",
        "frames 8 to 13: what was allocated (by line 2) is frames 8 to 11",
    ),
    "a block misaligned": (
        BUDDY,
        [allocate(4, 10)],
        "runs.run-is-aligned",
        "frame 10 begins at 0xa000, which is not a multiple of 0x4000",
    ),
    "a block too large": (
        BUDDY,
        [allocate(9, 16)],
        "runs.block-is-not-too-large",
        "16 frames: a block has 8 frames at most",
    ),
    "a block rounded up over what is taken": (
        BUDDY,
        [allocate(1, 11), allocate(3, 8)],
        "runs.run-is-free",
        "frames 8 to 11: frame 11 is already allocated (by line 2)",
    ),
    "a part of a block": (
        BUDDY,
        [*TAKEN, free(8, 2)],
        "runs.frees-a-whole-run",
        "frames 8 to 9: what was allocated (by line 2) is frames 8 to 11",
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("machine", "events", "clause", "message"), DIVERGES.values(), ids=DIVERGES.keys())
def test_what_the_law_refuses_is_named(
    check: Check, machine: dict[str, Any], events: list[Event], clause: str, message: str, level: str
) -> None:
    if level == "exact" and machine["frame_allocator"] == "buddy":
        return
    report = check(events, "--level", level, geometry=machine)
    assert report.broken == [(len(events) + 1, clause)]
    assert report.document["divergences"][0]["message"].startswith(message)


def test_each_clause_that_refuses_a_call_has_a_call_that_breaks_it() -> None:
    broken = {(str(events[-1]["op"]), clause) for _, events, clause, _ in DIVERGES.values()}
    calls = {(operation_of_kind(kind), clause.name) for kind, stake in OF_RUNS.items() for clause in stake.calls}
    answers = {(operation_of_kind(kind), clause.name) for kind, stake in OF_RUNS.items() for clause in stake.answers}
    assert broken == calls | answers


@pytest.mark.parametrize("machine", [MACHINE, WHOLE, BUDDY])
def test_only_what_a_geometry_has_is_never_tested(check: Check, machine: dict[str, Any]) -> None:
    untested = check([allocate(2, 4), free(4, 2)], geometry=machine).document["coverage"]["untested"]
    assert ("runs.block-is-not-too-large" in untested["frame.allocate"]) == (machine is BUDDY)
    assert ("runs.frees-a-whole-run" in untested["frame.free"]) == (machine is not MACHINE)
    assert not any(clause.startswith("bitmap.frees") for clause in untested["frame.free"])


REFUSED_WRONGLY: dict[str, tuple[dict[str, Any], list[Event]]] = {
    "a run": (MACHINE, [allocate(4, None)]),
    "a run within limits": (MACHINE, [*TAKEN, allocate(4, None, below=8 * PAGE)]),
    "a block of merged regions": (BUDDY, [boot((8, 2), (10, 2)), allocate(4, None)]),
    "a block of freed ones": (
        BUDDY,
        [boot((8, 2)), allocate(1, 8), allocate(1, 9), free(8), free(9), allocate(2, None)],
    ),
    "a block of the largest order": (BUDDY, [allocate(8, None)]),
    "a reservation": (MACHINE, [reserve(5, 3, error="no")]),
    "a free": (MACHINE, [*TAKEN, free(9, 2, error="no")]),
    "a free of a whole run": (WHOLE, [*TAKEN, free(8, 4, error="no")]),
}


@pytest.mark.parametrize(("machine", "events"), REFUSED_WRONGLY.values(), ids=REFUSED_WRONGLY.keys())
def test_what_must_succeed(check: Check, machine: dict[str, Any], events: list[Event]) -> None:
    report = check(events, geometry=machine)
    assert report.broken == [(len(events) + 1, f"{events[-1]['op']}.must-succeed")]
    assert check(events, "--level", "safe", geometry=machine).broken == []


def test_a_choice_is_the_kernels_but_at_exact(check: Check) -> None:
    events = [allocate(2, 9), allocate(3, 4)]
    assert check(events, geometry=MACHINE).broken == []
    report = check(events, "--level", "exact", "--keep-going", geometry=MACHINE)
    assert report.broken == [(2, "frame.allocate.policy")]
    found = report.document["divergences"][0]
    assert found["message"] == "frames 9 to 10 were allocated, but frames 4 to 5 are free and lower"


def test_at_exact_the_lowest_run_may_overlap_the_one_given(check: Check) -> None:
    events = [allocate(3, 5), allocate(1, 4)]
    assert check(events, geometry=MACHINE).broken == []
    report = check(events, "--level", "exact", "--keep-going", geometry=MACHINE)
    assert report.broken == [(2, "frame.allocate.policy")]
    found = report.document["divergences"][0]
    assert found["message"] == "frames 5 to 7 were allocated, but frames 4 to 6 are free and lower"


def test_a_divergence_says_what_was_asked_and_the_longest_free_run(check: Check) -> None:
    events = [reserve(6, 2), reserve(20, 12), allocate(13, 7)]
    found = check(events, geometry=MACHINE).document["divergences"][0]
    assert found["legal"] == "only a refusal: the longest free run has 12 frames, from frame 8 (0x8000)"
    assert found["before"]["run"] == {"first": 7, "frames": 13}
    assert found["before"]["longest_free_run"] == {"first": 8, "frames": 12}
    assert (found["before"]["frame"], found["before"]["line"]) == (7, 2)
