"""What was handed out although it was not free has several owners, and each frees it: that is one fault.

One free more is another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kernel_page_events import at, count_of, free_frame, free_range, pages
from kernel_page_events import free as free_pages
from page_events import LEVELS, PAGE, REFUSED, allocate, is_free, op, page_map, unmap

Event = dict[str, Any]
HEAP = 0xFFFF800000000020


def new(offset: int, size: int) -> Event:
    return op("heap.new", bytes=size, result=hex(HEAP + offset))


def delete(offset: int, **keys: Any) -> Event:
    return op("heap.delete", address=hex(HEAP + offset), **keys)


def resize(offset: int, size: int, to: int) -> Event:
    return op("heap.resize", address=hex(HEAP + offset), bytes=size, result=hex(HEAP + to))


def take(page: int, count: int) -> Event:
    return op("range.allocate", pages=count, result=at(page))


def reserve(page: int, count: int) -> Event:
    return op("range.reserve", pages=count, address=at(page))


# What is right, what is handed out wrongly, and the free of each.
OWNERS: dict[str, tuple[list[Event], Event, list[Event]]] = {
    "a frame": ([allocate(2)], allocate(2), [free_frame(2), free_frame(2)]),
    "a frame that is reserved": (
        [allocate(2)],
        op("frame.reserve", address=2 * PAGE, count=2),
        [free_frame(2), free_frame(3), free_frame(2)],
    ),
    "the image": ([], allocate(1), [free_frame(1)]),
    "a frame out of reach": ([], allocate(30), [free_frame(30)]),
    "no frame": ([], op("frame.allocate", result=2 * PAGE + 8), [op("frame.free", address=2 * PAGE + 8)]),
    "a frame that kernel pages have": ([pages(1, 2, [2])], allocate(2), [free_pages(2, 1), free_frame(2)]),
    "a frame that kernel pages get": ([allocate(2)], pages(1, 2, [2]), [free_frame(2), free_pages(2, 1)]),
    "a frame that is mapped": (
        [allocate(2), page_map(0, 2)],
        allocate(2),
        [unmap(0, release=True), free_frame(2)],
    ),
    "a block": ([take(4, 4)], take(4, 4), [free_range(4, 4), free_range(4, 4)]),
    "a part of a block": ([take(4, 4)], take(5, 1), [free_range(4, 4), free_range(5, 1)]),
    "the first part of a block": ([take(4, 4)], take(4, 2), [free_range(4, 4), free_range(4, 2)]),
    "more than a block": ([take(5, 1)], reserve(4, 4), [free_range(5, 1), free_range(4, 4)]),
    "more than two blocks": (
        [take(4, 1), take(6, 2)],
        take(4, 4),
        [free_range(4, 1), free_range(4, 4), free_range(6, 2)],
    ),
    "a reserved block": ([], take(0, 2), [free_range(0, 2)]),
    "a block that is not aligned": ([], take(5, 2), [free_range(5, 2)]),
    "a block out of range": ([], take(40, 1), [free_range(40, 1)]),
    "a block that is no power of two": ([], reserve(4, 3), [free_range(4, 3)]),
    "kernel pages": ([pages(2, 2, [2, 3])], pages(2, 2, [4, 5]), [free_pages(2, 2), free_pages(2, 2)]),
    "as many kernel pages or fewer": (
        [pages(2, 2, [2, 3])],
        pages(1, 2, [4]),
        [free_pages(2, 2), free_pages(2, 1)],
    ),
    "a part of kernel pages": ([pages(4, 4, [2, 3, 4, 5])], pages(1, 5, [6]), [free_pages(4, 4), free_pages(5, 1)]),
    "kernel pages whose frames are not known": ([pages(2, 2)], pages(2, 2), [free_pages(2, 2), free_pages(2, 2)]),
    "a block for kernel pages": ([take(2, 2)], pages(2, 2, [4, 5]), [free_range(2, 2), free_pages(2, 2)]),
    "a block of the heap": ([new(0, 32)], new(0, 32), [delete(0), delete(0)]),
    "a part of it": ([new(0, 32)], new(8, 8), [delete(0), delete(8)]),
    "more than two of it": ([new(0, 16), new(32, 8)], new(0, 64), [delete(0), delete(0), delete(32)]),
    "a block without bytes": ([new(0, 0)], new(0, 0), [delete(0), delete(0)]),
    "a block that grows over its neighbour": ([new(0, 32), new(32, 8)], resize(0, 64, 0), [delete(0), delete(32)]),
    "a block that moves over another": ([new(0, 32), new(32, 8)], resize(0, 64, 8), [delete(8), delete(32)]),
    "a block that is resized to nothing, where another is": (
        [new(0, 32), new(32, 8)],
        resize(0, 0, 32),
        [delete(32), delete(32)],
    ),
    "a block past the end": (
        [],
        op("heap.new", bytes=64, result=hex(2**64 - 32)),
        [op("heap.delete", address=hex(2**64 - 32))],
    ),
}
each = pytest.mark.parametrize(("before", "wrong", "frees"), OWNERS.values(), ids=OWNERS.keys())


@each
@pytest.mark.parametrize("level", ["safe", "legal"])
def test_each_owner_frees_it(
    check: Callable[..., Any], before: list[Event], wrong: Event, frees: list[Event], level: str
) -> None:
    """In either order; and whoever frees it then has no right to."""
    first = len(before) + 2
    for freed in (frees, frees[::-1]):
        events = [*before, wrong, *freed]
        assert [line for line, _ in check(events, "--keep-going", "--level", level).broken] == [first]
        for more in frees:
            if more["op"] != "page.unmap":
                broken = check([*events, more], "--keep-going", "--level", level).broken
                assert [line for line, _ in broken] == [first, len(events) + 2], more


@each
def test_all_is_free_afterwards(
    check: Callable[..., Any], before: list[Event], wrong: Event, frees: list[Event]
) -> None:
    """As before it was handed out."""
    for freed in (frees, frees[::-1]):
        asked = [
            count_of(14),
            *(is_free(frame, True) for frame in range(2, 16)),
            op("range.size", address=at(4), result=0),
        ]
        events = [*before, wrong, *freed, *asked, take(8, 8), take(4, 4)]
        assert [line for line, _ in check(events, "--keep-going").broken] == [len(before) + 2]
        leaked = [*before, wrong, *freed, *asked, count_of(13)]
        assert [line for line, _ in check(leaked, "--keep-going").broken] == [len(before) + 2, len(leaked) + 1]


@each
def test_one_owner_may_be_refused(
    check: Callable[..., Any], before: list[Event], wrong: Event, frees: list[Event]
) -> None:
    """Then nobody else may free it."""
    last = frees[-1]
    events = [*before, wrong, *frees[:-1], last | REFUSED]
    assert [line for line, _ in check(events, "--keep-going").broken] == [len(before) + 2]
    if last["op"] != "kernel_pages.free":
        broken = check([*events, last], "--keep-going").broken
        assert [line for line, _ in broken] == [len(before) + 2, len(events) + 2]


COUNTS = {
    "it was counted twice": (12, 13, 14),
    "only what was free was counted": (13, 14, 14),
    "only what was freed was counted twice": (13, 14, 15),
}


@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS.keys())
def test_a_frame_with_two_owners_may_be_counted_twice(check: Callable[..., Any], counts: tuple[int, ...]) -> None:
    taken, freed, again = map(count_of, counts)
    events = [allocate(2), allocate(2), taken, taken, free_frame(2), freed, freed, free_frame(2), again, again]
    assert [line for line, _ in check(events, "--keep-going").broken] == [3]
    for place in (3, 6, 9):
        for error in (-2, -1, 1, 2):
            other = count_of(events[place]["result"] + error)
            if other["result"] != 13 + (place > 3):
                broken = check([*events[:place], other], "--keep-going").broken
                assert [line for line, _ in broken] == [3, place + 2]


def test_a_count_that_was_lowered_twice_runs_out_earlier(check: Callable[..., Any]) -> None:
    taken = [allocate(frame) for frame in range(2, 15)]
    events = [*taken, allocate(2), op("frame.allocate", error="none is left")]
    assert [line for line, _ in check(events, "--keep-going").broken] == [15]
    events = [*taken[:-1], allocate(2), op("frame.allocate", error="none is left")]
    assert [line for line, _ in check(events, "--keep-going").broken] == [14, 15]


@pytest.mark.parametrize("level", LEVELS)
def test_a_block_that_was_forgotten_is_called_by_its_line(check: Callable[..., Any], level: str) -> None:
    events = [new(0, 32), new(8, 8), delete(8), delete(0), delete(0)]
    report = check(events, "--keep-going", "--level", level)
    assert [line for line, _ in report.broken] == [3, 6]
    assert report.document["divergences"][1]["message"].endswith("was deleted already (by line 5)")


def test_a_block_with_two_owners_has_its_size(check: Callable[..., Any]) -> None:
    sizes = [op("range.size", address=at(page), result=size) for page, size in ((4, 4), (5, 1), (4, 4), (5, 1))]
    events = [take(4, 4), take(5, 1), *sizes, free_range(5, 1), sizes[0], free_range(4, 4)]
    assert [line for line, _ in check(events, "--keep-going").broken] == [3]


def test_each_owner_of_a_block_may_resize_it(check: Callable[..., Any]) -> None:
    """Each moves what it was given; one resize more is a fault of its own."""
    handed_out = [new(0, 32), new(0, 32)]
    resized = [resize(0, 96, 64), resize(0, 96, 256), delete(64), delete(256)]
    assert check([*handed_out, *resized], "--keep-going").broken == [(3, "heap.address-is-unique")]
    more = [*handed_out, *resized, resize(0, 8, 0)]
    assert check(more, "--keep-going").broken[1:] == [(8, "heap.resizes-a-live-block")]
