"""What led to an operation that has no place in any order: the longest order that was found, as far as it goes."""

from __future__ import annotations

from pathlib import Path

from timelines import Event, allocate, checked, free, led_to, state_of, written

from memoracle.timeline.course import MOST_STEPS
from memoracle.timeline.past import NO_ORDER


def at(event: Event, cpu: int, call: int, returned: int) -> Event:
    return {**event, "_cpu": cpu, "_call": call, "_return": returned}


def test_an_order_that_is_not_that_of_the_lines(tmp_path: Path) -> None:
    """The free takes effect before the allocation that it overlaps, although it stands after it."""
    events = [
        at(allocate(5), 0, 1, 2),
        at(allocate(5), 1, 3, 6),
        at(free(5), 0, 4, 5),
        at(allocate(4), 0, 7, 10),
        at(allocate(4), 1, 8, 9),
    ]
    (timeline,) = led_to(written(tmp_path, events))
    lines = [step.line for step in timeline.steps]
    assert timeline.kind == "order"
    assert lines[:3] == [2, 4, 3]
    assert sorted(lines[3:]) == [5, 6]
    assert lines[-1] == timeline.divergence.line
    assert [step.passed_over for step in timeline.steps] == [0] * 5
    assert [state_of(step.whole[1], 5) for step in timeline.steps] == ["in use", "free", *["in use"] * 3]
    assert timeline.steps[0].event["_call"] == 1


def test_the_last_operations_and_those_that_are_named(tmp_path: Path) -> None:
    boot = {"op": "boot", "memory_map": [{"start": 0, "length": 16 << 21, "type": 1}]}
    pairs = [
        at(each, 1, 10 + 4 * turn + 2 * place, 11 + 4 * turn + 2 * place)
        for turn in range(20)
        for place, each in enumerate((allocate(4), free(4)))
    ]
    (timeline,) = led_to(written(tmp_path, [boot, at(allocate(5), 0, 1, 2), *pairs, at(allocate(5), 0, 200, 201)]))
    lines = [step.line for step in timeline.steps]
    assert (lines[0], lines[-1], len(lines)) == (3, 44, MOST_STEPS + 1)
    assert [state_of(timeline.steps[-1].before, frame) for frame in (4, 5)] == ["free", "in use"]


def test_several_that_have_no_place(tmp_path: Path) -> None:
    events = [at(allocate(frame // 2 + 2), 0, 10 * frame, 10 * frame + 1) for frame in range(6)]
    found = led_to(written(tmp_path, events), "--keep-going")
    assert [each.steps[-1].line for each in found] == [3, 5, 7]
    assert [len(each.steps) for each in found] == [2, 4, 6]


def test_why_there_is_none(tmp_path: Path) -> None:
    outcomes, past = checked(written(tmp_path, [at(allocate(5), 0, 1, 2), at(allocate(5), 0, 3, 4)]))
    outcomes[0].order = ()
    assert past.timelines(outcomes[0]) == ([], NO_ORDER)
