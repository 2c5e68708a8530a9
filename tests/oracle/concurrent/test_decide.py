"""Whether a recording of overlapping operations conforms, held against trying every order."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from memoracle.concurrent import windows
from memoracle.diagnostics.levels import EXACT, LEGAL
from memoracle.report.bars import has_no_order
from tests.oracle.concurrent.histories import (
    HISTORIES,
    KERNEL,
    PAGE,
    Blocks,
    ByAddress,
    changed,
    decided,
    has_legal_order,
    nodes_up_to,
    overlapping,
    search_up_to,
)

SEEDS = 10


@pytest.mark.parametrize("level", [LEGAL, EXACT])
@pytest.mark.parametrize("kind", HISTORIES)
def test_the_verdict_is_that_of_all_orders(kind: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = []
    for seed in range(SEEDS):
        chance = (Random if level == LEGAL else ByAddress)(f"{kind} {seed}")
        events = HISTORIES[kind](chance, 7)
        if seed % 3 and events:
            place = chance.randrange(len(events))
            events[place] = changed(events[place], chance)
        history = overlapping(events, chance, chance.randint(2, 3), chance.choice((5, 15, 40)))
        chance.shuffle(history)
        monkeypatch.setattr(windows, "FIRST_LOOK", 1 if seed % 2 else 24)
        found = decided(kind, history, level)
        assert not found.unknown
        verdicts.append(not found.divergences)
        assert verdicts[-1] == has_legal_order(kind, history, level), (seed, history)
    assert True in verdicts


OVERLOOKED = {
    "a window began within what was left behind": [("runs", 17), ("runs", 52)],
    "blocks of two sizes at one address": [("heap", 419), ("heap", 837), ("heap", 1168)],
}


@pytest.mark.parametrize(("kind", "seed"), [each for some in OVERLOOKED.values() for each in some])
def test_no_order_is_overlooked(kind: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order of each is legal: that in which it was made up. Short windows, looked for soon, stand for long ones."""
    chance = Random(f"{kind} {seed}")
    monkeypatch.setattr(windows, "FIRST_LOOK", 1)
    monkeypatch.setattr(windows, "REACH", chance.choice((1, 2, 4, 8, 16)))
    events = HISTORIES[kind](chance, chance.choice((15, 40, 80)))
    history = overlapping(events, chance, chance.choice((3, 6, 8)), chance.choice((15, 40, 80, 200)))
    assert not decided(kind, history, steps=100_000).divergences


def test_an_order_up_to_a_moment_need_not_go_on() -> None:
    """A guess that puts all in order that returned up to it is one, although what it goes on with is not legal."""
    calls = [
        ("allocate", 3, 1, 0, 0, 30),
        ("free", 3, 1, 4, 0, 200),
        ("allocate", 0, 4, 2, 7, 120),
        ("allocate", 4, 4, 5, 34, 110),
        ("free", 4, 4, 1, 0, 130),
        ("free", 0, 4, 0, 43, 70),
        ("allocate", 2, 4, 0, 70, 80),
        ("free", 2, 4, 0, 80, 90),
        ("allocate", 4, 2, 0, 90, 100),
        ("allocate", 7, 1, 0, 100, 166),
        ("free", 7, 1, 5, 110, 140),
        ("allocate", 0, 1, 2, 120, 180),
        ("allocate", 4, 4, 3, 59, 230),
    ]
    history: list[dict[str, Any]] = [
        {
            "op": f"frame.{op}",
            "count": count,
            ("result" if op == "allocate" else "address"): frame * PAGE,
            "_cpu": cpu,
            "_call": call,
            "_return": end,
        }
        for op, frame, count, cpu, call, end in calls
    ]
    assert search_up_to("runs", history, 120).run()
    assert decided("runs", history).divergences  # the last one returns, too


At = tuple[dict[str, Any], int, int, int]  # an event, its processor, its call and its return


def at(*calls: At) -> list[dict[str, Any]]:
    return [{**event, "_cpu": cpu, "_call": call, "_return": end} for event, cpu, call, end in calls]


