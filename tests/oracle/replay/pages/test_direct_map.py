"""A direct map: a piece of the kernel's addresses whose pages are no uses of the frames that they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from misuses import CREATED, FRAME, MAPPED, PAGE, op

Event = dict[str, Any]
START, PHYSICAL = 0xFFFF888000000000, PAGE
DIRECT = {"start": hex(START), "physical": PHYSICAL, "bytes": 8 * PAGE}
THERE = START + FRAME - PHYSICAL
TAKEN = [op("frame.allocate", result=2 * PAGE), op("frame.allocate", result=FRAME)]
SHOWN = op("page.map", virtual=hex(THERE), physical=FRAME)
UNMAP = op("page.unmap", virtual=hex(THERE), release=True)
FREE = op("frame.free", address=FRAME)
ATTRIBUTES = {"cache": "write-back", "writable": True, "user": False, "executable": False, "global": True}


def is_free(free: bool) -> Event:
    return op("frame.is_free", address=FRAME, result=free)


@pytest.fixture
def direct(check: Callable[..., Any], small: dict[str, Any]) -> Callable[..., Any]:
    def run(events: list[Event], *options: str, **geometry: Any) -> Any:
        return check(events, *options, geometry=small | {"direct_map": DIRECT} | geometry)

    return run


# By what happens, the trace, and whether the frame is free then.
LIVES: dict[str, tuple[list[Event], bool]] = {
    "its page goes": ([*TAKEN, SHOWN, UNMAP], False),
    "another page goes": ([*TAKEN, SHOWN, CREATED, MAPPED, op("page.unmap", process=1, virtual=0, release=True)], True),
    "its page goes, another stays": ([*TAKEN, SHOWN, CREATED, MAPPED, UNMAP], False),
    "both go": ([*TAKEN, SHOWN, CREATED, MAPPED, UNMAP, op("page.unmap", process=1, virtual=0, release=True)], True),
    "a process exits": ([*TAKEN, SHOWN, CREATED, MAPPED, op("process.exit", process=1)], True),
    "a get goes": (
        [*TAKEN, SHOWN, op("frame.get", address=FRAME), op("frame.put", address=FRAME, release=True)],
        True,
    ),
}


@pytest.mark.parametrize(("events", "free"), LIVES.values(), ids=LIVES.keys())
def test_its_pages_are_no_uses(direct: Callable[..., Any], events: list[Event], free: bool) -> None:
    assert direct([*events, is_free(free)]).status == 0
    assert direct([*events, is_free(not free)]).broken == [(len(events) + 2, "bitmap.tells-whether-free")]


@pytest.mark.parametrize("policy", ["warn", "refuse"])
def test_a_free_of_what_it_shows_is_right(direct: Callable[..., Any], policy: str) -> None:
    report = direct([*TAKEN, SHOWN, FREE], free_while_mapped=policy)
    assert (report.status, report.document["warnings"]) == (0, [])
    shared = direct([*TAKEN, SHOWN, CREATED, MAPPED, SHOWN | {"virtual": hex(THERE + PAGE)}, FREE])
    assert [each.partition("trace.jsonl:")[2] for each in shared.document["warnings"]] == [
        "8: frame 3 was freed while process 1 maps it at 0x0 (by line 6)"
    ]


@pytest.mark.parametrize("outside", [START - PAGE, START + 8 * PAGE, START - (1 << 47)])
def test_beside_it_pages_are_uses(direct: Callable[..., Any], outside: int) -> None:
    virtual = hex(outside) if outside >= 0xFFFF800000000000 else 0
    report = direct([*TAKEN, SHOWN | {"virtual": virtual}, FREE], free_while_mapped="refuse")
    assert report.broken == [(5, "manager.nothing-maps-it")]


def test_it_may_be_mapped_from_the_start(direct: Callable[..., Any]) -> None:
    answer = op("page.translate", virtual=hex(THERE + 5), result=FRAME + 5)
    allowed = op("page.attributes", virtual=hex(THERE), result=ATTRIBUTES)
    assert direct([answer, allowed, answer]).status == 0
    assert direct([allowed, answer]).status == 0
    assert direct([op("page.translate", virtual=hex(THERE), result=None)]).status == 0
    assert direct([SHOWN | {"error": "already mapped"}]).status == 0
    assert direct([UNMAP]).status == 0
    elsewhere = direct([op("page.translate", virtual=hex(THERE), result=2 * PAGE)])
    assert elsewhere.broken == [(2, "paging.translates-what-is-mapped")]
    users = direct([allowed | {"result": ATTRIBUTES | {"user": True}}])
    assert users.broken == [(2, "paging.attributes-are-the-mappings")]
    changed = direct([allowed, allowed | {"result": ATTRIBUTES | {"global": False}}])
    assert changed.broken == [(3, "paging.attributes-are-the-mappings")]
    gone = direct([answer, answer | {"result": None}])
    assert gone.broken == [(3, "paging.nothing-is-mapped")]


def test_what_the_trace_maps_there_is_judged(direct: Callable[..., Any]) -> None:
    assert direct([SHOWN, SHOWN]).broken == [(3, "paging.page-is-unmapped")]
    assert direct([SHOWN, op("page.translate", virtual=hex(THERE), result=None)]).broken == [
        (3, "paging.nothing-is-mapped")
    ]
    assert direct([SHOWN | {"physical": FRAME + 1}]).broken == [(2, "paging.frame-is-aligned")]


NOW = op("page.translate", virtual=hex(THERE), result=FRAME)
GONE = NOW | {"result": None}
IS_MAPPED = SHOWN | {"error": "already mapped"}
UNMAPPED = {key: value for key, value in UNMAP.items() if key != "release"}
KNOWN = {
    "unmapped twice": ([UNMAPPED, UNMAPPED], "paging.page-is-mapped"),
    "an unmap that did nothing": ([UNMAPPED, NOW], "paging.translates-what-is-mapped"),
    "mapped, and an unmap that did nothing": ([SHOWN, UNMAPPED, NOW], "paging.translates-what-is-mapped"),
    "mapped, and unmapped twice": ([SHOWN, UNMAPPED, UNMAPPED], "paging.page-is-mapped"),
    "said not to be, and then to be": ([GONE, NOW], "paging.translates-what-is-mapped"),
    "said not to be, and unmapped": ([GONE, UNMAPPED], "paging.page-is-mapped"),
    "said not to be, and refused": ([GONE, IS_MAPPED], "page.map.must-succeed"),
    "found mapped, and mapped": ([IS_MAPPED, SHOWN], "paging.page-is-unmapped"),
    "found mapped, and said not to be": ([IS_MAPPED, GONE], "paging.nothing-is-mapped"),
    "unmapped, and refused": ([UNMAPPED, IS_MAPPED], "page.map.must-succeed"),
    "without attributes, and mapped": (
        [op("page.attributes", virtual=hex(THERE), result=None), NOW],
        "paging.translates-what-is-mapped",
    ),
}


@pytest.mark.parametrize("level", ["legal", "exact"])
@pytest.mark.parametrize(("events", "clause"), KNOWN.values(), ids=KNOWN.keys())
def test_it_is_known_after_the_first_time(
    direct: Callable[..., Any], events: list[Event], clause: str, level: str
) -> None:
    report = direct([*TAKEN, *events], "--level", level, never_free=[{"start": 0, "bytes": 2 * PAGE}])
    assert report.broken == [(len(TAKEN) + len(events) + 1, clause)]


def test_what_was_found_there_may_have_any_attributes(direct: Callable[..., Any]) -> None:
    allowed = op("page.attributes", virtual=hex(THERE), result=ATTRIBUTES)
    assert direct([IS_MAPPED, allowed, NOW, UNMAPPED, SHOWN, UNMAPPED, GONE]).status == 0


def test_what_may_be_there_is_said(direct: Callable[..., Any]) -> None:
    [wrong] = direct([NOW | {"result": FRAME + PAGE}]).document["divergences"]
    assert wrong["message"].endswith(f"but the direct map shows {FRAME:#x} at {THERE:#x}")
    assert wrong["legal"] == f"{FRAME:#x}, or null"


def test_its_pml4_entries_are_the_kernels_own(direct: Callable[..., Any]) -> None:
    index = START >> 39 & 511
    read = op("pml4.read", process=0, index=index, result=0x3003)
    assert direct([read, CREATED, read | {"process": 1}]).status == 0
    differs = direct([CREATED, read, read | {"process": 1, "result": 0x5003}])
    assert differs.broken == [(4, "kernel_half.equal-at-rest")]
    assert direct([read | {"index": index + 1}]).broken == [(2, "kernel_half.reads-the-entry")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"start": hex(START + 1)}, "direct_map.start"),
        ({"start": 0}, "direct_map"),
        ({"start": 1 << 63}, "direct_map"),
        ({"physical": 5}, "direct_map.physical"),
        ({"physical": 1 << 52}, "direct_map"),
        ({"bytes": 0}, "direct_map.bytes"),
        ({"bytes": 7}, "direct_map.bytes"),
        ({"bytes": hex(1 << 63)}, "direct_map"),
        ({"bytes": -PAGE}, "direct_map.bytes"),
        ({"bytes": 1 << 70}, "direct_map.bytes"),
        ({"pages": 1}, "direct_map.pages"),
        ({"start": "near"}, "direct_map.start"),
    ],
)
def test_one_that_cannot_be_is_refused(direct: Callable[..., Any], change: dict[str, Any], field: str) -> None:
    report = direct([is_free(True)], direct_map=DIRECT | change)
    assert report.status == 2
    assert f"{field}: " in report.errors


@pytest.mark.parametrize("wrong", [[], 5, "all", {"start": hex(START)}, True])
def test_it_is_a_table_of_three_numbers(direct: Callable[..., Any], wrong: Any) -> None:
    assert direct([is_free(True)], direct_map=wrong).status == 2
