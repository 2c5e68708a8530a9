from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PAGE = 1 << 21
KERNEL = 0xFFFFFFFF00000000
LEVELS = ("safe", "legal", "exact")
REFUSED = {"error": "refused"}


def op(name: str, process: int = 1, **keys: Any) -> dict[str, Any]:
    return {"op": name, "process": process} | keys


def at(page: int, process: int = 1) -> str | int:
    address = (0 if process else KERNEL) + page * PAGE
    return hex(address) if address >= 0 else address


def allocate(pages: int, page: int, process: int = 1) -> dict[str, Any]:
    return op("range.allocate", process, pages=pages, result=at(page, process))


def no_range(pages: int, process: int = 1) -> dict[str, Any]:
    return op("range.allocate", process, pages=pages, error="no range fits")


def reserve(page: int, pages: int, process: int = 1, **keys: Any) -> dict[str, Any]:
    return op("range.reserve", process, address=at(page, process), pages=pages, **keys)


def free(page: int, pages: int, process: int = 1, **keys: Any) -> dict[str, Any]:
    return op("range.free", process, address=at(page, process), pages=pages, **keys)


def size(page: int, process: int = 1, **keys: Any) -> dict[str, Any]:
    return op("range.size", process, address=at(page, process), **keys)


def blocks(*listed: tuple[int, int, bool], process: int = 1) -> dict[str, Any]:
    return op("range.list", process, result=[[at(page, process), pages, taken] for page, pages, taken in listed])


CREATE = {"op": "process.create", "result": 1}
CREATE_2 = {"op": "process.create", "result": 2}

CONFORMS = {
    "a process starts with one free block": [CREATE, blocks((0, 16, False))],
    "the kernel's range has what was taken at start": [
        blocks((0, 2, True), (2, 2, False), (4, 4, False), (8, 8, False), process=0)
    ],
    "process 0 is the default": [{"op": "range.size", "address": hex(KERNEL), "result": 2}],
    "rounds up": [CREATE, allocate(5, 0), size(0, result=8), blocks((0, 8, True), (8, 8, False))],
    "smallest block, lowest address": [CREATE, allocate(1, 0), allocate(2, 2), allocate(1, 1), allocate(8, 8)],
    "fails without a block that fits": [CREATE, allocate(9, 0), no_range(1)],
    "fails for no pages": [CREATE, no_range(0), no_range(-3)],
    "fails for more than the range": [CREATE, no_range(17), no_range(1 << 70)],
    "reserve": [CREATE, reserve(4, 4), blocks((0, 4, False), (4, 4, True), (8, 8, False))],
    "reserves that are refused": [
        CREATE,
        reserve(4, 4),
        reserve(4, 2, **REFUSED),
        reserve(0, 8, **REFUSED),
        reserve(0, 3, **REFUSED),
        reserve(2, 4, **REFUSED),
        reserve(16, 1, **REFUSED),
        reserve(-1, 1, **REFUSED),
        reserve(0, 0, **REFUSED),
        op("range.reserve", address=1, pages=1, error="misaligned"),
    ],
    "frees coalesce": [CREATE, allocate(1, 0), allocate(1, 1), free(0, 1), free(1, 1), blocks((0, 16, False))],
    "freed under a size that rounds to the same": [CREATE, allocate(5, 0), free(0, 7)],
    "frees that are refused": [
        CREATE,
        allocate(4, 0),
        free(0, 2, **REFUSED),
        free(0, 5, **REFUSED),
        free(1, 1, **REFUSED),
        free(4, 4, **REFUSED),
        free(16, 1, **REFUSED),
        free(0, 0, **REFUSED),
        op("range.free", address=5, pages=4, error="misaligned"),
        free(0, 2, process=0, **REFUSED),
        free(0, 4),
    ],
    "sizes": [CREATE, allocate(3, 0), size(0, result=4), size(1, result=0), size(8, result=0)],
    "size amid a page": [CREATE, allocate(3, 0), op("range.size", address=5, result=0)],
    "size outside the range": [CREATE, size(16, result=0), size(16, **REFUSED), size(-1, **REFUSED)],
    "spaces are apart": [CREATE, CREATE_2, allocate(4, 0), allocate(4, 0, process=2), free(0, 4), size(0, 2, result=4)],
    "an exit takes the ranges along": [
        CREATE,
        allocate(4, 0),
        {"op": "process.exit", "process": 1},
        CREATE,
        blocks((0, 16, False)),
    ],
}
# Of a process that does not exist; at level `safe` it is taken to exist.
NOBODY = {
    "allocate": (no_range(1), allocate(1, 0)),
    "reserve": (reserve(0, 1, **REFUSED), reserve(0, 1)),
    "free": (free(0, 1, **REFUSED), None),
    "size": (size(0, **REFUSED), size(0, result=0)),
    "list": (op("range.list", **REFUSED), blocks((0, 16, False))),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level)
    assert (report.status, report.broken) == (0, [])
    assert report.document["events"] == len(events)


