"""What led to a divergence in a log of kmem events: what is known of its pages, or of objects near, at each step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kmem_events import HEADER, LOST, alloc, free
from timelines import checked, led_to, state_of

from memoracle.timeline.course import MOST_EARLIER, MOST_STEPS
from memoracle.timeline.timeline import Timeline
from memoracle.timeline.views import View

SLAB = 0xFFFF88003DD83000
OTHER = 0xFFFF880012340000


def made(pointer: int, size: int = 64, form: str = "{:016x}") -> str:
    sizes = f"bytes_req={size} bytes_alloc={size} gfp_flags=GFP_KERNEL"
    return f"  sh-1 [000] .... 1.0: kmalloc: call_site=f+0x1/0x2 ptr={form.format(pointer)} {sizes}"


def gone(pointer: int, form: str = "{:016x}") -> str:
    return f"  sh-1 [000] .... 1.0: kfree: call_site=f+0x1/0x2 ptr={form.format(pointer)}"


def log_of(folder: Path, *lines: str) -> Path:
    path = folder / "kmem.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def lines_of(timeline: Timeline) -> list[int]:
    return [step.line for step in timeline.steps]


def objects(view: View) -> list[tuple[int, int, str]]:
    """The distance from the page's start, the bytes, and the state of what is drawn of the first page."""
    return [(each["page"], each["pages"], each["state"]) for each in view["slabs"][0]["pieces"]]


def test_the_last_events_about_the_pages_of_a_block(tmp_path: Path) -> None:
    far = [alloc(0x9000 + page) for page in range(5)]
    log = log_of(tmp_path, HEADER, alloc(0x1000, 2), *far, free(0x1001), "# a comment", free(0x1000, 2))
    (timeline,) = led_to(log)
    assert timeline.kind == "log"
    assert lines_of(timeline) == [2, 8, 10]
    assert [step.passed_over for step in timeline.steps] == [0, 5, 0]
    assert timeline.steps[1].event == {"op": "mm_page_free", "pfn": 0x1001, "order": 0}
    first, second, last = timeline.steps
    assert [state_of(first.before, page) for page in range(0x1000, 0x1005)] == ["not seen"] * 5
    assert [state_of(first.after, page) for page in range(0x1000, 0x1005)] == ["in use"] * 4 + ["not seen"]
    assert state_of(second.after, 0x1001) == "free"
    assert second.whole[1] == last.whole[0]
    blocks = [(each["page"], each["pages"], each["state"]) for each in last.before["frames"]["runs"]]
    assert blocks == [
        (0x1000, 1, "in use"),
        (0x1001, 1, "free"),
        (0x1002, 2, "in use"),
        (0x1004, 60, "not seen"),
    ]
    assert "free" not in last.before["frames"], "how many are free no log says"


def test_earlier_events_that_are_named(tmp_path: Path) -> None:
    again = [each for _ in range(40) for each in (alloc(0x1018), free(0x1018))]
    (timeline,) = led_to(log_of(tmp_path, alloc(0x1000), *again, alloc(0x1000)))
    assert lines_of(timeline) == [1, *range(82 - MOST_STEPS + 1, 83)]
    pages = [alloc(0x1000 + page) for page in range(16)]
    (timeline,) = led_to(log_of(tmp_path, *pages, *again, alloc(0x1000, 4)))
    assert lines_of(timeline)[:MOST_EARLIER] == [*range(9, 17)]


def test_of_a_large_block_what_is_wrong_with_it_is_drawn(tmp_path: Path) -> None:
    (timeline,) = led_to(log_of(tmp_path, alloc(0x1300), alloc(0x1000, 10)))
    assert 0x1300 in [word["first"] for word in timeline.steps[-1].before["frames"]["words"]]
    assert lines_of(timeline) == [1, 2]
    assert timeline.steps[-1].left_out == 6


