"""Buddy ranges that are no aligned power of two: the roots are the largest blocks that fit, aligned as addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from run_events import CREATE, PAGE, allocate, at, free, listed, op, reserve, size
from run_events import no_run as no_block
from small_geometry import SMALL

# Of a process 13 pages from page 3 on: roots of 1, 4 and 8 pages. Of the kernel 5 pages, of which the last is taken.
ROOTS: dict[str, Any] = SMALL | {
    "kernel_range": {"start": hex(0xFFFFFFFF00000000 + 3 * PAGE), "pages": 5},
    "kernel_reserved": [{"page": 4, "pages": 1}],
    "process_range": {"start": 3 * PAGE, "pages": 13},
}
LEVELS = ("safe", "legal", "exact")
REFUSED = {"error": "refused"}
WHOLE = ((0, 1, False), (1, 4, False), (5, 8, False))

CONFORMS = {
    "the roots": [CREATE, listed(*WHOLE), listed((0, 1, False), (1, 2, False), (3, 1, False), (4, 1, True), process=0)],
    "the smallest that fits": [CREATE, allocate(1, 0), allocate(3, 1), allocate(5, 5), no_block(1)],
    "none is larger": [CREATE, no_block(9), no_block(13), allocate(8, 5), no_block(5), allocate(4, 1)],
    "they do not merge": [CREATE, allocate(1, 0), allocate(1, 1), free(1, 1), free(0, 1), listed(*WHOLE)],
    "outside": [
        CREATE,
        reserve(-1, 1, **REFUSED),
        reserve(13, 1, **REFUSED),
        reserve(-3, 4, **REFUSED),
        free(-1, 1, **REFUSED),
        free(-3, 2, **REFUSED),
        free(13, 1, **REFUSED),
        size(-1, **REFUSED),
        size(-1, result=0),
        size(13, result=0),
    ],
    "kernel pages": [
        {"op": "kernel_pages.allocate", "pages": 2, "frames": [2 * PAGE, 3 * PAGE], "result": at(1, 0)},
        {"op": "page.translate", "virtual": at(2, 0), "result": 3 * PAGE},
        {"op": "kernel_pages.free", "address": at(1, 0), "pages": 2},
        listed((0, 1, False), (1, 2, False), (3, 1, False), (4, 1, True), process=0),
    ],
}
WRONG = {
    "across two roots": ([CREATE, allocate(2, 0)], "buddy.block-is-aligned"),
    "aligned in the range alone": ([CREATE, allocate(4, 4)], "buddy.block-is-aligned"),
    "below the range": ([CREATE, allocate(1, -1)], "buddy.block-lies-in-range"),
    "past the range": ([CREATE, allocate(1, 13)], "buddy.block-lies-in-range"),
    "partly below the range": ([CREATE, allocate(4, -3)], "buddy.block-lies-in-range"),
    "a root that is lost": ([CREATE, allocate(8, 5), no_block(4)], "range.allocate.must-succeed"),
    "freed below the range": ([CREATE, free(-1, 1)], "buddy.block-is-allocated"),
    "a list that begins below": ([CREATE, listed((-1, 1, True), *WHOLE)], "buddy.lists-in-address-order"),
    "a list that goes on": ([CREATE, listed(*WHOLE, (13, 1, True))], "buddy.block-lies-in-range"),
    "a list that ends early": ([CREATE, listed(*WHOLE[:2])], "buddy.lists-in-address-order"),
    "a size of what lies below": ([CREATE, size(-3, result=2)], "buddy.size-is-of-the-block"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level, geometry=ROOTS)
    assert (report.status, report.broken, report.document["events"]) == (0, [], len(events))


@pytest.mark.parametrize(("events", "clause"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named(check: Callable[..., Any], events: list[Any], clause: str) -> None:
    assert check(events, geometry=ROOTS).broken == [(len(events) + 1, clause)]


def test_what_is_drawn_lies_in_the_range(check: Callable[..., Any]) -> None:
    (found,) = check([CREATE, allocate(4, 4)], geometry=ROOTS).document["divergences"]
    blocks = found["before"]["blocks"]
    assert [(block["address"], block["pages"]) for block in blocks] == [(at(0), 1), (at(1), 4), (at(5), 8)]


@pytest.mark.parametrize("first", [0, 1, 5, 12])
@pytest.mark.parametrize("pages", [1, 5, 8, 1000])
def test_roots_are_the_largest_blocks(check: Callable[..., Any], first: int, pages: int) -> None:
    """By trying every block: each page lies in the largest one that is aligned and within the range."""
    due, page = list[tuple[str, int, bool]](), first
    while page < first + pages:
        size = max(1 << n for n in range(12) if page % (1 << n) == 0 and page + (1 << n) <= first + pages)
        due.append((hex(page * PAGE), size, False))
        page += size
    geometry = SMALL | {"process_range": {"start": first * PAGE, "pages": pages}}
    events = [CREATE, {"op": "range.list", "process": 1, "result": due}]
    assert check(events, "--level", "exact", geometry=geometry).broken == []
    lowest_first = sorted(due, key=lambda block: block[1])  # each block is found, the smallest first, and nothing else
    taken = [{"op": "range.allocate", "process": 1, "pages": size, "result": root} for root, size, _ in lowest_first]
    freed = [op("range.free", address=root, pages=size) for root, size, _ in due]
    assert check([CREATE, *taken, no_block(1), *freed, events[1]], "--level", "exact", geometry=geometry).broken == []