def test_a_range_may_be_of_the_process_that_ends_or_of_the_next_one() -> None:
    """Which of both it is of decides what there is afterwards: those are two places in which a search may stand."""
    of = {"process": 1}
    history = at(
        ({"op": "process.create", "result": 1}, 0, 0, 1),
        ({"op": "process.exit", **of}, 1, 2, 3),
        ({"op": "process.create", "result": 1}, 2, 2, 3),
        ({"op": "range.allocate", **of, "pages": 3, "result": 0}, 0, 3, 4),
        ({"op": "range.size", **of, "address": 0, "result": 4}, 2, 4, 5),
        ({"op": "range.allocate", **of, "pages": 2, "result": 6 * PAGE}, 0, 6, 7),
    )
    assert not decided("ranges", history).divergences
    history[-1]["result"] = 2 * PAGE  # within what lives, or used to live
    assert decided("ranges", history).divergences


def test_what_is_given_back_without_a_count_may_be_of_several_sizes() -> None:
    """Of blocks that were reserved, too: which of them is left of a reservation and a return decides what is free."""
    frame = {"address": 5 * PAGE}
    reserved = at(
        ({"op": "frame.reserve", **frame, "count": 1}, 1, 0, 1),
        ({"op": "frame.reserve", **frame, "count": 3}, 2, 1, 2),
        ({"op": "frame.free", **frame}, 3, 1, 2),
        ({"op": "frame.reserve", "address": 6 * PAGE, "count": 1}, 4, 3, 4),
        ({"op": "frame.free", "address": 6 * PAGE}, 0, 4, 5),
    )
    assert not decided("whole runs", reserved).divergences
    one_by_one = [{**each, "_call": 2 * place, "_return": 2 * place + 1} for place, each in enumerate(reserved)]
    assert decided("whole runs", one_by_one).divergences
    block = {"address": 4 * PAGE}
    counted = at(
        ({"op": "frame.free", **block}, 0, 0, 1),
        ({"op": "frame.allocate", "order": 2, "result": 4 * PAGE}, 1, 1, 3),
        ({"op": "frame.reserve", **block, "count": 2}, 3, 1, 2),
        ({"op": "frame.reserve", "address": 0, "count": 4}, 0, 2, 3),
        ({"op": "frame.free_count", "result": 2}, 3, 3, 4),
    )
    assert not decided("blocks", counted).divergences
    assert decided("blocks", [*counted[:-1], {**counted[-1], "result": 1}]).divergences


def test_a_return_without_a_count_is_about_all_that_was_given_there() -> None:
    """The second frame of the run is in use until the run is given back, which must not come first."""
    run, frame = {"address": 0}, {"address": 5 * PAGE, "count": 1}
    history = at(
        ({"op": "frame.reserve", **run, "count": 2}, 0, 0, 1),
        ({"op": "frame.reserve", **frame}, 0, 2, 3),
        ({"op": "frame.free", **run}, 0, 10, 30),
        ({"op": "frame.reserve", **frame}, 1, 10, 20),
        ({"op": "frame.is_free", "address": PAGE, "result": False}, 1, 21, 35),
        ({"op": "frame.free", **frame}, 2, 10, 40),
    )
    for level in (LEGAL, EXACT):
        assert not decided("whole runs", history, level).divergences
    history[2]["_return"] = 20
    assert decided("whole runs", history).divergences


def allocated(frame: int, count: int = 1) -> dict[str, Any]:
    return {"op": "frame.allocate", "count": count, "result": frame * PAGE}


def freed(frame: int, count: int = 1) -> dict[str, Any]:
    return {"op": "frame.free", "address": frame * PAGE, "count": count}


@pytest.mark.parametrize(
    ("kind", "events", "left"),
    [
        ("whole runs", [allocated(0), allocated(0), freed(0)], [2]),
        ("whole runs", [allocated(0), freed(0), allocated(4, 2), freed(6)], [5, 4]),
        ("whole runs", [freed(0, 3), allocated(0, 1)], None),  # of another size: they do not undo one another
        ("whole runs", [allocated(0, 1), allocated(0, 3)], None),
        ("runs", [allocated(0), freed(0)], None),  # of which a part may be given back
        ("frames, trusting", [freed(3), {"op": "frame.allocate", "result": 3 * PAGE}], None),  # it may be free before
    ],
)
def test_what_undoes_one_another_is_left_out_where_it_is_known(
    kind: str, events: list[dict[str, Any]], left: list[int] | None
) -> None:
    nodes = nodes_up_to(kind, at(*((event, 0, 2 * place, 2 * place + 1) for place, event in enumerate(events))))
    found = windows.Cut(nodes[-1].returned + 1, nodes, nodes, set()).net([])
    assert (None if found is None else [node.line for node in found]) == left


