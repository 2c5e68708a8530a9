"""How a state is drawn beside the one before it, and what is said of what changed, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import ROOT, Browser

Shown = Callable[..., Path]
DEFECTS = ROOT / "tests" / "data" / "defects"
SECOND_PAGE = "0xffffffff00200000"  # of a block of two pages that is taken at start
EVENTS: list[dict[str, Any]] = [
    {"memoracle": 1},
    {"op": "pml4.write", "process": 0, "index": 300, "value": "0x1003"},
    *[{"op": "pml4.write", "process": 0, "index": index, "value": "0x2003"} for index in range(301, 313)],
    {"op": "page.map", "process": 0, "virtual": "0xffffffff00800000", "physical": "0x800000"},
    {"op": "heap.new", "bytes": 64, "result": "0xffffffff00400000"},
    {"op": "heap.new", "bytes": 0, "result": "0xffffffff00400100"},
    *[{"op": "process.create", "result": process} for process in range(1, 4)],
    {"op": "heap.delete", "address": "0xffffffff00400000"},
    {"op": "range.allocate", "process": 0, "pages": 2, "result": "0xffffffff00400000"},
    {"op": "range.allocate", "process": 0, "pages": 1, "result": SECOND_PAGE},
]
TITLES = "[...document.querySelectorAll(arguments[0])].map(each => each.title)"
NAMED = "[...document.querySelectorAll('.tree .named')].map(each => each.title)"


@pytest.fixture
def machine(browser: Browser, shown: Shown, tmp_path: Path) -> Callable[[int], None]:
    """Shows what led to a divergence; goes to the step of a line."""
    trace = tmp_path / "trace.jsonl"
    trace.write_text("".join(f"{json.dumps(each)}\n" for each in EVENTS), encoding="utf-8")
    browser.show(shown("check", str(trace)))

    def go(line: int) -> None:
        browser.ask("document.querySelectorAll('.steps button')[arguments[0] - 2].click()", line)
        assert f"line {line}: " in browser.texts(".now")[0]

    return go


def test_each_kind_of_state_is_drawn(browser: Browser, machine: Callable[[int], None]) -> None:
    """What the call that diverges is about comes first."""
    machine(15)
    assert browser.texts(".kind h3") == ["Buddy tree of the kernel's range", "Frames", "What is mapped"]
    mapped = "0x800000 write-back writable executable"
    assert browser.texts(".changes li") == [
        "frame 4: free, then free, shown by 1 use",
        f"page 0xffffffff00800000 of process 0: not mapped, then {mapped} by line 15",
    ]
    assert browser.texts(".changed-row td") == [
        *("0", "0xffffffff00800000", "nothing", ""),
        *("0", "0xffffffff00800000", mapped, "15"),
    ]
    assert browser.texts(".word + .soft") == ["2,046 frames free in all"] * 2
    first = "[...document.querySelectorAll('.word')].map(each => each.firstChild.dataset.first)"
    assert browser.ask(first) == ["0", "0"]
    machine(17)
    assert browser.texts(".kind:nth-child(2) .panel:nth-child(2) b") == ["64", "192", "?"], "nothing has no size"
    machine(14)
    halves = "[...document.querySelectorAll('.half')].map(each => [each.children.length, each.firstChild.title])"
    assert browser.ask(halves) == [[256, "entry 256: 0x0"]] * 2
    assert [each.rpartition("; ")[2] for each in browser.texts(".halves .mono")] == ["and 5 more"] * 2
    assert browser.ask(TITLES, ".half .changed") == ["entry 312: 0x0", "entry 312: 0x2003"]
    assert browser.complaints() == []


def test_what_comes_and_goes_is_told(browser: Browser, machine: Callable[[int], None]) -> None:
    """A process that is not drawn any more has not gone."""
    machine(20)
    said = browser.texts(".changes li")
    assert said[:2] == ["process 3: new, lives", "entry 300 of process 3: new, 0x1003"]
    assert (len(said), said[-1]) == (13, "and 2 more")
    assert browser.texts(".panel .panel .now") == ["▲ process 3"]
    assert "processes that are not drawn: 1" in browser.texts(".panel > .soft")
    machine(21)
    assert browser.texts(".changes li") == ["heap block at 0xffffffff00400000: gone, was 64 bytes by line 16"]


def test_a_tree_of_blocks_is_drawn_to_scale(browser: Browser, machine: Callable[[int], None]) -> None:
    machine(23)
    block = "2 pages at 0xffffffff00000000: never free"
    assert browser.ask(NAMED) == [block] * 2, "its second page is named"
    tree = browser.ask(
        "[...document.querySelector('.tree').children].map(each => {"
        " const box = each.getBoundingClientRect(); return [each.textContent, box.left, box.right]; })"
    )
    splits = {said: (left, right) for said, left, right in tree if said.endswith("split")}
    assert [*splits] == ["128 split", "64 split", "32 split", "16 split", "8 split", "4 split"]
    leaves = [(left, right) for said, left, right in tree if not said.endswith("split")]
    assert splits["128 split"] == (min(left for left, _ in leaves), max(right for _, right in leaves))
    assert splits["4 split"] == (min(left for left, _ in leaves), sorted(right for _, right in leaves)[1])
    label = "document.querySelector('.tree[role=img]').getAttribute('aria-label')"
    assert browser.ask(label).startswith(f"{block}; 2 pages at 0xffffffff00400000: in use by line 22; ")
    assert browser.ask("document.querySelector('.strip').tabIndex") == 0
    machine(22)
    assert browser.ask(NAMED) == [
        "2 pages at 0xffffffff00400000: free",
        "2 pages at 0xffffffff00400000: in use by line 22",
    ], "the block before ends where this one begins"


def test_frames_that_do_not_exist_are_told_apart(browser: Browser, shown: Shown) -> None:
    browser.show(shown("check", str(DEFECTS / "merge-across-a-hole.bad.jsonl")))
    said = browser.ask("document.querySelector('.word').getAttribute('aria-label')").split(", ")
    missing = [each.split() for each in said if each.endswith("missing")]
    drawn = browser.ask(TITLES, ".panel:first-child .word .is-missing")
    assert len(drawn) == sum(int(each[3]) - int(each[1]) + 1 for each in missing) > 0
    assert all(each.endswith(": missing") for each in drawn)


def test_neighbours_that_change_otherwise_are_told_apart(browser: Browser, shown: Shown) -> None:
    """And of what is not drawn it is said how much that is."""
    page = shown("check", str(DEFECTS / "merge-across-a-hole.bad.jsonl"))
    page.write_text(page.read_text(encoding="ascii").replace('"left_out": 0', '"left_out": 3'), encoding="ascii")
    browser.show(page)
    thing = "[`frame ${n}`, {name: `frame ${n}`, says, frame: n, nameTo: (last) => `frames ${n} to ${last}`}]"
    states = f"((...all) => new Map(all.map((says, n) => {thing})))"
    compared = (
        f"compare({states}('free', 'free', 'in use', 'free'), {states}('in use', 'in use', 'free', 'free'), 'then')"
    )
    assert browser.ask(f"{compared}.lines") == ["frames 0 to 1: free, then in use", "frame 2: in use, then free"]
    assert browser.texts(".stage .panel > p") == ["Of what this step names, 3 more are not drawn."]
