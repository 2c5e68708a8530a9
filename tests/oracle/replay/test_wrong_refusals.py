"""A call that must succeed may not fail, whatever the trace does not tell of frames; only what needs one may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from misuses import BOOT, CREATED, FRAME, KERNEL, KERNEL_PAGES, MAPPED, PAGE, SIX_TYPES, TAKEN, UPPER, op

from memoracle.trace.events import OPERATIONS

Event = dict[str, Any]
PAGES = hex(KERNEL + 2 * PAGE)
BLOCK = hex(KERNEL + 64)
ALLOCATED = op("frame.allocate", result=2 * PAGE)
MADE = op("heap.new", bytes=64, result=BLOCK)
UNNAMED = op("kernel_pages.allocate", pages=1, result=hex(KERNEL + 4 * PAGE))


class Call(NamedTuple):
    """A call that must succeed. needs: whether it takes a frame."""

    before: tuple[Event, ...]
    call: Event
    needs: bool = False


CALLS: dict[str, Call] = {
    "boot": Call((), BOOT),
    "frame.allocate": Call((), op("frame.allocate"), needs=True),
    "frame.free": Call((ALLOCATED,), op("frame.free", address=2 * PAGE)),
    "frame.allocate within limits": Call((), op("frame.allocate", alignment=PAGE, below=3 * PAGE), needs=True),
    "frame.get": Call((ALLOCATED,), op("frame.get", address=2 * PAGE)),
    "frame.put": Call((ALLOCATED, op("frame.get", address=2 * PAGE)), op("frame.put", address=2 * PAGE)),
    "frame.reserve": Call((), op("frame.reserve", address=2 * PAGE, count=2), needs=True),
    "memory.add": Call((BOOT,), op("memory.add", start=15 * PAGE, length=PAGE)),
    "frame.is_free": Call((), op("frame.is_free", address=2 * PAGE)),
    "frame.free_count": Call((), op("frame.free_count")),
    "process.create": Call((), op("process.create"), needs=True),
    "process.exit": Call((CREATED, MAPPED), op("process.exit", process=1)),
    "process.exit, without release": Call((CREATED, MAPPED), op("process.exit", process=1, release=False)),
    "range.allocate": Call((CREATED,), op("range.allocate", process=1, pages=3)),
    "range.allocate of the kernel": Call((), op("range.allocate", pages=3)),
    "range.reserve": Call((CREATED,), op("range.reserve", process=1, address=0, pages=2)),
    "range.free": Call((CREATED, TAKEN), op("range.free", process=1, address=0, pages=2)),
    "range.size": Call((CREATED, TAKEN), op("range.size", process=1, address=0)),
    "range.list": Call((), op("range.list")),
    "page.map": Call((CREATED,), op("page.map", process=1, virtual=0, physical=FRAME), needs=True),
    "page.map of the kernel": Call((), op("page.map", virtual=hex(UPPER), physical=FRAME), needs=True),
    "page.unmap": Call((CREATED, MAPPED), op("page.unmap", process=1, virtual=0)),
    "page.unmap with release": Call((CREATED, MAPPED), op("page.unmap", process=1, virtual=0, release=True)),
    "page.translate": Call((CREATED, MAPPED), op("page.translate", process=1, virtual=0)),
    "page.translate of nothing": Call((), op("page.translate", virtual=0)),
    "page.attributes": Call((CREATED, MAPPED), op("page.attributes", process=1, virtual=0)),
    "kernel_pages.allocate": Call((), op("kernel_pages.allocate", pages=1), needs=True),
    "kernel_pages.free": Call((KERNEL_PAGES,), op("kernel_pages.free", address=PAGES, pages=2)),
    "pml4.write": Call((), op("pml4.write", index=300, value=1)),
    "pml4.read": Call((), op("pml4.read", index=300)),
    "pml4.dump": Call((), op("pml4.dump")),
    "pat.register": Call((), op("pat.register")),
    "pat.select": Call((), op("pat.select", cache="write-back", low_half=True)),
    "pat.decode": Call((), op("pat.decode", index=7)),
    "pte.encode": Call((), op("pte.encode", **SIX_TYPES, level=2)),
    "pte.decode": Call((), op("pte.decode", value=3, level=1)),
    "heap.new": Call((), op("heap.new", bytes=64), needs=True),
    "heap.new, aligned": Call((), op("heap.new", bytes=64, alignment=PAGE), needs=True),
    "heap.resize": Call((MADE,), op("heap.resize", address=BLOCK, bytes=128), needs=True),
    "heap.resize to less": Call((MADE,), op("heap.resize", address=BLOCK, bytes=32)),
    "heap.resize of nothing": Call((), op("heap.resize", address=0, bytes=128), needs=True),
    "heap.delete": Call((MADE,), op("heap.delete", address=BLOCK)),
    "heap.delete of nothing": Call((), op("heap.delete", address=0)),
}
each = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def broken(report: Any, line: int, call: Event) -> None:
    assert (report.status, report.broken) == (1, [(line, f"{call['op']}.must-succeed")])


@each
@pytest.mark.parametrize("level", ["legal", "exact"])
def test_it_must_succeed(check: Callable[..., Any], call: Call, level: str) -> None:
    events = [*call.before, call.call | {"error": "assert"}]
    broken(check(events, "--level", level), len(events) + 1, call.call)


@each
@pytest.mark.parametrize("level", ["legal", "exact"])
def test_private_frames_excuse_only_what_needs_one(check: Callable[..., Any], call: Call, level: str) -> None:
    events = [*call.before, call.call | {"error": "assert"}]
    report = check(events, "--level", level, private_frames=True)
    if call.needs:
        assert report.status == 0
    else:
        broken(report, len(events) + 1, call.call)


@each
def test_so_do_kernel_pages_whose_frames_are_not_named(check: Callable[..., Any], call: Call) -> None:
    """And only as long as they live."""
    boots = [event for event in (*call.before, call.call) if event["op"] == "boot"]  # nothing comes before that
    before = [] if boots else [UNNAMED]
    events = [*before, *call.before, call.call | {"error": "assert"}]
    report = check(events)
    if call.needs:
        assert report.status == 0
        freed = [UNNAMED, op("kernel_pages.free", address=UNNAMED["result"], pages=1)]
        events = [*freed, *call.before, call.call | {"error": "assert"}]
        report = check(events)
    broken(report, len(events) + 1, call.call)


@each
def test_at_safe_every_failure_is_accepted(check: Callable[..., Any], call: Call) -> None:
    assert check([*call.before, call.call | {"error": "assert"}], "--level", "safe").status == 0


@each
@pytest.mark.parametrize("level", ["safe", "legal", "exact"])
@pytest.mark.parametrize("header", [{}, {"private_frames": True}], ids=["", "private frames"])
def test_a_crash_is_never_legal(check: Callable[..., Any], call: Call, level: str, header: dict[str, Any]) -> None:
    events = [*call.before, call.call | {"crash": "panic at line 3"}]
    report = check(events, "--level", level, **header)
    assert report.broken == [(len(events) + 1, f"{call.call['op']}.must-not-crash")]
    assert "panic at line 3" in report.document["divergences"][0]["message"]


def test_every_operation_is_in_it() -> None:
    assert {call.call["op"] for call in CALLS.values()} == OPERATIONS


@pytest.mark.parametrize(
    "call", [op("range.allocate", pages=16), op("frame.free", address=0), op("process.exit", process=9)]
)
def test_what_may_fail_without_misuse_may_still_not_crash(check: Callable[..., Any], call: Event) -> None:
    assert check([call | {"error": "refused"}]).status == 0
    assert check([call | {"crash": "panic"}]).broken == [(2, f"{call['op']}.must-not-crash")]


def test_the_frames_that_private_ones_leave_are_still_counted(check: Callable[..., Any]) -> None:
    """What the implementation may not say is that more frames are free than the trace leaves."""
    counts = [op("frame.free_count", result=3), op("frame.is_free", address=FRAME, result=False)]
    assert check(counts, private_frames=True).status == 0
    more = op("frame.free_count", result=15)
    assert check([more], private_frames=True).broken == [(2, "bitmap.counts-only-the-free")]
    taken = [op("frame.allocate", result=FRAME), op("frame.is_free", address=FRAME, result=True)]
    assert check(taken, private_frames=True).broken == [(3, "bitmap.calls-free-only-the-free")]
