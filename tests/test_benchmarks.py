"""The benchmarks run, and what they compare agrees; no time is asserted."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from memoracle.diagnostics.levels import EXACT, LEGAL, Rules
from memoracle.proofs import registry
from memoracle.proofs.components.buddy import law as buddy_law
from memoracle.proofs.obligations import law_obligations
from memoracle.replay.dispatch import Replay
from memoracle.spec import blocks
from memoracle.trace.decoding import EVENT
from memoracle.trace.geometry import geometry_from

ROOT = Path(__file__).parent.parent
SMALL = 5  # bits
CORRUPTIONS = 100
DRIVEN = "blocks of a buddy system in C"


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the benchmarks, which are not installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_benchmarks_run(part: Any) -> None:
    missing = part("states").missing
    arguments = [sys.executable, "-m", "benchmarks", "--events", "150", "--piped", "150", "--depth", "2"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "│"]
    assert {tuple(row[:2]) for row in rows if len(row) == 8} == {
        *((f"2^{bits} frames", level) for bits in (11, 20, 26) for level in (LEGAL, EXACT)),
        ("2^26 frames, picked at random", LEGAL),
        *((f"{what} of 2^20 frames", level) for what in ("runs", "blocks") for level in (LEGAL, EXACT)),
        *((f"buddy of order {bits}", level) for bits in (11, 20, 26) for level in (LEGAL, EXACT)),
        *(("runs of 2^20 pages", level) for level in (LEGAL, EXACT)),
        ("mappings of 2^20 pages", LEGAL),
    }
    assert len([row for row in rows if len(row) == 3]) == 11 + 3 + 3
    targets = [row for row in rows if len(row) == 4 and row[0].endswith(("a second", "MB"))]
    assert [row[:2] for row in targets] == [
        ["2^11 frames, events a second", "1,500,000"],
        ["2^20 frames, events a second", "1,000,000"],
        ["buddy of order 11, events a second", "1,500,000"],
        ["buddy of order 20, events a second", "1,000,000"],
        ["2^20 frames, MB", "100"],
        ["2^26 frames, picked at random, MB", "200"],
    ]
    rows = [row for row in rows if row not in targets]
    assert [row[0] for row in rows if len(row) == 4] == [
        "heap",
        "heap in an arena",
        "kmem log, mid-run",
        "kmem log, from boot",
        DRIVEN,
        "pat",
    ]
    by = ["the reference"] if missing() else ["the reference", "Spin"]
    assert [row[:3] for row in rows if len(row) == 5] == [[each, "26", "82"] for each in by]
    # Of so few calls `drive` may make less than half of Hypothesis's in a second, which is 0 times as many.
    rows = [row[:3] if row[0] == DRIVEN else row for row in rows]
    told = [cell for row in rows for cell in row[2:] if cell != "-"]  # nothing may be compiled
    assert all(float(cell.replace(",", "")) > 0 for cell in told)


def test_a_speed_that_is_not_reached_says_why(part: Any) -> None:
    speed, targets, workload = part("speed"), part("targets"), part("workloads").WORKLOADS[0]

    def reached(check: float, compiled: float | None, level: str = LEGAL) -> list[Any]:
        return list(targets.speed_reached([speed.Speeds(workload, level, check, compiled, 1e5, 1e6, 1e4, 8e6)]))

    [fast], [compiled], [slow] = reached(1.5e6, None), reached(1e6, 1.6e6), reached(1e6, 1.25e6)
    assert (fast.met, fast.reached, fast.why) == ("yes", "1,500,000", None)
    assert (compiled.met, compiled.reached, compiled.why) == ("compiled", "1,000,000; 1,600,000 compiled", None)
    assert slow.met == "no"
    assert "an event takes 800 ns. To decode its line takes 125," in slow.why
    assert reached(1.0, None, EXACT) == []


def test_memory_is_met_only_with_all_the_events(part: Any) -> None:
    targets, most = part("targets"), 100 * 10**6
    peaks = dict.fromkeys(targets.MEMORY, most)
    assert [each.met for each in targets.memory_reached(peaks, targets.PIPED)] == ["yes", "yes"]
    assert "with 150 events" in next(targets.memory_reached(peaks, 150)).met
    over = dict.fromkeys(targets.MEMORY, most + 1)
    assert [each.met for each in targets.memory_reached(over, targets.PIPED)] == ["no", "yes"]


def test_states_that_disagree_are_no_measurement(part: Any) -> None:
    states = part("states")
    with pytest.raises(states.Disagreement, match=r"Spin: 27 states, 82 transitions, not \(26, 82\)"):
        states.agreed(2, states.Visiting("Spin", 27, 82, 1.0))


def test_plain_intervals_refuse_what_overlaps_or_is_not_live(part: Any) -> None:
    heap = part("heap")
    plain, start = heap.PlainIntervals(), heap.START
    assert plain.made(start, 64)
    assert not plain.made(start + 32, 32)
    assert not plain.made(start - 32, 64)
    assert not plain.made(start + 68, 8)
    assert plain.made(start + 64, 8)
    assert plain.deleted(start)
    assert not plain.deleted(start)


def test_plain_pages_refuse_what_is_in_use_is_free_or_misaligned(part: Any) -> None:
    plain = part("kmem").PlainPages()
    assert plain.accepts(True, 16, 2)
    assert not plain.accepts(True, 18, 0)
    assert not plain.accepts(False, 17, 1)
    assert plain.accepts(False, 16, 1)
    assert not plain.accepts(False, 16, 2)
    assert plain.accepts(True, 16, 1)


RECORDED = [("frames", False), ("frames", True), ("ranges", False), ("pages", False)]


@pytest.mark.parametrize(("kind", "scattered"), RECORDED)
@pytest.mark.parametrize("level", [LEGAL, EXACT])
def test_plain_model_agrees_with_check(part: Any, kind: str, scattered: bool, level: str) -> None:
    """On a whole trace, and where one event of it is changed: up to there, and there."""
    workload, plain = part("workloads").Workload(kind, SMALL, scattered), part("plain")
    if kind == "ranges":
        geometry = geometry_from({"preset": "x64-4k", "process_range": {"start": 0, "pages": 1 << SMALL}})
        assert workload.geometry == geometry
    lines = list(workload.lines(400))

    def verdicts(trace: list[bytes]) -> tuple[bool, bool]:
        found = list(Replay(Rules(workload.geometry, level), "trace").divergences(trace))
        return not found, plain.refused(plain.model(workload, level == EXACT), trace) == 0

    assert verdicts(lines) == ((not scattered or level == LEGAL),) * 2
    chance, refused = random.Random(1), 0
    for _ in range(CORRUPTIONS):
        place = chance.randrange(1, len(lines))
        changed = [*lines[:place], corrupted(lines[place], chance)]
        checker, model = verdicts(changed)
        assert checker == model, changed[-1]
        refused += not checker
    assert refused > CORRUPTIONS // 10


def corrupted(line: bytes, chance: random.Random) -> bytes:
    """The same event about another place, or that failed."""
    event = {key: value for key, value in msgspec.json.decode(line).items() if key not in ("result", "error")}
    address = chance.randrange(-1, (1 << SMALL) + 2) * 4096 + chance.choice([0, 0, 0, 8])
    if "address" in event:
        event["address"] = address
    else:
        event |= {"result": address} if chance.random() < 0.8 else {"error": "none"}
    changed = msgspec.json.encode(event)
    EVENT.decode(changed)
    return changed


@pytest.mark.parametrize("kind", ["runs", "blocks"])
def test_plain_model_agrees_with_check_of_runs(part: Any, kind: str) -> None:
    """On a whole trace, and where one answer of it is changed: up to there, and there."""
    workload, plain = part("workloads").Workload(kind, SMALL), part("plain")
    lines = list(workload.lines(400))
    for level in workload.levels:
        assert not list(Replay(Rules(workload.geometry, level), "trace").divergences(lines))
    assert plain.refused(plain.model(workload, False), lines) == 0
    given = [place for place, line in enumerate(lines) if b"result" in line]
    for line in (lines[given[3]], b'{"op":"frame.allocate","count":2,"result":0}\n'):  # once more, and the image
        changed = [*lines[: given[3] + 1], line]
        (found,) = Replay(Rules(workload.geometry, LEGAL), "trace").divergences(changed)
        assert found.line == len(changed) + 1
        assert plain.refused(plain.model(workload, False), changed) == 1


def test_plain_model_agrees_with_check_of_mappings(part: Any) -> None:
    """On a whole trace, and where a page is mapped twice, unmapped twice, or is none."""
    workload, plain = part("workloads").Workload("mappings", 11), part("plain")
    lines = list(workload.lines(400))
    assert not list(Replay(Rules(workload.geometry, LEGAL), "trace").divergences(lines))
    assert plain.refused(plain.model(workload, False), lines) == 0
    mapped = next(place for place, line in enumerate(lines) if b"page.map" in line)
    unmapped = next(place for place, line in enumerate(lines) if b"page.unmap" in line)
    misaligned = b'{"op":"page.map","process":1,"virtual":"0x8","physical":"0x0"}\n'
    for last, line in ((mapped, lines[mapped]), (unmapped, lines[unmapped]), (mapped, misaligned)):
        changed = [*lines[: last + 1], line]
        (found,) = Replay(Rules(workload.geometry, LEGAL), "trace").divergences(changed)
        assert found.line == len(changed) + 1
        assert plain.refused(plain.model(workload, False), changed) == 1


@pytest.mark.parametrize("kind", ["frames", "runs", "blocks", "ranges", "pages", "mappings"])
def test_state_machine_takes_its_steps(part: Any, kind: str) -> None:
    assert part("machines").run(part("workloads").Workload(kind, 11), 300) >= 100


def test_searches_find_the_last_of_the_runs(part: Any) -> None:
    found = list(part("searching").searching(50))
    assert len(found) == 3
    assert all(each.reference > 0 < each.plain for each in found)


@pytest.mark.long
def test_work_that_is_shared_gets_the_same_answers(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sharing = part("sharing")
    monkeypatch.setattr(sharing, "FILES", 2)
    monkeypatch.setattr(sharing, "COMPONENTS", ("pat",))
    rows = list(sharing.sharing(120))
    assert [each.name for each in rows] == [
        "check of 2 traces, 120 events",
        "check of one trace, 120 events",
        "prove pat",
        "drive, 120 calls",
    ]
    assert [each.peer is None for each in rows] == [False, True, False, False]
    assert all(each.one > 0 < each.two and each.cluster > 0 for each in rows)
    monkeypatch.setattr(part("sharing"), "sharing", lambda events: iter(rows))
    assert part("__main__").sharing_table(120).row_count == len(rows)


def test_answers_that_differ_where_work_is_shared_are_no_measurement(part: Any) -> None:
    sharing, script = part("sharing"), "import sys; sys.stdout.write(sys.stdin.read())"

    def said(text: str) -> Any:
        return sharing.ran([sys.executable, "-c", script], text.encode())

    first, second = (
        "a.jsonl: conforms: 1,000 events, at level legal\n",
        "b.jsonl: conforms: 24 events, at level legal\n",
    )
    one, two = said(first + second), said(second + first)
    assert one.answer == two.answer == (frozenset([b"conforms"]), 1024)
    assert sharing.compared("check", one, two, one, None).peer is None
    for other in (first, second + first.replace("conforms", "diverges"), ""):
        with pytest.raises(sharing.Disagreement, match="check: "):
            sharing.compared("check", one, two, one, said(other))
    with pytest.raises(sharing.Disagreement):
        sharing.compared("check", said(""), said(""), said(""), None)
    with pytest.raises(SystemExit, match="status 1"):
        sharing.ran([sys.executable, "-c", "raise SystemExit(1)"])


def test_refused_trace_has_no_speed(part: Any) -> None:
    speed, workloads = part("speed"), part("workloads")
    workload = workloads.Workload("frames", SMALL)
    line = b'{"op":"frame.allocate","result":0}\n'
    for measure in (speed.replayed, speed.modelled, speed.as_a_command):
        with pytest.raises(speed.Disagreement):
            measure(workload, LEGAL, [line])


def test_growth_measures_proofs_at_each_largest_size_and_then_states(part: Any) -> None:
    growth = part("growth")
    few = replace(growth.GROWTHS[0], obligations=("buddy.merge.keeps-bounds",), largest=[4, 52], tried=[1, 2])
    found = list(growth.costs(few))
    assert [cost.size for cost in found] == ["any up to 4", "any up to 52", "1", "2"]
    assert [cost.states for cost in found] == [None, None, 5, 26]
    assert found[0].rlimit > 0 < found[1].rlimit != found[0].rlimit  # of two sizes, each has a cost of its own
    assert buddy_law.DEEPEST == 52
    names = [obligation.name for obligation in registry.obligations([])]
    for each in growth.GROWTHS:
        assert all(any(name.startswith(begin) for name in names) for begin in each.obligations)
        assert 1 < each.states(each.tried[0]) < each.states(each.tried[1])
    assert {each.component for each in growth.GROWTHS} == set(registry.COMPONENTS)


def test_growth_is_none_of_what_is_not_proved(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    growth = part("growth")
    unguarded = replace(buddy_law.LAW, operations=[replace(blocks.split, guard=())])
    monkeypatch.setattr(registry, "obligations", lambda names: list(law_obligations.obligations(unguarded)))
    with pytest.raises(growth.NotProvedError, match="is refuted of any up to 4 depth"):
        list(growth.costs(replace(growth.GROWTHS[0], largest=[4])))
