"""PML4 entries of the implementation's own: any value, but a present one where pages are mapped, and one for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from misuses import CREATED, FRAME, KERNEL, KERNEL_PAGES, MAPPED, UPPER, op

Event = dict[str, Any]
MASK = 0x1FF
SECOND = op("process.create", result=2)
NOT_PRESENT = (0, 2, 1 << 63, 0x1000)
PRESENT = (1, 3, 0x1067, (1 << 63) | 1)


def index_of(virtual: int) -> int:
    return virtual >> 39 & MASK


USED: dict[str, tuple[list[Event], int, int]] = {
    "of a process": ([CREATED, MAPPED], 1, 0),
    "of a process, not the first": (
        [CREATED, op("page.map", process=1, virtual=5 << 39, physical=FRAME)],
        1,
        5,
    ),
    "of the kernel": ([CREATED, op("page.map", virtual=hex(UPPER), physical=FRAME)], 0, index_of(UPPER)),
    "of the kernel, in a process": ([CREATED, op("page.map", virtual=hex(UPPER), physical=FRAME)], 1, index_of(UPPER)),
    "of kernel pages": ([CREATED, KERNEL_PAGES], 1, index_of(KERNEL)),
}
used = pytest.mark.parametrize(("before", "process", "index"), USED.values(), ids=USED.keys())


def read(process: int, index: int, value: int) -> Event:
    return op("pml4.read", process=process, index=index, result=hex(value))


def dump(process: int, index: int, value: int) -> Event:
    """The rest as it is: of kernel pages the last is used, too."""
    values = [0] * 512
    values[index] = value
    return op("pml4.dump", process=process, result=[hex(value) for value in values])


@used
@pytest.mark.parametrize("value", PRESENT)
def test_a_present_value_conforms(
    check: Callable[..., Any], before: list[Event], process: int, index: int, value: int
) -> None:
    assert check([*before, read(process, index, value), dump(process, index, value)]).status == 0


@used
@pytest.mark.parametrize("value", NOT_PRESENT)
@pytest.mark.parametrize("asked", [read, dump])
def test_one_that_is_not_present_does_not(
    check: Callable[..., Any],
    before: list[Event],
    process: int,
    index: int,
    value: int,
    asked: Callable[[int, int, int], Event],
) -> None:
    report = check([*before, asked(process, index, value)])
    assert report.broken == [(len(before) + 2, "kernel_half.is-present-where-used")]
    assert f"reads {value:#x}, which is not present" in report.document["divergences"][0]["message"]


@used
def test_where_nothing_is_mapped_any_more_it_may_be_any_value(
    check: Callable[..., Any], before: list[Event], process: int, index: int
) -> None:
    mapped = before[-1]
    undone = (
        op("kernel_pages.free", address=mapped["result"], pages=mapped["pages"])
        if mapped["op"] == "kernel_pages.allocate"
        else op("page.unmap", process=mapped.get("process", 0), virtual=mapped["virtual"])
    )
    for value in (*NOT_PRESENT, *PRESENT):
        assert check([*before, undone, read(process, index, value)]).status == 0


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize(("mapped", "values"), [(False, (0x1003, 0)), (False, (0, 0x1003)), (True, (0x1003, 0x2003))])
def test_two_processes_that_differ_are_both_named(
    check: Callable[..., Any], first: int, mapped: bool, values: tuple[int, int]
) -> None:
    index, second = index_of(KERNEL), (first + 1) % 3
    before = [CREATED, SECOND, *([KERNEL_PAGES] if mapped else [])]
    events = [*before, read(first, index, values[0]), read(second, index, values[1])]
    (found,) = check(events).document["divergences"]
    line = len(before) + 2
    assert found["clause"] == "kernel_half.equal-at-rest"
    assert found["message"] == (
        f"entry {index} differs: it read {values[0]:#x} in process {first} (line {line})"
        f" and reads {values[1]:#x} in process {second} (line {line + 1})"
    )
    assert found["legal"] == "the same value in every process"
    assert found["after"] == {
        "index": index,
        "read": [
            {"process": first, "entry": f"{values[0]:#x}", "line": line},
            {"process": second, "entry": f"{values[1]:#x}", "line": line + 1},
        ],
    }


def test_a_change_between_two_readings_allows_another_value(check: Callable[..., Any]) -> None:
    index = index_of(KERNEL)
    between = [
        [op("pml4.write", index=300, value=1)],
        [op("page.map", virtual=hex(UPPER), physical=FRAME)],
        [op("process.create", result=3)],
        [op("process.exit", process=2)],
    ]
    for changes in between:
        events = [CREATED, SECOND, read(0, index, 0x1003), *changes, read(1, index, 0x2003)]
        assert check(events).status == 0
    unchanged = [CREATED, SECOND, read(0, index, 0x1003), op("pat.decode", index=0, result="write-back")]
    assert check([*unchanged, read(1, index, 0x2003)]).broken == [(6, "kernel_half.equal-at-rest")]


def test_what_differs_is_named_once(check: Callable[..., Any]) -> None:
    index = index_of(KERNEL)
    events = [CREATED, *[read(process, index, 0x1003 + 0x1000 * process) for process in (0, 1, 0, 1, 0)]]
    assert check(events, "--keep-going").broken == [(4, "kernel_half.equal-at-rest")]
