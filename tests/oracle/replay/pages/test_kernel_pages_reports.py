"""What is said of kernel pages that break the law, and what is adopted after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernel_page_events import at, count_of, free, free_frame, free_range, listed, page_map, pages, translate, unmap
from page_events import PAGE, REFUSED, allocate, is_free, op


def test_frame_that_is_named_twice(check: Callable[..., Any]) -> None:
    (found,) = check([pages(2, 2, [2, 2])]).document["divergences"]
    assert (found["clause"], found["message"]) == ("bitmap.allocates-only-free", "frame 2 is named twice")


def test_message_names_the_earlier_line(check: Callable[..., Any]) -> None:
    events = [
        pages(2, 2, [2, 3]),
        free_frame(3),
        free_range(2, 2),
        pages(1, 4),
        page_map(4, 9),
        op("page.translate", virtual=at(4)),
        free(8, 3),
        pages(1, 8, [4]),
        free(8, 2),
    ]
    found = check(events, "--keep-going").document["divergences"]
    assert [divergence["message"] for divergence in found] == [
        "frame 3 is allocated (by line 2), for kernel pages; the kernel maps it at 0xffffffff00600000 (by line 2)",
        "the block at 0xffffffff00400000 is one of kernel pages (allocated by line 2)",
        "0xffffffff00800000 is mapped to a frame of kernel pages (by line 5) already",
        "it says that nothing is mapped there, but 0xffffffff00800000 is mapped to 0x1200000 (by line 6)",
        "no kernel pages start at 0xffffffff01000000",
        "1 page, not 2, was allocated at 0xffffffff01000000 (by line 9)",
    ]


def test_keep_going_adopts_what_is_seen(check: Callable[..., Any]) -> None:
    events = [
        pages(2, 2, [2, 3]),
        free_frame(2),  # line 3: free from now on
        allocate(2),
        free_range(2, 2),  # line 5: free from now on
        op("range.allocate", pages=2, result=at(2)),
        free(2, 2),
        is_free(2, False),
        is_free(3, True),
        free_range(2, 2),
        pages(1, 4, [2]),  # line 11: no frame of its own
        free(4, 1),
        is_free(2, False),
        pages(3, 4, [3, 4, 5]),
        free(4, 4),  # line 15: gone all the same
        count_of(13),
        pages(3, 8, [3, 4]),  # line 17
        free(8, 3),
        count_of(13),
        pages(16, 0),  # line 20: nothing of it can be
        *(allocate(frame) for frame in range(3, 15)),
        pages(2, 4),  # as many as there are, or more: what was handed out wrongly left the count in doubt
        count_of(0),
        free(4, 2),
        count_of(1),
        pages(1, 4, [15]),
        unmap(4, release=True),  # line 38
        translate(4, None),
        is_free(15, False),
        op("page.map", virtual=0, physical=hex(15 * PAGE)),
        op("page.unmap", virtual=0, release=True),
        is_free(15, False),
        page_map(4, 9),
        free(4, 1),
        translate(4, None),
        count_of(1),
    ]
    report = check(events, "--keep-going")
    assert [line for line, _ in report.broken] == [3, 5, 11, 15, 17, 20, 38]


def test_keep_going_takes_a_list_for_what_is_allocated(check: Callable[..., Any]) -> None:
    events = [
        pages(2, 2, [2, 3]),
        listed((0, 2, True), (2, 2, False), (4, 4, False), (8, 8, False)),  # line 3: their block is gone
        op("range.allocate", pages=2, result=at(2)),
        free_range(2, 2),
        free(2, 2),
        count_of(14),
    ]
    report = check(events, "--keep-going")
    assert [line for line, _ in report.broken] == [3]


def test_a_trusting_bitmap_frees_what_they_hold(check: Callable[..., Any]) -> None:
    geometry = {"frames": 16, "frame_free": "trusting"}
    events = [
        pages(2, 2, [2, 3]),
        free_frame(2, **REFUSED),
        free_frame(2),
        is_free(2, True),
        free(2, 2),
        count_of(14),
    ]
    report = check(events, geometry=geometry)
    assert (report.status, len(report.document["warnings"])) == (0, 1)
    assert "spurious free: frame 2 is allocated (by line 2), for kernel pages" in report.document["warnings"][0]


def test_many_kernel_pages_are_freed_in_part(check: Callable[..., Any], small: dict[str, Any]) -> None:
    many = small | {"frames": 4096, "kernel_range": {"start": "0xfffffffe00000000", "pages": 4096}}
    events = [pages(1500, 0), free(0, 2), free(0, 1500)]
    report = check(events, "--keep-going", geometry=many)
    assert report.broken == [(3, "kernel_pages.frees-them-whole")]
