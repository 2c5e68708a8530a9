from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from page_events import (
    KERNEL,
    LAST,
    LEVELS,
    PAGE,
    REFUSED,
    UPPER,
    allocate,
    attributes,
    create,
    exit_of,
    is_free,
    op,
    page_map,
    read,
    translate,
    unmap,
)

EXHAUSTED = [allocate(frame) for frame in range(2, 16)]
SHARED = [create(1), create(2), allocate(2), page_map(0, 2, 1), page_map(PAGE, 2, 2), page_map(UPPER, 2, 1)]

CONFORMS = {
    "nothing is mapped at start": [translate(0, None), translate(UPPER, None), op("page.attributes", virtual=0)],
    "null may be said": [op("page.translate", virtual=5, result=None), op("page.attributes", virtual=5, result=None)],
    "a page": [page_map(0, 3), translate(0, 3 * PAGE), translate(PAGE - 1, 4 * PAGE - 1), translate(PAGE, None)],
    "ends of the halves": [
        *(page_map(at, 3) for at in (LAST, (1 << 64) - (1 << 47), (1 << 64) - PAGE)),
        translate((1 << 47) - 1, 4 * PAGE - 1),
        translate((1 << 64) - 1, 4 * PAGE - 1),
    ],
    "defaults": [page_map(0, 3), attributes(5), page_map(UPPER, 3), attributes(UPPER + 5)],
    "attributes": [
        page_map(0, 3, writable=False, executable=False, cache="write-combining", **{"global": True}),
        attributes(7, cache="write-combining", writable=False, executable=False, **{"global": True}),
    ],
    "every type of the register": [
        event
        for at, kind in enumerate(("write-back", "write-through", "uncacheable", "write-combining", "write-protected"))
        for event in (page_map(at * PAGE, 3, cache=kind), attributes(at * PAGE, cache=kind))
    ],
    "a lower page is one process's": [create(1), page_map(0, 3, 1), translate(0, None), translate(0, 3 * PAGE, 1)],
    "an upper page is everyone's": [
        create(1),
        page_map(UPPER, 3, 1),
        create(2),
        translate(UPPER, 3 * PAGE, 2),
        page_map(UPPER, 4, 2, **REFUSED),
        unmap(UPPER, 2),
        translate(UPPER, None, 1),
    ],
    "pages that are refused": [
        create(1),
        page_map(0, 3, 1),
        page_map(0, 4, 1, error="mapped"),
        page_map(PAGE // 2, 4, error="misaligned"),
        page_map(1 << 47, 4, error="not canonical"),
        page_map((1 << 64) - (1 << 47) - PAGE, 4, error="not canonical"),
        page_map(1 << 64, 4, error="65 bits"),
        page_map(-PAGE, 4, error="negative"),
        page_map(PAGE, 4, physical=5, error="misaligned"),
        page_map(PAGE, 4, physical=hex(1 << 52), error="53 bits"),
        page_map(PAGE, 4, physical=-PAGE, error="negative"),
        page_map(PAGE, 4, cache="uncached", error="no index has it"),
        page_map(PAGE, 4, 9, error="nobody"),
        unmap(PAGE, 1, error="not mapped"),
        unmap(5, 1, error="misaligned"),
        unmap(1 << 47, 1, error="not canonical"),
        unmap(0, error="another process"),
        unmap(0, 9, error="nobody"),
        translate(0, None, 9, error="nobody"),
        op("page.attributes", process=9, virtual=0, error="nobody"),
        translate(1 << 64, None, error="no address"),
        op("page.attributes", virtual=-1, error="no address"),
        translate(0, 3 * PAGE, 1),
    ],
    "what is not canonical is not mapped": [
        page_map(0, 3),
        translate(1 << 47, None),
        translate((1 << 64) - (1 << 48), None),
    ],
    "any frame can be mapped, and any page": [
        page_map(40 * PAGE, 0),
        page_map(41 * PAGE, 9),
        op("frame.free_count", result=14),
    ],
    "a device": [
        page_map(0, 1 << 30),
        translate(5, (PAGE << 30) + 5),
        unmap(0, release=True),
        translate(5, None),
    ],
    "without release a frame stays": [allocate(2), page_map(0, 2), unmap(0), is_free(2, False)],
    "the last release frees": [
        *SHARED,
        unmap(0, 1, release=True),
        unmap(UPPER, release=True),
        is_free(2, False),
        unmap(PAGE, 2, release=True),
        is_free(2, True),
        allocate(2),
    ],
    "an earlier release does not count": [*SHARED, unmap(0, 1), unmap(UPPER), unmap(PAGE, 2), is_free(2, False)],
    "a release of what is free, the image's or missing": [
        op("boot", memory_map=[{"start": 0, "length": 4 * PAGE, "type": 1}]),
        *(page_map(frame * PAGE, frame) for frame in (0, 1, 2, 9, 15)),
        *(unmap(frame * PAGE, release=True) for frame in (0, 1, 2, 9, 15)),
        op("frame.free_count", result=2),
        is_free(9, False),
    ],
    "a frame freed while it is mapped": [allocate(2), page_map(0, 2), op("frame.free", address=2 * PAGE), allocate(2)],
    "a page freed while it is mapped": [
        op("range.allocate", pages=1, result=hex(KERNEL + 2 * PAGE)),
        page_map(KERNEL + 2 * PAGE, 3),
        op("range.free", address=hex(KERNEL + 2 * PAGE), pages=1),
        translate(KERNEL + 2 * PAGE, 3 * PAGE),
    ],
    "exit releases what nobody else maps": [
        *SHARED,
        allocate(3),
        page_map(7 * PAGE, 3, 1),
        page_map(8 * PAGE, 3, 1),
        exit_of(1),
        is_free(3, True),
        is_free(2, False),
        translate(0, None, 1, error="nobody"),
        exit_of(2),
        is_free(2, False),
        translate(UPPER, 2 * PAGE),
        unmap(UPPER, release=True),
        is_free(2, True),
        create(1),
        translate(0, None, 1),
        page_map(0, 5, 1),
    ],
    "mapping may fail without frames": [*EXHAUSTED, page_map(0, 3, **REFUSED)],
    "mapping may fail without kernel range": [
        *(
            op("range.reserve", address=hex(KERNEL + page * PAGE), pages=pages)
            for page, pages in ((2, 2), (4, 4), (8, 8))
        ),
        page_map(0, 3, **REFUSED),
    ],
    "what was taken at start is not judged": [
        translate(KERNEL, 5),
        op("page.attributes", virtual=hex(KERNEL), error="x"),
        page_map(KERNEL, 9, **REFUSED),
        unmap(KERNEL + PAGE, **REFUSED),
        page_map(KERNEL + PAGE, 3),
        page_map(KERNEL + PAGE, 2),
        page_map(KERNEL + PAGE + 5, 4, 9),
        unmap(KERNEL),
        unmap(KERNEL + 5, 9, **REFUSED),
        allocate(2),
        unmap(KERNEL + PAGE, release=True),
        is_free(2, True),
    ],
    "a lower entry by which something was mapped is its own": [
        create(1),
        create(2),
        read(3, 0, 1),
        page_map(3 << 39, 4, 1),
        read(3, 77, 1),
        read(3, 79, 1),
        read(3, 0, 2),
        op("pml4.dump", process=1, result=[0, 0, 0, 79, *[0] * 508]),
        unmap(3 << 39, 1),
        read(3, 80, 1),
        exit_of(1),
        create(1),
        read(3, 0, 1),
    ],
    "so is an upper one": [
        create(1),
        read(288, 0),
        page_map(UPPER, 4, 1),
        read(288, 77),
        read(288, 77, 1),
        unmap(UPPER),
        read(288, 78, 1),
        page_map(UPPER, 4, 1),
        read(288, 79),
    ],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level)
    assert (report.status, report.broken) == (0, [])
    assert report.document["events"] == len(events)


ILLEGAL = {
    "map for nobody": ([page_map(0, 3, 9)], "kernel_half.process-lives"),
    "map of a misaligned page": ([page_map(5, 3)], "paging.page-is-aligned"),
    "map past the lower half": ([page_map(1 << 47, 3)], "paging.page-is-canonical"),
    "map of 65 bits": ([page_map(1 << 64, 3)], "paging.page-is-canonical"),
    "map of a misaligned frame": ([page_map(0, 3, physical=4096)], "paging.frame-is-aligned"),
    "map past the physical address bits": ([page_map(0, 0, physical=hex(1 << 52))], "paging.frame-is-addressable"),
    "map of a negative frame": ([page_map(0, 0, physical=-PAGE)], "paging.frame-is-addressable"),
    "map of a type that no index has": ([page_map(0, 3, cache="uncached")], "paging.type-is-available"),
    "map twice": ([page_map(0, 3), page_map(0, 3)], "paging.page-is-unmapped"),
    "map twice in the upper half": ([create(1), page_map(UPPER, 3), page_map(UPPER, 4, 1)], "paging.page-is-unmapped"),
    "map fails": ([page_map(0, 3, **REFUSED)], "page.map.must-succeed"),
    "map of a device fails": ([page_map(0, 1 << 30, **REFUSED)], "page.map.must-succeed"),
    "unmap for nobody": ([unmap(0, 9)], "kernel_half.process-lives"),
    "unmap of a misaligned page": ([page_map(0, 3), unmap(5)], "paging.page-is-aligned"),
    "unmap of what is not canonical": ([unmap(1 << 47)], "paging.page-is-canonical"),
    "unmap of nothing": ([unmap(0)], "paging.page-is-mapped"),
    "unmap twice": ([page_map(0, 3), unmap(0), unmap(0)], "paging.page-is-mapped"),
    "unmap in another process": ([create(1), page_map(0, 3, 1), unmap(0)], "paging.page-is-mapped"),
    "unmap fails": ([page_map(0, 3), unmap(0, **REFUSED)], "page.unmap.must-succeed"),
    "translation of a page that is not mapped": ([translate(0, 0)], "paging.translates-what-is-mapped"),
    "translation to another frame": ([page_map(0, 3), translate(0, 4 * PAGE)], "paging.translates-what-is-mapped"),
    "translation without the offset": ([page_map(0, 3), translate(5, 3 * PAGE)], "paging.translates-what-is-mapped"),
    "translation of what is not canonical": ([translate(1 << 47, 0)], "paging.translates-what-is-mapped"),
    "translation to null": ([page_map(0, 3), translate(PAGE - 1, None)], "paging.nothing-is-mapped"),
    "translation after unmap": ([page_map(0, 3), unmap(0), translate(0, 3 * PAGE)], "paging.translates-what-is-mapped"),
    "translation of nobody": ([translate(0, None, 9)], "kernel_half.process-lives"),
    "translation of 65 bits": ([translate(1 << 64, None)], "addresses.address-has-64-bits"),
    "translation fails": ([translate(0, None, **REFUSED)], "page.translate.must-succeed"),
    "translation in another process": (
        [create(1), page_map(0, 3, 1), translate(0, 3 * PAGE)],
        "paging.translates-what-is-mapped",
    ),
    "upper page missing in a process": (
        [create(1), page_map(UPPER, 3), translate(UPPER, None, 1)],
        "paging.nothing-is-mapped",
    ),
    "upper page of a process that has exited": (
        [create(1), page_map(UPPER, 3, 1), exit_of(1), translate(UPPER, None)],
        "paging.nothing-is-mapped",
    ),
    "lower page survives its process": (
        [create(1), page_map(0, 3, 1), exit_of(1), create(1), translate(0, 3 * PAGE, 1)],
        "paging.translates-what-is-mapped",
    ),
    "attributes of nothing": ([attributes(0)], "paging.attributes-are-the-mappings"),
    "attributes are null": ([page_map(0, 3), op("page.attributes", virtual=0)], "paging.nothing-is-mapped"),
    "attributes of nobody": ([op("page.attributes", process=9, virtual=0)], "kernel_half.process-lives"),
    "attributes of 65 bits": ([op("page.attributes", virtual="0x10000000000000000")], "addresses.address-has-64-bits"),
    "attributes fail": ([op("page.attributes", virtual=0, **REFUSED)], "page.attributes.must-succeed"),
    **{
        f"attributes differ in {key}": (
            [page_map(0, 3), attributes(0, **{key: value})],
            "paging.attributes-are-the-mappings",
        )
        for key, value in (("writable", False), ("user", False), ("executable", False), ("global", True))
    },
    "attributes differ in the type": (
        [page_map(0, 3), attributes(0, cache="write-through")],
        "paging.attributes-are-the-mappings",
    ),
    "upper page is the user's": (
        [page_map(UPPER, 3), attributes(UPPER, user=True)],
        "paging.attributes-are-the-mappings",
    ),
    "release is forgotten": (
        [allocate(2), page_map(0, 2), unmap(0, release=True), is_free(2, False)],
        "bitmap.tells-whether-free",
    ),
    "unmap releases unasked": ([allocate(2), page_map(0, 2), unmap(0), is_free(2, True)], "bitmap.tells-whether-free"),
    "an earlier unmap releases": (
        [*SHARED, unmap(0, 1, release=True), is_free(2, True)],
        "bitmap.tells-whether-free",
    ),
    "a release makes the image free": (
        [page_map(0, 1), unmap(0, release=True), is_free(1, True)],
        "bitmap.tells-whether-free",
    ),
    "exit loses a frame": (
        [create(1), allocate(2), page_map(0, 2, 1), exit_of(1), is_free(2, False)],
        "bitmap.tells-whether-free",
    ),
    "exit takes a frame from others": ([*SHARED, exit_of(1), is_free(2, True)], "bitmap.tells-whether-free"),
    "a lower entry of another process": (
        [create(1), create(2), page_map(3 << 39, 4, 1), read(3, 77, 2)],
        "kernel_half.reads-the-entry",
    ),
    "a lower entry of a process before it": (
        [create(1), page_map(3 << 39, 4, 1), exit_of(1), create(1), read(3, 77, 1)],
        "kernel_half.reads-the-entry",
    ),
    "an upper entry that is not everyone's": (
        [create(1), page_map(UPPER, 4), read(288, 77), read(288, 78, 1)],
        "kernel_half.equal-at-rest",
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("events", "clause"), ILLEGAL.values(), ids=ILLEGAL.keys())
def test_illegal_but_safe(check: Callable[..., Any], events: list[dict[str, Any]], clause: str, level: str) -> None:
    report = check(events, "--level", level)
    assert report.broken == ([] if level == "safe" else [(len(events) + 1, clause)])


UNSAFE = {
    "a frame that was not released is handed out": [
        allocate(2),
        page_map(0, 2),
        unmap(0),
        allocate(2),
    ],
    "a frame that others map is handed out": [*SHARED, exit_of(1), allocate(2)],
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe(check: Callable[..., Any], events: list[dict[str, Any]], level: str) -> None:
    report = check(events, "--level", level)
    assert report.broken == [(len(events) + 1, "bitmap.allocates-only-free")]
