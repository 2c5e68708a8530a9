"""Ranges of which runs are handed out: what conforms, and what breaks which rule at which line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from run_events import CREATE, KERNEL, PAGE, PARTIAL, RUNS, allocate, at, free, listed, no_run, op, reserve, size

LEVELS = ("safe", "legal", "exact")
REFUSED = {"error": "refused"}
EXIT = {"op": "process.exit", "process": 1}
# Page 1 of a process's range is the first at a multiple of four pages.
FOUR = 4 * PAGE

WHOLE_RUNS = {
    "a process starts with what is not taken at start": [CREATE, listed((0, 12, False), (12, 1, True))],
    "so does the kernel": [listed((0, 3, True), (3, 10, False), process=0)],
    "the lowest run that fits": [CREATE, allocate(5, 0), allocate(2, 5), free(0, 5), allocate(3, 0), allocate(2, 3)],
    "it is not rounded": [CREATE, allocate(5, 0), allocate(7, 5), no_run(1), free(0, 5), size(5, result=7)],
    "neighbours merge": [CREATE, allocate(5, 0), allocate(7, 5), free(5, 7), free(0, 5), allocate(12, 0)],
    "fails for no pages": [CREATE, no_run(0), no_run(-3)],
    "fails for more than is free": [CREATE, no_run(13), no_run(1 << 70)],
    "fails where no run is long enough": [CREATE, reserve(6, 1), no_run(7), allocate(6, 0)],
    "what was taken at start lies between": [allocate(10, 3, process=0), no_run(1, process=0)],
    "at a multiple": [
        CREATE,
        allocate(2, 1, alignment=FOUR),
        allocate(1, 0, alignment=8),
        allocate(4, 5, alignment=FOUR),
    ],
    "at a multiple of more than the range": [
        no_run(1, process=0, alignment=1 << 40),
        no_run(1, process=0, alignment=1 << 70),
    ],
    "no run at a multiple": [CREATE, allocate(2, 5, alignment=16 * PAGE // 2), no_run(2, alignment=FOUR * 4)],
    "from": [
        CREATE,
        allocate(2, 4, **{"from": at(4)}),
        allocate(2, 7, **{"from": hex(10 * PAGE - 1)}),
        no_run(4, **{"from": at(9)}),
    ],
    "below": [
        CREATE,
        allocate(2, 0, below=at(2)),
        no_run(1, below=at(2)),
        no_run(1, below=0),
        allocate(1, 2, below=at(3)),
    ],
    "below amid a page": [CREATE, no_run(1, below=hex(4 * PAGE - 1)), allocate(1, 0, below=4 * PAGE)],
    "limits that exclude all": [
        CREATE,
        no_run(1, **{"from": hex(1 << 70)}),
        no_run(1, below=-1),
        no_run(1, alignment=3),
        no_run(1, alignment=0),
    ],
    "reserves": [CREATE, reserve(4, 3), listed((0, 4, False), (4, 3, True), (7, 5, False), (12, 1, True))],
    "reserves that are refused": [
        CREATE,
        reserve(4, 3),
        reserve(2, 3, **REFUSED),
        reserve(6, 1, **REFUSED),
        reserve(11, 2, **REFUSED),
        reserve(13, 1, **REFUSED),
        reserve(-1, 1, **REFUSED),
        reserve(0, 0, **REFUSED),
        reserve(0, 1 << 70, **REFUSED),
        op("range.reserve", address=1, pages=1, error="misaligned"),
        reserve(2, 2),
    ],
    "frees that are refused": [
        CREATE,
        allocate(4, 0),
        allocate(2, 4),
        free(0, 3, **REFUSED),
        free(1, 3, **REFUSED),
        free(0, 6, **REFUSED),
        free(6, 1, **REFUSED),
        free(12, 1, **REFUSED),
        free(0, 0, **REFUSED),
        free(0, 1 << 70, **REFUSED),
        op("range.free", address=5, pages=4, error="misaligned"),
        free(0, 4),
    ],
    "sizes": [CREATE, allocate(3, 0), size(0, result=3), size(1, result=0), size(3, result=0), size(13, result=0)],
    "a size outside the range may be refused": [CREATE, size(13, **REFUSED), size(-1, **REFUSED)],
    "a stretch in several pieces": [
        CREATE,
        allocate(3, 0),
        listed((0, 1, True), (1, 2, True), (3, 4, False), (7, 5, False), (12, 1, True)),
    ],
    "an exit takes the ranges along": [CREATE, allocate(4, 0), EXIT, CREATE, allocate(12, 0)],
    "of a process that does not exist": [
        no_run(1),
        reserve(0, 1, **REFUSED),
        free(0, 1, **REFUSED),
        size(0, **REFUSED),
    ],
}
PARTIAL_RUNS = {
    "the middle of a run": [CREATE, allocate(7, 0), free(2, 2), allocate(2, 2), allocate(1, 7)],
    "its head": [CREATE, allocate(7, 0), free(0, 3), size(0, result=0), allocate(3, 0)],
    "its tail": [CREATE, allocate(7, 0), free(4, 3), size(0, result=4), allocate(3, 4)],
    "two neighbours at once": [CREATE, allocate(3, 0), allocate(4, 3), free(0, 7), allocate(12, 0)],
    "parts of two neighbours": [CREATE, allocate(3, 0), allocate(4, 3), free(2, 2), allocate(2, 2)],
    "refused if one of them is free": [
        CREATE,
        allocate(7, 0),
        free(2, 2),
        free(1, 2, **REFUSED),
        free(3, 2, **REFUSED),
        free(0, 7, **REFUSED),
        free(6, 2, **REFUSED),
        free(11, 2, **REFUSED),
        free(0, 2),
    ],
    "the size of what is left": [
        CREATE,
        allocate(7, 0),
        free(2, 1),
        size(0, result=2),
        size(2, result=0),
        size(3, result=4),
        size(3, result=0),
        size(4, result=0),
    ],
    "neighbours as one or as two": [CREATE, allocate(3, 0), allocate(4, 3), size(0, result=3), size(0, result=7)],
    "page by page": [CREATE, allocate(3, 0), free(1, 1), free(0, 1), free(2, 1), allocate(12, 0)],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", WHOLE_RUNS.values(), ids=WHOLE_RUNS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level, geometry=RUNS)
    assert (report.status, report.broken, report.document["events"]) == (0, [], len(events))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", PARTIAL_RUNS.values(), ids=PARTIAL_RUNS.keys())
def test_parts_conform(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level, geometry=PARTIAL)
    assert (report.status, report.broken, report.document["events"]) == (0, [], len(events))


@pytest.mark.parametrize("level", ["legal", "exact"])
@pytest.mark.parametrize("name", [name for name in PARTIAL_RUNS if name.startswith(("the ", "its", "two ", "page "))])
def test_parts_are_not_freed_where_runs_are_freed_whole(check: Callable[..., Any], name: str, level: str) -> None:
    (line, clause), *_ = check(PARTIAL_RUNS[name], "--level", level, geometry=RUNS).broken
    place = next(place for place, event in enumerate(PARTIAL_RUNS[name]) if event["op"] == "range.free")
    assert (line, clause) == (place + 2, "runs.frees-a-whole-run")


ANYWHERE = [CREATE, allocate(2, 9), allocate(2, 0), allocate(1, 5)]
UNSAFE = {
    "allocated twice": ([CREATE, allocate(4, 0), allocate(2, 3)], "runs.run-is-free"),
    "allocated around a live run": ([CREATE, reserve(2, 1), allocate(4, 0)], "runs.run-is-free"),
    "allocated of what was taken at start": ([CREATE, allocate(2, 11)], "runs.run-is-free"),
    "allocated past the range": ([CREATE, allocate(1, 13)], "runs.run-lies-in-reach"),
    "allocated below the range": ([CREATE, allocate(1, -1)], "runs.run-lies-in-reach"),
    "allocated larger than the range": ([CREATE, allocate(1 << 70, 0)], "runs.run-lies-in-reach"),
    "allocated of no pages": ([CREATE, allocate(0, 0)], "runs.run-has-a-place"),
    "allocated amid a page": ([CREATE, op("range.allocate", pages=1, result=8)], "addresses.address-is-aligned"),
    "a multiple that is ignored": ([CREATE, allocate(2, 2, alignment=FOUR)], "runs.run-is-aligned"),
    "of the last candidate": (
        [CREATE, reserve(0, 7), allocate(3, 7, alignment=FOUR)],
        "runs.run-is-aligned",
    ),
    "a multiple that is none": ([CREATE, allocate(2, 1, alignment=3)], "bitmap.alignment-is-a-power-of-two"),
    "a hint that is ignored": ([CREATE, allocate(2, 3, **{"from": at(4)})], "runs.run-lies-within-limits"),
    "a limit that is ignored": ([CREATE, allocate(2, 3, below=hex(8 * PAGE - 1))], "runs.run-lies-within-limits"),
    "reserved twice": ([CREATE, reserve(4, 4), reserve(5, 1)], "runs.run-is-free"),
    "reserved past the range": ([CREATE, reserve(12, 2)], "runs.run-lies-in-reach"),
    "reserved of what was taken at start": ([CREATE, reserve(12, 1)], "runs.run-is-free"),
    "freed twice": ([CREATE, allocate(4, 0), free(0, 4), free(0, 4)], "runs.frees-only-allocated"),
    "freed and never handed out": ([CREATE, free(5, 1)], "runs.frees-only-allocated"),
    "freed of what was taken at start": ([CREATE, free(12, 1)], "runs.frees-only-what-may-be-free"),
    "freed past the range": ([CREATE, free(12, 2)], "runs.run-lies-in-reach"),
    "freed in part": ([CREATE, allocate(4, 0), free(0, 2)], "runs.frees-a-whole-run"),
    "freed with its neighbour": ([CREATE, allocate(4, 0), allocate(1, 4), free(0, 5)], "runs.frees-a-whole-run"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe_at_every_level(check: Callable[..., Any], events: list[Any], clause: str, level: str) -> None:
    assert check(events, "--level", level, geometry=RUNS).broken == [(len(events) + 1, clause)]


WRONG = {
    "a failure": ([CREATE, no_run(12)], "range.allocate.must-succeed"),
    "a failure within limits": ([CREATE, no_run(2, below=at(2))], "range.allocate.must-succeed"),
    "a failure at a multiple": ([CREATE, reserve(0, 9), no_run(1, alignment=FOUR)], "range.allocate.must-succeed"),
    "runs that do not merge": (
        [CREATE, allocate(5, 0), allocate(7, 5), free(0, 5), free(5, 7), no_run(12)],
        "range.allocate.must-succeed",
    ),
    "a split that loses its upper half": (
        [CREATE, allocate(12, 0), free(0, 12), reserve(4, 2), no_run(6)],
        "range.allocate.must-succeed",
    ),
    "a reservation that is refused": ([CREATE, allocate(2, 0), reserve(2, 2, **REFUSED)], "range.reserve.must-succeed"),
    "a free that is refused": ([CREATE, allocate(2, 0), free(0, 2, **REFUSED)], "range.free.must-succeed"),
    "a wrong size": ([CREATE, allocate(3, 0), size(0, result=4)], "runs.size-is-of-the-given-run"),
    "a size of what is free": ([CREATE, size(0, result=1)], "runs.size-is-of-the-given-run"),
    "a size that is refused": ([CREATE, size(0, **REFUSED)], "range.size.must-succeed"),
    "a list that leaves out a hole": (
        [CREATE, allocate(3, 0), reserve(5, 1), listed((0, 3, True), (5, 1, True), (6, 6, False), (12, 1, True))],
        "runs.lists-in-order",
    ),
    "a list that ends too early": ([CREATE, listed((0, 12, False))], "runs.lists-in-order"),
    "a list that goes on": ([CREATE, listed((0, 12, False), (12, 2, True))], "runs.run-lies-in-reach"),
    "a list of what is free as allocated": ([CREATE, listed((0, 12, True), (12, 1, True))], "runs.lists-one-state"),
    "a list of what is allocated as free": (
        [CREATE, reserve(4, 1), listed((0, 12, False), (12, 1, True))],
        "runs.lists-one-state",
    ),
    "a list of what was taken at start as free": ([CREATE, listed((0, 13, False))], "runs.lists-one-state"),
    "an empty stretch": ([CREATE, listed((0, 0, False), (0, 12, False), (12, 1, True))], "runs.run-has-a-place"),
    "a list that is refused": ([CREATE, op("range.list", **REFUSED)], "range.list.must-succeed"),
}


@pytest.mark.parametrize("level", ["legal", "exact"])
@pytest.mark.parametrize(("events", "clause"), WRONG.values(), ids=WRONG.keys())
def test_wrong_answers_and_refusals(check: Callable[..., Any], events: list[Any], clause: str, level: str) -> None:
    assert check(events, "--level", level, geometry=RUNS).broken == [(len(events) + 1, clause)]
    assert check(events, "--level", "safe", geometry=RUNS).status == 0


PARTIAL_FAULTS = {
    "a page that is free already": ([CREATE, allocate(7, 0), free(2, 2), free(1, 2)], "runs.frees-only-allocated"),
    "the rest is freed too": ([CREATE, allocate(7, 0), free(2, 2), allocate(3, 3)], "runs.run-is-free"),
    "a page that is left in use": (
        [CREATE, allocate(7, 0), free(2, 2), reserve(2, 2, **REFUSED)],
        "range.reserve.must-succeed",
    ),
    "a size beyond what is in use": (
        [CREATE, allocate(7, 0), free(2, 1), size(0, result=3)],
        "runs.size-is-of-places-in-use",
    ),
    "no size of a run": ([CREATE, allocate(7, 0), size(0, result=0)], "runs.size-is-of-places-in-use"),
}


@pytest.mark.parametrize(("events", "clause"), PARTIAL_FAULTS.values(), ids=PARTIAL_FAULTS.keys())
def test_faults_of_partial_frees(check: Callable[..., Any], events: list[Any], clause: str) -> None:
    assert check(events, geometry=PARTIAL).broken == [(len(events) + 1, clause)]


def test_any_run_is_legal_and_the_lowest_is_exact(check: Callable[..., Any]) -> None:
    assert check(ANYWHERE, geometry=RUNS).status == 0
    assert check(ANYWHERE, "--level", "exact", geometry=RUNS).broken == [(3, "range.allocate.policy")]
    aligned = [CREATE, allocate(1, 5, alignment=FOUR)]
    assert check(aligned, geometry=RUNS).status == 0
    assert check(aligned, "--level", "exact", geometry=RUNS).broken == [(3, "range.allocate.policy")]


def test_a_buddy_system_has_no_limits(check: Callable[..., Any]) -> None:
    for key in ("alignment", "from", "below"):
        for answer in ({"result": "0x0"}, {"error": "none"}, {"crash": "panic"}):
            report = check([CREATE, op("range.allocate", pages=1, **{key: 4096}, **answer)])
            assert report.status == 2
            assert f"trace.jsonl:3: {key}: no such argument in this geometry" in report.errors


def test_words(check: Callable[..., Any]) -> None:
    twice = [CREATE, allocate(4, 0), free(0, 4), free(0, 4)]
    (found,) = check(twice, geometry=RUNS).document["divergences"]
    assert found["message"] == f"the page at {at(0)} is free already (freed by line 4)"
    taken = [CREATE, allocate(4, 0), reserve(6, 1), allocate(3, 3)]
    (found,) = check(taken, geometry=RUNS).document["divergences"]
    assert found["message"] == f"3 pages at {at(3)} overlap the run of 4 pages at {at(0)}, allocated (by line 3)"
    assert found["legal"] == f"any free run of 3 pages, the lowest at {at(7)}; the longest has 5 pages"
    assert found["before"]["longest_free_run"] == 5
    assert found["before"]["stretches"] == [
        {"address": at(0), "page": 0, "pages": 4, "allocated": True, "line": 3},
        {"address": at(4), "page": 4, "pages": 2, "allocated": False},
        {"address": at(6), "page": 6, "pages": 1, "allocated": True, "line": 4},
        {"address": at(7), "page": 7, "pages": 5, "allocated": False},
        {"address": at(12), "page": 12, "pages": 1, "allocated": True},
    ]
    full = [CREATE, allocate(12, 0), allocate(1, 3, alignment=FOUR)]
    (found,) = check(full, geometry=RUNS).document["divergences"]
    assert found["legal"] == "only a refusal"


def kernel_pages(pages: int, page: int, *frames: int) -> dict[str, Any]:
    named = {"frames": [frame * PAGE for frame in frames]} if frames else {}
    return {"op": "kernel_pages.allocate", "pages": pages, "result": hex(KERNEL + page * PAGE)} | named


def kernel_pages_freed(page: int, pages: int) -> dict[str, Any]:
    return {"op": "kernel_pages.free", "address": hex(KERNEL + page * PAGE), "pages": pages}


@pytest.mark.parametrize("level", LEVELS)
def test_kernel_pages_take_a_run(check: Callable[..., Any], level: str) -> None:
    events = [
        kernel_pages(3, 3, 2, 3, 4),
        allocate(2, 6, process=0),
        {"op": "page.translate", "virtual": hex(KERNEL + 4 * PAGE), "result": 3 * PAGE},
        kernel_pages_freed(3, 3),
        listed((0, 3, True), (3, 3, False), (6, 2, True), (8, 5, False), process=0),
        kernel_pages(2, 3, 2, 3),
        kernel_pages(1, 5, 4),
        {"op": "kernel_pages.allocate", "pages": 6, "error": "no run fits"},
        no_run(6, process=0),
    ]
    report = check(events, "--level", level, geometry=RUNS)
    assert (report.status, report.broken) == (0, [])


@pytest.mark.parametrize("geometry", [RUNS, PARTIAL], ids=["whole", "partial"])
def test_faults_of_kernel_pages(check: Callable[..., Any], geometry: dict[str, Any]) -> None:
    def broken(*events: dict[str, Any]) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = check(events, geometry=geometry).broken
        return found

    assert broken(kernel_pages(3, 3), allocate(2, 5, process=0)) == [(3, "runs.run-is-free")]
    assert broken(kernel_pages(3, 3), free(3, 3, process=0)) == [(3, "manager.frees-no-kernel-block")]
    assert broken(kernel_pages(3, 3), kernel_pages_freed(3, 2)) == [(3, "kernel_pages.frees-them-whole")]
    assert broken(kernel_pages(3, 2)) == [(2, "runs.run-is-free")]
    assert broken(kernel_pages(0, 3)) == [(2, "runs.run-has-a-place")]
    lost = {"op": "kernel_pages.allocate", "pages": 10, "error": "none"}
    assert broken(lost) == [(2, "kernel_pages.allocate.must-succeed")]
    if geometry is PARTIAL:
        assert broken(kernel_pages(3, 3), free(4, 1, process=0)) == [(3, "manager.frees-no-kernel-block")]
        both = [reserve(6, 2, process=0), kernel_pages(3, 3), free(5, 2, process=0)]
        assert broken(*both) == [(4, "manager.frees-no-kernel-block")]


def test_several_owners_free_what_they_have(check: Callable[..., Any]) -> None:
    """Both owners of what was handed out twice free it; one free more is a fault of its own."""
    twice = [CREATE, allocate(4, 0), allocate(3, 2)]
    freed = [*twice, free(0, 4), free(2, 3)]
    assert check(freed, "--keep-going", geometry=RUNS).broken == [(4, "runs.run-is-free")]
    again = [*freed, free(2, 3), free(2, 3)]
    named = [(4, "runs.run-is-free"), (7, "runs.frees-only-allocated"), (8, "runs.frees-only-allocated")]
    assert check(again, "--keep-going", geometry=RUNS).broken == named


def test_a_wrong_failure_is_named_once(check: Callable[..., Any]) -> None:
    failures = [CREATE, no_run(4), no_run(4), no_run(8), allocate(2, 0)]
    assert check(failures, "--keep-going", geometry=RUNS).broken == [(3, "range.allocate.must-succeed")]


HOSTILE = [-1, 0, 1, 3, 1 << 62, 1 << 63, (1 << 64) - 1, 1 << 64, 1 << 70, -(1 << 70)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("key", ["pages", "address", "result", "alignment", "from", "below"])
def test_hostile_numbers_are_judged(check: Callable[..., Any], key: str, level: str) -> None:
    """Whatever the numbers are, each line is read and judged, and nothing runs over."""
    for value in HOSTILE:
        number = value if abs(value) < 1 << 63 else hex(value) if value > 0 else value
        changed = {key: number}
        calls: dict[str, list[dict[str, Any]]] = {
            "pages": [allocate(1, 0) | changed, reserve(0, 1) | changed, free(0, 1) | changed],
            "address": [reserve(0, 1) | changed, free(0, 1) | changed, size(0, result=0) | changed],
            "result": [
                allocate(1, 0) | changed,
                size(0, result=number),
                listed() | {"result": [[number, number, True]]},
            ],
        }
        limited = [op("range.allocate", pages=1) | changed | answer for answer in ({"result": at(0)}, REFUSED)]
        judged = calls.get(key, limited)
        for geometry in (RUNS, PARTIAL):
            report = check([CREATE, *judged, *judged], "--keep-going", "--level", level, geometry=geometry)
            assert (report.status in (0, 1), report.document["events"]) == (True, 1 + 2 * len(judged))