@pytest.mark.parametrize(("refused", "accepted"), NOBODY.values(), ids=NOBODY.keys())
def test_process_that_does_not_exist(
    check: Callable[..., Any], refused: dict[str, Any], accepted: dict[str, Any] | None
) -> None:
    assert check([refused]).status == 0
    if accepted is not None:
        assert check([accepted]).broken == [(2, "kernel_half.process-lives")]
        assert check([accepted], "--level", "safe").status == 0


UNSAFE = {
    "allocated twice": ([CREATE, allocate(4, 0), allocate(2, 2)], "buddy.block-is-free"),
    "allocated around a live block": ([CREATE, reserve(2, 1), allocate(4, 0)], "buddy.block-is-free"),
    "allocated of what was taken at start": ([allocate(1, 1, process=0)], "buddy.block-is-free"),
    "allocated not at a multiple of its size": ([CREATE, allocate(4, 2)], "buddy.block-is-aligned"),
    "allocated past the range": ([CREATE, allocate(1, 16)], "buddy.block-lies-in-range"),
    "allocated below the range": ([allocate(1, -1, process=0)], "buddy.block-lies-in-range"),
    "allocated larger than the range": ([CREATE, allocate(17, 0)], "buddy.block-lies-in-range"),
    "allocated of no pages": ([CREATE, allocate(0, 0)], "buddy.rounds-up"),
    "allocated of less than no pages": ([CREATE, allocate(-1, 0)], "buddy.rounds-up"),
    "allocated amid a page": ([CREATE, op("range.allocate", pages=1, result=8)], "addresses.address-is-aligned"),
    "reserved twice": ([CREATE, reserve(4, 4), reserve(5, 1)], "buddy.block-is-free"),
    "reserved of 3 pages": ([CREATE, reserve(0, 3)], "buddy.is-a-power-of-two"),
    "reserved not at a multiple of its size": ([CREATE, reserve(2, 4)], "buddy.block-is-aligned"),
    "reserved past the range": ([CREATE, reserve(16, 1)], "buddy.block-lies-in-range"),
    "reserved amid a page": ([CREATE, op("range.reserve", address=4, pages=1)], "addresses.address-is-aligned"),
    "freed twice": ([CREATE, allocate(4, 0), free(0, 4), free(0, 4)], "buddy.block-is-allocated"),
    "freed under another size": ([CREATE, allocate(4, 0), free(0, 2)], "buddy.block-is-allocated"),
    "freed from its middle": ([CREATE, allocate(4, 0), free(2, 2)], "buddy.block-is-allocated"),
    "freed past the range": ([CREATE, free(16, 1)], "buddy.block-is-allocated"),
    "freed of no pages": ([CREATE, allocate(1, 0), free(0, 0)], "buddy.rounds-up"),
    "freed of what was taken at start": ([free(0, 2, process=0)], "buddy.never-frees-fixed"),
    "freed amid a page": ([CREATE, op("range.free", address=3, pages=1)], "addresses.address-is-aligned"),
    "freed in another's space": (
        [CREATE, CREATE_2, allocate(4, 0), free(0, 4, process=2)],
        "buddy.block-is-allocated",
    ),
}
ILLEGAL = {
    "allocation fails": ([CREATE, allocate(8, 0), no_range(8)], "range.allocate.must-succeed"),
    "reserve fails": ([CREATE, reserve(4, 4, **REFUSED)], "range.reserve.must-succeed"),
    "free fails": ([CREATE, allocate(4, 0), free(0, 3, **REFUSED)], "range.free.must-succeed"),
    "size": ([CREATE, allocate(3, 0), size(0, result=3)], "buddy.size-is-of-the-block"),
    "size of nothing": ([CREATE, size(0, result=16)], "buddy.size-is-of-the-block"),
    "size outside the range": ([CREATE, size(16, result=1)], "buddy.size-is-of-the-block"),
    "size fails": ([CREATE, size(3, **REFUSED)], "range.size.must-succeed"),
    "list fails": ([CREATE, op("range.list", **REFUSED)], "range.list.must-succeed"),
    "list is empty": ([CREATE, blocks()], "buddy.lists-in-address-order"),
    "list ends early": ([CREATE, allocate(8, 0), blocks((0, 8, True))], "buddy.lists-in-address-order"),
    "list has a gap": ([CREATE, allocate(8, 0), blocks((8, 8, False))], "buddy.lists-in-address-order"),
    "list goes on": ([CREATE, blocks((0, 16, False), (16, 1, False))], "buddy.block-lies-in-range"),
    "list is not coalesced": ([CREATE, blocks((0, 8, False), (8, 8, False))], "buddy.lists-the-block"),
    "list has a wrong state": ([CREATE, blocks((0, 16, True))], "buddy.lists-the-block"),
    "list has an address amid a page": ([op("range.list", 0, result=[[1, 1, True]])], "addresses.address-is-aligned"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert (report.status, report.broken) == (1, [(len(events) + 1, clause)])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), ILLEGAL.values(), ids=ILLEGAL.keys())
