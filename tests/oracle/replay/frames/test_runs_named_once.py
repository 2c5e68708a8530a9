"""Runs of frames: one fault is named once; what is hidden, misused or malformed; and blocks at level exact."""

from __future__ import annotations

from typing import Any

import pytest
from frame_events import (
    BUDDY,
    LEVELS,
    MACHINE,
    PAGE,
    TAKEN,
    WHOLE,
    Check,
    Event,
    allocate,
    boot,
    count,
    free,
    is_free,
    op,
    reserve,
)

ONE_FAULT: dict[str, tuple[dict[str, Any], list[Event], list[int]]] = {
    "handed out twice, freed by both": (
        MACHINE,
        [*TAKEN, allocate(4, 8), count(24), free(8, 4), free(8, 4), count(28), allocate(4, 8)],
        [3],
    ),
    "handed out twice, whole": (WHOLE, [*TAKEN, allocate(4, 8), free(8, 4), free(8, 4), allocate(4, 8)], [3]),
    "handed out twice, freed once more": (MACHINE, [*TAKEN, allocate(4, 8), *[free(8, 4)] * 3], [3, 6]),
    "overlapping, freed by both": (MACHINE, [*TAKEN, allocate(4, 10), free(8, 4), free(10, 4), count(28)], [3]),
    "a part of a block was freed, which was ignored": (
        BUDDY,
        [allocate(4, 8), free(8, 2), count(24), free(8, 4), count(28)],
        [3],
    ),
    "more than a run was freed, which was ignored": (
        MACHINE,
        [*TAKEN, free(10, 4), count(24), is_free(10, False), free(8, 4), count(28)],
        [3],
    ),
    "more than a run was freed, and the rest later": (
        MACHINE,
        [*TAKEN, free(10, 4), count(26), is_free(10, True), free(8, 2), count(28), free(8, 2)],
        [3, 8],
    ),
    "overlapping blocks": (BUDDY, [allocate(2, 10), allocate(4, 8), free(10, 2), free(8, 4), allocate(4, 8)], [3]),
    "over a hole": (BUDDY, [boot((8, 6)), allocate(8, 8), free(8, 8), free(8, 8), allocate(4, 8)], [3, 5]),
    "over a hole, in parts": (MACHINE, [boot((8, 6)), allocate(8, 8), free(8, 4), free(12, 4), count(6)], [3]),
    "over the image": (MACHINE, [allocate(4, 2), free(2, 4), free(2, 4), allocate(4, 4)], [2, 4]),
    "only the first frame was marked": (MACHINE, [*TAKEN, allocate(1, 9), allocate(2, 10), free(8, 4)], [3]),
    "leaked": (
        MACHINE,
        [boot((8, 4)), allocate(4, 8), free(8, 4), allocate(4, None), allocate(2, None), allocate(1, None), count(0)],
        [5],
    ),
    "a part of a run leaked": (
        MACHINE,
        [boot((8, 8)), allocate(4, 8), free(8, 4), allocate(8, None), allocate(8, None), allocate(4, 12), count(1)],
        [5],
    ),
    "a free that did nothing, counted": (
        MACHINE,
        [boot((8, 4)), allocate(4, 8), free(8, 4), count(0), count(0), allocate(4, None), is_free(9, False)],
        [5],
    ),
    "a free that did nothing, asked": (
        MACHINE,
        [*TAKEN, free(8, 4), is_free(9, False), is_free(10, False), is_free(8, False), count(24)],
        [4],
    ),
    "a free that did nothing, passed over": (MACHINE, [allocate(3, 4), free(4, 3), allocate(3, 7), count(22)], [4]),
    "an allocation that did nothing, asked": (MACHINE, [*TAKEN, is_free(9, True), is_free(10, True), count(28)], [3]),
    "a run freed in part": (WHOLE, [*TAKEN, free(8, 2), is_free(10, True), allocate(4, 8)], [3]),
}


