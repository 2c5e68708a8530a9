"""What a check has replayed is gone with its result, and not when garbage is collected next: it may be large."""

from __future__ import annotations

import gc
import json
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from memoracle import check
from memoracle.cli import main
from memoracle.commands import check_inputs
from memoracle.replay.dispatch import Replay

ROOT = Path(__file__).parents[3]
OURS = ("memoracle.replay", "memoracle.impl", "memoracle.spec")
LARGE = {"preset": "x64-4k", "frames": 1 << 20}
TAKEN = {"op": "frame.allocate", "result": "0x4000000"}
BOOTED = {"op": "boot", "memory_map": [{"start": 0, "length": "0x10000000", "type": 1}]}
MADE: dict[str, list[dict[str, Any]]] = {
    "a large machine": [TAKEN],
    "runs of frames": [{"frame_allocator": "runs", "range_allocator": "runs"}, TAKEN | {"count": 2}, TAKEN],
    "a buddy system of frames": [{"frame_allocator": "buddy"}, TAKEN | {"order": 1}, TAKEN],
    "a heap": [{"op": "heap.new", "bytes": 48, "result": "0x1000"}, {"op": "heap.delete", "address": "0x1000"}],
    "a heap in an arena": [
        {"heap_arena": {"start": 1 << 40, "bytes": 4096, "overhead": 16, "minimum": 32}},
        {"op": "heap.new", "bytes": 48, "result": hex(1 << 40)},
        {"op": "heap.new", "bytes": 1 << 20, "result": None, "error": "no"},
    ],
    "a wrong answer": [TAKEN, TAKEN],
    "a line that is no event": [TAKEN, {"op": "frame.fly"}],
    "a number that is none": [TAKEN, TAKEN | {"result": "0xg"}],
    "a crash": [{"op": "frame.allocate", "crash": "it died"}, BOOTED, TAKEN],
    "a misuse": [{"misuse": {"frame.free": "ignore"}}, {"op": "frame.free", "address": "0x7000"}],
}
STATUSES = dict.fromkeys(MADE, 0) | dict.fromkeys(
    ("a wrong answer", "a crash", "runs of frames", "a buddy system of frames"), 1
)
STATUSES |= {"a line that is no event": 2, "a number that is none": 2}
FILES = {"examples/pages.jsonl": 1, "examples/diverging.jsonl": 1, "examples/boot-kmem.txt": 0}
FILES |= {"tests/data/traces/ranges.jsonl.gz": 0}


def alive() -> Counter[str]:
    names = (f"{kind.__module__}.{kind.__name__}" for kind in map(type, gc.get_objects()))
    return Counter(name for name in names if name.startswith(OURS))


def hold(path: Path, status: int) -> None:
    """The second time nothing is left of it, but what is remembered of any trace since the first time."""
    command = ["check", "--keep-going", str(path)]
    assert main(command) == status
    gc.collect()
    gc.disable()
    try:
        before = alive()
        main(command)
        assert not alive() - before
    finally:
        gc.enable()


@pytest.mark.parametrize(("made", "status"), STATUSES.items())
def test_nothing_is_left_of_a_trace(tmp_path: Path, made: str, status: int) -> None:
    events = [*MADE[made]]
    geometry = LARGE | (events.pop(0) if "op" not in events[0] else {})
    lines = [{"memoracle": 1, "geometry": geometry}, *events]
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    hold(path, status)


@pytest.mark.parametrize(("name", "status"), FILES.items())
def test_nothing_is_left_of_a_file(name: str, status: int) -> None:
    hold(ROOT / name, status)


def test_a_replay_is_gone_while_its_result_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    replays = list[weakref.ref[Replay]]()

    class Noted(Replay):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            replays.append(weakref.ref(self))

    monkeypatch.setattr(check_inputs, "Replay", Noted)
    gc.disable()
    try:
        found = check(ROOT / "examples/diverging.jsonl").divergences
        assert [each() for each in replays] == [None]
        assert found
    finally:
        gc.enable()
