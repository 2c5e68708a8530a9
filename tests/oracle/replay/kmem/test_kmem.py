from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kmem_events import BATCHED, FAILED, HEADER, LOST, STARTED, alloc, free

from memoracle.cli import main

DATA = Path(__file__).parents[3] / "data" / "kmem"
E820 = DATA.parent / "e820"
Answer = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def check_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Answer:
    def run(lines: list[str], *options: str) -> tuple[int, dict[str, Any], str]:
        path = tmp_path / "kmem.txt"
        path.write_text("".join(line + "\n" for line in lines))
        status = main(["check", "--format", "json", *options, str(path)])
        captured = capsys.readouterr()
        return status, json.loads(captured.out), captured.err

    return run


CONFORMS = {
    "allocate and free": [alloc(16), free(16), alloc(16)],
    "freed before it was seen allocated": [free(16), alloc(16)],
    "a free and what accompanies it": [alloc(16), free(16), BATCHED],
    "disjoint blocks": [alloc(16, 4), alloc(32, 4), alloc(8, 3), alloc(0, 3)],
    "freed in parts": [alloc(16, 2), free(16), free(17), free(18, 1), alloc(16, 2)],
    "freed in parts and whole again": [alloc(16, 2), *map(free, range(16, 20)), alloc(16, 2), free(16, 2)],
    "allocated in parts of what was whole": [alloc(16, 1), free(16, 1), alloc(17), alloc(16), free(17), free(16)],
    "pieces of an exact allocation": [alloc(16, 3), free(22, 1), free(21), free(16, 2), free(20)],
    "freed beside what is not known": [alloc(20), free(16, 2)],
    "freed whole, not seen allocated": [free(16, 2), alloc(16), free(16)],
    "forgotten before it is freed together": [alloc(16), LOST, free(16, 1)],
    "forgotten where another log begins": [alloc(16), HEADER, alloc(16), free(16), HEADER, free(16)],
    "a failed allocation": [alloc(0), FAILED, FAILED, free(0)],
    "the largest order": [alloc(0, 51), free(1 << 50, 50)],
    "forgotten where a buffer was overwritten": [alloc(16), STARTED, alloc(16), free(16), " " + STARTED, free(16)],
    "forgotten where events were lost": [alloc(16), LOST, alloc(16), free(16), LOST, free(16)],
}
ONLY_FREE, ONLY_ALLOCATED = "runs.run-is-free", "runs.frees-only-allocated"
ALIGNED, A_BLOCK = "runs.run-is-aligned", "runs.frees-a-whole-run"
DIVERGES = {
    "a misaligned block": (
        [alloc(0x101, 2)],
        ALIGNED,
        "a block of 4 pages at page 0x101, which is not a multiple of as many",
    ),
    "a misaligned free": (
        [free(0x102, 2)],
        ALIGNED,
        "a block of 4 pages at page 0x102, which is not a multiple of as many",
    ),
    "allocated twice": ([alloc(16), alloc(16)], ONLY_FREE, "page 0x10 is already allocated (by line 1)"),
    "allocated within": ([alloc(16, 4), alloc(20, 2)], ONLY_FREE, "page 0x14 is already allocated (by line 1)"),
    "allocated around": ([alloc(20), alloc(16, 4)], ONLY_FREE, "page 0x14 is already allocated (by line 1)"),
    "freed twice": ([free(16), free(16)], ONLY_ALLOCATED, "page 0x10 is already free (by line 1)"),
    "freed in part twice": (
        [alloc(16, 2), free(17), free(16, 2)],
        ONLY_ALLOCATED,
        "page 0x11 is already free (by line 2)",
    ),
    "two blocks freed as one": (
        [alloc(16), alloc(17), free(16, 1)],
        A_BLOCK,
        "a block of 2 pages at page 0x10, of which page 0x10 is of a block of 1 page (by line 1)",
    ),
    "freed with what is not known": (
        [alloc(18, 1), free(16, 2)],
        A_BLOCK,
        "a block of 4 pages at page 0x10, of which page 0x12 is of a block of 2 pages (by line 1)",
    ),
    "the rest of a block freed with what is beside it": (
        [alloc(16, 1), alloc(18, 1), free(16), alloc(16), free(16, 2)],
        A_BLOCK,
        "a block of 4 pages at page 0x10, of which page 0x10 is of a block of 1 page (by line 4)",
    ),
}


@pytest.mark.parametrize("lines", CONFORMS.values(), ids=CONFORMS.keys())
def test_conforms(check_log: Answer, lines: list[str]) -> None:
    status, document, errors = check_log(lines)
    assert (status, document["divergences"]) == (0, [])
    assert document["level"] == "safe"
    assert "is a kmem log, checked at level safe" in errors
    assert document["events"] == len(
        [line for line in lines if line not in (BATCHED, LOST, HEADER) and STARTED not in line]
    )


@pytest.mark.parametrize(("lines", "clause", "message"), DIVERGES.values(), ids=DIVERGES.keys())
def test_diverges(check_log: Answer, lines: list[str], clause: str, message: str) -> None:
    status, document, _ = check_log(lines, "--level", "safe")
    (found,) = document["divergences"]
    assert status == 1
    assert (found["line"], found["clause"], found["message"]) == (len(lines), clause, message)


@pytest.mark.parametrize(
    ("lines", "legal"),
    [
        ([alloc(16), alloc(16)], "a page that is not allocated, or a failure"),
        ([alloc(0x101, 2)], "4 pages, none of them allocated, the first at a multiple of 4; or a failure"),
        ([free(16), free(16)], "only a refusal"),
    ],
)
def test_what_would_have_been_legal(check_log: Answer, lines: list[str], legal: str) -> None:
    _, document, _ = check_log(lines)
    assert document["divergences"][0]["legal"] == legal


