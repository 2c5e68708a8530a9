from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

LEVELS = ("safe", "legal", "exact")
PAGE = 1 << 21
BASE = 0xFFFFFFFF00400000
FAILED = {"error": "no memory"}
FEW = {"preset": "x64-2m", "kernel_range": {"start": hex(BASE - 0x400000), "pages": 16}}
TAKEN = FEW | {"frames": 2, "kernel_reserved": []}
FULL = FEW | {"frames": 16, "kernel_reserved": [{"page": 0, "pages": 16}]}


def new(size: int, address: int | None = None, **keys: Any) -> dict[str, Any]:
    result = {} if address is None else {"result": hex(address) if address >= 0 else address}
    return {"op": "heap.new", "bytes": size} | result | keys


def delete(address: int, **keys: Any) -> dict[str, Any]:
    return {"op": "heap.delete", "address": hex(address) if address >= 0 else address} | keys


CONFORMS = {
    "blocks side by side": [new(8, BASE), new(8, BASE + 8), new(24, BASE + 16), new(64, BASE + 64)],
    "a block between two": [new(8, BASE), new(8, BASE + 16), new(8, BASE + 8)],
    "a block again where one was": [new(64, BASE), delete(BASE), new(8, BASE + 8), new(8, BASE)],
    "address 0": [delete(0), new(8, BASE), delete(0)],
    "no bytes": [new(0, **FAILED), new(0, BASE + 1), new(0, BASE + 2), delete(BASE + 1), new(0, BASE + 1)],
    "an address of no bytes amid others": [new(64, BASE), new(0, BASE + 3), delete(BASE + 3), delete(BASE)],
    "bytes around an address of none": [new(0, BASE + 3), new(64, BASE), delete(BASE), delete(BASE + 3)],
    "natural alignment ends at a page": [new(4 * PAGE, BASE + PAGE), new(PAGE // 2, BASE + PAGE // 2)],
    "natural alignment begins at 8": [new(1, BASE + 8), new(3, BASE + 24), new(12, BASE + 40)],
    "up to the last address": [new(PAGE, (1 << 64) - PAGE), delete((1 << 64) - PAGE)],
    "refused": [new(8, BASE), delete(BASE + 8, **FAILED), delete(BASE + 4, **FAILED), delete(-8, **FAILED)],
    "negative sizes are refused": [new(-1, **FAILED)],
    "more than there is": [new(1 << 63, **FAILED), new(1 << 80, **FAILED), new(15 * PAGE, **FAILED)],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level)
    assert (report.broken, report.status) == ([], 0)


UNSAFE = {
    "first byte taken": ([new(64, BASE), new(8, BASE + 8)], "heap.is-disjoint"),
    "last byte taken": ([new(8, BASE + 8), new(16, BASE)], "heap.is-disjoint"),
    "a block within": ([new(8, BASE + 16), new(64, BASE)], "heap.is-disjoint"),
    "handed out twice": ([new(64, BASE), new(64, BASE)], "heap.address-is-unique"),
    "an address of no bytes twice": ([new(0, BASE), new(0, BASE)], "heap.address-is-unique"),
    "no bytes, then some there": ([new(0, BASE), new(8, BASE)], "heap.address-is-unique"),
    "address 0": ([new(8, 0)], "heap.lies-within-addresses"),
    "past the end": ([new(PAGE + 8, (1 << 64) - PAGE)], "heap.lies-within-addresses"),
    "65 bits": ([new(8, 1 << 64)], "heap.lies-within-addresses"),
    "a negative address": ([new(8, -8)], "heap.lies-within-addresses"),
    "a negative size": ([new(-8, BASE)], "heap.lies-within-addresses"),
    "64 bytes": ([new(64, BASE + 8)], "heap.is-aligned"),
    "24 bytes": ([new(24, BASE + 4)], "heap.is-aligned"),
    "1 byte": ([new(1, BASE + 1)], "heap.is-aligned"),
    "two pages": ([new(2 * PAGE, BASE + PAGE // 2)], "heap.is-aligned"),
    "deleted twice": ([new(8, BASE), delete(BASE), delete(BASE)], "heap.deletes-a-live-block"),
    "never made": ([delete(BASE)], "heap.deletes-a-live-block"),
    "inside a block": ([new(64, BASE), delete(BASE + 8)], "heap.deletes-a-live-block"),
    "below 0": ([delete(-8)], "heap.deletes-a-live-block"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert (report.broken, report.status) == ([(len(events) + 1, clause)], 1)


WRONGLY_FAILED = {
    "new": ([new(8, **FAILED)], "heap.new.must-succeed"),
    "new of some pages": ([new(4 * PAGE, **FAILED)], "heap.new.must-succeed"),
    "delete": ([new(8, BASE), delete(BASE, **FAILED)], "heap.delete.must-succeed"),
    "delete of address 0": ([delete(0, **FAILED)], "heap.delete.must-succeed"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), WRONGLY_FAILED.values(), ids=WRONGLY_FAILED.keys())
def test_failures(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    assert check(events, "--level", level).broken == ([] if level == "safe" else [(len(events) + 1, clause)])
    hidden = [] if level == "safe" or clause.startswith("heap.new") else [(len(events) + 1, clause)]
    assert check(events, "--level", level, private_frames=True).broken == hidden


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("geometry", [TAKEN, FULL], ids=["no frame is left", "no range is left"])
def test_new_may_fail_for_want(check: Callable[..., Any], geometry: dict[str, Any], level: str) -> None:
    assert check([new(8, **FAILED)], "--level", level, geometry=geometry).status == 0


@pytest.mark.parametrize(("alignment", "address", "status"), [(16, 16, 0), (16, 8, 1), (8, 8, 0), (4096, 16, 1)])
def test_fixed_alignment(check: Callable[..., Any], alignment: int, address: int, status: int) -> None:
    geometry = {"preset": "x64-4k", "heap_alignment": alignment}
    assert check([new(64, BASE + address)], geometry=geometry).status == status


def test_message_names_the_earlier_line(check: Callable[..., Any]) -> None:
    made = [new(64, BASE), new(8, BASE + 8), new(64, BASE)]
    twice = [delete(BASE + 8), delete(BASE + 8), delete(BASE), delete(BASE)]  # those of lines 5 and 8 follow from these
    found = check([*made, *twice, delete(BASE), delete(1)], "--keep-going").document["divergences"]
    assert [divergence["message"] for divergence in found] == [
        "the 8 bytes at 0xffffffff00400008 share 0xffffffff00400008 with the live block of 64 bytes at "
        "0xffffffff00400000 (made by line 2)",
        "the 64 bytes at 0xffffffff00400000 share 0xffffffff00400008 with the live block of 8 bytes at "
        "0xffffffff00400008 (made by line 3)",
        "0xffffffff00400008 lies inside the live block of 64 bytes at 0xffffffff00400000 (made by line 4)",
        "the block at 0xffffffff00400000 was deleted already (by line 8)",
        "no block was made at 0x1",
    ]
    assert found[0]["legal"] == "8 bytes aligned to 0x8 that belong to no live block"
    assert found[0]["before"]["block"] == {"address": hex(BASE), "bytes": 64, "line": 2}


def test_address_0_is_no_way_to_record_a_failure(check: Callable[..., Any]) -> None:
    (found,) = check([new(8, 0)]).document["divergences"]
    assert found["message"].endswith("a failed allocation is recorded with `error`")


def test_keep_going_adopts_what_is_seen(check: Callable[..., Any]) -> None:
    events = [
        *(new(8, BASE + 8 * place) for place in range(8)),  # lines 2 to 9
        new(64, BASE),  # line 10: taken to be there, in the place of the eight
        *(new(8, BASE + 64 + 8 * place) for place in range(2)),
        delete(BASE),
        new(64, BASE),
        new(24, BASE + 0x104),  # line 15: misaligned, but there
        delete(BASE + 0x104),
        delete(BASE + 8),
        delete(BASE + 8),  # line 18
    ]
    assert [line for line, _ in check(events, "--keep-going").broken] == [10, 15, 18]


def test_ill_typed(check: Callable[..., Any]) -> None:
    assert check([{"op": "heap.new", "result": hex(BASE)}]).status == 2
    assert check([{"op": "heap.new", "bytes": 8}]).status == 2
    assert check([{"op": "heap.delete", "address": hex(BASE), "result": 1}]).status == 2