def test_pages_that_are_no_memory(tmp_path: Path) -> None:
    (tmp_path / "boot.txt").write_text("BIOS-e820: [mem 0x0000000000000000-0x0000000000ffffff] usable\n")
    log = log_of(tmp_path, alloc(0xFFF), alloc(0x1000))
    (timeline,) = led_to(log, "--from-boot", "--memory-map", str(tmp_path / "boot.txt"))
    assert state_of(timeline.steps[-1].before, 0x1000) == "missing"


def test_where_events_were_lost_nothing_is_known(tmp_path: Path) -> None:
    (timeline,) = led_to(log_of(tmp_path, alloc(0x1000), LOST, alloc(0x1001), alloc(0x1001)))
    assert lines_of(timeline) == [1, 3, 4]
    states = [[state_of(step.after, page) for page in (0x1000, 0x1001)] for step in timeline.steps]
    assert states == [["in use", "not seen"], ["not seen", "in use"], ["not seen", "in use"]]


def test_objects_of_the_page_in_the_order_of_their_addresses(tmp_path: Path) -> None:
    events = [made(SLAB + 64), made(OTHER), made(SLAB), gone(SLAB + 0x800), gone(SLAB + 64), made(SLAB, 128)]
    (timeline,) = led_to(log_of(tmp_path, *events))
    assert lines_of(timeline) == [1, 3, 4, 5, 6]
    freed, last = timeline.steps[-2:]
    assert objects(freed.after) == [
        (0, 64, "in use"),
        (64, 64, "free"),
        (128, 0x800 - 128, "not seen"),
        (0x800, 1, "free"),
        (0x801, 0x1000 - 0x801, "not seen"),
    ]
    assert freed.after["slabs"][0]["start"] == hex(SLAB)
    assert [each.get("unsized", False) for each in freed.after["slabs"][0]["pieces"]] == [False] * 3 + [True, False]
    assert objects(last.after)[0] == (0, 128, "in use"), "what was freed there is from another time"


def test_an_object_of_which_a_hash_is_known(tmp_path: Path) -> None:
    (timeline,) = led_to(log_of(tmp_path, made(0x62400820), gone(0x62400820), made(0x1234), gone(0x62400820)))
    assert lines_of(timeline) == [1, 2, 4]
    assert [step.after["slabs"][0] for step in timeline.steps] == [
        {"hash": "0x62400820", "state": "in use", "line": 1},
        {"hash": "0x62400820", "state": "free", "line": 2},
        {"hash": "0x62400820", "state": "free", "line": 4},
    ]


def test_findings_that_were_held(tmp_path: Path) -> None:
    """That frees are recorded is known only later; then what was found before is a fault, and drawn as it was."""
    log = log_of(tmp_path, made(SLAB), made(SLAB), made(SLAB + 64), gone(SLAB + 64), alloc(0x10), alloc(0x10))
    first, second = led_to(log, "--keep-going")
    assert (lines_of(first), lines_of(second)) == ([1, 2], [5, 6])
    assert objects(first.steps[-1].before)[0] == (0, 64, "in use")


def test_a_line_that_cannot_be_read_follows(tmp_path: Path) -> None:
    outcomes, past = checked(log_of(tmp_path, alloc(0x1000), alloc(0x1000), alloc(0x1).replace("pfn=0x1", "pfn=x")))
    found, why = past.timelines(outcomes[0])
    assert (why, lines_of(found[0])) == ("", [1, 2])


def test_a_log_in_json_and_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [alloc(0x1000), alloc(0x1000)]
    entries = [json.dumps({"MESSAGE": line, "_TRANSPORT": "kernel", "__CURSOR": "x"}) for line in lines]
    (timeline,) = led_to(log_of(tmp_path, *entries))
    assert lines_of(timeline) == [1, 2]
    with log_of(tmp_path, *lines).open(encoding="utf-8") as text:
        monkeypatch.setattr("sys.stdin", text)
        outcomes, past = checked("-")
        found, why = past.timelines(outcomes[0])
    assert (why, lines_of(found[0])) == ("", [1, 2])
