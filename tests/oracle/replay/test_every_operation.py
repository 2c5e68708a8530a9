"""One trace that has every operation of the format conforms; with an error in any of them, its rule is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from every_operation import ALLOWED, BLOCKS, ENTRY, KERNEL, PAGE, TRACE, kernel, op

from memoracle.trace.events import OPERATIONS

LEVELS = ("safe", "legal", "exact")
# In the place of the last event of each operation, what breaks a rule.
ERRORS = {
    "boot": (op("boot", memory_map=[{"start": -1, "length": 1, "type": 1}]), "boot.record-has-64-bits"),
    "frame.allocate": (op("frame.allocate", result=PAGE), "bitmap.allocates-only-free"),
    "frame.free": (op("frame.free", address=3 * PAGE), "bitmap.frees-only-allocated"),
    "frame.get": (op("frame.get", address=3 * PAGE), "manager.gets-only-allocated"),
    "frame.put": (op("frame.put", address=3 * PAGE), "manager.a-get-is-left"),
    "frame.reserve": (op("frame.reserve", address=2 * PAGE, count=0), "bitmap.reserves-some"),
    "memory.add": (op("memory.add", start=2 * PAGE, length=PAGE), "bitmap.adds-only-what-is-missing"),
    "frame.is_free": (op("frame.is_free", address=2 * PAGE, result=True), "bitmap.tells-whether-free"),
    "frame.free_count": (op("frame.free_count", result=14), "bitmap.tells-the-count"),
    "process.create": (op("process.create", result=0), "kernel_half.is-new"),
    "process.exit": (op("process.exit", process=0), "kernel_half.never-exits-the-kernel"),
    "range.allocate": (op("range.allocate", process=1, pages=3, result=PAGE), "buddy.block-is-aligned"),
    "range.reserve": (op("range.reserve", process=1, address=2 * PAGE, pages=2), "buddy.block-is-free"),
    "range.free": (op("range.free", process=1, address=0, pages=2), "buddy.block-is-allocated"),
    "range.size": (op("range.size", process=1, address=0, result=3), "buddy.size-is-of-the-block"),
    "range.list": (op("range.list", process=1, result=BLOCKS[1:]), "buddy.lists-in-address-order"),
    "page.map": (op("page.map", process=1, virtual=1 << 47, physical=2 * PAGE), "paging.page-is-canonical"),
    "page.unmap": (op("page.unmap", process=1, virtual=PAGE), "paging.page-is-mapped"),
    "page.translate": (op("page.translate", virtual=5, result=2 * PAGE + 5), "paging.translates-what-is-mapped"),
    "page.attributes": (
        op("page.attributes", process=1, virtual=5, result=ALLOWED | {"writable": True}),
        "paging.attributes-are-the-mappings",
    ),
    "kernel_pages.allocate": (
        op("kernel_pages.allocate", pages=2, frames=[3 * PAGE, 3 * PAGE], result=kernel(2)),
        "bitmap.allocates-only-free",
    ),
    "kernel_pages.free": (op("kernel_pages.free", address=kernel(2), pages=1), "kernel_pages.frees-them-whole"),
    "pml4.write": (op("pml4.write", process=1, index=512, value=7), "kernel_half.entry-exists"),
    "pml4.read": (op("pml4.read", index=300, result=8), "kernel_half.reads-the-entry"),
    "pml4.dump": (op("pml4.dump", process=1, result=[0] * 511), "kernel_half.table-is-whole"),
    "pat.register": (op("pat.register", result="0x0007040600070406"), "pat.reads-the-register"),
    "pat.select": (op("pat.select", cache="write-protected", low_half=True, result=6), "pat.index-is-allowed"),
    "pat.decode": (op("pat.decode", index=6, result="write-back"), "pat.tells-the-type"),
    "pte.encode": (op("pte.encode", **ENTRY, level=2, result=2 * PAGE | 3), "pte.leaf-is-read-as-asked"),
    "pte.decode": (op("pte.decode", value=2 * PAGE | 0x2083, level=2, result=ENTRY), "pte.no-reserved-bit-is-set"),
    "heap.new": (op("heap.new", bytes=64, result=hex(KERNEL + 8)), "heap.is-aligned"),
    "heap.resize": (op("heap.resize", address=kernel(5), bytes=8, result=kernel(5)), "heap.resizes-a-live-block"),
    "heap.delete": (op("heap.delete", address=kernel(4)), "heap.deletes-a-live-block"),
}


def test_every_operation_is_in_it() -> None:
    assert {event["op"] for event in TRACE} == ERRORS.keys() == OPERATIONS


@pytest.mark.parametrize("level", LEVELS)
def test_it_conforms(check: Callable[..., Any], level: str) -> None:
    report = check(TRACE, "--level", level)
    assert (report.status, report.broken, report.document["events"]) == (0, [], len(TRACE))


@pytest.mark.parametrize("operation", ERRORS)
def test_an_error_is_named(check: Callable[..., Any], operation: str) -> None:
    event, clause = ERRORS[operation]
    place = max(place for place, right in enumerate(TRACE) if right["op"] == operation)
    report = check([*TRACE[:place], event, *TRACE[place + 1 :]])
    assert report.broken == [(place + 2, clause)]
