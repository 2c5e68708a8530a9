"""A report for people has a state as JSON has it, in words: no notation of Python's, and one of something is one."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from misuses import ALLOWED, BOOT, CREATED, FRAME, KERNEL, KERNEL_PAGES, MAPPED, MISUSES, PAGE, TAKEN, Misuse, op

from memoracle.cli import main
from memoracle.report.drawing import listed

Event = dict[str, Any]
BLOCK = hex(KERNEL + 64)
NOTATION = re.compile(r"[{}\[\]]|'\w+'|\b(None|True|False)\b")


@pytest.fixture
def texts(tmp_path: Path, capsys: pytest.CaptureFixture[str], small: dict[str, Any]) -> Callable[..., Any]:
    """Of events, the divergences as JSON has them, and the report in text."""

    def run(events: list[Event]) -> tuple[list[dict[str, Any]], str]:
        path = tmp_path / "t.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in [{"memoracle": 1, "geometry": small}, *events]))
        main(["check", "--keep-going", "--quiet", "--format", "json", str(path)])
        document = json.loads(capsys.readouterr().out)
        main(["check", "--keep-going", "--quiet", "--output", str(tmp_path / "text"), str(path)])
        capsys.readouterr()
        return document["divergences"], (tmp_path / "text").read_text()

    return run


ANSWERS: list[list[Event]] = [
    [op("frame.is_free", address=FRAME, result=False)],
    [op("frame.free_count", result=1)],
    [op("range.size", address=hex(KERNEL), result=1)],
    [op("range.list", result=[])],
    [CREATED, MAPPED, op("page.translate", process=1, virtual=0, result=None)],
    [CREATED, MAPPED, op("page.attributes", process=1, virtual=0, result=ALLOWED | {"writable": False})],
    [CREATED, op("pml4.read", process=1, index=300, result=1)],
    [CREATED, op("pml4.read", index=511, result=1), op("pml4.read", process=1, index=511, result=3)],
    [op("pml4.dump", result=[])],
    [op("heap.new", bytes=64, result=BLOCK), op("heap.new", bytes=64, result=BLOCK)],
    [op("heap.new", bytes=64, result=BLOCK), op("heap.delete", address=hex(KERNEL + 65))],
    [op("heap.new", bytes=8, error="no")],
    [op("process.create", error="no")],
    [op("frame.allocate", result=0)],
    [KERNEL_PAGES, op("page.unmap", virtual=hex(KERNEL + 2 * PAGE))],
    [op("kernel_pages.allocate", pages=1, frames=[], result=hex(KERNEL + 2 * PAGE))],
    [op("frame.free", address=0, crash="panic")],
    [op("pat.register", result=1)],
]
cases = pytest.mark.parametrize("events", [*ANSWERS, *(misuse.succeeds() for misuse in MISUSES)])


def leaves(state: Any) -> Iterator[Any]:
    if isinstance(state, dict):
        for key, value in state.items():
            if key not in ("bits", "first", "blocks"):  # these are drawn
                yield from leaves(value)
    elif isinstance(state, list):
        for value in state:
            yield from leaves(value)
    elif state is not None:
        yield (
            ("yes" if state else "no") if isinstance(state, bool) else f"{state:,}" if isinstance(state, int) else state
        )


@cases
def test_text_has_the_state_that_json_has(texts: Callable[..., Any], events: list[Event]) -> None:
    divergences, text = texts(events)
    told = " ".join(text.split())
    assert divergences
    for found in divergences:
        for leaf in [*leaves(found["before"]), *leaves(found["after"])]:
            assert " ".join(str(leaf).split()) in told


@cases
def test_a_state_has_no_notation_of_python(texts: Callable[..., Any], events: list[Event]) -> None:
    divergences, _ = texts(events)
    for found in divergences:
        for state in (found["before"], found["after"]):
            plain = {key: value for key, value in state.items() if key not in ("bits", "blocks")}
            assert NOTATION.search(listed(plain)) is None
        assert NOTATION.search(re.sub(r"memory_map\[\d+\]", "", found["message"])) is None  # that is a trace's key
        assert NOTATION.search(found["legal"]) is None


def test_a_state_within_a_state() -> None:
    state = {"block": {"address": "0x10", "line": None, "live": True}, "read": [{"a": 1}, {"a": 2}], "none": []}
    assert listed(state) == "block: (address: 0x10, live: yes), read: (a: 1), (a: 2), none: none"
    assert listed({"free_frames": 1000, "x": None}) == "free frames: 1,000"


# Grammar

TAKE_ALL_BUT_ONE = [op("frame.allocate", result=frame * PAGE) for frame in range(2, 15)]
ONE_TAKEN = op("range.allocate", process=1, pages=1, result=0)
ONES: dict[str, tuple[list[Event], str]] = {
    "the free frame": ([*TAKE_ALL_BUT_ONE, op("frame.allocate", result=0)], "legal: the free frame"),
    "1 frame is free": ([op("frame.free_count", result=1)], "it says that 1 frame is free, but 14 are"),
    "1 is": ([*TAKE_ALL_BUT_ONE, op("frame.free_count", result=2)], "it says that 2 frames are free, but 1 is"),
    "1 page overlaps": (
        [CREATED, TAKEN, op("range.reserve", process=1, address=0, pages=1)],
        "1 page at 0x0 overlaps the block of 2 pages at 0x0, allocated (by line 3)",
    ),
    "of 1 page": (
        [CREATED, ONE_TAKEN, op("range.reserve", process=1, address=0, pages=2)],
        "2 pages at 0x0 overlap the block of 1 page at 0x0, allocated (by line 3)",
    ),
    "1 page is not within": (
        [CREATED, op("range.reserve", process=1, address=16 * PAGE, pages=1)],
        "1 page at 0x2000000 is not within the range, 0x0 to 0x1ffffff",
    ),
    "1 page is there": (
        [CREATED, ONE_TAKEN, op("range.list", process=1, result=[[0, 2, True]])],
        "it lists 2 pages at 0x0, allocated, but 1 page is allocated (by line 3) there",
    ),
    "1 page is listed": ([CREATED, op("range.list", process=1, result=[[0, 1, True]])], "it lists 1 page at 0x0,"),
    "has 1 page": ([CREATED, ONE_TAKEN, op("range.free", process=1, address=0, pages=2)], "has 1 page, not 2"),
    "any page": (
        [CREATED, op("range.allocate", process=1, pages=1, error="no")],
        "legal: any page in 1 free block large enough",
    ),
    "1 page was allocated": (
        [
            op("kernel_pages.allocate", pages=1, frames=[2 * PAGE], result=hex(KERNEL + 2 * PAGE)),
            op("kernel_pages.free", address=hex(KERNEL + 2 * PAGE), pages=2),
        ],
        "1 page, not 2, was allocated at 0xffffffff00400000",
    ),
    "1 frame is named": (
        [op("kernel_pages.allocate", pages=2, frames=[2 * PAGE], result=hex(KERNEL + 2 * PAGE))],
        "1 frame is named for 2 pages",
    ),
    "for 1 page": (
        [op("kernel_pages.allocate", pages=1, frames=[2 * PAGE, FRAME], result=hex(KERNEL + 2 * PAGE))],
        "2 frames are named for 1 page",
    ),
    "1 byte is": ([op("heap.new", bytes=1, result=hex(KERNEL + 3))], "the 1 byte at 0xffffffff00000003 is not aligned"),
    "1 byte belongs": (
        [op("heap.new", bytes=1, error="no")],
        "legal: 1 byte aligned to 0x8 that belongs to no live block",
    ),
    "1 byte shares": (
        [op("heap.new", bytes=64, result=BLOCK), op("heap.new", bytes=1, result=hex(KERNEL + 72))],
        f"the 1 byte at {KERNEL + 72:#x} shares {KERNEL + 72:#x} with the live block",
    ),
    "1 byte does not lie": ([op("heap.new", bytes=1, result=0)], "the 1 byte at 0x0 does not lie between"),
    "1 index": ([BOOT, op("pat.select", cache="write-back", low_half=True, result=1)], "index 1"),
}
PLURALS, VERBS = "frames|pages|bytes|blocks|events", "are|were|have|overlap|share"
SINGULAR = re.compile(rf"\b1 (free |live )?(({PLURALS})\b(?!=)|(frame|page|byte|block) ({VERBS})\b)")


@pytest.mark.parametrize(("events", "words"), ONES.values(), ids=ONES.keys())
def test_one_is_one(texts: Callable[..., Any], events: list[Event], words: str) -> None:
    divergences, text = texts(events)
    found = divergences[-1]
    said = f"{found['message']}\nlegal: {found['legal']}\n{found['clause']}"
    assert words in said
    assert SINGULAR.search(said) is None
    assert SINGULAR.search(text.rpartition("legal")[2]) is None


@pytest.mark.parametrize("misuse", MISUSES)
def test_so_it_is_everywhere(texts: Callable[..., Any], misuse: Misuse) -> None:
    _, text = texts(misuse.succeeds())
    assert SINGULAR.search(text) is None


NAMES = re.compile(
    r"\b(process|frame|frames|line|page|index|boot|lines) \d+,\d|\b(process|frame|line|page|index): \d+,\d"
)


def test_what_names_something_has_no_separators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A process or a line is looked for as it is written; how many there are is easier to read with separators."""
    high, process = 1500 * PAGE, 123456
    created = op("process.create", result=process)
    lives = {"process": process, "virtual": hex(1 << 40)}
    wrong: list[Event] = [
        op("frame.allocate", result=high),
        op("frame.is_free", address=high, result=True),
        op("frame.free", address=4000 * PAGE),
        created,
        op("range.reserve", process=process, address=hex(5000 * PAGE), pages=8),
        op("range.allocate", process=process, pages=4, result=hex(5001 * PAGE)),
        op("range.size", process=process, address=hex(5000 * PAGE), result=5000),
        op("page.map", **lives, physical=high),
        op("page.map", **lives, physical=5 * PAGE),
        op("frame.free", address=5 * PAGE),
        op("pml4.read", process=process, index=7, result=5),
        op("process.exit", process=7654321),
    ]
    for level in ("legal", "exact"):
        path = tmp_path / "t.jsonl"
        lines = [op("frame.free_count", result=2046)] * 1200 + [op("frame.allocate", result=high)] + wrong
        path.write_text("".join(json.dumps(each) + "\n" for each in [{"memoracle": 1}, *lines]))
        main(["check", "--keep-going", "--level", level, str(path)])
        shown = "".join(capsys.readouterr())
        assert NAMES.search(shown) is None, NAMES.search(shown)
        assert "2,04" in shown
        assert "frame 1500 " in shown


