"""An answer that agrees with the trace settles what a wrong one has left in doubt: what contradicts it then is named.

The first number is the line of the wrong answer, the second that of what contradicts the later, right one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kernel_page_events import at, free, free_range, listed, pages
from page_events import PAGE, REFUSED, attributes, create, exit_of, op, page_map, read, translate, unmap

NOTHING = op("page.attributes", virtual=0, result=None)


def size(page: int, answer: int) -> dict[str, Any]:
    return op("range.size", address=at(page), result=answer)


def taken(page: int, count: int, **keys: Any) -> dict[str, Any]:
    return op("range.allocate", pages=count, result=at(page), **keys)


BLOCK = [taken(2, 1), size(2, 0)]
LIVES_AGAIN = [
    *(create(1), op("pml4.write", process=1, index=7, value=3), exit_of(1)),
    op("range.allocate", process=1, pages=1, result=0),  # line 5
]
SETTLED = {
    "nothing is allowed at a page that seemed to be mapped": (
        [page_map(0, 9), unmap(0), translate(0, 9 * PAGE), NOTHING, unmap(0)],
        (4, 6),
    ),
    "something is allowed at a page that seemed not to be": (
        [page_map(0, 9), translate(0, None), attributes(0), unmap(0, **REFUSED)],
        (3, 5),
    ),
    "what is allowed does not tell which frame is shown": (
        [page_map(0, 9), translate(0, 8 * PAGE), attributes(0), translate(8, 8 * PAGE + 8)],
        (3,),
    ),
    "a page was mapped over": (
        [page_map(0, 9), page_map(0, 8, cache="uncacheable"), attributes(0, cache="uncacheable"), attributes(0)],
        (3, 5),
    ),
    "the size of a block": ([*BLOCK, size(2, 1), free_range(2, 1, **REFUSED)], (3, 5)),
    "the list of blocks": (
        [
            *(*BLOCK, listed((0, 2, True), (2, 1, True), (3, 1, False), (4, 4, False), (8, 8, False))),
            free_range(2, 1, **REFUSED),
        ],
        (3, 5),
    ),
    "no room is left": (
        [
            *(taken(2, 1), taken(3, 1), taken(4, 4), taken(8, 8), size(2, 0)),
            *(op("range.allocate", pages=1, **REFUSED), free_range(2, 1, **REFUSED)),
        ],
        (6, 8),
    ),
    "the block of kernel pages is free": (
        [pages(1, 2, [2]), free(2, 1), size(2, 1), size(2, 0), free(2, 1)],
        (4, 6),
    ),
    "an entry of a process that lives again": ([*LIVES_AGAIN, read(7, 0, 1), read(7, 3, 1)], (5, 7)),
    "all its entries": (
        [*LIVES_AGAIN, op("pml4.dump", process=1, result=[0] * 512), read(7, 3, 1)],
        (5, 7),
    ),
    "but as long as nobody asks": ([*LIVES_AGAIN, read(7, 3, 1)], (5,)),
}


@pytest.mark.parametrize("level", ["legal", "exact"])
@pytest.mark.parametrize(("events", "lines"), SETTLED.values(), ids=SETTLED.keys())
def test_settled(check: Callable[..., Any], events: list[dict[str, Any]], lines: tuple[int, ...], level: str) -> None:
    report = check(events, "--level", level, "--keep-going")
    assert [line for line, _ in report.broken] == [*lines]
