from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kernel_page_events import (
    at,
    attributes,
    count_of,
    failed,
    free,
    free_frame,
    free_range,
    listed,
    page_map,
    pages,
    translate,
    unmap,
)
from page_events import KERNEL, LEVELS, PAGE, REFUSED, allocate, is_free, op

CONFORMS = {
    "named frames": [
        pages(3, 4, [2, 3, 4]),
        count_of(11),
        is_free(3, False),
        op("range.size", address=at(4), result=4),
        listed((0, 2, True), (2, 2, False), (4, 4, True), (8, 8, False)),
        *(translate(page, page - 2, 77) for page in (4, 5, 6)),
        translate(7, None),
        translate(3, None),
    ],
    "all undone": [
        pages(3, 4, [2, 3, 4]),
        free(4, 3),
        count_of(14),
        translate(4, None),
        listed((0, 2, True), (2, 2, False), (4, 4, False), (8, 8, False)),
        pages(2, 2, [2, 3]),
    ],
    "failures": [
        op("kernel_pages.allocate", pages=0, error="none"),
        failed(9),
        failed(15),
        failed(-1),
        allocate(2),
        failed(3, frames=[2 * PAGE, 3 * PAGE, 4 * PAGE]),
        failed(2, frames=[3 * PAGE, 3 * PAGE]),
        failed(2, frames=[3 * PAGE]),
        failed(1, frames=[1]),
        *(allocate(frame) for frame in range(3, 12)),
        failed(5),
        pages(4, 4, [12, 13, 14, 15]),
        failed(1),
    ],
    "no range": [op("range.allocate", pages=8, result=at(8)), pages(3, 4, [2, 3, 4]), failed(3), failed(4)],
    "frees that are refused": [
        pages(3, 4, [2, 3, 4]),
        free(4, 2, **REFUSED),
        free(4, 4, **REFUSED),
        free(5, 3, **REFUSED),
        free(5, 2, **REFUSED),
        free(0, 2, **REFUSED),
        op("kernel_pages.free", address=hex(KERNEL + 4 * PAGE + 5), pages=3, **REFUSED),
        op("kernel_pages.free", address=0, pages=3, **REFUSED),
        op("range.allocate", pages=1, result=at(2)),
        free(2, 1, **REFUSED),
        free(4, 3),
        free(4, 3, **REFUSED),
    ],
    "nothing else releases what they hold": [
        pages(3, 4, [2, 3, 4]),
        free_frame(3, **REFUSED),
        free_range(4, 3, **REFUSED),
        free_range(4, 4, **REFUSED),
        page_map(5, 9, **REFUSED),
        unmap(5, **REFUSED),
        unmap(5, release=True, **REFUSED),
        op("page.map", virtual=0, physical=hex(3 * PAGE)),
        op("page.unmap", virtual=0, release=True),
        is_free(3, False),
        free(4, 3),
        is_free(3, True),
    ],
    "a process that maps one of their frames exits": [
        pages(1, 2, [2]),
        op("process.create", result=1),
        op("page.map", process=1, virtual=0, physical=hex(2 * PAGE)),
        op("process.exit", process=1),
        is_free(2, False),
    ],
    "they go although another page shows their frame": [
        pages(1, 2, [2]),
        op("page.map", virtual=0, physical=hex(2 * PAGE)),
        free(2, 1),
        is_free(2, True),
        op("page.translate", virtual=0, result=hex(2 * PAGE)),
        op("page.unmap", virtual=0, release=True),
        count_of(14),
    ],
    "what is allowed": [pages(2, 2, [2, 3]), attributes(2), attributes(2), translate(2, 2), attributes(3)],
    "unknown frames": [
        pages(3, 4),
        count_of(11),
        count_of(9),
        is_free(3, False),
        is_free(4, True),
        *(op("page.translate", virtual=at(page), result=hex(page * PAGE)) for page in (5, 6)),
        translate(5, 5, 77),
        is_free(5, False),
        free_frame(5, **REFUSED),
        allocate(9),
        allocate(7),
        free(4, 3),
        count_of(12),
        is_free(5, True),
        allocate(2),
    ],
    "unknown frames of two allocations": [
        pages(1, 2),
        pages(1, 3),
        translate(2, 5),
        free(2, 1),
        count_of(13),
        is_free(5, True),
        allocate(9),
        free(3, 1),
        count_of(13),
    ],
    "any operation may fail while frames are unknown": [
        pages(1, 2),
        op("frame.allocate", error="none"),
        op("process.create", error="none"),
        failed(1),
        op("page.map", virtual=0, physical=0, error="none"),
    ],
    "what is allowed is unknown too": [pages(1, 2), attributes(2), translate(2, 9), attributes(2), translate(2, 9)],
    "an unknown frame that is mapped elsewhere": [
        pages(1, 2),
        op("page.map", virtual=0, physical=hex(2 * PAGE)),
        op("page.unmap", virtual=0, release=True),
        translate(2, 2),
        is_free(2, False),
    ],
    "a page that lies there already": [page_map(4, 9), failed(3), failed(1)],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level)
    assert (report.status, report.broken) == (0, [])
    assert report.document["events"] == len(events)


