"""An implementation that died in a call: what follows is not judged before the next boot."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from misuses import BOOT, CREATED, MAPPED, PAGE, TAKEN, op

from memoracle.cli import main

CRASH = op("frame.free", address=0, crash="Kernel panic")
WRONG = [
    op("frame.free_count", result=3),
    op("frame.allocate", result=0),
    op("process.exit", process=0),
    op("range.free", process=7, address=0, pages=1),
    op("page.unmap", virtual=0),
    op("pat.register", error="no"),
    op("heap.delete", address=8),
    op("frame.free", address=0, crash="again"),
]


def test_what_follows_is_not_judged(check: Callable[..., Any]) -> None:
    report = check([CRASH, *WRONG], "--keep-going")
    assert report.broken == [(2, "frame.free.must-not-crash")]
    assert report.document["events"] == 1 + len(WRONG)
    assert report.document["warnings"] == [
        f"{report.document['divergences'][0]['file']}:2: it crashed: what follows is not judged before the next `boot`"
    ]


def test_with_the_next_boot_the_machine_starts_again(check: Callable[..., Any]) -> None:
    before = [BOOT, CREATED, TAKEN, MAPPED, op("frame.allocate", result=2 * PAGE), op("pml4.write", index=300, value=1)]
    after = [
        BOOT,
        op("frame.free_count", result=13),
        CREATED,
        op("range.size", process=1, address=0, result=0),
        op("page.translate", process=1, virtual=0, result=None),
        op("pml4.read", index=300, result=0),
        op("frame.free_count", result=12),  # line 16
    ]
    report = check([*before, CRASH, WRONG[0], *after], "--keep-going")
    assert report.broken == [(8, "frame.free.must-not-crash"), (16, "bitmap.tells-the-count")]


def test_it_may_crash_again(check: Callable[..., Any]) -> None:
    report = check([CRASH, BOOT, CRASH, WRONG[0], BOOT, WRONG[0]], "--keep-going")
    assert report.broken == [
        (2, "frame.free.must-not-crash"),
        (4, "frame.free.must-not-crash"),
        (7, "bitmap.tells-the-count"),
    ]


def test_a_boot_that_is_no_restart_is_refused_as_before(check: Callable[..., Any]) -> None:
    assert check([CRASH, BOOT, BOOT], "--keep-going").broken == [
        (2, "frame.free.must-not-crash"),
        (4, "boot.boot-comes-first"),
    ]


def test_a_crash_where_it_is_undefined_is_no_divergence(check: Callable[..., Any], small: dict[str, Any]) -> None:
    undefined = small | {"misuse": {"frame.free": "undefined"}}
    report = check([CRASH, *WRONG], geometry=undefined)
    assert (report.status, report.document["events"]) == (0, 1 + len(WRONG))
    allowed = op("frame.free", address=2 * PAGE, crash="Kernel panic")
    events = [op("frame.allocate", result=2 * PAGE), allowed]
    assert check(events, geometry=undefined).broken == [(3, "frame.free.must-not-crash")]


def test_the_report_says_that_it_crashed(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in [{"memoracle": 1}, CRASH | {"_cpu": 3}]))
    assert main(["check", str(path)]) == 1
    told = capsys.readouterr().out
    assert "t.jsonl:2: frame.free address=0x0 crashed: Kernel panic (_cpu=3)" in told
    assert "it crashed (Kernel panic); it may be refused: a frame that is never free is not freed" in told
    assert "state" not in told  # of which nothing is known any more


MALFORMED = {
    "beside a result": ({"crash": "panic", "result": 1}, "result: "),
    "beside an error": ({"crash": "panic", "error": "no"}, "error: "),
    "beside a null result": ({"crash": "panic", "result": None}, "result: "),
    "no text": ({"crash": None}, "crash: "),
    "a number": ({"crash": 1}, "crash: "),
    "with an unknown key": ({"crash": "panic", "why": 1}, "why: unknown key"),
    "with a bad argument": ({"crash": "panic", "pages": "many"}, "pages: "),
    "of another type": ({"crash": "panic", "pages": True}, "pages: "),
    "with a number that is none, as its text": ({"crash": "many", "pages": "many"}, "pages: "),
}


@pytest.mark.parametrize(("keys", "words"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_crash_is_no_event(check: Callable[..., Any], keys: dict[str, Any], words: str) -> None:
    report = check([op("range.allocate", pages=1) | keys])
    assert report.status == 2
    assert f":2: {words}" in report.errors
