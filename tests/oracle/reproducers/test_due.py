"""What is due of the call that failed: what the law allows, in terms of what the calls before gave."""

from __future__ import annotations

from typing import Any

import pytest

from memoracle.commands.drive import Judge
from memoracle.drive.log import ENCODE
from memoracle.reproducers.conditions import due_of
from memoracle.reproducers.due import HOLDS, REFUSES, RETURNS, SUCCEEDS
from memoracle.reproducers.failing_run import FailingRun, failing_run
from memoracle.trace.geometry import geometry_from

SINGLE = {"preset": "x64-4k", "frames": 16, "kernel_image_frames": 1}
BUDDY = {"preset": "x64-4k", "frames": 200, "frame_allocator": "buddy", "frame_max_order": 6, "never_free": []}
RUNS = {"preset": "x64-4k", "frames": 64, "frame_allocator": "runs", "kernel_image_frames": 1}
HEAP = {"preset": "x64-4k", "heap_alignment": 16}
ARENA = {**HEAP, "heap_arena": {"start": 0x10000, "bytes": 0x1000}}
RANGES = {
    "preset": "x64-4k",
    "kernel_range": {"start": 0xFFFFFFFF00000000, "pages": 64},
    "kernel_reserved": [],
    "process_range": {"start": 0, "pages": 64},
}
TAKE, GIVE, COUNT = "frame.allocate", "frame.free", "frame.free_count"
NEW, DELETE, RESIZE = "heap.new", "heap.delete", "heap.resize"


def failing(geometry: dict[str, Any], *events: dict[str, Any], level: str = "legal") -> FailingRun:
    header, check = {"memoracle": 1, "geometry": geometry}, Judge(level)
    lines = [ENCODE(each) for each in events]
    found = check(iter([ENCODE(header), *lines])).divergences
    assert [each.line for each in found] == [len(events) + 1]
    return failing_run([ENCODE(header)], lines, found[0].finding, lambda each: check(map(ENCODE, each)))


CASES = [
    # Of a block that overlaps another.
    (SINGLE, [(TAKE, {}, 0x1000), (TAKE, {}, 0x1000)], HOLDS, ["frame2 + 4096 <= frame1 or frame1 + 4096 <= frame2"]),
    (
        BUDDY,
        [(TAKE, {"order": 2}, 0), (TAKE, {"order": 0}, 0x4000), (TAKE, {"order": 1}, 0x2000)],
        HOLDS,
        [
            "frame3 + 8192 <= frame1 or frame1 + 16384 <= frame3",
            "frame3 + 8192 <= frame2 or frame2 + 4096 <= frame3",
        ],
    ),
    # Of a run of which a part was given back.
    (
        RUNS,
        [(TAKE, {"count": 4}, 0x1000), (GIVE, {"address": 0x1000, "count": 2}, None), (TAKE, {"count": 3}, 0x2000)],
        HOLDS,
        ["frame3 + 12288 <= frame1 + 8192 or frame1 + 8192 + 8192 <= frame3"],
    ),
    # What was given back whole, or resized away, is in nobody's way.
    (
        HEAP,
        [
            (NEW, {"bytes": 32}, 0x1000),
            (NEW, {"bytes": 32}, 0x2000),
            (DELETE, {"address": 0x2000}, None),
            (RESIZE, {"address": 0x1000, "bytes": 64}, 0x3000),
            (NEW, {"bytes": 48}, 0x2FF0),
        ],
        HOLDS,
        ["block5 + 48 <= block4 or block4 + 64 <= block5"],
    ),
    # Rounded up, as the law rounds.
    (
        RANGES,
        [("range.allocate", {"pages": 3}, 0xFFFFFFFF00000000), ("range.allocate", {"pages": 1}, 0xFFFFFFFF00003000)],
        HOLDS,
        ["range2 + 4096 <= range1 or range1 + 16384 <= range2"],
    ),
    (SINGLE, [("process.create", {}, 1), ("process.create", {}, 1)], HOLDS, ["process2 != process1"]),
    # Of a block where none may lie.
    (BUDDY, [(TAKE, {"order": 4}, 192 << 12)], HOLDS, [f"frame1 <= {176 << 12}"]),
    (SINGLE, [(TAKE, {}, 0)], HOLDS, ["4096 <= frame1"]),
    (BUDDY, [(TAKE, {"order": 3}, 0x1000)], HOLDS, ["frame1 % 32768 == 0"]),
    (HEAP, [(NEW, {"bytes": 20}, 0x1008)], HOLDS, ["block1 % 16 == 0"]),
    (ARENA, [(NEW, {"bytes": 20}, 0x20000)], HOLDS, [f"block1 <= {0x11000 - 32}"]),
    # Of an answer.
    (SINGLE, [(TAKE, {}, 0x1000), (COUNT, {}, 15)], HOLDS, ["answer2 == 14"]),
    (SINGLE, [("frame.is_free", {"address": 0x1000}, False)], HOLDS, ["answer1 == True"]),
    # Of a success or a refusal that there should not be.
    (SINGLE, [(TAKE, {}, 0x1000), (GIVE, {"address": 0x1000}, None), (GIVE, {"address": 0x1000}, None)], REFUSES, []),
    (SINGLE, [(TAKE, {}, "none left")], SUCCEEDS, []),
]


