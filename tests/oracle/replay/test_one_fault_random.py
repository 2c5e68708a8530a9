"""Wrong answers anywhere in recordings of a real kernel: nothing that follows is named for them."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from memoracle.diagnostics.levels import Rules
from memoracle.replay.dispatch import Replay
from memoracle.trace.geometry import geometry_from

TRACES = Path(__file__).parents[2] / "data" / "traces"
EVENTS, ANSWERS = 1500, 12

Event = dict[str, Any]


def recorded(name: str) -> tuple[Event, list[Event]]:
    lines = gzip.decompress((TRACES / f"{name}.jsonl.gz").read_bytes()).splitlines()
    header, *events = map(json.loads, lines[: EVENTS + 1])
    return header, events


def some_answer(name: str, before: list[Event], chance: random.Random) -> Event | None:
    """A question of what the events speak of, answered at random; None if they speak of nothing yet."""
    if name == "frames":
        taken = [event["result"] for event in before if event["op"] == "frame.allocate" and "error" not in event]
        count = {"op": "frame.free_count", "result": chance.randrange(2000)}
        one = {"op": "frame.is_free", "address": chance.choice(taken or [0]), "result": chance.random() < 0.5}
        return chance.choice([count, one])
    if name == "ranges":
        made = [event for event in before[-60:] if event["op"] == "range.reserve" and "error" not in event]
        lists = [event for event in before if event["op"] == "range.list"]
        if lists and chance.random() < 0.2:
            return chance.choice(lists)  # as it was then
        if not made:
            return None
        block = chance.choice(made)
        asked = {"op": "range.size", "process": block.get("process", 0), "address": block["address"]}
        return asked | {"result": chance.choice([0, 1, 2, 4, 8, 16])}
    written = [event for event in before if event["op"] == "pml4.write" and "error" not in event]
    if not written:
        return None
    entry = chance.choice(written)
    asked = {"op": "pml4.read", "process": entry.get("process", 0), "index": entry["index"]}
    return asked | {"result": chance.choice([0, 3, entry["value"]])}


@pytest.mark.parametrize("level", ["legal", "exact"])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["frames", "ranges", "kernel-half"])
def test_wrong_answers_are_the_only_faults(name: str, seed: int, level: str) -> None:
    header, events = recorded(name)
    chance = random.Random(seed)
    places = set(chance.sample(range(1, len(events)), ANSWERS))
    lines, inserted = [], set()
    for place, event in enumerate(events):
        answer = some_answer(name, events[:place], chance) if place in places else None
        if answer is not None:
            lines.append(answer)
            inserted.add(len(lines) + 1)
        lines.append(event)
    replay = Replay(Rules(geometry_from(header.get("geometry", {})), level), name)
    found = list(replay.divergences(json.dumps(line).encode() for line in lines))
    assert {divergence.line for divergence in found} <= inserted
    assert found, "no answer was wrong"