def test_what_is_passed_over_is_said(check_log: Answer) -> None:
    slab = "[task:0xffff888014e53c00 bash ] kfree    : 0xffff888014e97c40 (size: 0x40   name: kmalloc-32)"
    lines = [alloc(16), slab, slab, "  sh-1 [000] .... 1.0: sched_switch: prev_comm=sh", " => do_page_fault", BATCHED]
    status, document, _ = check_log(lines)
    assert (status, document["events"]) == (0, 1)
    assert [warning.split("kmem.txt: ")[1] for warning in document["warnings"]] == [
        "passed over 2 events (2 kfree) of the slab allocator, not judged",
        "passed over 1 event (1 sched_switch) of other kinds",
        "passed over 1 line without an event",
    ]
    status, document, _ = check_log([slab])
    assert (status, document["verdict"]) == (4, "nothing")
    assert "passed over 1 event (1 kfree) of the slab allocator" in document["warnings"][0]


def test_keep_going_adopts_what_is_seen(check_log: Answer) -> None:
    lines = [alloc(16, 2), alloc(17), free(17), free(16), free(18, 1), free(16, 2)]
    _, document, _ = check_log(lines, "--keep-going")
    assert [found["line"] for found in document["divergences"]] == [2, 6]
    assert document["divergences"][0]["before"] == {
        "rows": [{"pfn": 16, "pages": 4, "allocated": True, "line": 1}],
    }
    assert document["divergences"][0]["after"] == {
        "rows": [{"pfn": 17, "pages": 1, "allocated": True, "line": 2}],
    }


def test_lost_events_are_a_warning(check_log: Answer) -> None:
    _, document, _ = check_log(CONFORMS["forgotten where events were lost"])
    (warning,) = document["warnings"]
    assert "kmem.txt: 2 lines say that events were lost" in warning


def test_another_log_is_a_warning(check_log: Answer) -> None:
    _, document, _ = check_log(CONFORMS["forgotten where another log begins"])
    (warning,) = document["warnings"]
    assert "kmem.txt: 2 times another log begins; what was known before is forgotten" in warning


@pytest.mark.parametrize("level", ["legal", "exact"])
def test_other_levels_are_refused(check_log: Answer, level: str) -> None:
    status, _, errors = check_log([alloc(16)], "--level", level)
    assert status == 2
    assert f"it can't be checked at level {level}" in errors


@pytest.mark.parametrize(
    "option", ["--geometry=x64-4k", f"--memory-map={E820 / 'qemu-4g.txt'}"], ids=["geometry", "map"]
)
def test_options_that_would_not_be_used_are_refused(check_log: Answer, option: str) -> None:
    status, document, errors = check_log([alloc(16)], option)
    assert (status, document["verdict"]) == (2, "unknown")
    assert f"{option.split('=')[0]} is not for it" in errors


def test_broken_line(check_log: Answer) -> None:
    status, document, errors = check_log([free(16), free(16), "mm_page_alloc: page=0x1 order=0"], "--keep-going")
    assert (status, document["verdict"]) == (2, "diverges")
    assert "kmem.txt:3: " in errors
    assert "pfn" in errors


NOTHING = ("slab-gef-kmalloc-tracer", "page-extfrag")
NO_KMEM_LOGS = ("buddyinfo", "pagetypeinfo", "page_owner", "slub-report", "vmallocinfo")
FOUND = {
    "ftrace-2.6.33-free-direct": "page 0x11a2d8 is already free (by line 1)",  # a fault of that kernel's tracing
    "probe-double-kfree-in-mixed-log": "the block at 0x62400820 was deleted already (by line 2)",
    "probe-options-fields-page-events": "a block of 2 pages at page 0x1d1ac1, which is not a multiple of as many",
}


@pytest.mark.parametrize("path", sorted(DATA.glob("*.txt")), ids=lambda path: path.stem)
def test_logs_of_real_machines(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    status = main(["check", "--format", "json", str(path)])
    document = json.loads(capsys.readouterr().out)
    if path.stem.startswith(NO_KMEM_LOGS):
        assert status == 2
        assert "nor a log of kmem events" in document["warnings"][0]
    elif path.stem in NOTHING:
        assert status == 4
        assert "passed over " in document["warnings"][0]
    else:
        messages = [found["message"] for found in document["divergences"]]
        assert messages == ([FOUND[path.stem]] if path.stem in FOUND else [])
        assert status == (path.stem in FOUND)


def test_empty_log(check_log: Answer) -> None:
    status, document, _ = check_log(["# tracer: nop"])
    assert (status, document["verdict"]) == (4, "nothing")


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ([alloc(16), alloc(16), free(16), free(16), free(16)], [2, 5]),
        ([alloc(16), alloc(16), alloc(16), *[free(16)] * 4], [2, 3, 7]),
        ([alloc(16, 2), alloc(17), free(16, 2), free(17), free(17)], [2, 5]),
        ([alloc(16, 2), alloc(17), free(17), free(16, 2), free(17)], [2, 5]),
        ([alloc(20), alloc(16, 4), free(20), free(16, 4), free(20)], [2, 5]),
        ([alloc(20), alloc(16, 4), free(16, 4), free(20), free(20)], [2, 5]),
        ([alloc(0x101, 1), free(0x101, 1), free(0x101, 1)], [1, 3]),
        ([alloc(16), LOST, alloc(16), alloc(16), LOST, free(16), free(16)], [4, 7]),
    ],
)
def test_what_follows_from_a_fault_is_not_named(check_log: Answer, lines: list[str], named: list[int]) -> None:
    """Each owner of a block gives it back; one free more is a fault of its own."""
    _, document, _ = check_log(lines, "--keep-going")
    assert [found["line"] for found in document["divergences"]] == named
