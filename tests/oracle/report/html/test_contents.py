"""What stands on a page, as its text has it: no browser is needed to see that it is all there, and what it says."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser import ROOT
from page_tables import LINK, PageTables
from rich.console import Console

from memoracle.console.exit_status import Status
from memoracle.console.output import Draft
from memoracle.diagnostics.divergence import Divergence, Finding
from memoracle.diagnostics.warned import Warned
from memoracle.impl import pte
from memoracle.proofs import evidence
from memoracle.report.check_report import CheckRun, TraceResult
from memoracle.report.drive_report import DriveRun
from memoracle.report.html.pages import write
from memoracle.report.html.snapshot_page import MOST_SPACES
from memoracle.report.html.trace_page import MOST_FINDINGS
from memoracle.report.proof_report import PROVED, REFUTED, VACUOUS, ProofRun, bounds
from memoracle.report.run import Run
from memoracle.snapshot.findings import MOST_KEPT
from memoracle.timeline.past import CHANGED, Past
from memoracle.trace.inputs import InputError

Shown = Callable[..., Path]
EXAMPLES = ROOT / "examples"
HOLDS = TraceResult("a.jsonl", "legal", events=2, checked=2)
FINDING = Finding("a.b", "it holds", "<i>seen</i>", "<i>legal</i>", {"free": 1}, {"free": 2})
BREAKS = Divergence("a.jsonl", 2, {"op": "frame.allocate"}, FINDING)


def text_of(run: Run) -> str:
    write(run, draft := Draft(None))
    return draft.getvalue()


def cells(table: str) -> list[list[str]]:
    """The rows of the body of a table, as they are read."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table.partition("<tbody>")[2].partition("</tbody>")[0])
    return [
        [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)]
        for row in rows
    ]


def test_nothing_is_asked_of_a_network_and_nothing_of_a_trace_is_run() -> None:
    """That the policy is kept a browser shows; this is what it says."""
    hashed = r"'sha256-[A-Za-z0-9+/]{43}='"
    due = f"default-src 'none'; style-src {hashed}; script-src {hashed}; img-src data:"
    due += "; base-uri 'none'; form-action 'none'"
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text_of(CheckRun([HOLDS])))
    assert re.fullmatch(due, unescape(policy))


@pytest.mark.parametrize(
    ("result", "badge"),
    [
        (HOLDS, ("good", "✓ conforms")),
        (replace(HOLDS, divergences=[BREAKS]), ("bad", "✗ diverges")),
        (replace(HOLDS, unknown=True), ("unsure", "? unknown")),
        (replace(HOLDS, checked=0), ("unsure", "? nothing")),
    ],
)
def test_only_what_holds_looks_like_it(result: TraceResult, badge: tuple[str, str]) -> None:
    """As the verdict of the page, and of the trace."""
    found = re.findall(r'<span class="badge (\w+)">([^<]*)</span>', text_of(CheckRun([result])))
    assert [(kind, unescape(said)) for kind, said in found] == [badge] * 2


def test_warnings_and_faults_are_told_where_they_stand() -> None:
    warnings = [Warned("<b>.jsonl", 2, "<i>spurious</i>"), Warned(None, None, "no place")]
    fault = InputError("a.jsonl", 3, "<i>broken</i>")
    text = text_of(CheckRun([replace(HOLDS, warnings=warnings, fault=fault)]))
    assert '<li><span class="mono">&lt;b&gt;.jsonl:2</span>: &lt;i&gt;spurious&lt;/i&gt;</li><li>no place</li>' in text
    assert "<p><strong>a.jsonl:3: &lt;i&gt;broken&lt;/i&gt;</strong></p>" in text


def test_a_divergence_without_a_timeline_has_the_state_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Past, "timelines", lambda *_: ([], CHANGED))
    text = text_of(CheckRun([replace(HOLDS, divergences=[BREAKS])]))
    assert '<p class="clause mono small soft">a.b</p>' in text
    assert re.findall(
        r'<strong class="message">([^<]*)</strong></dd><dt>legal</dt><dd class="legal">([^<]*)<', text
    ) == [("&lt;i&gt;seen&lt;/i&gt;", "&lt;i&gt;legal&lt;/i&gt;")]
    states = re.findall(r"<h4>(\w+)</h4><pre tabindex=\"0\">(.*?)</pre>", text, re.DOTALL)
    assert [(name, said.split()[-1]) for name, said in states] == [("Before", "1"), ("After", "2")]
    assert CHANGED in text
    many = [replace(BREAKS, line=line) for line in range(MOST_FINDINGS + 2)]
    text = text_of(CheckRun([replace(HOLDS, divergences=many)]))
    assert "<p>2 more divergences not shown here: the JSON report has all.</p>" in text
    assert "not shown here" not in text_of(CheckRun([replace(HOLDS, divergences=many[:MOST_FINDINGS])]))


