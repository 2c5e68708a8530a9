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
