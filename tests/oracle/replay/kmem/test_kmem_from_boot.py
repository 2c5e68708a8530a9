"""Logs of page events that begin with the machine, whose memory map says which pages there are."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Check, Report
from kmem_events import BATCHED, FAILED, HEADER, LOST, STARTED, alloc, free

from memoracle.cli import main

DATA = Path(__file__).parents[3] / "data"
# Pages 0 to 0x9e, 0x100 to 0xdffef, and 0x100000 to 0x11ffff are usable; page 0x9f is so in part.
MAP = str(DATA / "e820" / "qemu-4g.txt")
Answer = Callable[..., Report]


@pytest.fixture
def from_boot(run_lines: Check) -> Answer:
    def run(lines: list[str], *options: str) -> Report:
        return run_lines(lines, "--from-boot", "--memory-map", MAP, *options)

    return run


CONFORMS = {
    "the first page, and the last of each piece": [
        alloc(0),
        alloc(0x9E),
        alloc(0x100),
        alloc(0xDFFEF),
        alloc(0x11FFFF),
    ],
    "handed out and given back": [alloc(0x200, 3), free(0x200, 3), alloc(0x204)],
    "given back before it was seen handed out": [free(0x200, 2), alloc(0x200, 2), free(0x200, 1), free(0x202, 1)],
    "memory that the boot gives to the allocator": [free(0x400, 10), free(0x800, 10), alloc(0x400, 9), alloc(0x800)],
    "large blocks that end with the memory": [alloc(0x11FC00, 10), free(0x11FC00, 10)],
    "a failure, at any time": [FAILED, alloc(0x200), FAILED, free(0x200), FAILED],
    "forgotten where events were lost": [alloc(0x200), LOST, alloc(0x200), free(0x200), LOST, free(0x200)],
    "forgotten where another log begins": [alloc(0x200), HEADER, alloc(0x200)],
    "forgotten where a buffer was overwritten": [free(0x200), STARTED, free(0x200)],
    "what accompanies a free": [alloc(0x200), free(0x200), BATCHED],
}
NO_MEMORY, FREES_NONE = "runs.run-is-free", "runs.frees-only-existing"
DIVERGES = {
    "a page of a hole": ([alloc(0xA0)], NO_MEMORY, "page 0xa0 is not usable memory, by the memory map"),
    "a page that is usable in part": ([alloc(0x9F)], NO_MEMORY, "page 0x9f is not usable memory, by the memory map"),
    "ACPI's": ([alloc(0xDFFF0)], NO_MEMORY, "page 0xdfff0 is not usable memory, by the memory map"),
    "past the end": ([alloc(0x120000)], NO_MEMORY, "page 0x120000 is not usable memory, by the memory map"),
    "a block across the end": (
        [alloc(0xDFFE0, 5)],
        NO_MEMORY,
        "page 0xdfff0 is not usable memory, by the memory map",
    ),
    "a block across the end whose first pages were seen": (
        [alloc(0xDFFE0), free(0xDFFE0), alloc(0xDFFE0, 5)],
        NO_MEMORY,
        "page 0xdfff0 is not usable memory, by the memory map",
    ),
    "a block across the end, part of which is in use": (
        [alloc(0xDFFE8), alloc(0xDFFE0, 5)],
        NO_MEMORY,
        "page 0xdffe8 is already allocated (by line 1)",
    ),
    "a block across a hole": ([alloc(0x80, 7)], NO_MEMORY, "page 0x9f is not usable memory, by the memory map"),
    "given back, and no memory": ([free(0xA0)], FREES_NONE, "page 0xa0 is not usable memory, by the memory map"),
    "given back across the end": (
        [free(0xDFFE0, 5)],
        FREES_NONE,
        "page 0xdfff0 is not usable memory, by the memory map",
    ),
    "handed out twice": ([alloc(0x200), alloc(0x200)], NO_MEMORY, "page 0x200 is already allocated (by line 1)"),
    "handed out within a block": (
        [alloc(0x200, 4), alloc(0x204, 2)],
        NO_MEMORY,
        "page 0x204 is already allocated (by line 1)",
    ),
    "given back twice from the beginning": (
        [free(0x200), free(0x200)],
        "runs.frees-only-allocated",
        "page 0x200 is already free (by line 1)",
    ),
    "given back with its neighbour": (
        [alloc(0x200), free(0x200, 1)],
        "runs.frees-a-whole-run",
        "a block of 2 pages at page 0x200, of which page 0x200 is of a block of 1 page (by line 1)",
    ),
    "misaligned": (
        [alloc(0x201, 1)],
        "runs.run-is-aligned",
        "a block of 2 pages at page 0x201, which is not a multiple of as many",
    ),
    "no memory, after events were lost": (
        [alloc(0x200), LOST, alloc(0x200), alloc(0xA0)],
        NO_MEMORY,
        "page 0xa0 is not usable memory, by the memory map",
    ),
}


@pytest.mark.parametrize("lines", CONFORMS.values(), ids=CONFORMS.keys())
@pytest.mark.parametrize("level", ["legal", "safe"])
def test_conforms(from_boot: Answer, lines: list[str], level: str) -> None:
    found = from_boot(lines, "--level", level)
    assert (found.status, found.document["divergences"], found.document["level"]) == (0, [], level)
    against = f"against the memory map of {MAP}, in pages of 4 KiB"
    assert f"is a kmem log, checked at level {level} {against}\n" in found.errors


@pytest.mark.parametrize(("lines", "clause", "message"), DIVERGES.values(), ids=DIVERGES.keys())
def test_diverges(from_boot: Answer, lines: list[str], clause: str, message: str) -> None:
    found = from_boot(lines)
    (divergence,) = found.document["divergences"]
    assert (found.status, found.document["level"]) == (1, "legal")
    assert (divergence["line"], divergence["clause"], divergence["message"]) == (len(lines), clause, message)


@pytest.mark.parametrize(("lines", "clause"), [each[:2] for each in DIVERGES.values()], ids=DIVERGES.keys())
def test_memory_may_turn_up_at_safe(from_boot: Answer, lines: list[str], clause: str) -> None:
    """What is given back may have been added after boot; what is handed out is judged alike."""
    found = from_boot(lines, "--level", "safe")
    assert found.broken == ([] if clause == FREES_NONE else [(len(lines), clause)])


def test_memory_that_turned_up_is_handed_out_at_safe(from_boot: Answer) -> None:
    lines = [free(0x120000, 10), alloc(0x120000), alloc(0x120004, 2), alloc(0x120400)]
    assert from_boot(lines, "--level", "safe").broken == [(4, NO_MEMORY)]
    assert from_boot(lines, "--keep-going").broken == [(1, FREES_NONE), (4, NO_MEMORY)]


def test_without_a_map_it_is_not_known(run_lines: Check) -> None:
    for lines, clause, message in DIVERGES.values():
        known = "not usable memory" not in message
        assert run_lines(lines).broken == ([(len(lines), clause)] if known else [])


def test_one_fault_is_named_once(from_boot: Answer) -> None:
    lines = [alloc(0xA0, 1), free(0xA0, 1), alloc(0xA0), free(0xA0), free(0xA0)]
    assert from_boot(lines, "--keep-going").broken == [(1, NO_MEMORY), (5, "runs.frees-only-allocated")]


def test_state_and_what_is_legal(from_boot: Answer, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = [alloc(0xDFFE8, 3), free(0xDFFE8, 3), alloc(0xDFFE0, 5)]
    (divergence,) = from_boot(lines).document["divergences"]
    assert divergence["before"]["rows"] == [
        {"pfn": 0xDFFE8, "pages": 8, "allocated": False, "line": 2},
        {"pfn": 0xDFFF0, "pages": 16, "exists": False},
    ]
    assert divergence["after"]["rows"] == [{"pfn": 0xDFFE0, "pages": 32, "allocated": True, "line": 3}]
    assert divergence["legal"] == (
        "32 pages of usable memory, none of them allocated, the first at a multiple of 32; or a failure"
    )
    (tmp_path / "log").write_text("\n".join(lines))
    assert main(["check", "--quiet", "--from-boot", "--memory-map", MAP, str(tmp_path / "log")]) == 1
    assert "8 pages from 0xdffe8: free by line 2\n" in (text := capsys.readouterr().out)
    assert "16 pages from 0xdfff0: not usable memory\n" in text


def test_lost_events_are_a_warning(from_boot: Answer) -> None:
    (warning,) = from_boot(CONFORMS["forgotten where events were lost"]).document["warnings"]
    assert "2 lines say that events were lost; what was known before each is forgotten" in warning


def test_the_map_that_the_kernel_ran_with(run_lines: Check) -> None:
    """Page 0x1000 is usable in the map of the command line, and not in the firmware's."""
    log = str(DATA / "e820" / "exactmap-2.4.20.txt")
    boot = run_lines([alloc(0x1000)], "--from-boot", "--memory-map", log)
    firmware = run_lines([alloc(0x1000)], "--from-boot", "--memory-map", log, "--map", "bios-e820")
    assert (boot.status, firmware.status) == (0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_random_machine(from_boot: Answer, seed: int) -> None:
    """An allocator of the map's memory conforms; one that takes one page of a hole does not."""
    chance, live, lines = random.Random(seed), [], list[str]()
    free_pages = set(range(0x60, 0x9F)) | set(range(0x100, 0x160))
    for _ in range(400):
        if live and chance.random() < 0.5:
            first, order = live.pop(chance.randrange(len(live)))
            free_pages.update(range(first, first + (1 << order)))
            lines.append(free(first, order))
            continue
        order = chance.choice([0, 0, 0, 1, 2, 3])
        fits = [
            page for page in range(0x60, 0x160, 1 << order) if free_pages.issuperset(range(page, page + (1 << order)))
        ]
        if not fits:
            lines.append(FAILED)
            continue
        first = chance.choice(fits)
        free_pages.difference_update(range(first, first + (1 << order)))
        live.append((first, order))
        lines.append(alloc(first, order))
    assert from_boot(lines).broken == []
    lines.insert(300, alloc(0x9F))
    assert from_boot(lines).broken == [(301, NO_MEMORY)]


# Misuse


def test_a_map_is_due(run_lines: Check, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "log").write_text(alloc(16) + "\n")
    assert main(["check", "--from-boot", str(tmp_path / "log")]) == 2
    captured = capsys.readouterr()
    assert captured.err == "memoracle: --from-boot: it needs the memory map of the machine: --memory-map LOG\n"
    assert captured.out == ""


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([json.dumps({"memoracle": 1}), json.dumps({"op": "frame.free_count", "result": 2046})], "a trace"),
        (Path(MAP).read_text().splitlines(), "a memory map"),
    ],
)
def test_it_is_for_kmem_logs(from_boot: Answer, lines: list[str], words: str) -> None:
    found = from_boot(lines)
    assert found.status == 2
    assert f"this is {words}" in found.errors
    assert "--from-boot is for kmem logs" in found.errors


def test_exact_and_geometry_are_refused(from_boot: Answer) -> None:
    for options, words in (
        (("--level", "exact"), "it can't be checked at level exact, since which block a kernel picks depends on"),
        (("--geometry", "x64-4k"), "a kmem log counts in pages of 4 KiB here: --geometry is not for it"),
    ):
        found = from_boot([alloc(16)], *options)
        assert (found.status, found.document["verdict"]) == (2, "unknown")
        assert words in found.errors


def test_a_log_that_is_no_map_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(alloc(16) + "\n")
    assert main(["check", "--from-boot", "--memory-map", str(log), str(log)]) == 2
    assert "no record of a memory map" in capsys.readouterr().err


def test_a_damaged_log_is_told_with_its_line(from_boot: Answer) -> None:
    found = from_boot([alloc(0xA0), "  sh-1 [000] .... 1.0: mm_page_free: page=0x1 pfn=0xzz order=0"], "--keep-going")
    assert (found.status, found.broken) == (2, [(1, NO_MEMORY)])
    assert ":2: page event without a readable pfn=" in found.errors


def test_nothing_to_check(from_boot: Answer) -> None:
    found = from_boot([HEADER])
    assert (found.status, found.document["verdict"]) == (4, "nothing")