LEGAL = {
    "another block": [pages(3, 8, [2, 3, 4])],
    "another frame": [pages(3, 4, [2, 9, 4])],
    "another order": [pages(2, 2, [3, 2])],
}
CHOICES = {
    "what is allowed": [
        pages(2, 2, [2, 3]),
        attributes(3, cache="write-combining", writable=False),
        attributes(3, cache="write-combining", writable=False),
        translate(3, 3),
        attributes(2, executable=False, **{"global": True}),
        attributes(2, executable=False, **{"global": True}),
    ],
    "what is allowed where the frame is unknown": [pages(1, 2), attributes(2, executable=False), translate(2, 9)],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", LEGAL.values(), ids=LEGAL.keys())
def test_other_choices_are_legal(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check([*events, free(*page_and_count(events[0])), count_of(14)], "--level", level, "--keep-going")
    assert [line for line, _ in report.broken] == ([2] if level == "exact" else [])
    assert [clause.endswith(".policy") for _, clause in report.broken] == [True] * len(report.broken)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CHOICES.values(), ids=CHOICES.keys())
def test_what_is_allowed_is_the_implementations_choice(
    check: Callable[..., Any], events: list[dict[str, Any]], level: str
) -> None:
    report = check(events, "--level", level)
    assert [clause for _, clause in report.broken] == (
        ["paging.attributes-are-the-mappings"] if level == "exact" else []
    )


def page_and_count(event: dict[str, Any]) -> tuple[int, int]:
    return (int(event["result"], 16) - KERNEL) // PAGE, event["pages"]


def test_which_frame_is_chosen_is_not_compared_with_private_frames(check: Callable[..., Any]) -> None:
    assert check([pages(2, 2, [7, 3])], "--level", "exact", private_frames=True).status == 0


ILLEGAL = {
    "fewer frames than pages": ([pages(3, 4, [2, 3])], "kernel_pages.each-page-has-its-frame"),
    "more frames than pages": ([pages(1, 2, [2, 3])], "kernel_pages.each-page-has-its-frame"),
    "allocation fails": ([failed(8)], "kernel_pages.allocate.must-succeed"),
    "allocation fails for want of a frame that is free": (
        [*(allocate(frame) for frame in range(2, 15)), failed(1)],
        "kernel_pages.allocate.must-succeed",
    ),
    "freeing fails": ([pages(3, 4, [2, 3, 4]), free(4, 3, **REFUSED)], "kernel_pages.free.must-succeed"),
    "the range leaks": (
        [pages(8, 8, range(2, 10)), free(8, 8), failed(8)],
        "kernel_pages.allocate.must-succeed",
    ),
    "a block that is not all mapped": ([pages(3, 4, [2, 3, 4]), translate(6, None)], "paging.nothing-is-mapped"),
    "more is mapped": ([pages(3, 4, [2, 3, 4]), translate(7, 5)], "paging.translates-what-is-mapped"),
    "another order": ([pages(2, 2, [2, 3]), translate(2, 3)], "paging.translates-what-is-mapped"),
    "a page stays mapped": ([pages(1, 2, [2]), free(2, 1), translate(2, 2)], "paging.translates-what-is-mapped"),
    "a page is the user's": ([pages(1, 2, [2]), attributes(2, user=True)], "paging.attributes-are-the-mappings"),
    "what is allowed changes": (
        [pages(1, 2, [2]), attributes(2), attributes(2, writable=False)],
        "paging.attributes-are-the-mappings",
    ),
    "a type that no index has": (
        [pages(1, 2, [2]), attributes(2, cache="uncached")],
        "paging.attributes-are-the-mappings",
    ),
    "a page that was mapped already": ([page_map(3, 9), pages(2, 2, [2, 3])], "paging.page-is-unmapped"),
    "unmapped": ([pages(1, 2, [2]), unmap(2)], "manager.unmaps-no-kernel-page"),
    "unmapped in a process": (
        [op("process.create", result=1), pages(1, 2), unmap(2, process=1, release=True)],
        "manager.unmaps-no-kernel-page",
    ),
    "mapped over": ([pages(1, 2, [2]), page_map(2, 9)], "paging.page-is-unmapped"),
    "frames stay taken": ([pages(1, 2, [2]), free(2, 1), is_free(2, False)], "bitmap.tells-whether-free"),
    "frames are called free": ([pages(1, 2, [2]), is_free(2, True)], "bitmap.tells-whether-free"),
    "frames are not taken": ([pages(1, 2, [2]), count_of(14)], "bitmap.tells-the-count"),
    "unknown frames are not taken": ([pages(2, 2), count_of(13)], "bitmap.counts-only-the-free"),
    "unknown frames stay taken": ([pages(2, 2), free(2, 2), count_of(12)], "bitmap.tells-the-count"),
    "an unknown frame is another afterwards": (
        [pages(1, 2), translate(2, 3), translate(2, 4)],
        "paging.translates-what-is-mapped",
    ),
    "two unknown frames are one": (
        [pages(2, 2), translate(2, 3), translate(3, 3)],
        "bitmap.allocates-only-free",
    ),
    "an unknown frame is somebody's": ([pages(1, 2), allocate(3), translate(2, 3)], "bitmap.allocates-only-free"),
    "an unknown frame is the image's": ([pages(1, 2), translate(2, 0)], "bitmap.allocates-only-free"),
    "an unknown frame is a device's": ([pages(1, 2), translate(2, 99)], "bitmap.allocates-only-free"),
    "an unknown frame is misaligned": (
        [pages(1, 2), op("page.translate", virtual=at(2), result=5)],
        "paging.frame-is-aligned",
    ),
    "an unknown frame has 53 bits": ([pages(1, 2), translate(2, 1 << 31)], "paging.frame-is-addressable"),
    "a page of an unknown frame is not mapped": ([pages(1, 2), translate(2, None)], "paging.nothing-is-mapped"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), ILLEGAL.values(), ids=ILLEGAL.keys())
def test_illegal_but_safe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert report.broken == ([] if level == "safe" else [(len(events) + 1, clause)])


UNSAFE = {
    "no pages": ([pages(0, 4)], "buddy.rounds-up"),
    "outside the range": ([pages(1, 16, [2])], "buddy.block-lies-in-range"),
    "a misaligned block": ([pages(3, 2, [2, 3, 4])], "buddy.block-is-aligned"),
    "a misaligned address": (
        [op("kernel_pages.allocate", pages=1, frames=[2 * PAGE], result=hex(KERNEL + 2 * PAGE + 5))],
        "addresses.address-is-aligned",
    ),
    "a block that was taken at start": ([pages(1, 1, [2])], "buddy.block-is-free"),
    "a block that is in use": ([op("range.allocate", pages=2, result=at(2)), pages(1, 3, [2])], "buddy.block-is-free"),
    "one block twice": ([pages(1, 2, [2]), pages(1, 2, [3])], "buddy.block-is-free"),
    "their block is handed out": ([pages(2, 2), op("range.allocate", pages=1, result=at(3))], "buddy.block-is-free"),
    "a frame that is in use": ([allocate(2), pages(1, 2, [2])], "bitmap.allocates-only-free"),
    "one frame twice": ([pages(2, 2, [2, 2])], "bitmap.allocates-only-free"),
    "a frame of the image": ([pages(1, 2, [1])], "bitmap.allocates-only-free"),
    "a misaligned frame": (
        [op("kernel_pages.allocate", pages=1, frames=[2 * PAGE + 5], result=at(2))],
        "addresses.address-is-aligned",
    ),
    "too few frames": ([*(allocate(frame) for frame in range(2, 14)), pages(3, 4)], "kernel_pages.frames-suffice"),
    "their frame is handed out": ([pages(1, 2, [2]), allocate(2)], "bitmap.allocates-only-free"),
    "all frames are handed out but theirs, and one more": (
        [pages(1, 2), *(allocate(frame) for frame in range(2, 16))],
        "bitmap.allocates-only-free",
    ),
    "freed twice": ([pages(1, 2, [2]), free(2, 1), free(2, 1)], "kernel_pages.begins-kernel-pages"),
    "freed at a later page": ([pages(3, 4, [2, 3, 4]), free(5, 2)], "kernel_pages.begins-kernel-pages"),
    "a range is freed": (
        [op("range.allocate", pages=2, result=at(2)), free(2, 2)],
        "kernel_pages.begins-kernel-pages",
    ),
    "freed in part": ([pages(3, 4, [2, 3, 4]), free(4, 2)], "kernel_pages.frees-them-whole"),
    "freed rounded up": ([pages(3, 4, [2, 3, 4]), free(4, 4)], "kernel_pages.frees-them-whole"),
    "freed at no page": (
        [pages(1, 2, [2]), op("kernel_pages.free", address=hex(KERNEL + 2 * PAGE + 5), pages=1)],
        "kernel_pages.begins-kernel-pages",
    ),
    "their frame is freed": ([pages(1, 2, [2]), free_frame(2)], "manager.takes-back-what-was-given"),
    "their block is freed": ([pages(2, 2, [2, 3]), free_range(2, 2)], "manager.frees-no-kernel-block"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert report.broken == [(len(events) + 1, clause)]
