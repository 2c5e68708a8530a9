"""Reports as pages, in a real browser: stepped through by keys, read by everybody, and never fooled by a trace."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from browser import PHONE, ROOT, Browser, at
from page_tables import PageTables
from selenium.webdriver.common.keys import Keys

from memoracle.commands.drive import Judge, checking
from memoracle.commands.prove import steps_of
from memoracle.console.output import Draft
from memoracle.proofs import evidence
from memoracle.report.drive_report import DriveRun
from memoracle.report.html.pages import write
from memoracle.report.html.proof_page import numbers
from memoracle.report.proof_report import PROVED, REFUTED, ProofRun
from memoracle.report.run import Run
from memoracle.timeline.past import Past

Shown = Callable[..., Path]
EXAMPLES, DEFECTS = ROOT / "examples", ROOT / "tests" / "data" / "defects"
REPLAY = """
from memoracle.impl.buddy import Buddy


def test_replay() -> None:
    # buddy.frees-only-what-is-allocated: only an allocated block is freed, with some words more, so many that they go
    #   on in the next line
    # before: a block
    # due:    true
    buddy = Buddy(3)
    assert buddy.allocate(2) == 0
    assert buddy.reserve(4, 4) is True
    assert buddy.free(0, 2) is True
"""
OPENS_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"
HOSTILE = (
    "<script>document.title = 'x'</script>",
    "</script><script>document.title = 'x'</script>",
    '"><img src=x onerror="document.title = 1">',
    "<!--<script>",
    "\u202eofni\u0007\u0085\u2028{{ 7 * 7 }}",
)


def proofs() -> ProofRun:
    """A run of `prove` in which a claim is refuted; nothing is asked of a solver."""
    results = [piece.unsettled for piece in evidence.pieces(["pat", "buddy"], False, True)]
    results = [replace(each, verdict=PROVED, seconds=0.25, rlimit=1234) for each in results]
    place = next(place for place, each in enumerate(results) if each.name == "buddy.free.refines")
    why = f"page is 0: {HOSTILE[0]}"
    results[place] = replace(results[place], verdict=REFUTED, counterexample=why)
    replays = {"buddy": REPLAY}
    return ProofRun("x64-2m", results, replays, ["the solver"], 1.5, steps=lambda: steps_of(results, replays))


def written(folder: Path, run: Run) -> Path:
    draft = Draft(None)
    write(run, draft)
    (folder / "index.html").write_text(draft.getvalue(), encoding="ascii")
    return folder / "index.html"


def test_nothing_in_a_trace_is_more_than_text(browser: Browser, shown: Shown, tmp_path: Path) -> None:
    events: list[dict[str, object]] = [{"memoracle": 1}, {"op": "frame.allocate", "result": "0x400000"}]
    events += [
        {"op": "frame.free", "address": "0x400000", "error": each, "_note": each, f"_{each}": 1} for each in HOSTILE
    ]
    trace = tmp_path / "<img src=x onerror=alert(1)>\u202e.jsonl"
    trace.write_text("".join(f"{json.dumps(each)}\n" for each in events), encoding="utf-8")
    page = shown("check", str(trace), "--keep-going")
    text = page.read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert not any(each in text for each in ("\u202e", "\u0007", "\u0085", "\u2028"))
    browser.show(page)
    assert browser.ask("document.title").startswith("diverges: ")
    assert browser.ask("[...document.querySelectorAll('img, script:not(#data)')].length") == 1, "its own script"
    headings = browser.texts("h2")
    assert any("_note=<script>document.title = 'x'</script>" in each for each in headings)
    assert any("\\u202eofni\\x07\\x85\\u2028{{ 7 * 7 }}" in each for each in headings)
    assert any(HOSTILE[2] in each for each in browser.texts(".now"))
    assert "\\u202e.jsonl" in browser.texts("h1")[0]
    assert browser.complaints() == []
    assert {each.partition(":")[0] for each in browser.requests()} <= {"file", "data"}


def test_the_policy_of_a_page_lets_nothing_else_run(browser: Browser, shown: Shown) -> None:
    """What were put into a page would neither run nor ask a network for anything."""
    page = shown("check", str(EXAMPLES / "diverging.jsonl"))
    text = page.read_text(encoding="utf-8")
    added = "<script>document.title = 'x'</script><img src='http://127.0.0.1:9/x'><p onclick='x()' id=p></p></body>"
    page.write_text(text.replace("</body>", added), encoding="utf-8")
    browser.show(page)
    assert browser.ask("document.title") != "x"
    refused = " ".join(browser.complaints())
    assert "script-src" in refused
    assert "img-src" in refused


@pytest.mark.parametrize("kind", ["timeline", "bars", "proofs", "snapshot", "conforming"])
def test_everybody_can_read_it(browser: Browser, shown: Shown, tmp_path: Path, kind: str) -> None:
    """By axe-core, contrast among it; and on a phone, where nothing but what has bars of its own is too wide."""
    page = {
        "timeline": lambda: shown("check", str(EXAMPLES / "diverging.jsonl"), "--keep-going"),
        "bars": lambda: shown("check", str(EXAMPLES / "overlapping.jsonl")),
        "proofs": lambda: written(tmp_path, proofs()),
        "snapshot": lambda: shown("snapshot", str(EXAMPLES / "spaces.txt")),
        "conforming": lambda: shown("check", str(EXAMPLES / "conforming.jsonl"), status=0),
    }[kind]()
    browser.show(page)
    browser.keep(f"{kind}-light")
    browser.ask(OPENS_ALL)
    assert browser.violations() == []
    browser.show(page, "dark")
    browser.keep(f"{kind}-dark")
    browser.ask(OPENS_ALL)
    assert browser.violations("color-contrast") == []
    browser.show(page, size=PHONE)
    browser.keep(f"{kind}-phone")
    browser.resize(*PHONE)
    assert browser.overhang() == 0
    browser.ask(OPENS_ALL)
    assert browser.overhang() == 0
    assert browser.complaints() == []
    assert browser.requests() - {"data:,"} == {page.as_uri()}


def test_what_drive_asked_is_a_timeline(tmp_path: Path) -> None:
    """No browser is needed to see that."""
    lines = (EXAMPLES / "diverging.jsonl").read_bytes().splitlines()
    result = Judge("legal")(iter(lines))
    past = Past(checking("legal").watched, tuple(lines))
    run = DriveRun("<b>./kernel.sh", result, lines, 7, 9, "seed 7: 9 calls", None, 0.1, past=past)
    text = written(tmp_path, run).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*)</script>', text)
    assert found is not None
    (timeline,) = json.loads(found[1])["timelines"]
    assert [step["place"] for step in timeline["steps"]] == [f"line {line}" for line in range(2, 11)]
    assert "<h1>&lt;b&gt;./kernel.sh</h1>" in text
    assert '<p class="lead said">seed 7: 9 calls</p>' in text
    assert '<span class="soft">the run:10</span>' in text
    kept = written(tmp_path, replace(run, kept="kernel.failures/1.jsonl")).read_text(encoding="utf-8")
    assert '<span class="soft">kernel.failures/1.jsonl:10</span>' in kept


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """The ratio of https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""

    def luminance(colour: tuple[int, int, int]) -> float:
        parts = [each / 255 for each in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_are_far_enough_apart(browser: Browser, shown: Shown) -> None:
    """Of texts that axe-core cannot decide, and of what is drawn."""
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    page = shown("check", str(EXAMPLES / "overlapping.jsonl"))
    texts = {("ink", each) for each in ("card", "paper", "accent-soft", "bad-soft")}
    texts |= {(each, "card") for each in ("soft", "accent", "good", "bad", "mark")}
    texts |= {(f"{each}-ink", each) for each in ("free", "used", "fixed")}
    texts |= {("soft", "paper"), ("accent", "paper"), ("good", "good-soft"), ("bad", "bad-soft")}
    drawn = {("used", "card"), ("used", "free"), ("strong-rule", "card"), ("bad", "card"), ("mark", "free")}
    for scheme in ("light", "dark"):
        browser.show(page, scheme)
        found = {pair: contrast(browser.colour(pair[0]), browser.colour(pair[1])) for pair in texts | drawn}
        assert {pair: ratio for pair, ratio in found.items() if ratio < (4.5 if pair in texts else 3)} == {}, scheme
        assert (sum(browser.colour("paper")) < 3 * 128) == (scheme == "dark")


def test_rooms_say_what_is_proved_and_how_it_fails(browser: Browser, tmp_path: Path) -> None:
    browser.show(written(tmp_path, proofs()))
    assert browser.texts(".room h3") == ["pat", "buddy"]
    assert browser.texts("h1 + .badge") == ["✗ refuted"]
    room = "document.getElementById('room-buddy').textContent"
    assert browser.ask(f"{room}.includes('all of the block is free')")
    assert browser.ask(f"{room}.includes('buddy.free-runs-lie-in-one-block.begins')")
    assert "buddy.free.refines" in browser.texts("h2.mono")
    assert any(HOSTILE[0] in each for each in browser.texts("pre"))
    assert at(browser) == 3
    assert browser.texts(".says") == [
        "Only an allocated block is freed, with some words more, so many that they go on in the next line"
    ]
    assert browser.texts(".broken dd") == ["before: a block", "true"]
    assert "range.free address=0xffffffff00000000 pages=2" in browser.texts(".now")[0]
    browser.press(Keys.HOME)
    assert "range.allocate pages=2" in browser.texts(".now")[0]
    assert browser.ask("document.querySelectorAll('.node.changed').length") > 0
    assert browser.complaints() == []


def test_one_component_is_one() -> None:
    rooms = [{"clauses": ["one"]}, {"clauses": ["another"]}]
    for some, said in ((rooms[:1], ["1 component", "1 clause"]), (rooms, ["2 components", "2 clauses"])):
        assert [f"{each['count']} {each['name']}" for each in numbers(proofs(), some)][:2] == said


def test_keys_step_through_what_a_snapshot_breaks(browser: Browser, shown: Shown) -> None:
    browser.show(shown("snapshot", str(EXAMPLES / "spaces.txt")))
    seen = []
    for _ in range(3):
        seen.append((at(browser), browser.texts(".broken .clause")[0], browser.texts(".broken .message")[0]))
        browser.press(Keys.ARROW_RIGHT)
    assert [step for step, _, _ in seen] == [1, 2, 3]
    assert seen[0][1:] == (
        "tables.walks-to-the-kernel-are-alike",
        "4,096 bytes are not mapped, but mapped to 0xb8000 (-G---C--W) in space 0",
    )
    assert seen[2][1] == "snapshot.one-memory-type"
    assert browser.texts(".panel h4") == ["Space 0", "The space of the finding"]
    assert browser.complaints() == []


def test_a_dump_shows_the_entries_of_each_top_level_table(shown: Shown, tmp_path: Path) -> None:
    """The second space lacks an entry of the kernel's, which is marked."""
    tables = PageTables()
    first, second = tables.space(), tables.space()
    for root in (first, second):
        tables.map(root, 0x400000, 0x5000)
    tables.map(first, 0xFFFF880000000000, 0x6000)
    (tmp_path / "memory").write_bytes(tables.memory())
    text = shown("snapshot", str(tmp_path / "memory"), f"--cr3={first:#x}", f"--cr3={second:#x}").read_text(
        encoding="utf-8"
    )
    entry = int.from_bytes(tables.memory()[first + 8 * 272 : first + 8 * 273], "little")
    halves = re.findall(r'<div class="half" role="img" aria-label="([^"]*)">(.*?)</div>', text)
    assert [says.count("0x") for says, _ in halves] == [1, 1, 1, 1]
    assert halves[1][0] == f"272: {entry:#x}"
    assert halves[3][0] == "272: 0x0"
    assert [entries.count("<i") for _, entries in halves] == [256] * 4
    found = re.search(r'<script type="application/json" id="data">(.*)</script>', text)
    assert found is not None
    (timeline,) = json.loads(found[1])["timelines"]
    step = timeline["steps"][0]
    tables = [timeline["parts"][timeline["states"][step[key]]["tables"]][0]["entries"] for key in ("before", "after")]
    assert tables == [{"272": f"{entry:#x}"}, {"272": "0x0"}]
    assert step["names"]["entries"] == [[0, 272]]
    assert [re.findall(r'class="([^"]*)"', entries) for _, entries in halves] == [
        ["is-used"],
        ["is-used"],
        ["is-used"],
        ["changed"],
    ]
