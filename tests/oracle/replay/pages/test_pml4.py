from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memoracle.replay.pages.private_pml4_entries import covered_by
from memoracle.spec.geometry_keys import Range

LEVELS = ("safe", "legal", "exact")
PAGE = 1 << 21
OWN = 511  # of the kernel range at 0xffffffff00000000
REFUSED = {"error": "refused"}


def op(name: str, **keys: Any) -> dict[str, Any]:
    return {"op": name} | keys


def create(process: int) -> dict[str, Any]:
    return op("process.create", result=process)


def exit_of(process: int, **keys: Any) -> dict[str, Any]:
    return op("process.exit", process=process, **keys)


def write(process: int, index: int, value: int, **keys: Any) -> dict[str, Any]:
    return op("pml4.write", process=process, index=index, value=hex(value) if value >= 0 else value, **keys)


def read(process: int, index: int, value: int) -> dict[str, Any]:
    return op("pml4.read", process=process, index=index, result=value)


def dump(process: int, **changes: int) -> dict[str, Any]:
    entries = [0] * 512
    for index, value in changes.items():
        entries[int(index[1:])] = value
    return op("pml4.dump", process=process, result=entries)


CONFORMS = {
    "any number that does not live": [create(1), create(7), exit_of(1), create(1), create((1 << 64) - 1)],
    "exits that are refused": [exit_of(0, **REFUSED), op("process.exit", **REFUSED), exit_of(3, **REFUSED)],
    "entries read 0 at first": [read(0, 0, 0), read(0, 300, 0), dump(0)],
    "a lower entry is one process's": [create(1), write(1, 5, 0x1000), read(1, 5, 0x1000), read(0, 5, 0)],
    "an upper entry is everyone's": [
        create(1),
        write(1, 300, 0x1000),
        read(0, 300, 0x1000),
        create(2),
        read(2, 300, 0x1000),
        write(2, 5, 3),
        dump(2, _300=0x1000, _5=3),
    ],
    "a process starts with an empty lower half": [create(1), write(1, 5, 3), exit_of(1), create(1), read(1, 5, 0)],
    "64 bits": [write(0, 300, (1 << 64) - 1), read(0, 300, (1 << 64) - 1)],
    "refused": [
        write(0, 512, 1, **REFUSED),
        write(0, -1, 1, **REFUSED),
        write(0, 3, 1 << 64, **REFUSED),
        write(0, 3, -1, **REFUSED),
        write(9, 3, 1, **REFUSED),
        op("pml4.read", index=512, **REFUSED),
        op("pml4.read", process=9, index=3, **REFUSED),
        op("pml4.dump", process=9, **REFUSED),
    ],
    "its own entry reads the same in every process": [create(1), read(0, OWN, 77), read(1, OWN, 77), dump(1, _511=77)],
    "its own entry changes with the kernel's mappings": [
        read(0, OWN, 1),
        create(1),
        read(0, OWN, 2),
        write(1, 3, 3),
        read(0, OWN, 4),
        exit_of(1),
        read(0, OWN, 5),
    ],
    "creation may fail without frames": [
        *(op("frame.allocate", result=frame * PAGE) for frame in range(2, 16)),
        op("process.create", error="no frame"),
    ],
    "creation may fail without kernel range": [
        *(
            op("range.reserve", address=hex(0xFFFFFFFF00000000 + page * PAGE), pages=pages)
            for page, pages in ((2, 2), (4, 4), (8, 8))
        ),
        op("process.create", error="no range"),
    ],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level)
    assert (report.status, report.broken) == (0, [])
    assert report.document["events"] == len(events)


