"""Random runs of the reference, written as traces: they conform at every level; with one answer changed they do not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.json import encode

from memoracle.diagnostics.levels import Rules
from memoracle.impl.buddy import Buddy
from memoracle.impl.runs import Runs
from memoracle.replay.dispatch import Replay
from memoracle.trace.geometry import geometry_from

PAGE = 1 << 12
FRAMES = 48
PIECES = ((0, 4), (6, 17), (25, 7), (40, 4))  # of memory that is there at the start: the first frame, and how many
LATER = ((32, 8), (44, 4))
IMAGE = 2
Event = dict[str, Any]


def machine(allocator: str, parts: str) -> dict[str, Any]:
    limits = {"frame_max_order": 3} if allocator == "buddy" else {}
    kept = {"preset": "x64-4k", "frames": FRAMES, "kernel_image_frames": IMAGE}
    return kept | {"frame_allocator": allocator, "frame_free_parts": parts} | limits


class Recorder:
    """A kernel of which frames are handed out by the reference, and what it would record."""

    def __init__(self, seed: int, allocator: str, parts: str) -> None:
        self.chance = random.Random(seed)
        self.blocks, self.whole = allocator == "buddy", parts == "whole"
        self.runs = Runs(FRAMES)
        self.runs.add_never_free(0, IMAGE)
        for first, count in PIECES:
            self.runs.add(max(first, IMAGE), count - max(0, IMAGE - first))
        self.later = [*LATER]
        self.given: dict[int, int] = {}

    def trace(self, events: int) -> Iterator[Event]:
        yield {"op": "boot", "memory_map": [{"start": a * PAGE, "length": n * PAGE, "type": 1} for a, n in PIECES]}
        steps = [self.allocate, self.allocate, self.free, self.free, self.reserve, self.ask, self.count, self.add]
        for _ in range(events):
            yield self.chance.choice(steps)()

    def allocate(self) -> Event:
        count, event = self.chance.randint(0, 9), {"op": "frame.allocate"}
        asked = {"count": count}
        if self.chance.random() < 0.2:
            order = self.chance.randint(0, 4)
            asked, count = {"order": order}, 1 << order
        alignment, lowest, below = 1, 0, FRAMES
        if self.chance.random() < 0.4:
            alignment, lowest = 1 << self.chance.randint(0, 3), self.chance.randint(0, FRAMES // 2)
            below = self.chance.randint(FRAMES // 2, FRAMES)
            asked |= {"alignment": alignment * PAGE, "from": lowest * PAGE, "below": below * PAGE}
        if self.blocks and count:
            count = 1 << (count - 1).bit_length()
            alignment = max(count, alignment)
        first = None if self.blocks and count > 8 else self.runs.allocate(count, alignment, lowest, below)
        if first is None:
            return event | asked | {"error": "none"}
        self.given[first] = count
        return event | asked | {"result": first * PAGE}

    def free(self) -> Event:
        first, count = self.chance.randrange(-1, FRAMES + 1), self.chance.randint(0, 4)
        if self.given and self.chance.random() < 0.8:
            first, count = self.chance.choice([*self.given.items()])
            if self.chance.random() < 0.2:
                count -= 1
        rounds = self.blocks and self.whole and count > 0 and self.given.get(first) != count
        given_back = 1 << (count - 1).bit_length() if rounds else count
        allowed = not self.whole or self.given.get(first) == given_back
        event = {"op": "frame.free", "address": first * PAGE, "count": count}
        if not allowed or not self.runs.free(first, given_back):
            return event | {"error": "refused"}
        self.given.pop(first, None)
        return event

    def reserve(self) -> Event:
        first, count = self.chance.randrange(FRAMES), self.chance.randint(0, 3)
        event = {"op": "frame.reserve", "address": first * PAGE, "count": count}
        if not self.runs.reserve(first, count):
            return event | {"error": "refused"}
        self.given[first] = count
        return event

    def ask(self) -> Event:
        frame = self.chance.randrange(FRAMES)
        return {"op": "frame.is_free", "address": frame * PAGE, "result": self.runs.is_free(frame)}

    def count(self) -> Event:
        return {"op": "frame.free_count", "result": self.runs.count()}

    def add(self) -> Event:
        first, count = self.later.pop() if self.later and self.chance.random() < 0.5 else (8, 2)
        event = {"op": "memory.add", "start": first * PAGE, "length": count * PAGE}
        return event if self.runs.add(first, count) else event | {"error": "exists"}


class Blocks(Recorder):
    """A kernel whose buddy system chooses as the reference does: the smallest block, the lowest of these."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, "buddy", "whole")
        self.orders = 4 if seed % 2 else 7  # with a largest order, or without

    def allocate(self) -> Event:
        count = self.chance.randint(1, 9)
        event, wanted = {"op": "frame.allocate", "count": count}, 1 << (count - 1).bit_length()
        blocks = [(1 << order, first) for order in range(self.orders) for first in range(0, FRAMES, 1 << order)]
        free = {block for block in blocks if all(map(self.runs.is_free, range(block[1], sum(block))))}
        large = [block for block in free if block[0] >= wanted and self.is_whole(*block, free)]
        if not large:
            return event | {"error": "none"}
        best = min(large)
        assert self.runs.reserve(best[1], wanted)
        self.given[best[1]] = wanted
        return event | {"result": best[1] * PAGE}

    def is_whole(self, size: int, first: int, free: set[tuple[int, int]]) -> bool:
        """Whether a block is part of no larger free block."""
        return not any(other <= first < other + more for more, other in free if more > size)