def test_what_a_trace_exercised_is_a_table(shown: Shown) -> None:
    text = shown("check", str(EXAMPLES / "conforming.jsonl"), status=0).read_text(encoding="ascii")
    rows = {row[0]: row[1:] for row in cells(text)}
    assert rows["frame.free"][:2] == ["2", "1"]
    assert rows["frame.allocate"][:2] == ["2", "0"]
    assert rows["frame.free"][2].startswith("bitmap.frame-is-in-reach, ")
    assert "<noscript>" not in text, "nothing is drawn"
    assert "<noscript>" in shown("check", str(EXAMPLES / "first.jsonl")).read_text(encoding="ascii")


def test_of_several_traces_the_first_gives_the_title() -> None:
    for number, title in ((1, "a0"), (2, "a0 and 1 more")):
        run = CheckRun([replace(HOLDS, path=f"a{place}") for place in range(number)])
        assert f"<h1>{title}</h1>" in text_of(run)


def test_branches_that_drive_looked_at_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memoracle.report.html.pages.branches_of", lambda run: "3 of 4 <branches>")
    text = text_of(DriveRun("a.so", HOLDS, [], 1, 2, "", None, 1.0))
    assert '<pre tabindex="0">3 of 4 &lt;branches&gt;</pre>' in text


def test_what_is_mapped_is_a_table(shown: Shown) -> None:
    text = shown("snapshot", str(EXAMPLES / "spaces.txt")).read_text(encoding="ascii")
    mapped = cells(text.partition('id="mapped"')[2])
    assert mapped[0] == ["0", "0x400000", "0x180000", "0x1000", "rwxu-", "index 0 or 4"]
    assert mapped[5] == ["1", "0xffff800000002000", "0xb8000", "0x1000", "rwx-g", "index 0 or 4"]
    assert len(mapped) == 6
    findings = cells(text.partition('aria-label="Findings"')[2])
    assert [seen for _, _, seen, _ in findings][:2] == [
        "4,096 bytes are not mapped, but mapped to 0xb8000 (-G---C--W) in space 0",
        "4,096 bytes are mapped to 0xb8000 (-G------W), but not mapped in space 0",
    ]
    assert re.findall(r'<h3>Space (\d)</h3><p class="small soft mono">[^<]*(:\d+)</p>', text) == [
        ("0", ":2"),
        ("1", ":6"),
    ]


class Besides:
    """Something that `prove` was asked to do besides."""

    key, status = "emit_smt", Status.HOLDS

    def document(self) -> dict[str, Any]:
        return {}

    def tell(self, console: Console) -> None:
        console.print("wrote <three> files")


def test_a_page_of_proofs_says_what_came_of_each_room() -> None:
    results = [piece.unsettled for piece in evidence.pieces(["paging", "buddy"], False, True)]
    results = [replace(each, verdict=PROVED, seconds=0.25, rlimit=1000, cached=False) for each in results]
    failed = next(place for place, each in enumerate(results) if each.name == "buddy.free.refines")
    results[failed] = replace(results[failed], verdict=REFUTED, counterexample="page is <0>")
    results[failed + 1] = replace(results[failed + 1], verdict=VACUOUS)
    run = ProofRun("x64-2m", results, {}, ["the <solver>", "the reader"], 1.5, parts=[Besides()])
    text = unescape(text_of(run))
    assert [row[:3] for row in cells(text)] == [
        ["paging", "✓ proved", str(sum(each.component == "paging" for each in results))],
        ["buddy", "✗ refuted", str(sum(each.component == "buddy" for each in results))],
    ]
    assert bounds(run) in text
    for component, room in zip(("paging", "buddy"), text.split('<section class="card room"')[1:], strict=True):
        holds_room(
            component, room.partition("</section>")[0], [each for each in results if each.component == component]
        )
    assert "<ul><li>the <solver></li><li>the reader</li></ul>" in text
    shared = text.partition("What several rooms share")[2]
    assert '<span class="name mono">addresses.address-is-aligned' in shared.partition("</section>")[0]
    assert "emit smt</h2>" in text
    assert "wrote <three> files</pre>" in text
    for each in results[failed : failed + 2]:
        card = text.partition(f'class="mono">{each.name}</h2>')[2].partition("</section>")[0]
        said = [each.claim, each.source, each.scope, each.counterexample]
        assert [part for part in said if part and part not in card] == []


