"""Events are replayed alike whatever the lines before them looked like, by which the way is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PAGE = 0x1000
ASKED = '{"op": "frame.allocate", "count": 2, "result": "0x%x"}'
FREED = '{"op": "frame.free", "address": "0x%x", "count": 2}'
GEOMETRIES = {
    allocator: {"preset": "x64-4k", "frames": 64, "kernel_image_frames": 4, "frame_allocator": allocator}
    for allocator in ("runs", "buddy")
}


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES.keys())
def geometry(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


@pytest.mark.parametrize("level", ["legal", "exact"])
def test_what_names_more_is_judged_by_it_after_what_does_not(
    check: Callable[..., Any], geometry: dict[str, Any], level: str
) -> None:
    plain = ASKED % (16 * PAGE) if level == "legal" else ASKED % (4 * PAGE)
    limited = (ASKED % (32 * PAGE)).replace("}", ', "below": "0x10000"}')
    report = check([plain, limited], "--level", level, geometry=geometry)
    assert (report.status, report.broken[0][0]) == (1, 3)


def test_a_refusal_is_judged_after_what_was_served(check: Callable[..., Any], geometry: dict[str, Any]) -> None:
    refused = '{"op": "frame.allocate", "count": 2, "error": "none"}'
    report = check([ASKED % (16 * PAGE), refused], geometry=geometry)
    assert (report.status, report.broken[0][0]) == (1, 3)


def test_a_wrong_event_of_a_known_outline_diverges(check: Callable[..., Any], geometry: dict[str, Any]) -> None:
    events = [ASKED % (16 * PAGE), FREED % (16 * PAGE), ASKED % (18 * PAGE), FREED % (18 * PAGE)]
    for wrong in (
        ASKED % (18 * PAGE + 1),
        ASKED % (62 * PAGE + PAGE + PAGE),
        FREED % (18 * PAGE),
        FREED % (18 * PAGE + 1),
    ):
        report = check([*events, wrong], geometry=geometry)
        assert (report.status, report.broken[0][0]) == (1, 6), wrong


def test_after_a_crash_nothing_is_replayed(check: Callable[..., Any], geometry: dict[str, Any]) -> None:
    crashed = '{"op": "frame.free_count", "crash": "panic"}'
    report = check([ASKED % (16 * PAGE), crashed, ASKED % (16 * PAGE)], "--keep-going", geometry=geometry)
    assert [line for line, _ in report.broken] == [3]


def test_an_order_is_judged_as_the_count_that_it_is(check: Callable[..., Any], geometry: dict[str, Any]) -> None:
    asked, freed = ASKED.replace('"count": 2', '"order": 1'), FREED.replace('"count": 2', '"order": 1')
    events = [asked % (16 * PAGE), asked % (18 * PAGE), freed % (16 * PAGE), freed % (18 * PAGE), asked % (16 * PAGE)]
    assert check(events, geometry=geometry).status == 0
    for wrong in (
        asked % (16 * PAGE),
        (asked % (14 * PAGE)).replace('"order": 1', '"order": 2'),
        freed % (18 * PAGE),
        (freed % (16 * PAGE)).replace('"order": 1', '"order": 2'),
    ):
        report = check([*events, wrong], geometry=geometry)
        assert (report.status, report.broken[0][0]) == (1, 7), wrong


@pytest.mark.parametrize("level", ["legal", "exact"])
@pytest.mark.parametrize("event", [ASKED, FREED])
def test_both_an_order_and_a_count_are_refused_after_one_of_them(
    check: Callable[..., Any], geometry: dict[str, Any], level: str, event: str
) -> None:
    asked, freed = ASKED.replace('"count": 2', '"order": 1'), FREED.replace('"count": 2', '"order": 1')
    both = (event % (4 * PAGE)).replace('"count": 2', '"count": 2, "order": 1')
    begun = [ASKED % (4 * PAGE), freed % (4 * PAGE), asked % (4 * PAGE), FREED % (4 * PAGE)]
    report = check(
        [*begun, *([asked % (4 * PAGE)] if event == FREED else []), both], "--level", level, geometry=geometry
    )
    assert report.status == 2
    assert "given beside count" in report.errors


def test_at_exact_the_run_is_the_one_that_the_reference_gives(
    check: Callable[..., Any], geometry: dict[str, Any]
) -> None:
    for named in ('"count": 2', '"order": 1'):
        asked = ASKED.replace('"count": 2', named)
        events = [asked % (4 * PAGE), asked % (6 * PAGE), FREED % (4 * PAGE), asked % (4 * PAGE)]
        assert check(events, "--level", "exact", geometry=geometry).status == 0
        report = check([*events, asked % (10 * PAGE), asked % (8 * PAGE)], "--level", "exact", geometry=geometry)
        assert [line for line, _ in report.broken] == [6]
        report = check([*events, asked % (8 * PAGE + 1)], "--level", "exact", geometry=geometry)
        assert [line for line, _ in report.broken] == [6]


@pytest.mark.parametrize("level", ["legal", "exact"])
def test_requests_that_name_the_same_limits_are_each_judged_by_them(check: Callable[..., Any], level: str) -> None:
    geometry = {"preset": "x64-4k", "process_range": {"start": 0, "pages": 64}, "range_allocator": "runs"}
    asked = '{"op": "range.allocate", "process": 1, "pages": 2, "alignment": "0x4000", "below": %d, "result": %d}'
    begun = ['{"op": "process.create", "result": 1}', asked % (16 * PAGE, 0), asked % (16 * PAGE, 4 * PAGE)]
    assert check(begun, "--level", level, geometry=geometry).status == 0
    for wrong in (asked % (16 * PAGE, 10 * PAGE), asked % (16 * PAGE, 16 * PAGE), asked % (16 * PAGE, 4 * PAGE)):
        report = check([*begun, wrong], "--level", level, geometry=geometry)
        assert (report.status, report.broken[0][0]) == (1, 5), wrong
    higher = check([*begun, asked % (16 * PAGE, 12 * PAGE)], "--level", level, geometry=geometry)
    assert higher.status == (level == "exact")


@pytest.mark.parametrize("level", ["legal", "exact"])
def test_single_frames_that_are_asked_for_within_the_same_limits(check: Callable[..., Any], level: str) -> None:
    geometry = {"preset": "x64-4k", "frames": 4096, "kernel_image_frames": 4}
    asked = '{"op": "frame.allocate", "alignment": "0x2000", "below": "0x10000", "result": %d}'
    begun = [asked % (4 * PAGE), asked % (6 * PAGE)]
    assert check(begun, "--level", level, geometry=geometry).status == 0
    for wrong in (asked % (9 * PAGE), asked % (16 * PAGE), asked % (4 * PAGE), asked % (2 * PAGE)):
        report = check([*begun, wrong], "--level", level, geometry=geometry)
        assert (report.status, report.broken[0][0]) == (1, 4), wrong
    higher = check([*begun, asked % (10 * PAGE)], "--level", level, geometry=geometry)
    assert higher.status == (level == "exact")
