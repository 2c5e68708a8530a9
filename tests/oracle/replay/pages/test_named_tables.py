"""`tables`: the frames that an operation took for page tables, or gave back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from misuses import BOOT, FRAME, KERNEL, PAGE, UPPER, op

Event = dict[str, Any]
FAR = 1 << 39  # of another PML4 entry than page 0
NEAR = 1 << 30  # of the same PML4 entry, and another table of the lowest level


def frames(*numbers: int) -> list[int]:
    return [number * PAGE for number in numbers]


def create(*tables: int, process: int = 1) -> Event:
    return op("process.create", result=process, tables=frames(*tables))


def page_map(virtual: int, *tables: int, process: int = 1) -> Event:
    return op("page.map", process=process, virtual=hex(virtual), physical=FRAME, tables=frames(*tables))


def unmap(virtual: int, *tables: int, process: int = 1) -> Event:
    return op("page.unmap", process=process, virtual=hex(virtual), tables=frames(*tables))


def leave(*tables: int, process: int = 1) -> Event:
    return op("process.exit", process=process, release=False, tables=frames(*tables))


def count(free: int) -> Event:
    return op("frame.free_count", result=free)


# 14 frames are free at first: 2 to 15. A page of 2 MiB takes a table of level 3 and one of level 2.
RIGHT: dict[str, list[Event]] = {
    "a process": [create(2), count(13), leave(2), count(14)],
    "a page": [create(2), page_map(0, 3, 4), count(11), unmap(0, 4, 3), count(13), leave(2), count(14)],
    "two pages of a table": [
        *(create(2), page_map(0, 3, 4), page_map(PAGE), unmap(0), count(11)),
        *(unmap(PAGE, 3, 4), leave(2), count(14)),
    ],
    "two tables of a table": [
        *(create(2), page_map(0, 3, 4), page_map(NEAR, 5), unmap(0, 4), count(11)),
        *(unmap(NEAR, 5, 3), count(13), leave(2), count(14)),
    ],
    "empty tables are kept": [create(2), page_map(0, 3, 4), unmap(0), page_map(0), unmap(0, 3, 4), leave(2), count(14)],
    "empty tables are kept until the exit": [create(2), page_map(0, 3, 4), unmap(0), leave(2, 3, 4), count(14)],
    "one is kept, and one comes again": [
        *(create(2), page_map(0, 3, 4), unmap(0, 4), page_map(0, 4), page_map(PAGE)),
        *(unmap(0), unmap(PAGE, 4, 3), leave(2), count(14)),
    ],
    "an exit with pages": [create(2), page_map(0, 3, 4), page_map(FAR, 5, 6), leave(2, 3, 4, 5, 6), count(14)],
    "an exit that does not say": [
        create(2),
        page_map(0, 3, 4),
        op("process.exit", process=1, release=False),
        count(14),
    ],
    "an exit that says less": [create(2), page_map(0, 3, 4), leave(3, 4), count(14)],
    "the kernel's": [
        *(create(2), op("page.map", virtual=hex(UPPER), physical=FRAME, tables=frames(3, 4)), leave(2)),
        *(count(12), op("page.unmap", virtual=hex(UPPER), tables=frames(3, 4)), count(14)),
    ],
    "kernel pages": [
        op("kernel_pages.allocate", pages=2, frames=frames(2, 5), tables=frames(3, 4), result=hex(KERNEL + 2 * PAGE)),
        *(count(10), op("kernel_pages.free", address=hex(KERNEL + 2 * PAGE), pages=2, tables=frames(4, 3)), count(14)),
    ],
    "tables that are taken ahead": [create(2), page_map(0, 3, 4, 5, 6), unmap(0, 3, 4, 5, 6), leave(2), count(14)],
}


@pytest.mark.parametrize("level", ["safe", "legal", "exact"])
@pytest.mark.parametrize("events", RIGHT.values(), ids=RIGHT.keys())
def test_tables_come_and_go(check: Callable[..., Any], events: list[Event], level: str) -> None:
    assert check(events, "--level", level).broken == []


@pytest.mark.parametrize("events", RIGHT.values(), ids=RIGHT.keys())
def test_they_show_in_the_counts(check: Callable[..., Any], events: list[Event]) -> None:
    """A kernel that lost one, or has one more, is named where it counts."""
    for error in (-1, 1):
        report = check([*events[:-1], count(events[-1]["result"] + error)])
        assert report.broken == [(len(events) + 1, "bitmap.tells-the-count")]


WRONG: dict[str, tuple[list[Event], str]] = {
    "taken although it was not free": ([create(2), page_map(0, 3, 2)], "bitmap.allocates-only-free"),
    "taken twice": ([create(2), page_map(0, 3, 3)], "bitmap.allocates-only-free"),
    "that of an image": ([create(0)], "bitmap.allocates-only-free"),
    "misaligned": ([op("process.create", result=1, tables=[5])], "addresses.address-is-aligned"),
    "a page is left": (
        [create(2), page_map(0, 3, 4), page_map(PAGE), unmap(0, 4)],
        "manager.gives-back-only-empty-tables",
    ),
    "a table is left": (
        [create(2), page_map(0, 3, 4), page_map(NEAR, 5), unmap(0, 3, 4)],
        "manager.gives-back-only-empty-tables",
    ),
    "the process lives": ([create(2), page_map(0, 3, 4), unmap(0, 3, 4, 2)], "manager.gives-back-only-empty-tables"),
    "another process's": (
        [create(2), create(3, process=2), page_map(0, 4, 5, process=2), leave(2, 4)],
        "manager.gives-back-only-empty-tables",
    ),
    "another page's": (
        [create(2), page_map(0, 3, 4), page_map(FAR, 5, 6), unmap(0, 3, 6)],
        "manager.gives-back-only-empty-tables",
    ),
    "no table": ([create(2), op("frame.allocate", result=3 * PAGE), leave(3)], "manager.holds-a-table"),
    "none that was allocated": ([create(2), leave(7)], "manager.holds-a-table"),
    "given back twice": ([create(2), leave(2, 2)], "manager.holds-a-table"),
    "the page's own frame": (
        [create(2), op("frame.allocate", result=FRAME), page_map(0, 4, 5), unmap(0, 3, 4)],
        "manager.holds-a-table",
    ),
    "freed": ([create(2), op("frame.free", address=2 * PAGE)], "manager.takes-back-what-was-given"),
    "handed out": ([create(2), op("frame.allocate", result=2 * PAGE)], "bitmap.allocates-only-free"),
    "given back and used": (
        [create(2), page_map(0, 3, 4), unmap(0, 3, 4), page_map(0), count(11)],
        "bitmap.tells-the-count",
    ),
    "of kernel pages": (
        [
            op(
                "kernel_pages.allocate",
                pages=2,
                frames=frames(2, 5),
                tables=frames(3, 4),
                result=hex(KERNEL + 2 * PAGE),
            ),
            op("page.map", virtual=hex(KERNEL + 8 * PAGE), physical=0),
            op("kernel_pages.free", address=hex(KERNEL + 2 * PAGE), pages=2, tables=frames(4, 3)),
        ],
        "manager.gives-back-only-empty-tables",
    ),
}


@pytest.mark.parametrize(("events", "clause"), WRONG.values(), ids=WRONG.keys())
def test_what_must_not_be_is_named(check: Callable[..., Any], events: list[Event], clause: str) -> None:
    assert check(events).broken == [(len(events) + 1, clause)]
    assert check(events, "--keep-going").broken == [(len(events) + 1, clause)]


def test_who_needs_a_table_is_said(check: Callable[..., Any]) -> None:
    (found,) = check(WRONG["a page is left"][0]).document["divergences"]
    assert found["message"] == (
        "frame 4, taken for a table by line 3, was given back, "
        "but process 1 still maps pages by its table of level 2 from 0x0"
    )
    (found,) = check(WRONG["the process lives"][0]).document["divergences"]
    assert found["message"] == "frame 2, taken for a table by line 2, was given back, but process 1 lives"
    (found,) = check(WRONG["no table"][0]).document["divergences"]
    assert found["message"] == "frame 3 is allocated (by line 3), for no page table"
    (found,) = check(WRONG["handed out"][0]).document["divergences"]
    assert found["message"] == "frame 2 is already allocated (by line 2), for page tables"


def test_what_fails_takes_nothing(check: Callable[..., Any]) -> None:
    failed = [create(2), page_map(1, 3, 4) | {"error": "misaligned"}, unmap(0, 2) | {"error": "nothing there"}]
    assert check([*failed, count(13)]).status == 0


def test_a_table_that_nobody_named_may_be_given_back_where_frames_are_private(check: Callable[..., Any]) -> None:
    events = [op("process.create", result=1), leave(2)]
    assert check(events, private_frames=True).status == 0
    assert check(events).broken == [(3, "manager.holds-a-table")]


@pytest.mark.parametrize("allocator", [{"frame_allocator": "runs"}, {"frame_allocator": "buddy"}])
@pytest.mark.parametrize("name", ["a page", "two tables of a table", "kernel pages", "the kernel's"])
def test_of_other_allocators(check: Callable[..., Any], small: dict[str, Any], allocator: Event, name: str) -> None:
    assert check(RIGHT[name], geometry=small | allocator).status == 0


HOSTILE = [-1, -PAGE, 1 << 70, hex(1 << 64), 16 * PAGE, 1]


@pytest.mark.parametrize("bad", HOSTILE)
def test_no_number_is_too_strange(check: Callable[..., Any], bad: Any) -> None:
    for event in (
        op("process.create", result=1, tables=[bad]),
        op("page.map", virtual=bad, physical=bad, tables=[bad, bad]),
        op("kernel_pages.allocate", pages=1 << 62, tables=[bad], result=bad),
        op("kernel_pages.free", address=bad, pages=bad, tables=[bad]),
        op("page.unmap", virtual=bad, tables=[bad]),
    ):
        assert check([BOOT, event]).status == 1


@pytest.mark.parametrize("bad", [5, "0x0", None, ["five"], [None], [[0]], [0.5]])
def test_tables_are_a_list_of_numbers(check: Callable[..., Any], bad: Any) -> None:
    report = check([op("process.create", result=1, tables=bad)])
    assert report.status == 2
    assert "trace.jsonl:2" in report.errors
