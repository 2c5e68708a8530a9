"""What an operation that changed nothing leaves behind is named once, wherever it shows; what else there is, is named.

Each trace has one fault, and ends with what an implementation with this fault may do. The second number is the line of
another fault, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kernel_page_events import at, attributes, count_of, failed, free, free_range, pages
from kernel_page_events import page_map as map_kernel
from kernel_page_events import translate as translate_kernel
from kernel_page_events import unmap as unmap_kernel
from page_events import PAGE, REFUSED, allocate, is_free, op, page_map, translate, unmap

TAKEN = [allocate(frame) for frame in range(5, 16)]
IN_THE_WAY = [
    *(allocate(2), map_kernel(2, 2), unmap_kernel(2)),
    failed(1),  # line 5: the page is mapped still
]
TWO_IN_THE_WAY = [
    *(allocate(2), allocate(3), map_kernel(2, 2), map_kernel(3, 3), unmap_kernel(2), unmap_kernel(3)),
    failed(1),  # line 8: one of these pages is mapped still
]
NOT_MAPPED = [
    *(allocate(2), page_map(0, 2), page_map(PAGE, 2)),
    unmap(PAGE, release=True),  # line 5: nothing maps the frame
]
FREED_TWICE = [
    *(pages(1, 2, [2]), free(2, 1), pages(1, 2, [2])),
    free(2, 1),  # line 5: they stay
    is_free(2, False),
]
ONE_FAULT = {
    "a page was unmapped only the second time, without a release": (
        [allocate(2), page_map(0, 2), unmap(0, release=True), unmap(0), is_free(2, False)],
        (5,),
    ),
    "and then with a release": (
        [allocate(2), page_map(0, 2), unmap(0), unmap(0, release=True), is_free(2, True)],
        (5,),
    ),
    "another page released its frame in between": (
        [
            *(allocate(2), page_map(0, 2), unmap(0), page_map(PAGE, 2), unmap(PAGE, release=True)),
            *(unmap(0), is_free(2, False)),
        ],
        (7,),
    ),
    "a page that was not unmapped kept the frame that another released": (
        [
            *(allocate(2), page_map(0, 2), page_map(PAGE, 2), unmap(0), unmap(PAGE, release=True)),
            *(is_free(2, False), unmap(0, release=True), is_free(2, True)),
        ],
        (7,),
    ),
    "it was not unmapped by an earlier release": (
        [
            *(allocate(2), page_map(0, 2), page_map(PAGE, 2), unmap(0, release=True), unmap(PAGE, release=True)),
            *(is_free(2, False), unmap(0), is_free(2, False)),
        ],
        (7,),
    ),
    "the frame of a page that could not be mapped": (
        [
            *(allocate(2), page_map(0, 2), unmap(0), page_map(PAGE, 2), unmap(PAGE, release=True)),
            *(page_map(0, 3, **REFUSED), is_free(2, False)),
        ],
        (7,),
    ),
    "a reservation of the frame of a page that is mapped still": (
        [
            *(allocate(2), page_map(0, 2), unmap(0, release=True), translate(0, 2 * PAGE)),
            op("frame.reserve", address=2 * PAGE, count=2, error="taken"),
        ],
        (5,),
    ),
    "a page in the way of kernel pages is unmapped": ([*IN_THE_WAY, failed(1), unmap_kernel(2)], (5,)),
    "a page in the way of kernel pages is asked for": ([*IN_THE_WAY, failed(1), translate_kernel(2, 2)], (5,)),
    "one of two pages was in the way": ([*TWO_IN_THE_WAY, translate_kernel(3, 3), translate_kernel(2, 2)], (8, 10)),
    "the other one was not": (
        [*TWO_IN_THE_WAY, translate_kernel(3, None), translate_kernel(2, 2), translate_kernel(3, 3)],
        (8, 11),
    ),
    "the kernel's page was unmapped for a process that does not live": (
        [allocate(2), map_kernel(2, 2), unmap_kernel(2, process=1), failed(1)],
        (4,),
    ),
    "frames are fewer than was found at first": (
        [pages(3, 4, [2, 3, 4]), *TAKEN, free(4, 3), failed(3), op("frame.allocate", **REFUSED)],
        (15,),
    ),
    "kernel pages fail for want of frames that were missing in the count": (
        [pages(3, 4, [2, 3, 4]), *TAKEN[:8], free(4, 3), count_of(3), failed(4), free(4, 3)],
        (12,),
    ),
    "kernel pages stay whose frames were another's before": ([*FREED_TWICE, free(2, 1)], (6,)),
    "but not those that had them before": ([*FREED_TWICE, free(2, 1), is_free(2, True), free(2, 1)], (6, 9)),
    "a frame that a page withheld was free": ([*NOT_MAPPED, allocate(2), unmap(0, **REFUSED)], (6,)),
    "it is said to be free": ([*NOT_MAPPED, is_free(2, True), translate(0, None)], (6,)),
    "it was free for kernel pages, and is again": (
        [*NOT_MAPPED, pages(1, 2, [2]), free(2, 1), allocate(2), page_map(0, 3)],
        (6,),
    ),
    "a frame that no page withheld is handed out twice": (
        [allocate(2), page_map(0, 2), allocate(2), translate(0, None)],
        (4, 5),
    ),
    "a kernel page was not mapped over": (
        [pages(1, 2, [2]), map_kernel(2, 9, cache="uncacheable"), attributes(2), translate_kernel(2, 2)],
        (3,),
    ),
    "nor one whose frame is not known": (
        [pages(1, 2), map_kernel(2, 9), translate_kernel(2, 3), translate_kernel(2, 3), translate_kernel(2, 4)],
        (3, 6),
    ),
}


@pytest.mark.parametrize("level", ["legal", "exact"])
@pytest.mark.parametrize(("events", "lines"), ONE_FAULT.values(), ids=ONE_FAULT.keys())
def test_one_fault(check: Callable[..., Any], events: list[dict[str, Any]], lines: tuple[int, ...], level: str) -> None:
    report = check(events, "--level", level, "--keep-going")
    assert [line for line, _ in report.broken] == [*lines]


def test_a_block_that_leaked_makes_another_one_the_smallest(check: Callable[..., Any]) -> None:
    taken = [op("range.allocate", pages=1, result=at(page)) for page in (2, 3, 4)]
    size = op("range.size", address=at(3), result=1)
    events = [*taken, free_range(2, 1), free_range(3, 1), op("range.allocate", pages=1, result=at(2)), size]
    assert check(events, "--level", "exact", "--keep-going").broken == [(7, "range.allocate.policy")]
