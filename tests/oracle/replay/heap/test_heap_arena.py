"""A heap in an arena: where its blocks lie, what it must serve, alignment and resize; after bug reports of heaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

LEVELS = ("safe", "legal", "exact")
BASE = 0xFFFFFFFF00500000
SIZE = 1 << 16
FAILED = {"error": "no memory"}
MUST, RESIZE_MUST = "heap.new.must-succeed", "heap.resize.must-succeed"

Event = dict[str, Any]
Check = Callable[..., Any]


def arena(start: int = BASE, length: int = SIZE, overhead: int = 16, minimum: int = 32, **keys: Any) -> dict[str, Any]:
    keys = {"heap_alignment": 16} | keys
    memory = {"start": hex(start), "bytes": length, "overhead": overhead, "minimum": minimum}
    return {"preset": "x64-4k", "heap_arena": memory} | keys


def new(size: Any, at: int | None = None, **keys: Any) -> Event:
    return {"op": "heap.new", "bytes": size} | keys | (FAILED if at is None else {"result": hex(BASE + at)})


def delete(at: int, **keys: Any) -> Event:
    return {"op": "heap.delete", "address": hex(BASE + at)} | keys


def resize(at: int, size: Any, to: int | None = None, **keys: Any) -> Event:
    event = {"op": "heap.resize", "address": hex(BASE + at), "bytes": size} | keys
    return event | (FAILED if to is None else {"result": hex(BASE + to)})


A, B, C = new(1024, 16), new(1024, 0x420), new(1024, 0x830)
HALVES = [new(0x7F00, 16), new(0x7F00, 0x8010)]
SMALLER = [new(0xF000, 16), resize(16, 16, 16)]
LARGE = new(0x8000)  # it fails: no room for it is left beside what the smaller block had
# By the report: what a heap with the fault records, the clause of its last event, and what a mended one records.
CASES: dict[str, tuple[list[Event], str, list[Event]]] = {
    "realloc loses the old block where it fails": (
        [*HALVES, resize(16, 0x8F00), new(0x7000, 0x20)],
        "heap.is-disjoint",
        [*HALVES, resize(16, 0x8F00), new(0x7000), delete(16), new(0x7000, 0x20)],
    ),
    "realloc grows over its neighbour": (
        [A, B, C, resize(16, 2048, 16)],
        "heap.is-disjoint-once-resized",
        [A, B, C, resize(16, 2048, 0xC40)],
    ),
    "realloc counts the next block as free": (
        [A, B, delete(0x420), new(512, 0x420), resize(16, 2048, 16)],
        "heap.is-disjoint-once-resized",
        [A, B, delete(0x420), new(512, 0x420), resize(16, 1040, 16)],
    ),
    "an alignment is ignored above a size": (
        [new(64, 0x40, alignment=64), new(8192, 0x1010, alignment=4096)],
        "heap.is-aligned",
        [new(64, 0x40, alignment=64), new(8192, 0x1000, alignment=4096)],
    ),
    "freed neighbours do not merge": (
        [A, B, new(0xF7A0, 0x840), delete(16), delete(0x420), new(1900)],
        MUST,
        [A, B, new(0xF7A0, 0x840), delete(16), delete(0x420), new(1900, 16)],
    ),
    "all was freed, and a large request fails": (
        [*HALVES, delete(16), delete(0x8010), new(SIZE - 16)],
        MUST,
        [*HALVES, delete(16), delete(0x8010), new(SIZE - 16, 16)],
    ),
    "what is cut off before an aligned block leaks": (
        [new(4096, 0x8000, alignment=0x8000), new(0x6000)],
        MUST,
        [new(4096, 0x8000, alignment=0x8000), new(0x6000, 16)],
    ),
    "a block passes the arena's end": (
        [A, new(4096, SIZE - 4080)],
        "heap.lies-in-the-arena",
        [A, new(4096, SIZE - 4096)],
    ),
    "a block lies before the arena": ([A, new(16, -16)], "heap.lies-in-the-arena", [A, new(16, 0)]),
    "realloc grows past the arena's end": (
        [new(1024, SIZE - 1024), resize(SIZE - 1024, 2048, SIZE - 1024)],
        "heap.lies-in-the-arena",
        [new(1024, SIZE - 1024), resize(SIZE - 1024, 2048, SIZE - 2048)],
    ),
    "realloc to 0 gives an address that is in use": (
        [A, B, resize(16, 0, 0x420)],
        "heap.is-unique-once-resized",
        [A, B, resize(16, 0, 16), resize(0x420, 0), delete(16), delete(0x420)],
    ),
    "realloc to 0 gives null": (
        [A, {"op": "heap.resize", "address": hex(BASE + 16), "bytes": 0, "result": 0}],
        "heap.lies-within-addresses",
        [A, delete(16)],
    ),
    "the old block is freed again after it moved": (
        [A, resize(16, 2048, 0x4000), delete(16)],
        "heap.deletes-a-live-block",
        [A, resize(16, 2048, 0x4000), delete(16, **FAILED), delete(0x4000)],
    ),
    "the old block is resized again after it moved": (
        [A, resize(16, 2048, 0x4000), resize(16, 64, 16)],
        "heap.resizes-a-live-block",
        [A, resize(16, 2048, 0x4000), resize(16, 64), resize(0x4000, 64, 0x4000)],
    ),
    "realloc keeps an address that is not aligned as asked": (
        [A, resize(16, 512, 16, alignment=256)],
        "heap.is-aligned",
        [A, resize(16, 512, 0x800, alignment=256)],
    ),
    "the room of a smaller block is lost once that is deleted": (
        [*SMALLER, delete(16), LARGE],
        MUST,
        [*SMALLER, LARGE],
    ),
    "the room of a smaller block is lost once that moves": (
        [*SMALLER, resize(16, 32, 0xFA00), LARGE],
        MUST,
        [*SMALLER, resize(16, 32, 16), LARGE, resize(16, 0xF000, 16), LARGE],
    ),
    "what was cut off from a smaller block is lost": (
        [*SMALLER, new(64, 0x100), LARGE],
        MUST,
        [*SMALLER, LARGE, new(64, 0x100), delete(16), new(0x8000, 0x200)],
    ),
    "the room of a smaller block that was aligned is lost": (
        [new(0xF000, 16), resize(16, 16, 16, alignment=16), delete(16), LARGE],
        MUST,
        [new(0xF000, 16), resize(16, 16, 16, alignment=16), resize(16, 8, 16, alignment=8), LARGE],
    ),
    "realloc to less fails": ([A, resize(16, 512)], RESIZE_MUST, [A, resize(16, 512, 16)]),
    "realloc fails although there is room": ([A, resize(16, 4096)], RESIZE_MUST, [A, resize(16, 0xFC00)]),
    "realloc of nothing fails": (
        [{"op": "heap.resize", "address": 0, "bytes": 64} | FAILED],
        RESIZE_MUST,
        [{"op": "heap.resize", "address": 0, "bytes": 64, "result": hex(BASE + 16)}, delete(16)],
    ),
    "an alignment of 24": ([new(64, 48, alignment=24)], "bitmap.alignment-is-a-power-of-two", [new(64, alignment=24)]),
    "no bytes, aligned": ([new(0, 16, alignment=64)], "heap.is-aligned", [new(0, 64, alignment=64), new(0)]),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@cases
def test_the_fault_is_named(check: Check, case: tuple[list[Event], str, list[Event]]) -> None:
    events, clause, _ = case
    for level in ("legal", "exact"):
        assert check(events, "--level", level, geometry=arena()).broken == [(len(events) + 1, clause)]
    unsafe = not clause.endswith("must-succeed")
    assert check(events, "--level", "safe", geometry=arena()).broken == [(len(events) + 1, clause)] * unsafe


@cases
@pytest.mark.parametrize("level", LEVELS)
def test_the_mended_heap_conforms(check: Check, case: tuple[list[Event], str, list[Event]], level: str) -> None:
    report = check(case[2], "--level", level, geometry=arena())
    assert (report.broken, report.status) == ([], 0)


@cases
def test_one_fault_is_named_once(check: Check, case: tuple[list[Event], str, list[Event]]) -> None:
    """After the fault, more requests that fail, and a free of what was given, are no faults of their own."""
    events, clause, _ = case
    of_room = clause.endswith("must-succeed") and events != CASES["realloc to less fails"][0]
    again = [new(size) for size in (1900, 0x5000, 0x3000, SIZE - 16)] if of_room else []
    given = events[-1].get("result")
    freed = [{"op": "heap.delete", "address": given}] if given else []
    found = check([*events, *again, *freed], "--keep-going", geometry=arena()).broken
    assert found == [(len(events) + 1, clause)]


@pytest.mark.parametrize("header", [{}, {"private_frames": True}], ids=["", "private frames"])
@pytest.mark.parametrize("level", LEVELS)
def test_no_frame_is_needed(check: Check, level: str, header: dict[str, Any]) -> None:
    none = arena(frames=1, kernel_image_frames=1, kernel_range={"start": hex(BASE), "pages": 1}, kernel_reserved=[])
    broken = check([new(64)], "--level", level, geometry=none, **header).broken
    assert broken == ([] if level == "safe" else [(2, MUST)])


GAP = [new(1024, 0x1000), new(1024, 0x2000)]  # 0xC00 bytes lie between them
REST = [new(0xFF0, 16), new(0xD7F0, 0x2410)]


@pytest.mark.parametrize(
    ("size", "keys", "due"),
    [
        (0xC00 - 64, {}, True),  # twice 16 bytes of overhead, and twice the alignment of 16
        (0xC00 - 63, {}, False),
        (0xC00 - 32 - 256, {"alignment": 128}, True),
        (0xC00 - 31 - 256, {"alignment": 128}, False),
        (1, {"alignment": 1024}, True),
        (1, {"alignment": 2048}, False),
        (0, {}, False),
        (-1, {}, False),
        (1 << 70, {}, False),
        (1, {"alignment": 1 << 70}, False),
    ],
)
def test_what_a_gap_holds(check: Check, size: int, keys: dict[str, Any], due: bool) -> None:
    events = [*GAP, *REST, new(size, **keys)]
    assert check(events, geometry=arena()).broken == [(len(events) + 1, MUST)] * due
    assert check(events, geometry=arena(heap_fragments=True)).broken == []


def test_a_small_block_takes_the_minimum(check: Check) -> None:
    events = [new(8, 0x1000), new(0xFF0, 16), new(0xE7F0, 0x1810), new(0x810 - 64 - 64 + 8)]
    assert check(events, geometry=arena(minimum=8)).broken == [(5, MUST)]
    assert check(events, geometry=arena(minimum=64)).broken == []


@pytest.mark.parametrize(
    ("keys", "size", "due"),
    [
        ({}, SIZE - 16, True),
        ({}, SIZE - 15, False),
        ({"overhead": 0}, SIZE, True),
        ({"overhead": 0}, SIZE + 1, False),
        ({"heap_fragments": True}, SIZE - 16, True),
        ({"minimum": SIZE}, 8, False),
        ({"start": BASE + 8}, SIZE - 24, True),  # the first 8 bytes are not aligned
        ({"start": BASE + 8}, SIZE - 16, False),
        ({"start": 0, "overhead": 0}, SIZE, False),  # no block has the address 0
        ({"start": 0}, SIZE - 32, True),
    ],
)
def test_what_an_empty_arena_holds(check: Check, keys: dict[str, Any], size: int, due: bool) -> None:
    assert check([new(size)], geometry=arena(**keys)).broken == [(2, MUST)] * due


@pytest.mark.parametrize("value", [-1, 1 << 70, "0x" + "f" * 40])
def test_hostile_numbers(check: Check, value: Any) -> None:
    """They are refused by the law, or end in a divergence, and never in an error."""
    for event in (
        new(value, 16),
        new(64, 16, alignment=value),
        resize(16, value, 16),
        {"op": "heap.resize", "address": value, "bytes": 64, "result": value},
        {"op": "heap.new", "bytes": 64, "result": value},
    ):
        for geometry in (arena(), "x64-4k"):
            assert check([A, event, new(64, 0x4000), new(1 << 40)], geometry=geometry).status == 1


def test_the_largest_gap_is_drawn(check: Check) -> None:
    events = [new(1024, 0x1000), new(1024, 0x8000), new(0x7000)]
    (found,) = check(events, geometry=arena()).document["divergences"]
    assert found["message"] == "it failed (no memory), but it must succeed"
    assert found["legal"] == (
        f"28,672 bytes aligned to 0x10 in the arena, {BASE:#x} to {BASE + SIZE - 1:#x}, that belong to no live block"
    )
    assert found["before"] == {
        "needed_bytes": 0x7000 + 64,
        "largest_gap": {"address": hex(BASE + 0x8400), "bytes": SIZE - 0x8400},
        "block": {"address": hex(BASE + 0x8000), "bytes": 1024, "line": 3},
        "live_blocks": 2,
    }


def test_a_moved_block_names_the_resize(check: Check) -> None:
    events, _, _ = CASES["the old block is freed again after it moved"]
    (found,) = check(events, geometry=arena()).document["divergences"]
    assert found["message"] == f"the block at {BASE + 16:#x} was resized, and moved (by line 3)"


def test_what_was_freed_after_a_leak_was_named_is_judged(check: Check) -> None:
    """What fails for want of a gap that no fault explains is a fault of its own."""
    events = [*HALVES, delete(16), new(0x7000), new(0x6000), delete(0x8010), new(0x7000)]
    assert [line for line, _ in check(events, "--keep-going", geometry=arena()).broken] == [5, 8]
