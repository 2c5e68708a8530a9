"""The frames that are never free are any set: an image that does not begin at frame 0, a trampoline, or none at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PAGE = 1 << 12
LEVELS = ("safe", "legal", "exact")
# An image at frames 4 to 6, and a trampoline at frame 1, which no record of the memory map has.
MACHINE: dict[str, Any] = {
    "preset": "x64-4k",
    "frames": 16,
    "never_free": [{"start": 4 * PAGE, "bytes": 3 * PAGE}, {"start": PAGE, "bytes": PAGE}],
}
BOOT = {"op": "boot", "memory_map": [{"start": 2 * PAGE, "length": 6 * PAGE, "type": 1}]}  # frames 2, 3 and 7 are free


def allocate(frame: int) -> dict[str, Any]:
    return {"op": "frame.allocate", "result": frame * PAGE}


def free(frame: int, **keys: Any) -> dict[str, Any]:
    return {"op": "frame.free", "address": frame * PAGE} | keys


COUNT = {"op": "frame.free_count", "result": 3}
NO_MEMORY = {"op": "frame.allocate", "error": "none"}


@pytest.mark.parametrize("level", LEVELS)
def test_frames_around_those_that_are_never_free(check: Callable[..., Any], level: str) -> None:
    refused = [free(frame, error="never") for frame in (1, 4, 6)]
    unfree = [{"op": "frame.is_free", "address": frame * PAGE, "result": False} for frame in (1, 4, 5, 6)]
    events = [BOOT, COUNT, *refused, *unfree, *map(allocate, (2, 3, 7)), NO_MEMORY, free(3), allocate(3)]
    assert check(events, "--level", level, geometry=MACHINE).broken == []


@pytest.mark.parametrize("level", LEVELS)
def test_frame_0_may_be_free(check: Callable[..., Any], level: str) -> None:
    events = [allocate(0), free(0), allocate(0), allocate(2), free(0), allocate(0)]
    assert check(events, "--level", level, geometry=MACHINE).broken == []


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("frame", [1, 4, 6])
def test_what_is_never_free_is_not_given(check: Callable[..., Any], frame: int, level: str) -> None:
    report = check([BOOT, allocate(frame)], "--level", level, geometry=MACHINE)
    assert report.broken == [(3, "bitmap.allocates-only-free")]
    assert report.document["divergences"][0]["message"] == f"frame {frame} is never free"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("frame_free", ["checked", "trusting"])
def test_what_is_never_free_is_not_freed(check: Callable[..., Any], frame_free: str, level: str) -> None:
    report = check([BOOT, free(5)], "--level", level, geometry=MACHINE | {"frame_free": frame_free})
    assert report.broken == [(3, "bitmap.frees-only-what-may-be-free")]


@pytest.mark.parametrize("level", LEVELS)
def test_every_frame_may_be_free(check: Callable[..., Any], level: str) -> None:
    machine = {"preset": "x64-4k", "frames": 3, "never_free": []}
    events = [{"op": "frame.free_count", "result": 3}, *map(allocate, range(3)), NO_MEMORY, *map(free, range(3))]
    assert check(events, "--level", level, geometry=machine).broken == []


@pytest.mark.parametrize("never_free", [[], [{"start": 15 * PAGE, "bytes": PAGE}]])
def test_a_frame_of_kernel_pages_that_is_not_named_is_none_of_those_that_are_freed(
    check: Callable[..., Any], never_free: list[Any]
) -> None:
    """A kernel page maps some frame; that is not taken to be frame 0, which is freed here without a warning."""
    pages = {"op": "kernel_pages.allocate", "pages": 1, "result": "0xffffffff00400000"}
    report = check([allocate(0), pages, free(0)], geometry=MACHINE | {"never_free": never_free})
    assert (report.broken, report.document["warnings"]) == ([], [])