@pytest.mark.parametrize(("machine", "events", "lines"), ONE_FAULT.values(), ids=ONE_FAULT.keys())
def test_one_fault_is_named_once(
    check: Check, machine: dict[str, Any], events: list[Event], lines: list[int], request: pytest.FixtureRequest
) -> None:
    level = "exact" if "passed over" in request.node.name else "legal"
    report = check(events, "--keep-going", "--level", level, geometry=machine)
    assert [line for line, _ in report.broken] == lines


def test_frames_that_are_hidden_excuse_a_failure(check: Check) -> None:
    events = [allocate(4, None), reserve(8, 2, error="no"), count(3), allocate(2, 9), free(9, 2)]
    for level in ("legal", "exact"):
        assert check(events, "--level", level, geometry=MACHINE, private_frames=True).broken == []
    refused = [allocate(2, 9), free(9, 2, error="no")]
    assert check(refused, geometry=MACHINE, private_frames=True).broken == [(3, "frame.free.must-succeed")]


def test_a_free_of_what_pages_show_is_a_warning(check: Check) -> None:
    events = [*TAKEN, op("page.map", virtual="0xffff900000000000", physical=10 * PAGE), free(8, 4)]
    report = check(events, geometry=MACHINE)
    assert report.broken == []
    assert any("frame 10 was freed while" in warning for warning in report.document["warnings"])
    refused = check(events, geometry=MACHINE | {"free_while_mapped": "refuse"})
    assert refused.broken == [(4, "manager.nothing-maps-it")]


def test_a_misuse_may_be_ignored(check: Check) -> None:
    machine = WHOLE | {"misuse": {"frame.free": "ignore", "frame.allocate": "either"}}
    assert check([*TAKEN, free(8, 2), allocate(0, 9), count(24)], geometry=machine).broken == []


MALFORMED = [
    (MACHINE, [allocate(2, 4, order=1)], "order: given beside count"),
    (MACHINE, [allocate(2, 4) | {"count": "x"}], "count: neither an integer"),
    (MACHINE, [allocate(1, 4, zone="low")], "zone: no such argument in this geometry"),
    (MACHINE, [free(4, 1) | {"order": 0}], "order: given beside count"),
    (MACHINE | {"frame_max_order": 3}, [], "frame_max_order: it is of frame_allocator 'buddy' alone"),
    (BUDDY | {"frame_max_order": 53}, [], "frame_max_order: 53 is not between 0 and 52"),
    (MACHINE | {"frame_free_parts": "some"}, [], "frame_free_parts: 'some' is not one of 'partial', 'whole'"),
    (MACHINE | {"frame_free_parts": 1}, [], "frame_free_parts: 1 is not a string"),
    (MACHINE | {"frame_max_order": "x"}, [], "frame_max_order: "),
    (
        {"preset": "x64-4k", "frame_free_parts": "whole"},
        [],
        "frame_free_parts: frame_allocator 'single' hands out frames one by one",
    ),
]


@pytest.mark.parametrize(("machine", "events", "message"), MALFORMED)
def test_what_cannot_be_is_no_trace(check: Check, machine: dict[str, Any], events: list[Event], message: str) -> None:
    report = check([*events, count(28)], geometry=machine)
    assert report.status == 2
    assert message in report.errors


def test_at_exact_no_block_is_larger_than_the_largest(check: Check) -> None:
    events = [
        allocate(5, 8),
        allocate(1, 4),
        allocate(8, 16),
        allocate(4, 24),
        allocate(2, 6),
        free(8, 5),
        allocate(4, 28),
    ]
    assert check(events, "--level", "exact", geometry=BUDDY).broken == []
    report = check([allocate(8, 16)], "--level", "exact", geometry=BUDDY)
    assert report.broken == [(2, "frame.allocate.policy")]


def test_at_exact_there_are_not_too_many_blocks(check: Check) -> None:
    machine = BUDDY | {"frames": 1 << 26, "frame_max_order": 0}
    report = check([count(28)], "--level", "exact", geometry=machine)
    assert report.status == 2
    assert "frame_max_order: at level exact there may be 262,144 blocks" in report.errors


