"""Frames that are freed while they are mapped, frames that outlive a process, and who maps a frame that is not free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from misuses import CREATED, FRAME, KERNEL_PAGES, MAPPED, PAGE, UPPER, op

Event = dict[str, Any]
ALLOCATED = op("frame.allocate", result=2 * PAGE)
TAKEN = [ALLOCATED, op("frame.allocate", result=FRAME)]
FREED = op("frame.free", address=FRAME)
IS_FREE = op("frame.is_free", address=FRAME, result=True)
SHARED = op("page.map", process=0, virtual=hex(UPPER), physical=FRAME)


def warnings(report: Any) -> list[str]:
    """Without the name of the file."""
    return [warning.partition("trace.jsonl:")[2] for warning in report.document["warnings"]]


# Freed while mapped


@pytest.mark.parametrize("level", ["safe", "legal", "exact"])
def test_it_is_a_warning_with_both_lines(check: Callable[..., Any], level: str) -> None:
    report = check([*TAKEN, CREATED, MAPPED, FREED], "--level", level)
    assert report.status == 0
    assert warnings(report) == ["6: frame 3 was freed while process 1 maps it at 0x0 (by line 5)"]


def test_it_is_said_once_for_a_frame(check: Callable[..., Any]) -> None:
    again = [op("frame.allocate", result=FRAME), FREED]
    second = [op("page.map", virtual=PAGE, physical=2 * PAGE), op("frame.free", address=2 * PAGE)]
    report = check([*TAKEN, CREATED, MAPPED, FREED, *again, *second])
    assert report.status == 0
    assert [warning.partition(":")[0] for warning in warnings(report)] == ["6", "10"]


@pytest.mark.parametrize("policy", ["warn", "refuse", "allow"])
def test_the_geometry_says_what_it_is(check: Callable[..., Any], small: dict[str, Any], policy: str) -> None:
    geometry = small | {"free_while_mapped": policy}
    events = [*TAKEN, CREATED, MAPPED, FREED, IS_FREE]
    report = check(events, "--keep-going", geometry=geometry)
    assert len(warnings(report)) == (1 if policy == "warn" else 0)
    assert report.broken == ([(6, "manager.nothing-maps-it")] if policy == "refuse" else [])
    refused = [*TAKEN, CREATED, MAPPED, FREED | {"error": "it is mapped"}]
    assert check(refused, geometry=geometry).broken == ([] if policy == "refuse" else [(6, "frame.free.must-succeed")])
    unmapped = [*TAKEN, CREATED, MAPPED, op("page.unmap", process=1, virtual=0), FREED]
    report = check(unmapped, geometry=geometry)
    assert (report.status, warnings(report)) == (0, [])
    exited = check([*TAKEN, CREATED, MAPPED, op("process.exit", process=1, release=False), FREED], geometry=geometry)
    assert (exited.status, warnings(exited)) == (0, [])


def test_whoever_maps_it_is_named(check: Callable[..., Any]) -> None:
    two = [*TAKEN, CREATED, op("process.create", result=2), MAPPED, MAPPED | {"process": 2}, SHARED]
    (said,) = warnings(check([*two, FREED]))
    assert (
        said == "9: frame 3 was freed while the kernel maps it at 0xffff900000000000 (by line 8), and by 2 more pages"
    )
    (said,) = warnings(check([*two, op("page.unmap", virtual=hex(UPPER)), FREED]))
    assert "process 1 maps it at 0x0 (by line 6), and by 1 more page" in said
    (said,) = warnings(check([*two, op("process.exit", process=1), op("page.unmap", virtual=hex(UPPER)), FREED]))
    assert said.endswith("process 2 maps it at 0x0 (by line 7)")


def test_a_page_that_shows_another_frame_now_is_no_reason(check: Callable[..., Any]) -> None:
    moved = [op("page.unmap", process=1, virtual=0), MAPPED | {"physical": 5 * PAGE}]
    report = check([*TAKEN, CREATED, MAPPED, *moved, FREED])
    assert (report.status, warnings(report)) == (0, [])


def test_where_freeing_is_trusted_it_is_said_too(check: Callable[..., Any], small: dict[str, Any]) -> None:
    geometry = small | {"frame_free": "trusting"}
    (said,) = warnings(check([*TAKEN, CREATED, MAPPED, FREED], geometry=geometry))
    assert said == "6: frame 3 was freed while process 1 maps it at 0x0 (by line 5)"
    (said,) = warnings(check([CREATED, MAPPED, FREED], geometry=geometry))
    assert said.startswith("4: spurious free: frame 3 is already free")
    assert said.endswith("process 1 maps it at 0x0 (by line 3)")


# Trusting


@pytest.mark.parametrize("error", [False, True])
@pytest.mark.parametrize("frame", [2, 15, 0, 1, 16])
def test_what_is_no_frame_of_its_own_a_trusting_kernel_may_refuse(
    check: Callable[..., Any], small: dict[str, Any], frame: int, error: bool
) -> None:
    """Frame 2 is free: it can't see that. Frame 15 does not exist; 0 and 1 are the image's; 16 is out of reach."""
    boot = op("boot", memory_map=[{"start": 0, "length": 15 * PAGE, "type": 1}])
    free = op("frame.free", address=frame * PAGE) | ({"error": "not mine"} if error else {})
    report = check([boot, free], geometry=small | {"frame_free": "trusting"})
    due = {2: (0, 1), 15: (0, 0), 0: (1, 0), 1: (1, 0), 16: (1, 0)}[frame]
    assert report.status == due[error]
    assert len(warnings(report)) == (1 if not error and frame in (2, 15) else 0)


# What outlives a process


@pytest.mark.parametrize("release", [None, True, False])
def test_release_says_what_becomes_of_its_frames(check: Callable[..., Any], release: bool | None) -> None:
    exits = op("process.exit", process=1) | ({} if release is None else {"release": release})
    released = release is not False
    events = [*TAKEN, CREATED, MAPPED, exits, op("frame.is_free", address=FRAME, result=released)]
    assert check([*events, op("frame.free_count", result=13 if released else 12)]).status == 0
    wrong = check([*events[:-1], op("frame.is_free", address=FRAME, result=not released)])
    assert wrong.broken == [(7, "bitmap.tells-whether-free")]


@pytest.mark.parametrize("release", [True, False])
def test_what_others_map_stays_in_both_cases(check: Callable[..., Any], release: bool) -> None:
    exits = op("process.exit", process=1, release=release)
    events = [*TAKEN, CREATED, MAPPED, SHARED, exits, op("frame.is_free", address=FRAME, result=False)]
    assert check(events).status == 0
    unmapped = op("page.unmap", virtual=hex(UPPER), release=True)
    assert check([*events, unmapped, IS_FREE]).status == 0


def test_everything_else_of_the_process_goes_without_release_too(check: Callable[..., Any]) -> None:
    exits = op("process.exit", process=1, release=False)
    block = op("range.allocate", process=1, pages=2, result=0)
    after = [
        CREATED,
        op("range.size", process=1, address=0, result=0),
        op("page.translate", process=1, virtual=0, result=None),
        op("frame.free", address=FRAME),
        op("frame.free_count", result=13),
    ]
    report = check([*TAKEN, CREATED, block, MAPPED, exits, *after])
    assert (report.status, warnings(report)) == (0, [])
    gone = op("range.free", process=1, address=0, pages=2)
    assert check([CREATED, block, exits, gone]).broken == [(5, "kernel_half.process-lives")]


@pytest.mark.parametrize("value", ["no", 0, None])
def test_release_is_a_truth_value(check: Callable[..., Any], value: Any) -> None:
    assert check([CREATED, op("process.exit", process=1, release=value)]).status == 2


# Who maps a frame that is not free


CAUSES: dict[str, tuple[list[Event], str, str]] = {
    "allocated again": (
        [*TAKEN, CREATED, MAPPED, op("frame.allocate", result=FRAME)],
        "bitmap.allocates-only-free",
        "frame 3 is already allocated (by line 3); process 1 maps it at 0x0 (by line 5)",
    ),
    "by two": (
        [*TAKEN, CREATED, MAPPED, SHARED, op("process.exit", process=1), op("frame.allocate", result=FRAME)],
        "bitmap.allocates-only-free",
        "frame 3 is already allocated (by line 3); the kernel maps it at 0xffff900000000000 (by line 6)",
    ),
    "said to be free": (
        [*TAKEN, CREATED, MAPPED, op("page.map", process=1, virtual=PAGE, physical=FRAME), IS_FREE],
        "bitmap.tells-whether-free",
        "it says true, but frame 3 is allocated (by line 3);"
        " process 1 maps it at 0x200000 (by line 6), and by 1 more page",
    ),
    "freed twice": (
        [*TAKEN, FREED, CREATED, MAPPED, FREED],
        "bitmap.frees-only-allocated",
        "frame 3 is already free (freed by line 4); process 1 maps it at 0x0 (by line 6)",
    ),
    "for kernel pages": (
        [KERNEL_PAGES, op("frame.allocate", result=FRAME)],
        "bitmap.allocates-only-free",
        "frame 3 is already allocated (by line 2), for kernel pages;"
        " the kernel maps it at 0xffffffff00600000 (by line 2)",
    ),
}


@pytest.mark.parametrize(("events", "clause", "message"), CAUSES.values(), ids=CAUSES.keys())
def test_the_cause_is_named(check: Callable[..., Any], events: list[Event], clause: str, message: str) -> None:
    (found,) = check(events).document["divergences"]
    assert (found["clause"], found["message"]) == (clause, message)


def test_nobody_is_named_who_maps_nothing(check: Callable[..., Any]) -> None:
    (found,) = check([*TAKEN, op("frame.allocate", result=FRAME)]).document["divergences"]
    assert found["message"] == "frame 3 is already allocated (by line 3)"