def event(operation: str, arguments: dict[str, Any], result: Any) -> dict[str, Any]:
    outcome = {"error": result} if isinstance(result, str) else {} if result is None else {"result": result}
    return {"op": operation, **arguments, **outcome}


@pytest.mark.parametrize(("geometry", "calls", "kind", "conditions"), CASES)
def test_what_is_due(
    geometry: dict[str, Any], calls: list[tuple[str, dict[str, Any], Any]], kind: str, conditions: list[str]
) -> None:
    run = failing(geometry, *(event(*each) for each in calls))
    due = due_of(run, geometry_from(geometry))
    assert (due.kind, list(due.conditions), due.given) == (kind, conditions, ())
    assert run.finding.says in due.must


def test_a_crash_must_return() -> None:
    run = failing(SINGLE, {"op": GIVE, "address": 1, "crash": "signal 11"})
    assert due_of(run, geometry_from(SINGLE)).kind == RETURNS


def test_the_reference_s_choice_is_due_at_exact() -> None:
    run = failing(SINGLE, {"op": TAKE, "result": 0x2000}, level="exact")
    assert due_of(run, geometry_from(SINGLE)).conditions == ("frame1 == 4096",)


def test_what_another_lawful_allocator_may_do_is_due_after_the_recorded_answers_alone() -> None:
    # Where the third call gives the first frame again, the last one is right to free it.
    calls = [
        (TAKE, {}, 0x1000),
        (GIVE, {"address": 0x1000}, None),
        (TAKE, {}, 0x2000),
        (GIVE, {"address": 0x1000}, None),
    ]
    due = due_of(failing(SINGLE, *(event(*each) for each in calls)), geometry_from(SINGLE))
    assert (due.kind, due.given) == (REFUSES, ("frame1 == 4096", "frame3 == 8192"))


def test_blocks_of_a_heap_are_recorded_beside_the_first() -> None:
    calls = [
        (NEW, {"bytes": 32}, 0x7FFF0000),
        (NEW, {"bytes": 32}, 0x7FFF0040),
        (DELETE, {"address": 0x7FFF0000}, None),
        (NEW, {"bytes": 32}, 0x7FFF0080),
        (DELETE, {"address": 0x7FFF0000}, None),
    ]
    due = due_of(failing(HEAP, *(event(*each) for each in calls)), geometry_from(HEAP))
    assert due.given == ("block2 - block1 == 64", "block4 - block1 == 128")