@pytest.mark.parametrize(
    ("option", "value"), [("--max-line", "0"), ("--max-line", "x"), ("--boot", "-1"), ("--boot", "")]
)
def test_an_option_says_what_it_wants(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert main(["check", f"{option}={value}", "t.jsonl"]) == 2
    words = f"argument {option}: a whole number from 1 on was expected, not '{value}'"
    assert capsys.readouterr().err.endswith(f"{words}\n")


@pytest.mark.parametrize("option", ["--max-line", "--boot"])
@pytest.mark.parametrize("value", [str(sys.maxsize), "99999999999999999999", "9" * 40, "0" * 30 + "9" * 20])
def test_an_option_says_how_large_a_number_may_be(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert main(["check", f"{option}={value}", "t.jsonl"]) == 2
    assert f"argument {option}: a number below {sys.maxsize:,} was expected, not '" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["log", "message", "msg", "text", "line"])
@pytest.mark.parametrize("command", ["check", "boot"])
def test_a_log_in_json_that_is_not_read_is_called_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, key: str
) -> None:
    path = tmp_path / "container.log"
    path.write_text(json.dumps({key: "BIOS-e820: [mem 0x0-0xfff] usable\n", "stream": "stdout"}) + "\n")
    assert main([command, str(path)]) == 2
    words = f"it has `{key}`, as logs in JSON have: of these, only `dmesg -J` and `journalctl -o json` are read"
    assert words in capsys.readouterr().err


