"""Which events are steps, which lines a finding speaks of, and what is near a window: at the limits of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kmem_events import FAILED, HEADER, alloc
from timelines import allocate, checked, led_to, written

from memoracle.diagnostics.divergence import Divergence, Finding
from memoracle.timeline.course import MOST_EARLIER, MOST_STEPS, named_in, of_order, steps_to
from memoracle.timeline.neighbourhood import MOST_OF_WINDOW, neighbourhood


def test_of_many_earlier_lines_the_last_are_steps() -> None:
    lines = range(2, 200)
    named = {line: line - 2 for line in (*range(2, 40), 400)}
    assert steps_to(lines, named) == [*range(40 - MOST_EARLIER, 40), *range(200 - MOST_STEPS, 200)]


def test_a_finding_names_lines_in_its_message_and_in_both_states() -> None:
    before, after = {"blocks": [{"line": 4}, {"line": None}]}, {"block": {"line": 5}}
    finding = Finding("a.b", "", "in use (by line 3), outline 9", "", before, after)
    assert sorted(named_in(finding)) == [3, 4, 5]


def test_a_divergence_without_a_place_in_the_order_is_no_other_ones() -> None:
    finding = Finding("a.b", "", "", "")
    without, with_place = (Divergence("a.jsonl", line, allocate(4), finding) for line in (9, 3))
    course = of_order([without, with_place], [2, 3], 2, lambda: iter(()))
    assert (course.divergences, course.wanted) == ([with_place], [[2, 3]])


def log_of(folder: Path, *lines: str) -> Path:
    path = folder / "kmem.txt"
    path.write_text("".join(f"{line}\n" for line in (HEADER, *lines)), encoding="utf-8")
    return path


def test_a_block_that_ends_where_a_word_begins_is_not_near_it(tmp_path: Path) -> None:
    (timeline,) = led_to(log_of(tmp_path, alloc(0xFC0, 6), alloc(0x1000), alloc(0x1000)))
    assert [step.line for step in timeline.steps] == [3, 4]
    assert [step.left_out for step in timeline.steps] == [0, 0]


def test_an_allocation_that_failed_is_about_no_page(tmp_path: Path) -> None:
    (timeline,) = led_to(log_of(tmp_path, alloc(1), FAILED, alloc(1)))
    assert [step.line for step in timeline.steps] == [2, 4]


def test_an_object_is_as_large_as_the_allocator_made_it(tmp_path: Path) -> None:
    start = 0xFFFF88003DD83000
    sizes = "bytes_req=60 bytes_alloc=64 gfp_flags=GFP_KERNEL"
    made = f"  sh-1 [000] .... 1.0: kmalloc: call_site=f+0x1/0x2 ptr={start:016x} {sizes}"
    gone = f"  sh-1 [000] .... 1.0: kfree: call_site=f+0x1/0x2 ptr={start:016x}"
    (timeline,) = led_to(log_of(tmp_path, made, gone, made, made))
    (pieces,) = (slab["pieces"] for slab in timeline.steps[0].after["slabs"])
    assert (pieces[0]["page"], pieces[0]["pages"], pieces[0]["state"]) == (0, 64, "in use")


def test_of_two_traces_in_a_file_each_has_what_led_to_it(tmp_path: Path) -> None:
    other = written(tmp_path, [allocate(5), allocate(6), allocate(5)]).read_text(encoding="utf-8")
    path = written(tmp_path, [allocate(4), allocate(4)])
    path.write_text(path.read_text(encoding="utf-8") + other, encoding="utf-8")
    outcomes, past = checked(path, "--split")
    found = [past.timelines(each)[0][0] for each in (*outcomes, *outcomes)]
    assert [[step.line for step in each.steps] for each in found] == [[2, 3], [5, 6, 7]] * 2


def test_a_call_that_never_returns_is_under_way_to_the_end() -> None:
    def operation(call: int, returned: int | None) -> dict[str, Any]:
        times = {"_call": call} | ({} if returned is None else {"_return": returned})
        return {"op": "frame.free_count", "result": 1, **times}

    far = [operation(10 * place, 10 * place + 1) for place in range(2, 60)]
    events = [operation(0, None), *far, operation(1000, 1001)]
    found = neighbourhood([(61, events[-1])], 2, (json.dumps(each).encode() for each in events))
    assert {2, 61} <= {line for line, _ in found.operations}, "the first one was under way all the time"
    assert len(far) > len(found.operations)


def test_of_a_long_window_the_first_operations_are_drawn() -> None:
    event = {"op": "frame.free_count", "result": 1, "_call": 1, "_return": 2}
    window = [(line, event) for line in range(2, 2 + MOST_OF_WINDOW + 3)]
    found = neighbourhood(window, 2, ())
    assert len(found.operations) == MOST_OF_WINDOW
    assert found.left_out[0] == 3
