"""What failed, in the Informal Trace Format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from check_command import ROOT
from kmem_events import alloc

from memoracle.cli import main
from memoracle.commands.drive import Judge, checking
from memoracle.console.output import Draft
from memoracle.report import itf
from memoracle.report.proof_report import ProofRun
from memoracle.timeline.past import CHANGED, Past

EXAMPLES = ROOT / "examples"
Written = Callable[..., dict[str, Any]]


@pytest.fixture
def written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Written:
    def run(*arguments: str, status: int = 1) -> dict[str, Any]:
        assert main([*arguments, "--quiet", "--report", f"itf={tmp_path / 'x.itf.json'}"]) == status
        capsys.readouterr()
        found: dict[str, Any] = json.loads((tmp_path / "x.itf.json").read_text(encoding="ascii"))
        assert_is_trace(found)
        return found

    return run


def assert_is_trace(found: dict[str, Any]) -> None:
    """By the rules of https://apalache-mc.org/docs/adr/015adr-trace.html."""
    assert found.keys() <= {"#meta", "params", "vars", "states", "loop"}
    assert all(isinstance(each, str) for each in found["vars"])
    assert len(set(found["vars"])) == len(found["vars"])
    for index, state in enumerate(found["states"]):
        assert state.keys() == {"#meta", *found["vars"]}
        assert state["#meta"]["index"] == index
        for name in found["vars"]:
            assert_is_expression(state[name])


def assert_is_expression(value: Any) -> None:
    if isinstance(value, bool | str):
        return
    if isinstance(value, list):
        for each in value:
            assert_is_expression(each)
        return
    assert isinstance(value, dict), f"{value!r}: a number stands in a #bigint, and there is no null"
    special = {key for key in value if key.startswith("#")}
    if not special:
        for each in value.values():
            assert_is_expression(each)
        return
    ((key, inner),) = value.items()
    assert key in {"#bigint", "#tup", "#set", "#map"}
    if key == "#bigint":
        assert str(int(inner)) == inner
        return
    members = [each for pair in inner for each in pair] if key == "#map" else inner
    assert all(len(pair) == 2 for pair in inner) or key != "#map"
    texts = [json.dumps(pair[0] if key == "#map" else pair, sort_keys=True) for pair in inner]
    assert key == "#tup" or len(set(texts)) == len(texts), "a set has each member once, and a map each key"
    for each in members:
        assert_is_expression(each)


def value(expression: Any) -> Any:
    """What an expression is in Python, a map as a dictionary."""
    if isinstance(expression, dict):
        if "#bigint" in expression:
            return int(expression["#bigint"])
        if "#map" in expression:
            return {value(key): value(each) for key, each in expression["#map"]}
        if "#set" in expression:
            return {value(each) for each in expression["#set"]}
        if "#tup" in expression:
            return tuple(value(each) for each in expression["#tup"])
        return {key: value(each) for key, each in expression.items()}
    return expression


def test_the_first_failure_of_several_traces(written: Written) -> None:
    files = [str(EXAMPLES / name) for name in ("conforming.jsonl", "diverging.jsonl")]
    found = written("check", *files)
    assert (found["#meta"]["source"], found["#meta"]["line"]) == (files[1], 10)
    assert found["states"][-1]["diverges"] is True


def test_the_states_that_led_to_a_divergence(written: Written) -> None:
    found = written("check", str(EXAMPLES / "diverging.jsonl"))
    meta, states = found["#meta"], found["states"]
    assert (meta["format"], meta["status"], meta["clause"], meta["line"]) == (
        "ITF",
        "diverges",
        "buddy.block-is-free",
        10,
    )
    assert [value(each["line"]) for each in states] == [0, *range(2, 11)]
    assert [each["diverges"] for each in states] == [False] * 9 + [True]
    assert states[0]["action"] == ""
    assert states[8]["action"] == "range.allocate process=1 pages=1 -> 0x1000000 (_cpu=1)"
    blocks = [value(each["blocks"]) for each in states]
    assert blocks[7][1, 0] == {"pages": 8, "state": "in use", "address": "0x0"}
    assert (1, 8) in blocks[7]
    assert blocks[8][1, 8] == {"pages": 1, "state": "in use", "address": "0x1000000"}
    frames = [value(each["frames"]) for each in states]
    assert [each[509] for each in frames] == ["free"] * 4 + ["in use"] * 6
    assert all(each.keys() == frames[0].keys() for each in frames), "of every state the same is told"
    assert value(states[-1]["processes"]) == {0, 1}


def test_tables_pages_and_heap(written: Written, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        {"memoracle": 1},
        {"op": "pml4.write", "process": 0, "index": 300, "value": "0x1003"},
        {"op": "page.map", "process": 0, "virtual": "0xffffffff00800000", "physical": "0x800000"},
        {"op": "heap.new", "bytes": 64, "result": "0xffffffff00400000"},
        *[{"op": "frame.free_count", "result": 2046}] * 30,
        {"op": "pml4.read", "process": 0, "index": 300, "result": "0x5003"},
    ]
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in events), encoding="utf-8")
    found = written("check", str(path))
    last = {name: value(each) for name, each in found["states"][-1].items()}
    assert last["entries"][0, 300] == "0x1003"
    assert last["line"] == 35
    assert [each["#meta"].get("description") for each in found["states"]][:4] == [None, None, "9 events left out", None]
    alone = written("check", str(path), "--ignore-unknown", "--level", "exact")
    assert alone["#meta"]["clause"] == "kernel_half.reads-the-entry"