def test_at_exact_a_block_is_of_the_smallest_that_holds_it(check: Check) -> None:
    machine = MACHINE | {"frame_allocator": "buddy"}  # blocks of 4, 8 and 16 frames are free, from frames 4, 8 and 16
    events = [allocate(5, 8), allocate(1, 4), allocate(2, 6), allocate(1, 5), free(8, 5), allocate(3, 8)]
    assert check(events, "--level", "exact", geometry=machine).broken == []
    other = [allocate(5, 16), allocate(1, 8)]
    assert check(other, geometry=machine).broken == []
    report = check(other, "--level", "exact", "--keep-going", geometry=machine)
    assert report.broken == [(2, "frame.allocate.policy"), (3, "frame.allocate.policy")]
    assert report.document["divergences"][1]["message"] == (
        "frame 8 was allocated, but frame 4 is in the smallest free block that holds as many"
    )


LIMITED: dict[str, tuple[list[Event], list[Event]]] = {
    "from": ([allocate(1, 9, **{"from": 9 * PAGE})], [allocate(1, 16, **{"from": 9 * PAGE})]),
    "from, amid the last block of its order": (
        [allocate(2, 4), allocate(2, 16, **{"from": 15 * PAGE})],
        [allocate(2, 4), allocate(2, 18, **{"from": 15 * PAGE})],
    ),
    "below": ([allocate(5, 8, below=24 * PAGE)], [allocate(5, 16, below=24 * PAGE)]),
    "the smaller block is lower": ([allocate(2, 4, below=24 * PAGE)], [allocate(2, 8, below=24 * PAGE)]),
    "the smaller block is higher": (
        [allocate(1, 4), free(4), allocate(4, 16, alignment=16 * PAGE), allocate(2, 20, **{"from": 8 * PAGE})],
        [allocate(1, 4), free(4), allocate(4, 16, alignment=16 * PAGE), allocate(2, 8, **{"from": 8 * PAGE})],
    ),
    "alignment beyond the size": ([allocate(1, 8, alignment=8 * PAGE)], [allocate(1, 16, alignment=8 * PAGE)]),
    "alignment of the size": ([allocate(2, 4, alignment=2 * PAGE)], [allocate(2, 8, alignment=2 * PAGE)]),
}


@pytest.mark.parametrize(("conforms", "diverges"), LIMITED.values(), ids=LIMITED.keys())
def test_at_exact_limits_and_alignment_do_not_end_the_choice(
    check: Check, conforms: list[Event], diverges: list[Event]
) -> None:
    machine = MACHINE | {"frame_allocator": "buddy"}  # blocks of 4, 8 and 16 frames are free, from frames 4, 8 and 16
    assert check(conforms, "--level", "exact", geometry=machine).broken == []
    assert check(diverges, geometry=machine).broken == []
    report = check(diverges, "--level", "exact", geometry=machine)
    assert report.broken == [(len(diverges) + 1, "frame.allocate.policy")]


def test_at_exact_a_leaked_block_is_passed_over_once(check: Check) -> None:
    machine = MACHINE | {"frame_allocator": "buddy"}
    events = [allocate(4, 4), free(4, 4), *(allocate(4, frame) for frame in (8, 12, 16))]
    report = check(events, "--level", "exact", "--keep-going", geometry=machine)
    assert [line for line, _ in report.broken] == [4]


def test_pieces_that_are_never_free_may_overlap(check: Check) -> None:
    pieces = [{"start": 8 * PAGE, "bytes": 4 * PAGE}, {"start": 10 * PAGE, "bytes": 4 * PAGE}]
    machine = {"preset": "x64-4k", "frames": 32, "never_free": pieces, "frame_allocator": "runs"}
    events = [boot((0, 9), (14, 4)), allocate(9, None), allocate(8, 0), allocate(4, 14), count(0)]
    for level in LEVELS:
        assert check(events, "--level", level, geometry=machine).broken == []