def test_two_that_exclude_one_another_are_a_window_among_many_others() -> None:
    """Up to the return of the one that ends first there is an order without the other: that alone shows nothing."""
    frame, chance = {"op": "frame.allocate", "result": 5 * PAGE}, Random(1)
    others, blocks = list[dict[str, Any]](), Blocks(chance, range(2, 5))
    for _ in range(120):
        if chance.random() < 0.5 and (found := blocks.take(1)) is not None:
            others.append({"op": "frame.allocate", "result": found * PAGE})
        elif block := blocks.give():
            others.append({"op": "frame.free", "address": block[0] * PAGE})
        else:
            others.append({"op": "frame.free_count", "result": blocks.free + 1})
    history = overlapping(others, chance, 6, 80) + at((frame, 20, 600, 800), (frame, 21, 620, 630))
    [divergence] = decided("frames", history, EXACT, steps=100_000).divergences
    assert len(divergence.window) < 20


def test_a_window_at_exact_does_not_begin_where_only_the_order_that_was_found_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lowest frame that is free when all else has happened is not the one that was lowest in between."""
    monkeypatch.setattr(windows, "FIRST_LOOK", 1)
    history = at(
        ({"op": "frame.allocate", "result": 2 * PAGE}, 0, 0, 1),
        ({"op": "frame.allocate", "result": 3 * PAGE}, 0, 2, 3),
        ({"op": "frame.allocate", "result": 4 * PAGE}, 1, 4, 5),
        ({"op": "frame.free", "address": 4 * PAGE}, 1, 5, 8),
        ({"op": "frame.allocate", "result": 4 * PAGE}, 2, 6, 9),
        ({"op": "frame.free", "address": 2 * PAGE}, 3, 7, 7),
        ({"op": "frame.free", "address": 3 * PAGE}, 2, 9, 10),
    )
    assert not decided("frames", history, EXACT).divergences
    history[4]["result"], history[6]["_call"] = 3 * PAGE, 10  # which is in use then
    assert decided("frames", history, EXACT).divergences


def test_tables_are_the_lowest_frames_at_exact_whatever_else_happens_then() -> None:
    history = at(
        ({"op": "frame.allocate", "result": 2 * PAGE}, 0, 0, 1),
        ({"op": "frame.allocate", "result": 3 * PAGE}, 0, 2, 3),
        ({"op": "frame.free", "address": 2 * PAGE}, 0, 4, 6),
        ({"op": "process.create", "tables": [4 * PAGE], "result": 1}, 1, 4, 7),
    )
    assert not decided("ranges", history, EXACT).divergences
    history[-1]["_call"] = 7
    assert decided("ranges", history, EXACT).divergences


def many(count: int, processors: int = 8, frames: int = 6) -> list[dict[str, Any]]:
    chance = Random(1)
    return overlapping(HISTORIES["frames"](chance, count), chance, processors, 80)


def test_a_long_recording_conforms() -> None:
    found = decided("frames", many(1500))
    assert not found.divergences
    assert found.replay.coverage.failed


@pytest.mark.parametrize("op", ["frame.allocate", "frame.free_count", "frame.free"])
def test_one_wrong_event_of_many_is_found_in_a_short_window(op: str) -> None:
    history = many(300, processors=4)
    place = next(each for each in range(250, 300) if history[each]["op"] == op and "error" not in history[each])
    wrong = {"frame.allocate": {"result": PAGE}, "frame.free_count": {"result": 5}, "frame.free": {"address": PAGE}}[op]
    history[place] |= wrong
    found = decided("frames", history)
    divergence = found.divergences[0]
    assert place + 2 <= divergence.line <= place + 12
    assert divergence.line in {line for line, _ in divergence.window}
    assert len(divergence.window) <= 8


def test_all_divergences_are_found_if_all_are_wanted() -> None:
    history = many(120, processors=4)
    counts = [each for each in range(120) if history[each]["op"] == "frame.free_count"]
    wrong = {counts[1]: 5, counts[-2]: 6}
    for place, count in wrong.items():
        history[place]["result"] = count
    found = decided("frames", history, keep_going=True)
    assert [each.line for each in found.divergences] == [place + 2 for place in wrong]


def test_a_budget_that_runs_out_leaves_it_unknown() -> None:
    found = decided("frames", many(200), steps=100)
    assert (found.unknown, found.divergences) == (True, [])


def test_what_an_entry_reads_as_binds_only_until_mappings_change() -> None:
    read, entry = {"op": "pml4.read", "index": 511}, 7 * PAGE | 1
    history: list[dict[str, Any]] = [
        {**read, "result": 0, "_cpu": 0, "_call": 0, "_return": 100},
        {**read, "result": entry, "_cpu": 1, "_call": 1, "_return": 10},
        {"op": "page.map", "virtual": 0xFFFF << 48 | 1 << 47, "physical": PAGE, "_cpu": 1, "_call": 20, "_return": 30},
    ]
    assert not decided("pages", history).divergences
    history[0]["_return"] = 15
    [divergence] = decided("pages", history).divergences
    assert divergence.finding.clause == "kernel_half.equal-at-rest"


def test_a_crash_is_found_after_what_overlaps_it() -> None:
    history: list[dict[str, Any]] = [
        {"op": "frame.allocate", "crash": "panic", "_cpu": 0, "_call": 1},
        {"op": "frame.allocate", "result": 2 * PAGE, "_cpu": 1, "_call": 2, "_return": 5},
        {"op": "frame.free", "address": 2 * PAGE, "_cpu": 1, "_call": 6, "_return": 7},
    ]
    found = decided("frames", history)
    assert [(each.line, each.finding.clause) for each in found.divergences] == [(2, "frame.allocate.must-not-crash")]
    assert found.replay.unjudged == 0


def raced(frame: int, start: int) -> list[dict[str, Any]]:
    """Two calls that overlap are given one frame, while others are about another one, and ask."""
    calls: list[tuple[dict[str, Any], int, int, int]] = [
        ({"op": "frame.allocate", "result": frame * PAGE}, 0, 0, 9),
        ({"op": "frame.allocate", "result": frame * PAGE}, 1, 1, 8),
        ({"op": "frame.allocate", "result": 2 * PAGE}, 2, 2, 3),
        ({"op": "frame.is_free", "address": 2 * PAGE, "result": False}, 3, 3, 4),
        ({"op": "frame.free", "address": 2 * PAGE}, 2, 4, 9),
    ]
    return [{**event, "_cpu": cpu, "_call": start + call, "_return": start + end} for event, cpu, call, end in calls]


def test_windows_have_only_what_matters() -> None:
    found = decided("frames", [*raced(5, 0), *raced(4, 20)], keep_going=True)
    assert [[line for line, _ in each.window] for each in found.divergences] == [[2, 3], [7, 8]]
    assert not any(each.window_is_cut_short for each in found.divergences)


def test_two_that_exclude_one_another_are_a_window_if_one_was_under_way_all_the_time() -> None:
    """Up to the return of the shorter one there is an order: that without the longer one."""
    frame, other = ({"op": "frame.allocate", "result": place * PAGE} for place in (5, 3))
    free = {"op": "frame.free", "address": 3 * PAGE}
    calls = [(each, 0, 2 * place, 2 * place + 1) for place, each in enumerate([other, free] * 10 + [other])]
    calls += [(frame, 1, 50, 60), (free, 0, 51, 52), (frame, 0, 53, 54)]
    found = decided(
        "frames", [{**event, "_cpu": cpu, "_call": call, "_return": end} for event, cpu, call, end in calls]
    )
    assert [[line for line, _ in each.window] for each in found.divergences] == [[23, 25]]


def test_a_window_says_that_the_budget_ended_before_it_was_the_shortest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "SHORTENING", 0)
    [divergence] = decided("frames", raced(5, 0)).divergences
    assert divergence.window_is_cut_short
    assert has_no_order(divergence.window, cut_short=True).endswith(
        "have no legal order; whether fewer have none is not known, since the budget ended"
    )


def test_pages_of_long_recordings_are_decided_by_the_calls_about_them() -> None:
    """Each page is mapped in many ways, so that what it shows depends on the order; but not on other pages."""
    history: list[dict[str, Any]] = []
    for place in range(400):
        page = {"virtual": KERNEL + place // 2 % 4 * PAGE}
        event = {"op": "page.unmap", **page} if place % 2 else {"op": "page.map", **page, "physical": place % 6 * PAGE}
        history.append({**event, "_cpu": place % 5, "_call": 10 * place, "_return": 10 * place + 9 + 20 * (place == 8)})
    for cpu, frame in enumerate((2, 3), 6):
        event = {"op": "page.map", "virtual": KERNEL, "physical": frame * PAGE}
        history.append({**event, "_cpu": cpu, "_call": 5000 + cpu, "_return": 5010})
    [divergence] = decided("pages, kept", history, steps=5000).divergences
    assert [line for line, _ in divergence.window] == [402, 403]