def holds_room(component: str, room: str, results: Sequence[Any]) -> None:
    """Its numbers are those of its obligations, and each of these is in the list with its verdict."""
    proved = sum(each.verdict == PROVED for each in results)
    assert f"<dd>{proved} of {len(results)} obligations</dd>" in room
    unbounded = int(re.findall(r"(\d+) unbounded", room)[0])
    bounded = sum(map(int, re.findall(r"(\d+) bounded</summary>", room)))
    assert 0 < unbounded == len(results) - bounded
    assert f"<dd>{len(results) / 4:,.1f} s, rlimit {len(results) * 1000:,}</dd>" in room
    score = tomllib.loads((files("memoracle.proofs.mutation") / "scores.toml").read_text("utf-8"))[component]
    due = score["faults"] - score["equivalent"]
    assert re.search(rf"<dd>[\d,]+ of {due:,} seeded faults found", room)
    assert f"(by a proof {score['by_proof']:,}, by a run {score['by_run']:,})" in room
    listed = re.findall(r'<span class="mono">(\S+)</span> — (. \w+),', room.rpartition("All ")[2])
    assert listed == [(each.name, f"{'✓' if each.verdict == PROVED else '✗'} {each.verdict}") for each in results]
    said = int(re.findall(r"<summary>(\d+) clauses of the law", room)[0])
    assert said == room.count('<span class="name mono">') > 10


def test_operations_that_overlap_are_drawn_in_their_lanes(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """And in a table; of what is not drawn it is said how much that is."""
    near = Past.neighbourhood
    monkeypatch.setattr(Past, "neighbourhood", lambda *each: replace(near(*each), left_out=(2, 1)))
    trace = EXAMPLES / "overlapping.jsonl"
    events = [{}, *map(json.loads, trace.read_text(encoding="utf-8").splitlines())]
    text = shown("check", str(trace)).read_text(encoding="ascii")
    for row in cells(text.partition('aria-label="Operations as a table"')[2]):
        event = events[int(row[3])]
        assert (row[2], row[4].split()[0]) == (str(event["_cpu"]), event["op"])
    lanes = {name: int(y) for y, name in re.findall(r'<text class="label" x="8" y="(\d+)">_cpu (\d+)</text>', text)}
    drawn = re.findall(
        r'<title>\d+, line (\d+): .*?<rect class="[^"]*" x="(\d+)" y="(\d+)" width="(\d+)"', text, re.DOTALL
    )
    ends = dict.fromkeys(lanes, 0)
    for line, x, y, width in drawn:
        lane = str(events[int(line)]["_cpu"])
        assert int(y) == lanes[lane] - 18
        assert ends[lane] < int(x), "one ends before the next begins"
        ends[lane] = int(x) + int(width)
    assert len(drawn) == 6
    assert "Not drawn: 2 operations of the window and 1 operation further away." in text
    assert re.search(r'<svg [^>]*aria-label="6 operations on 2 processors; without an order: 5, 6"', text)


def test_steps_say_how_many_events_they_pass_over(shown: Shown, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [{"memoracle": 1}, {"op": "frame.allocate", "result": "0x800000"}]
    events += [{"op": "frame.free_count", "result": 2045}] * 30 + [{"op": "frame.allocate", "result": "0x800000"}]
    trace = tmp_path / "trace.jsonl"
    trace.write_text("".join(f"{json.dumps(each)}\n" for each in events), encoding="utf-8")
    text = shown("check", str(trace)).read_text(encoding="ascii")
    assert re.findall(r'<li class="gap">(.*?)</li>\s*<li [^>]*>line (\d+)', text) == [("7 events left out", "10")]


def test_of_many_spaces_the_first_are_drawn_and_entries_that_differ_are_marked(shown: Shown, tmp_path: Path) -> None:
    """Each space has a table of its own below its entry."""
    tables = PageTables()
    spaces = [tables.space() for _ in range(MOST_SPACES + 2)]
    for root in spaces:
        tables.map(root, 0xFFFF880000000000, 0x6000)
    (tmp_path / "memory").write_bytes(tables.memory())
    page = shown("snapshot", str(tmp_path / "memory"), *(f"--cr3={each:#x}" for each in spaces))
    text = page.read_text(encoding="ascii")
    assert "Each entry is drawn. 2 more spaces not drawn." in text
    halves = re.findall(r'<div class="half" role="img"[^>]*>(.*?)</div>', text)
    marked = [re.findall(r'class="([^"]*)"', each) for each in halves]
    assert marked == [[], ["is-used"]] + [[], ["is-used changed"]] * (MOST_SPACES - 1)


def test_an_entry_that_differs_is_marked_though_no_finding_that_is_kept_names_it(shown: Shown, tmp_path: Path) -> None:
    tables = PageTables()
    full, empty = tables.space(), tables.space()
    upper = range(pte.ENTRIES // 2, pte.ENTRIES)
    assert len(upper) > MOST_KEPT
    below = tables.table()
    tables.words |= {full + 8 * index: below | LINK for index in upper}
    (tmp_path / "memory").write_bytes(tables.memory())
    page = shown("snapshot", str(tmp_path / "memory"), f"--cr3={full:#x}", f"--cr3={empty:#x}")
    halves = re.findall(r'<div class="half" role="img"[^>]*>(.*?)</div>', page.read_text(encoding="ascii"))
    marks = [len(re.findall(r'class="[^"]*changed[^"]*"', each)) for each in halves]
    assert marks[2:] == [0, len(upper)]  # of the second space