def test_a_text_without_a_map_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.txt"
    path.write_text("hello\n")
    assert main(["check", "--input", "e820", str(path)]) == 4
    assert f"warning: {path}: no record of a memory map; these forms are known: " in "".join(capsys.readouterr())


def test_a_block_that_another_overlaps_lives_until_it_is_deleted(texts: Callable[..., Any]) -> None:
    two = [op("heap.new", bytes=64, result=BLOCK), op("heap.new", bytes=64, result=hex(KERNEL + 128))]
    grown = op("heap.resize", address=BLOCK, bytes=128, result=BLOCK)
    deleted = op("heap.delete", address=hex(KERNEL + 128))
    (overlap, again), text = texts([*two, grown, deleted, deleted])
    assert (overlap["before"]["live_blocks"], overlap["after"]["live_blocks"]) == (2, 2)
    assert again["after"]["live_blocks"] == 1
    assert "live blocks: 2" in text


def test_a_page_of_a_log_is_shown_in_both_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "kmem.txt"
    log.write_text("".join(f"  a-1 [000] .... {n}.0: mm_page_free: page=0x1 pfn=0x202 order=0\n" for n in (1, 2)))
    assert main(["check", "--quiet", str(log)]) == 1
    assert "mm_page_free pfn=514 (0x202) order=0" in capsys.readouterr().out