def test_each_kind_of_state_is_told_before_and_after(written: Written, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        {"memoracle": 1},
        {"op": "page.map", "process": 0, "virtual": "0xffffffff00800000", "physical": "0x800000"},
        {"op": "heap.new", "bytes": 64, "result": "0xffffffff00400000"},
        {"op": "process.create", "result": 1},
        {"op": "frame.allocate", "result": "0x800000"},
        {"op": "frame.allocate", "result": "0x800000"},
    ]
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in events), encoding="utf-8")
    found = written("check", str(path))
    names = ("free_frames", "mapped", "heap", "processes")
    first, *_, last = [{name: value(each[name]) for name in names} for each in found["states"]]
    assert first == {"free_frames": 2046, "mapped": {}, "heap": {}, "processes": {0}}
    assert last == {
        "free_frames": 2045,
        "mapped": {(0, "0xffffffff00800000"): "0x800000 write-back writable executable"},
        "heap": {"0xffffffff00400000": 64},
        "processes": {0, 1},
    }
    meta = found["#meta"]
    assert meta["message"].startswith("frame 4 is already allocated (by line 5); the kernel maps it")
    assert meta["legal"] == "any of 2,045 free frames"


def test_of_several_failures_the_first_is_told(written: Written) -> None:
    found = written("check", str(EXAMPLES / "diverging.jsonl"), "--keep-going")
    assert (found["#meta"]["line"], value(found["states"][-1]["line"])) == (10, 10)


def test_a_proof_that_fails_has_the_states_of_its_replay() -> None:
    lines = (EXAMPLES / "diverging.jsonl").read_bytes().splitlines()
    past = Past(checking("legal").watched, tuple(lines))
    (timeline,), _ = past.timelines(Judge("legal")(iter(lines)))
    run = ProofRun("x64-2m", [], {}, [], 1.0, steps=lambda: {"buddy": timeline})
    itf.write(run, draft := Draft(None))
    found = json.loads(draft.getvalue())
    assert_is_trace(found)
    assert (found["#meta"]["clause"], len(found["states"])) == ("buddy.block-is-free", 10)


def test_what_has_no_timeline_has_the_state_around_it(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Past, "timelines", lambda *_: ([], CHANGED))
    found = written("check", str(EXAMPLES / "overlapping.jsonl"))
    assert found["vars"] == ["action", "diverges", "state"]
    assert value(found["states"][1]["state"])["frame"] == 4
    assert found["states"][1]["action"].startswith("frame.allocate")


def test_operations_that_overlap_in_an_order(written: Written) -> None:
    found = written("check", str(EXAMPLES / "overlapping.jsonl"))
    assert [value(each["line"]) for each in found["states"]] == [0, 3, 2, 4, 5, 7, 6]
    assert [value(each["frames"])[3] for each in found["states"]] == ["free", *["in use"] * 2, "free", *["in use"] * 3]
    assert found["states"][-1]["diverges"] is True


def test_what_a_log_tells_of(written: Written, tmp_path: Path) -> None:
    """Pages of the log; of objects those on the same page."""
    log = tmp_path / "kmem.txt"
    log.write_text(f"{alloc(0x1000)}\n{alloc(0x2000)}\n{alloc(0x1000)}\n", encoding="utf-8")
    found = written("check", str(log))
    assert found["vars"] == ["action", "line", "diverges", "pages", "objects"]
    assert [value(each["line"]) for each in found["states"]] == [0, 1, 0, 3]
    assert [value(each["pages"])[0x1000] for each in found["states"]] == ["not seen", *["in use"] * 3]
    call = "x-1 [000] .... 1.0: {}: call_site=f+0x1/0x2 ptr=0xffff880000001000{}"
    sizes = " bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL"
    events = [call.format("kmalloc", sizes), *[call.format("kfree", "")] * 2]
    log.write_text("".join(f"{each}\n" for each in events), encoding="utf-8")
    states = written("check", str(log))["states"]
    told = [value(each["objects"]) for each in states]
    assert told == [{}, *[{"0xffff880000001000": state} for state in ("in use", "free", "free")]]


def test_a_snapshot_is_one_state(written: Written) -> None:
    found = written("snapshot", str(EXAMPLES / "spaces.txt"))
    (state,) = found["states"]
    assert len(state["mappings"]) == 6
    assert len(state["divergences"]) == 3
    assert found["#meta"]["clause"] == "tables.walks-to-the-kernel-are-alike"


def test_a_run_without_a_failure_has_no_states(written: Written) -> None:
    found = written("check", str(EXAMPLES / "conforming.jsonl"), status=0)
    assert (found["#meta"]["status"], found["vars"], found["states"]) == ("conforms", [], [])