def test_illegal_but_safe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert report.broken == ([] if level == "safe" else [(len(events) + 1, clause)])


@pytest.mark.parametrize("events", [[CREATE, allocate(1, 15)], [CREATE, allocate(1, 0), allocate(4, 8)]])
def test_only_the_reference_takes_the_best_fit(check: Callable[..., Any], events: list[dict[str, Any]]) -> None:
    assert check([*events, CREATE_2], "--level", "legal").status == 0
    report = check([*events, CREATE_2], "--level", "exact", "--keep-going")
    assert report.broken == [(len(events) + 1, "range.allocate.policy")]


def test_message_names_the_earlier_line(check: Callable[..., Any]) -> None:
    found = check([CREATE, allocate(3, 4), allocate(2, 6)]).document["divergences"][0]
    assert found["message"] == "2 pages at 0xc00000 overlap the block of 4 pages at 0x800000, allocated (by line 3)"
    assert found["legal"] == "any aligned 2 pages in 2 free blocks large enough"
    assert found["before"]["blocks"] == [
        {"address": "0x0", "page": 0, "pages": 4, "allocated": False},
        {"address": "0x800000", "page": 4, "pages": 4, "allocated": True, "line": 3},
        {"address": "0x1000000", "page": 8, "pages": 8, "allocated": False},
    ]


def test_keep_going_adopts_what_is_seen(check: Callable[..., Any]) -> None:
    events = [
        allocate(2, 0),  # line 2: nobody is process 1, who exists from now on
        blocks((0, 2, True), (2, 2, False), (4, 4, False), (8, 8, False)),
        free(0, 1),  # line 4: under a wrong size, but the block is gone
        blocks((0, 8, True), (8, 8, False)),  # line 5: changes nothing, but what follows may bear it out
        free(0, 8),
        blocks((0, 8, True), (4, 4, True)),  # line 7: can't be
        blocks((0, 16, False)),
    ]
    report = check(events, "--keep-going")
    assert report.broken == [
        (2, "kernel_half.process-lives"),
        (4, "buddy.block-is-allocated"),
        (5, "buddy.lists-the-block"),
        (7, "buddy.lists-the-block"),
    ]
    listed = report.document["divergences"][2]
    assert [block["pages"] for block in listed["before"]["blocks"]] == [16]
    assert listed["after"] == listed["before"]


def test_a_block_with_several_owners_may_be_refused_to_one(check: Callable[..., Any]) -> None:
    events = [CREATE, allocate(2, 0), allocate(1, 0), free(0, 1, **REFUSED), free(0, 2)]
    assert check(events, "--keep-going").broken == [(4, "buddy.block-is-free")]


def test_adopted_list_of_the_kernel_keeps_what_was_taken_at_start(check: Callable[..., Any]) -> None:
    seen = blocks((0, 2, True), (2, 2, True), (4, 4, False), (8, 8, False), process=0)
    report = check([seen, seen, free(2, 2, process=0), free(0, 2, process=0)], "--keep-going")
    assert report.broken == [(2, "buddy.lists-the-block"), (5, "buddy.never-frees-fixed")]
