"""`frame.get` and `frame.put`: a frame is released when neither a page nor a get is left, and not before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from misuses import CREATED, FRAME, KERNEL_PAGES, MAPPED, PAGE, UPPER, op

Event = dict[str, Any]
TAKEN = [op("frame.allocate", result=2 * PAGE), op("frame.allocate", result=FRAME)]
GET, PUT = op("frame.get", address=FRAME), op("frame.put", address=FRAME)
RELEASE = PUT | {"release": True}
UNMAP = op("page.unmap", process=1, virtual=0, release=True)
EXIT = op("process.exit", process=1)
FREE = op("frame.free", address=FRAME)
LEVELS = pytest.mark.parametrize("level", ["safe", "legal", "exact"])


def is_free(free: bool) -> Event:
    return op("frame.is_free", address=FRAME, result=free)


def count(free: int) -> Event:
    return op("frame.free_count", result=free)


def warnings(report: Any) -> list[str]:
    """Without the name of the file."""
    return [warning.partition("trace.jsonl:")[2] for warning in report.document["warnings"]]


# By what came last, the trace so far and whether the frame is free.
LIVES: dict[str, tuple[list[Event], bool]] = {
    "a put without release": ([*TAKEN, GET, PUT], False),
    "a put with release": ([*TAKEN, GET, RELEASE], True),
    "a put with release, of two": ([*TAKEN, GET, GET, RELEASE], False),
    "both": ([*TAKEN, GET, GET, RELEASE, RELEASE], True),
    "only the last counts": ([*TAKEN, GET, GET, RELEASE, PUT], False),
    "an unmap while a get is left": ([*TAKEN, CREATED, MAPPED, GET, UNMAP], False),
    "a put after the last unmap": ([*TAKEN, CREATED, MAPPED, GET, UNMAP, RELEASE], True),
    "a put without release after the last unmap": ([*TAKEN, CREATED, MAPPED, GET, UNMAP, PUT], False),
    "a put while a page is left": ([*TAKEN, CREATED, MAPPED, GET, RELEASE], False),
    "an unmap after the last put": ([*TAKEN, CREATED, MAPPED, GET, RELEASE, UNMAP], True),
    "an exit while a get is left": ([*TAKEN, CREATED, MAPPED, GET, EXIT], False),
    "a put after the exit": ([*TAKEN, CREATED, MAPPED, GET, EXIT, RELEASE], True),
    "an exit after the last put": ([*TAKEN, CREATED, MAPPED, GET, RELEASE, EXIT], True),
    "freed besides": ([*TAKEN, GET, FREE, RELEASE], True),
    "freed and handed out": ([*TAKEN, GET, FREE, op("frame.allocate", result=FRAME), RELEASE], True),
}


@LEVELS
@pytest.mark.parametrize(("events", "free"), LIVES.values(), ids=LIVES.keys())
def test_it_is_free_when_its_last_use_is_gone(
    check: Callable[..., Any], events: list[Event], free: bool, level: str
) -> None:
    report = check([*events, is_free(free), count(13 if free else 12)], "--level", level)
    assert report.broken == []
    wrong = check([*events, is_free(not free)], "--level", level)
    assert wrong.broken == ([] if level == "safe" else [(len(events) + 2, "bitmap.tells-whether-free")])


@LEVELS
@pytest.mark.parametrize(("events", "free"), LIVES.values(), ids=LIVES.keys())
def test_only_then_it_is_handed_out_again(
    check: Callable[..., Any], events: list[Event], free: bool, level: str
) -> None:
    report = check([*events, op("frame.allocate", result=FRAME)], "--level", level)
    assert report.broken == ([] if free else [(len(events) + 2, "bitmap.allocates-only-free")])


@pytest.mark.parametrize("level", ["legal", "exact"])
def test_what_is_free_has_no_uses(check: Callable[..., Any], level: str) -> None:
    assert check([GET], "--level", level).broken == [(2, "manager.gets-only-allocated")]
    assert check([GET | {"error": "it is free"}], "--level", level).status == 0
    freed = check([*TAKEN, FREE, GET], "--level", level)
    assert freed.broken == [(5, "manager.gets-only-allocated")]
    (found,) = freed.document["divergences"]
    assert found["message"] == "frame 3 is already free (freed by line 4)"


def test_whatever_is_allocated_may_be_used(check: Callable[..., Any]) -> None:
    image = [op("frame.get", address=0), op("frame.put", address=0, release=True), op("frame.free_count", result=14)]
    pages = [KERNEL_PAGES, GET, PUT, count(12)]
    assert check(image).status == 0
    assert check(pages).status == 0
    released = [KERNEL_PAGES, GET, RELEASE, count(12)]  # nothing else releases what kernel pages hold
    assert check(released).status == 0


def test_one_put_too_many(check: Callable[..., Any]) -> None:
    report = check([*TAKEN, GET, RELEASE, RELEASE])
    assert report.broken == [(6, "manager.a-get-is-left")]
    (found,) = report.document["divergences"]
    assert found["message"] == "no get of frame 3 is left (the last was put by line 5)"
    assert check([*TAKEN, GET, PUT, PUT | {"error": "not mine"}]).status == 0
    assert check([*TAKEN, CREATED, MAPPED, PUT]).broken == [(6, "manager.a-get-is-left")]


@pytest.mark.parametrize(
    "then", [[UNMAP, is_free(True)], [UNMAP, is_free(False)], [UNMAP, count(13)], [EXIT, count(12)]]
)
def test_one_put_too_many_is_named_once(check: Callable[..., Any], then: list[Event]) -> None:
    """The kernel may have counted it, so that the frame is free although a get is left by the trace."""
    events = [*TAKEN, CREATED, MAPPED, GET, PUT, PUT, GET, *then]
    assert check(events, "--keep-going").broken == [(8, "manager.a-get-is-left")]


def test_a_get_of_a_free_frame_is_named_once(check: Callable[..., Any]) -> None:
    events = [*TAKEN, FREE, GET, is_free(False), RELEASE, is_free(True), count(13)]
    assert check(events, "--keep-going").broken == [(5, "manager.gets-only-allocated")]


def test_a_frame_that_was_taken_without_saying_so_may_be_used(check: Callable[..., Any]) -> None:
    assert check([GET, PUT], private_frames=True).status == 0
    unnamed = {key: value for key, value in KERNEL_PAGES.items() if key != "frames"}
    assert check([unnamed, GET, PUT]).status == 0
    assert check([GET, PUT]).status == 1


@pytest.mark.parametrize("policy", ["warn", "refuse", "allow"])
def test_a_free_of_a_frame_with_uses(check: Callable[..., Any], small: dict[str, Any], policy: str) -> None:
    geometry = small | {"free_while_mapped": policy}
    report = check([*TAKEN, GET, FREE, is_free(True)], "--keep-going", geometry=geometry)
    assert report.broken == ([(5, "manager.no-get-is-left")] if policy == "refuse" else [])
    said = "5: frame 3 was freed while 1 get of it is left (by line 4)"
    assert warnings(report) == ([said] if policy == "warn" else [])
    refused = check([*TAKEN, GET, FREE | {"error": "it is pinned"}], geometry=geometry)
    assert refused.broken == ([] if policy == "refuse" else [(5, "frame.free.must-succeed")])
    assert check([*TAKEN, GET, PUT, FREE], geometry=geometry).status == 0


def test_all_uses_are_named(check: Callable[..., Any]) -> None:
    (said,) = warnings(check([*TAKEN, CREATED, MAPPED, GET, GET, FREE]))
    assert said == (
        "8: frame 3 was freed while process 1 maps it at 0x0 (by line 5) and 2 gets of it are left (by line 7)"
    )
    again = check([*TAKEN, CREATED, MAPPED, GET, EXIT, op("frame.allocate", result=FRAME)])
    (found,) = again.document["divergences"]
    assert found["message"] == "frame 3 is already allocated (by line 3); 1 get of it is left (by line 6)"


@pytest.mark.parametrize("bad", [-1, -PAGE, 1, FRAME + 1, 1 << 70, (1 << 70) + 1, 16 * PAGE, hex(1 << 64)])
@pytest.mark.parametrize("name", ["frame.get", "frame.put"])
def test_no_number_is_too_strange(check: Callable[..., Any], name: str, bad: Any) -> None:
    assert check([op(name, address=bad)]).status == 1
    assert check([op(name, address=bad, error="refused")]).status == 0
    assert check([op(name, address=bad)], "--level", "safe").status == 0


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_release_is_a_truth_value(check: Callable[..., Any], value: Any) -> None:
    assert check([*TAKEN, GET, PUT | {"release": value}]).status == 2


def test_the_kernels_page_is_a_use_as_well(check: Callable[..., Any]) -> None:
    shown = op("page.map", virtual=hex(UPPER), physical=FRAME)
    events = [*TAKEN, shown, GET, op("page.unmap", virtual=hex(UPPER), release=True), is_free(False), RELEASE]
    assert check([*events, is_free(True)]).status == 0


@pytest.mark.parametrize("parts", ["partial", "whole"])
def test_runs_of_frames_have_uses_frame_by_frame(check: Callable[..., Any], small: dict[str, Any], parts: str) -> None:
    geometry = small | {"frame_allocator": "runs", "frame_free_parts": parts, "free_while_mapped": "refuse"}
    run = op("frame.allocate", count=2, result=2 * PAGE)
    free = op("frame.free", address=2 * PAGE, count=2)
    report = check([run, GET, free], "--keep-going", geometry=geometry)
    assert report.broken == [(4, "manager.no-get-is-left")]
    assert check([run, GET, free | {"error": "pinned"}, PUT, free, count(14)], geometry=geometry).status == 0
    assert check([GET], geometry=geometry).broken == [(2, "manager.gets-only-allocated")]
    single = op("frame.allocate", result=FRAME)
    assert check([single, GET, RELEASE, is_free(True), count(14)], geometry=geometry).status == 0
