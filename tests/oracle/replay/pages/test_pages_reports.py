"""What is said of pages that break the law, and what is adopted after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from page_events import PAGE, REFUSED, UPPER, allocate, attributes, create, op, page_map, translate, unmap


def test_a_frame_is_released_where_freeing_is_trusted(check: Callable[..., Any]) -> None:
    geometry = {"frames": 16, "frame_free": "trusting"}
    events = [
        op("boot", memory_map=[{"start": 0, "length": 4 * PAGE, "type": 1}]),
        allocate(2),
        *(page_map(frame * PAGE, frame) for frame in (1, 2, 9)),
        *(unmap(frame * PAGE, release=True) for frame in (1, 2, 9)),
        op("frame.free_count", result=2),
    ]
    report = check(events, geometry=geometry)
    assert (report.status, report.document["warnings"]) == (0, [])


def test_message_names_the_earlier_line(check: Callable[..., Any]) -> None:
    events = [create(1), page_map(UPPER, 3, 1), page_map(UPPER, 4), translate(UPPER + 1, None, 1), unmap(PAGE, 1)]
    found = check(events, "--keep-going").document["divergences"]
    assert [divergence["message"] for divergence in found] == [
        "0xffff900000000000 is mapped to 0x600000 (by line 3) already",
        "it says that nothing is mapped there, but 0xffff900000000001 is mapped to 0x800001 (by line 4)",
        "nothing is mapped at 0x200000",
    ]
    assert [divergence["legal"] for divergence in found] == ["only a refusal", "0x800001", "only a refusal"]
    before = {"process": 0, "page": "0xffff900000000000", "physical": "0x600000", "line": 3, "uses": 1}
    assert found[0]["before"] == before | {"allowed": "write-back, writable, kernel, executable, not global"}
    assert found[1]["after"] == found[1]["before"], "a question changes nothing"


def test_keep_going_adopts_what_is_seen(check: Callable[..., Any]) -> None:
    events = [
        page_map(0, 3),
        page_map(0, 4),  # line 3: shows the new frame
        translate(0, 4 * PAGE),
        translate(0, 5 * PAGE + 0),  # line 5
        translate(7, 5 * PAGE + 7),
        translate(0, None),  # line 7
        unmap(0),  # line 8
        translate(0, 5 * PAGE),  # line 9
        attributes(0, writable=False),  # line 10
        attributes(0, writable=False),
        op("page.attributes", virtual=0),  # line 12
        translate(0, None),
        page_map(0, 6, 9),  # line 14: taken to exist
        translate(0, 6 * PAGE, 9),
        translate(0, None, 8),  # line 16
        unmap(0, 8, **REFUSED),
        page_map(PAGE, 3, physical=5),  # line 18: can't be
        translate(PAGE, None),
    ]
    report = check(events, "--keep-going")
    assert [line for line, _ in report.broken] == [3, 5, 7, 9, 14, 16, 18]
