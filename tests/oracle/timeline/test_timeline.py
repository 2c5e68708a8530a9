"""What led to a divergence: which events are steps, and the state before and after each."""

from __future__ import annotations

import json
from pathlib import Path

from timelines import PAGE, Event, allocate, checked, free, led_to, state_of, written

from memoracle.timeline.course import MOST_EARLIER, MOST_STEPS, MOST_TIMELINES
from memoracle.timeline.neighbourhood import MOST, neighbourhood
from memoracle.timeline.past import CHANGED, ONCE, Past

RUNS = {"frame_allocator": "runs", "frame_free_parts": "whole", "range_allocator": "runs"}


def test_the_last_steps_and_those_that_are_named(tmp_path: Path) -> None:
    (timeline,) = led_to(written(tmp_path, [allocate(5), *[allocate(4), free(4)] * 40, allocate(5)]))
    lines = [step.line for step in timeline.steps]
    assert lines == [2, *range(83 - MOST_STEPS + 1, 84)]
    assert [step.passed_over for step in timeline.steps] == [0, 57, *[0] * (MOST_STEPS - 1)]
    first, last = timeline.steps[0], timeline.steps[-1]
    assert (state_of(first.before, 5), state_of(first.after, 5)) == ("free", "in use")
    assert (state_of(last.before, 5), state_of(last.after, 5)) == ("in use", "in use")
    assert last.before["frames"]["free"] == 13
    for step, following in zip(timeline.steps[1:], timeline.steps[2:], strict=False):
        assert step.whole[1] == following.whole[0]
    assert timeline.divergence.finding.clause == "bitmap.allocates-only-free"


def test_earlier_lines_are_few(tmp_path: Path) -> None:
    """The finding names every block of a long list."""
    blocks = [
        {"op": "range.reserve", "process": 0, "address": hex(0xFFFFFFFF00000000 + page * PAGE), "pages": 1}
        for page in range(2, 16)
    ]
    again = [allocate(4), free(4)] * MOST_STEPS
    (timeline,) = led_to(written(tmp_path, [*blocks, *again, blocks[7]]))
    assert [step.line for step in timeline.steps[:-MOST_STEPS]] == list(range(6, 13))
    assert len(timeline.steps) <= MOST_STEPS + MOST_EARLIER


