"""`process.create` that answers a number which lives, and changes nothing, is one fault: what was there remains.

So is one that takes everything away. Whatever has shown which of them it was is not otherwise later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kernel_page_events import count_of
from page_events import (
    PAGE,
    REFUSED,
    allocate,
    attributes,
    create,
    exit_of,
    is_free,
    op,
    page_map,
    read,
    translate,
    unmap,
)

Event = dict[str, Any]


def take(page: int) -> Event:
    return op("range.allocate", process=1, pages=1, result=page * PAGE)


def give(page: int, **keys: Any) -> Event:
    return op("range.free", process=1, pages=1, address=page * PAGE, **keys)


def size_of(page: int, size: int) -> Event:
    return op("range.size", process=1, address=page * PAGE, result=size)


def write(value: int) -> Event:
    return op("pml4.write", process=1, index=9, value=value)


HELD = [create(1), take(0), allocate(2), page_map(0, 2, 1), write(7)]
AGAIN = [*HELD, create(1)]
NAMED = len(AGAIN) + 1
ROWS = [[0, 1, True], [PAGE, 1, False], [2 * PAGE, 2, False], [4 * PAGE, 4, False], [8 * PAGE, 8, False]]
LISTED = op("range.list", process=1, result=ROWS)
REMAINS = {
    "a block": [size_of(0, 1), LISTED, give(0), size_of(0, 0)],
    "a block that is freed": [give(0), take(0)],
    "a block that is passed over": [take(1), size_of(0, 1), give(1), give(0)],
    "a page": [translate(0, 2 * PAGE, 1), attributes(0, 1), translate(0, 2 * PAGE, 1)],
    "a page that cannot be mapped": [page_map(0, 3, 1, **REFUSED), translate(0, 2 * PAGE, 1)],
    "a page that is unmapped": [unmap(0, 1, release=True), translate(0, None, 1), count_of(14), is_free(2, True)],
    "a page that is unmapped without its frame": [unmap(0, 1), is_free(2, False), op("frame.free", address=2 * PAGE)],
    "a frame": [is_free(2, False), count_of(13), exit_of(1), count_of(14), is_free(2, True)],
    "an entry": [read(9, 7, 1), read(9, 7, 1), write(0), read(9, 0, 1)],
    "the count": [count_of(13), count_of(13), translate(0, 2 * PAGE, 1)],
    "the count after an exit": [exit_of(1), count_of(14)],
    "the count after an exit without a release": [exit_of(1, release=False), count_of(13)],
    "all of it": [size_of(0, 1), translate(0, 2 * PAGE, 1), read(9, 7, 1), count_of(13), is_free(2, False)],
}
NOTHING_REMAINS = [size_of(0, 0), translate(0, None, 1), read(9, 0, 1), count_of(14), is_free(2, True), take(0)]
levels = pytest.mark.parametrize("level", ["legal", "exact"])


@levels
@pytest.mark.parametrize("follow", [*REMAINS.values(), NOTHING_REMAINS], ids=[*REMAINS, "nothing"])
def test_what_remains_is_not_named(check: Callable[..., Any], follow: list[Event], level: str) -> None:
    report = check([*AGAIN, *follow], "--keep-going", "--level", level)
    assert report.broken == [(NAMED, "kernel_half.is-new")]


OTHERS = {
    "another size": size_of(0, 2),
    "another block": size_of(1, 1),
    "another frame": translate(0, 3 * PAGE, 1),
    "another page": translate(PAGE, 2 * PAGE, 1),
    "another entry": read(9, 8, 1),
    "another frame is lost": is_free(3, False),
    "two frames are lost": count_of(12),
    "a frame too many": count_of(15),
}


@levels
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_what_was_never_there_is_named(check: Callable[..., Any], other: Event, level: str) -> None:
    lines = [line for line, _ in check([*AGAIN, other], "--keep-going", "--level", level).broken]
    assert lines == [NAMED, NAMED + 1]


LATER = [size_of(0, 1), translate(0, 2 * PAGE, 1), read(9, 7, 1), count_of(13)]


@levels
def test_what_was_gone_stays_so(check: Callable[..., Any], level: str) -> None:
    for later in LATER:
        events = [*AGAIN, *NOTHING_REMAINS[:5], later]
        broken = check(events, "--keep-going", "--level", level).broken
        assert [line for line, _ in broken] == [NAMED, len(events) + 1], later


@levels
def test_a_number_that_is_answered_once_more_is_another_fault(check: Callable[..., Any], level: str) -> None:
    events = [*AGAIN, create(1), size_of(0, 1), translate(0, 2 * PAGE, 1)]
    broken = check(events, "--keep-going", "--level", level).broken
    assert [line for line, _ in broken] == [NAMED, NAMED + 1]