ILLEGAL = {
    "a number that lives": ([create(1), create(1)], "kernel_half.is-new"),
    "the kernel's number": ([create(0)], "kernel_half.is-new"),
    "a negative number": ([create(-1)], "kernel_half.process-has-64-bits"),
    "a number of 65 bits": ([create(1 << 64)], "kernel_half.process-has-64-bits"),
    "creation fails": ([op("process.create", error="x")], "process.create.must-succeed"),
    "exit of the kernel": ([exit_of(0)], "kernel_half.never-exits-the-kernel"),
    "exit of nobody": ([exit_of(1)], "kernel_half.process-lives"),
    "exit twice": ([create(1), exit_of(1), exit_of(1)], "kernel_half.process-lives"),
    "exit fails": ([create(1), exit_of(1, **REFUSED)], "process.exit.must-succeed"),
    "lower entry": ([create(1), write(1, 5, 3), read(1, 5, 4)], "kernel_half.reads-the-entry"),
    "lower entry of another": ([create(1), write(1, 5, 3), read(0, 5, 3)], "kernel_half.reads-the-entry"),
    "upper entry not copied": ([create(1), write(0, 300, 3), read(1, 300, 0)], "kernel_half.reads-the-entry"),
    "half not complete at creation": ([write(0, 300, 3), create(1), read(1, 300, 0)], "kernel_half.reads-the-entry"),
    "stale lower half": (
        [create(1), write(1, 5, 3), exit_of(1), create(1), read(1, 5, 3)],
        "kernel_half.reads-the-entry",
    ),
    "its own entry differs": ([create(1), read(0, OWN, 1), read(1, OWN, 2)], "kernel_half.equal-at-rest"),
    "its own entry changes between": (
        [read(0, OWN, 1), op("frame.allocate", result=2 * PAGE), read(0, OWN, 2)],
        "kernel_half.equal-at-rest",
    ),
    "its own entry differs in a dump": ([create(1), read(0, OWN, 1), dump(1)], "kernel_half.equal-at-rest"),
    "its own entry has 65 bits": ([read(0, OWN, 1 << 64)], "kernel_half.value-is-an-entry"),
    "dump": ([write(0, 5, 3), dump(0)], "kernel_half.reads-the-entry"),
    "dump of 511": ([op("pml4.dump", result=[0] * 511)], "kernel_half.table-is-whole"),
    "write past the table": ([write(0, 512, 1)], "kernel_half.entry-exists"),
    "write below the table": ([write(0, -1, 1)], "kernel_half.entry-exists"),
    "write of 65 bits": ([write(0, 3, 1 << 64)], "kernel_half.value-is-an-entry"),
    "write of a negative value": ([write(0, 3, -1)], "kernel_half.value-is-an-entry"),
    "write to nobody": ([write(4, 3, 1)], "kernel_half.process-lives"),
    "write fails": ([write(0, 3, 1, **REFUSED)], "pml4.write.must-succeed"),
    "read past the table": ([read(0, 512, 0)], "kernel_half.entry-exists"),
    "read of nobody": ([read(4, 3, 0)], "kernel_half.process-lives"),
    "read fails": ([op("pml4.read", index=3, **REFUSED)], "pml4.read.must-succeed"),
    "dump of nobody": ([dump(4)], "kernel_half.process-lives"),
    "dump fails": ([op("pml4.dump", **REFUSED)], "pml4.dump.must-succeed"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), ILLEGAL.values(), ids=ILLEGAL.keys())
def test_illegal_but_safe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert report.broken == ([] if level == "safe" else [(len(events) + 1, clause)])


def test_message_names_the_earlier_line(check: Callable[..., Any]) -> None:
    events = [create(1), write(0, 300, 3), read(1, 300, 4), create(1), read(0, OWN, 1), read(1, OWN, 2)]
    found = check(events, "--keep-going").document["divergences"]
    assert [divergence["message"] for divergence in found] == [
        "entry 300 of process 1 reads 0x4, but holds 0x3 (written by line 3)",
        "process 1 lives (created by line 2)",
        "entry 511 differs: it read 0x1 in process 0 (line 6) and reads 0x2 in process 1 (line 7)",
    ]
    assert [divergence["legal"] for divergence in found] == [
        "0x3",
        "any number that no live process has",
        "the same value in every process",
    ]


def test_keep_going_adopts_what_is_seen(check: Callable[..., Any]) -> None:
    events = [
        create(1),
        write(0, 300, 3),
        read(1, 300, 4),  # line 4
        read(1, 300, 4),
        read(0, 300, 3),
        write(1, 5, 1),
        create(1),  # line 8: taken to have exited before
        read(1, 5, 0),
        write(2, 5, 6),  # line 10: taken to exist
        read(2, 5, 6),
        dump(2, _5=7, _6=1),  # line 12: one finding, but all are named with it
        dump(2, _5=7, _6=1, _300=3),
        read(2, 5, 6),
    ]
    report = check(events, "--keep-going")
    assert [line for line, _ in report.broken] == [4, 8, 10, 12]


@pytest.mark.parametrize(
    ("area", "indices"),
    [
        (Range(0xFFFFFFFF00000000, 2048), {511}),
        (Range(0xFFFF800000000000, 1 << 18), {256}),
        (Range(0xFFFF800000000000, 1 << 19), {256, 257}),
        (Range(0xFFFF800000000000, 1 << 26), set(range(256, 512))),
    ],
)
def test_entries_that_a_range_is_mapped_by(area: Range, indices: set[int]) -> None:
    assert covered_by(area.start, area.pages * PAGE) == indices


OF_NO_NUMBER = {
    "page.map": {"virtual": "0x0", "physical": hex(4 * PAGE)},
    "page.unmap": {"virtual": "0x0"},
    "range.allocate": {"pages": 1, "result": "0x0"},
    "range.reserve": {"address": "0x0", "pages": 1},
    "range.free": {"address": "0x0", "pages": 1},
    "pml4.write": {"index": 5, "value": 3},
    "pml4.read": {"index": 5, "result": 0},
    "process.exit": {},
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("process", [-1, 1 << 64])
@pytest.mark.parametrize("name", OF_NO_NUMBER)
def test_no_process_of_such_a_number_is_supposed(
    check: Callable[..., Any], name: str, process: int, level: str
) -> None:
    report = check([op(name, process=process, **OF_NO_NUMBER[name])] * 2, "--level", level)
    assert report.status in ((0, 1) if level == "safe" else (1,))
    assert {clause for _, clause in report.broken} <= {"kernel_half.process-lives"}