def test_a_timeline_for_each_of_the_first_divergences(tmp_path: Path) -> None:
    path = written(tmp_path, [allocate(frame // 2 + 2) for frame in range(20)])
    outcomes, past = checked(path, "--keep-going")
    found, why = past.timelines(outcomes[0])
    assert [each.divergence.line for each in found] == list(range(3, 3 + 2 * MOST_TIMELINES, 2))
    assert why == "What led to it is drawn of the first ones only."


def test_blocks_of_a_buddy_system(tmp_path: Path) -> None:
    events = [{"op": "process.create", "result": 1}, {"op": "range.allocate", "process": 1, "pages": 2, "result": 0}]
    (timeline,) = led_to(written(tmp_path, [*events, {**events[1]}]))
    created, allocated, wrong = timeline.steps
    assert "ranges" not in created.before, "there is no such process"
    (before,), (after,) = allocated.before["ranges"], allocated.after["ranges"]
    assert [(each["page"], each["pages"], each["state"]) for each in before["pieces"]] == [(0, 16, "free")]
    assert [(each["page"], each["pages"], each["state"]) for each in after["pieces"]] == [
        (0, 2, "in use"),
        (2, 2, "free"),
        (4, 4, "free"),
        (8, 8, "free"),
    ]
    assert after["is_buddy"] is True
    assert wrong.names.pages == {1: {0: None}}


def test_runs_of_frames_and_of_pages(tmp_path: Path) -> None:
    events: list[Event] = [
        allocate(2, count=3),
        {"op": "range.allocate", "process": 0, "pages": 3, "result": hex(0xFFFFFFFF00000000 + 2 * PAGE)},
        free(5, count=1, error="no"),
        free(3, count=1),
    ]
    (timeline,) = led_to(written(tmp_path, events, **RUNS))
    assert "ranges" not in timeline.steps[-1].before, "neither this step nor the first names any"
    last = timeline.steps[-1].whole[0]
    runs = [(each["page"], each["pages"], each["state"]) for each in last["frames"]["runs"]]
    assert runs == [(0, 2, "never free"), (2, 3, "in use"), (5, 11, "free")]
    (area,) = last["ranges"]
    assert area["is_buddy"] is False
    assert [(each["pages"], each["state"]) for each in area["pieces"]] == [
        (2, "never free"),
        (3, "in use"),
        (11, "free"),
    ]


def test_tables_pages_and_heap(tmp_path: Path) -> None:
    events: list[Event] = [
        {"op": "process.create", "result": 1},
        {"op": "pml4.write", "process": 0, "index": 300, "value": "0x1003"},
        {"op": "pml4.write", "process": 1, "index": 3, "value": "0x2003"},
        {"op": "page.map", "process": 1, "virtual": 0, "physical": 4 * PAGE},
        {"op": "heap.new", "bytes": 64, "result": "0xffffffff00400000"},
        {"op": "page.unmap", "process": 1, "virtual": 0},
        {"op": "pml4.read", "process": 1, "index": 300, "result": "0x5003"},
    ]
    (timeline,) = led_to(written(tmp_path, events))
    steps = {step.line: step for step in timeline.steps}
    tables = {each["process"]: each["entries"] for each in steps[8].after["tables"]}
    assert tables[0]["300"] == tables[1]["300"] == "0x1003"
    assert tables[1]["3"] == "0x2003"
    assert "3" not in tables[0]
    assert {each["process"] for each in steps[3].before["tables"]} == {0, 1}
    assert [each["shows"] for each in steps[5].before["mapped"]] == [None]
    assert steps[5].after["mapped"][0]["shows"] == "0x800000 write-back writable user executable"
    assert steps[7].after["mapped"][0]["shows"] is None
    assert "heap" not in steps[6].before
    assert steps[6].after["heap"] == [{"address": "0xffffffff00400000", "bytes": 64, "line": 6}]


def test_what_is_named_and_not_drawn_is_counted(tmp_path: Path) -> None:
    far = [allocate(64 * word + 8) for word in range(1, 7)]
    (timeline,) = led_to(written(tmp_path, [*far, far[2]], frames=1024))
    last, fifth = timeline.steps[-1], timeline.steps[4]
    assert [word["first"] for word in last.before["frames"]["words"]] == [192]
    assert [word["first"] for word in fifth.before["frames"]["words"]] == [192, 320], "its own, and what diverges later"
    assert (state_of(fifth.before, 328), state_of(fifth.after, 328), fifth.left_out) == ("free", "in use", 0)
    assert len(last.whole[0]["frames"]["words"]) == 4
    long = allocate(64, count=512)
    (timeline,) = led_to(written(tmp_path, [long, long], frames=1024, **RUNS))
    assert [(len(step.after["frames"]["words"]), step.left_out) for step in timeline.steps] == [(4, 4), (4, 4)]


def test_the_second_trace_of_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, [allocate(4)])
    path.write_text(path.read_text(encoding="utf-8") + path.read_text(encoding="utf-8") + json.dumps(allocate(4)))
    (timeline,) = led_to(path, "--split")
    assert [step.line for step in timeline.steps] == [4, 5]


def test_after_a_crash(tmp_path: Path) -> None:
    """What is drawn is of the machine that runs then."""
    boot = {"op": "boot", "memory_map": [{"start": 0, "length": 16 * PAGE, "type": 1}]}
    crash = {"op": "frame.free", "address": 5 * PAGE, "crash": "panic"}
    (first, second) = led_to(written(tmp_path, [boot, allocate(5), crash, boot, free(5)]), "--keep-going")
    assert (first.steps[-1].line, second.steps[-1].line) == (4, 6)
    assert [state_of(step.after, 5) for step in second.steps] == ["free", "in use", "in use", "free", "free"]


def test_why_there_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, [allocate(0)])
    outcomes, past = checked(path)
    path.write_text("{}", encoding="utf-8")
    assert past.timelines(outcomes[0]) == ([], CHANGED)
    path.unlink()
    assert Past(past.again).timelines(outcomes[0]) == ([], ONCE)
    outcomes, past = checked(written(tmp_path, [allocate(4)]))
    assert past.timelines(outcomes[0]) == ([], "")


def test_the_neighbourhood_of_a_window() -> None:
    """Of any number of operations only what was under way nearest to the window."""

    def operation(place: int) -> Event:
        return {
            "op": "frame.free_count",
            "result": 1,
            "_cpu": place % 3,
            "_call": 10 * place,
            "_return": 10 * place + 15,
        }

    events = [operation(place) for place in range(1000)]
    window = [(place + 2, events[place]) for place in (500, 501)]
    found = neighbourhood(window, 2, (json.dumps(each).encode() for each in events))
    assert [line for line, _ in found.operations] == list(range(492, 514))
    assert found.inside == {502, 503}
    assert found.left_out == (0, 1000 - 2 - MOST)
    alone = neighbourhood(window, 2, ())
    assert alone.operations == tuple(window)


def test_numbers_that_no_machine_has(tmp_path: Path) -> None:
    """They are drawn as far as there is something to draw, and no further."""
    huge = [-1, -(1 << 70), 1 << 52, 1 << 63, (1 << 64) - 1, 1 << 200]
    events: list[Event] = [{"op": "process.create", "result": 1}]
    for each in huge:
        events += [
            {"op": "frame.allocate", "from": each, "below": each, "alignment": each, "result": each},
            {"op": "frame.free", "address": each, "order": each, "error": "no"},
            {"op": "range.free", "process": 1, "address": each, "pages": each},
            {"op": "page.map", "process": each, "virtual": each, "physical": each},
            {"op": "page.map", "process": 1, "virtual": each, "physical": 0},
            {"op": "pml4.write", "process": 1, "index": each, "value": each},
            {"op": "heap.new", "bytes": 8, "result": each},
            {"op": "kernel_pages.allocate", "pages": each, "result": each},
            {"op": "process.exit", "process": each},
        ]
    path = written(tmp_path, events, frame_allocator="buddy")
    outcomes, past = checked(path, "--keep-going")
    found, _ = past.timelines(outcomes[0])
    assert outcomes[0].fault is None
    assert len(found) == MOST_TIMELINES


def test_a_refusal_names_nothing_but_its_finding_does(tmp_path: Path) -> None:
    (timeline,) = led_to(
        written(tmp_path, [allocate(4, count=2), {"op": "frame.allocate", "count": 3, "error": "no"}], **RUNS)
    )
    assert [word["first"] for word in timeline.steps[-1].before["frames"]["words"]] == [0]
    refused = {"op": "range.allocate", "process": 0, "pages": 2, "error": "no"}
    (timeline,) = led_to(written(tmp_path, [refused]))
    assert [each["pages"] for each in timeline.steps[-1].before["ranges"][0]["pieces"]] == [2, 2, 4, 8]
    no_frame = {"op": "frame.allocate", "error": "no"}
    (timeline,) = led_to(written(tmp_path, [allocate(4), free(4), no_frame]))
    assert state_of(timeline.steps[-1].before, 4) == "free", (
        "where it names nothing, what the other steps name is drawn"
    )