class Reference(Recorder):
    """A kernel whose frames are the pages of the reference's buddy system, which has holes."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, "buddy", "whole")
        self.buddy = Buddy((FRAMES - 1).bit_length(), 3, whole=False)
        for first in range(FRAMES):
            if self.runs.is_free(first):
                assert self.buddy.add(first, 1)

    def allocate(self) -> Event:
        count = self.chance.randint(0, 9)
        event, first = {"op": "frame.allocate", "count": count}, self.buddy.allocate(count)
        if first is None:
            return event | {"error": "none"}
        self._give(first, 1 << (count - 1).bit_length())
        return event | {"result": first * PAGE}

    def reserve(self) -> Event:
        first, count = self.chance.randrange(FRAMES), self.chance.choice([1, 2, 4])
        first -= first % count
        event = {"op": "frame.reserve", "address": first * PAGE, "count": count}
        if not self.buddy.reserve(first, count):
            return event | {"error": "refused"}
        self._give(first, count)
        return event

    def free(self) -> Event:
        first, count = self.chance.randrange(-1, FRAMES + 1), self.chance.randint(0, 4)
        if self.given and self.chance.random() < 0.8:
            first, count = self.chance.choice([*self.given.items()])
        event = {"op": "frame.free", "address": first * PAGE, "count": count}
        if not self.buddy.free(first, count):
            return event | {"error": "refused"}
        assert self.runs.free(first, self.given.pop(first))
        return event

    def add(self) -> Event:
        first, count = self.later.pop() if self.later and self.chance.random() < 0.5 else (8, 2)
        event = {"op": "memory.add", "start": first * PAGE, "length": count * PAGE}
        if not self.buddy.add(first, count):
            return event | {"error": "exists"}
        assert self.runs.add(first, count)
        return event

    def _give(self, first: int, count: int) -> None:
        """Notes what was handed out; that it was free, each frame apart, is asked of the runs."""
        assert self.runs.reserve(first, count)
        self.given[first] = count


@pytest.mark.parametrize("seed", range(8))
def test_the_references_buddy_system_with_holes_conforms_at_exact(seed: int) -> None:
    events = list(Reference(seed).trace(200))
    for level in ("safe", "legal", "exact"):
        assert diverging(events, machine("buddy", "whole"), level) == []


@pytest.mark.parametrize("seed", range(8))
def test_another_block_than_the_references_does_not(seed: int) -> None:
    events = list(Reference(seed).trace(60))
    given = [place for place, event in enumerate(events) if event["op"] == "frame.allocate" and "result" in event]
    assert given
    for place in given:
        other = events[place] | {"result": (events[place]["result"] + 16 * PAGE) % (FRAMES * PAGE)}
        assert diverging([*events[:place], other], machine("buddy", "whole"), "exact") == [place + 2]


@pytest.mark.parametrize("seed", range(12))
def test_the_smallest_block_that_holds_it_conforms_at_exact(seed: int) -> None:
    events = list(Blocks(seed).trace(200))
    stated = machine("buddy", "whole")
    if seed % 2 == 0:
        del stated["frame_max_order"]
    assert diverging(events, stated, "exact") == []
    assert diverging(events, stated, "legal") == []


def diverging(events: list[Event], stated: dict[str, Any], level: str) -> list[int]:
    replay = Replay(Rules(geometry_from(stated), level), "trace")
    return [found.line for found in replay.divergences(map(encode, events))]


CASES = [(allocator, parts) for allocator in ("runs", "buddy") for parts in ("partial", "whole")]


def levels(allocator: str) -> tuple[str, ...]:
    return ("safe", "legal", "exact") if allocator == "runs" else ("safe", "legal")


@pytest.mark.parametrize(("allocator", "parts"), CASES)
@pytest.mark.parametrize("seed", range(6))
def test_what_the_reference_does_conforms(seed: int, allocator: str, parts: str) -> None:
    events = list(Recorder(seed, allocator, parts).trace(300))
    for level in levels(allocator):
        assert diverging(events, machine(allocator, parts), level) == []


@pytest.mark.parametrize("parts", ["partial", "whole"])
@pytest.mark.parametrize("seed", range(6))
def test_a_higher_run_than_the_references_diverges_at_exact_alone(seed: int, parts: str) -> None:
    events, stated = list(Recorder(seed, "runs", parts).trace(60)), machine("runs", parts)
    for place, event in enumerate(events):
        for step in (1, 2, 5):
            if event["op"] == "frame.allocate" and "result" in event:
                trace = [*events[:place], event | {"result": event["result"] + step * PAGE}]
                given = diverging(trace, stated, "legal") == []
                assert not given or diverging(trace, stated, "exact") == [place + 2]


def changed(event: Event, chance: random.Random) -> Event | None:
    """The event with another answer; None if it has none that is surely wrong."""
    kind, answer = event["op"], event.get("result")
    if kind in ("frame.is_free", "frame.free_count"):
        return event | {"result": not answer if isinstance(answer, bool) else answer + chance.choice([1, 2])}
    if "error" in event:
        done = {key: value for key, value in event.items() if key != "error"}
        return done | ({"result": chance.randrange(FRAMES) * PAGE} if kind == "frame.allocate" else {})
    refused = {key: value for key, value in event.items() if key != "result"} | {"error": "no"}
    return refused if kind != "frame.allocate" else event | {"result": chance.randrange(IMAGE) * PAGE}


@pytest.mark.parametrize(("allocator", "parts"), CASES)
@pytest.mark.parametrize("seed", range(6))
def test_with_one_answer_changed_it_does_not(seed: int, allocator: str, parts: str) -> None:
    events, chance = list(Recorder(seed, allocator, parts).trace(60)), random.Random(seed)
    for place in range(1, len(events)):
        other = changed(events[place], chance)
        assert other is not None
        trace = [*events[:place], other]
        assert diverging(trace, machine(allocator, parts), levels(allocator)[-1]) == [place + 2], trace[-1]


@pytest.mark.parametrize(("allocator", "parts"), CASES)
@pytest.mark.parametrize("seed", range(16))
def test_nonsense_is_followed(seed: int, allocator: str, parts: str) -> None:
    """Whatever an implementation answers, the replay goes on, and its count is that of the frames that are free."""
    events, chance = list(Recorder(seed, allocator, parts).trace(150)), random.Random(seed)
    trace = [changed(event, chance) or event if chance.random() < 0.3 else event for event in events[1:]]
    for level in levels(allocator):
        replay = Replay(Rules(geometry_from(machine(allocator, parts)), level), "trace")
        assert list(replay.divergences(map(encode, [events[0], *trace])))
        runs = replay.frames.bitmap
        assert runs.free_frames == sum(map(runs.is_free, range(FRAMES)))
