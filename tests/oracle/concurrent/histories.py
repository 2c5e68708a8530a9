"""Histories of small machines in which operations overlap, and what trying every order says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from memoracle.concurrent.decide import Decision, decide, nodes_of
from memoracle.concurrent.recording import NEVER, read_recording
from memoracle.concurrent.search import Search, queued
from memoracle.concurrent.trail import Budget, Node
from memoracle.diagnostics.levels import LEGAL, Rules
from memoracle.replay.dispatch import Replay
from memoracle.trace.decoding import decode_event
from memoracle.trace.geometry import geometry_from

Event = dict[str, Any]
PAGE = 1 << 12
KERNEL = 0xFFFFFFFF00000000
PLACES = 8
PLAIN = {"preset": "x64-4k", "frames": PLACES}
SMALL = {**PLAIN, "kernel_image_frames": 2}
SPACES = {
    "process_range": {"start": 0, "pages": PLACES},
    "kernel_range": {"start": hex(KERNEL), "pages": PLACES},
    "kernel_reserved": [],
}
ARENA = 0x1000
HEAP: Event = {**SMALL, "heap_alignment": 16, "heap_arena": {"start": ARENA, "bytes": 128}}
GEOMETRIES: dict[str, Event] = {
    "frames": {**SMALL, "frames": 6},
    "blocks": {**PLAIN, "frame_allocator": "buddy", "frame_max_order": 3, "never_free": []},
    "runs": {**PLAIN, "frame_allocator": "runs", "never_free": []},
    "whole runs": {**PLAIN, "frame_allocator": "runs", "frame_free_parts": "whole", "never_free": []},
    "ranges": {**SMALL, **SPACES},
    "runs of pages": {**SMALL, **SPACES, "range_allocator": "runs"},
    "frames, trusting": {**SMALL, "frames": 6, "frame_free": "trusting"},
    "heap": HEAP,
    "heap, undefined": {**HEAP, "misuse": {"heap.delete": "undefined"}},
    "pages": {**SMALL, **SPACES, "frames": 6},
    "pages, kept": {**SMALL, **SPACES, "frames": 6},
}


class ByAddress(Random):
    """Chance that takes the lowest place that fits, as the reference does, and so `exact` asks for."""


class Blocks:
    """Places of which blocks are taken and given back, any that fits."""

    def __init__(self, chance: Random, places: Sequence[int], aligned: bool = False, grain: int = 1) -> None:
        self.chance, self.places, self.aligned, self.grain = chance, places, aligned, grain
        self.used: dict[int, int] = {}

    def is_free(self, first: int, count: int) -> bool:
        return all(one + many <= first or first + count <= one for one, many in self.used.items())

    @property
    def free(self) -> int:
        return len(self.places) - sum(self.used.values())

    def take(self, count: int) -> int | None:
        starts = range(self.places[0], self.places[-1] + 2 - count, count if self.aligned else self.grain)
        fits = [each for each in starts if self.is_free(each, count)]
        if not fits:
            return None
        first = fits[0] if isinstance(self.chance, ByAddress) else self.chance.choice(fits)
        self.used[first] = count
        return first

    def give(self) -> tuple[int, int] | None:
        if not self.used:
            return None
        first = self.chance.choice(sorted(self.used))
        return first, self.used.pop(first)


def outcome(result: int | None) -> Event:
    return {"error": "none left"} if result is None else {"result": result}


def frames(chance: Random, count: int) -> list[Event]:
    found, blocks = list[Event](), Blocks(chance, range(2, 6))
    for _ in range(count):
        kind = chance.random()
        if kind < 0.5:
            first = blocks.take(1)
            found.append({"op": "frame.allocate", **outcome(None if first is None else first * PAGE)})
        elif kind < 0.8 and (block := blocks.give()):
            found.append({"op": "frame.free", "address": block[0] * PAGE})
        elif kind < 0.9:
            frame = chance.randrange(6)
            free = frame > 1 and blocks.is_free(frame, 1)
            found.append({"op": "frame.is_free", "address": frame * PAGE, "result": free})
        else:
            found.append({"op": "frame.free_count", "result": blocks.free})
    return found


def runs(chance: Random, count: int, aligned: bool = False) -> list[Event]:
    found, blocks = list[Event](), Blocks(chance, range(PLACES), aligned)
    for _ in range(count):
        kind = chance.random()
        if kind < 0.55:
            order = chance.randint(0, 3)
            size = 1 << order if aligned else order + 1
            first = blocks.take(size)
            asked = {"order": order} if aligned else {"count": size}
            found.append({"op": "frame.allocate", **asked, **outcome(None if first is None else first * PAGE)})
        elif kind < 0.85 and (block := blocks.give()):
            asked = {"order": block[1].bit_length() - 1} if aligned else {"count": block[1]}
            found.append({"op": "frame.free", "address": block[0] * PAGE, **asked})
        else:
            found.append({"op": "frame.free_count", "result": blocks.free})
    return found


def ranges(chance: Random, count: int, aligned: bool = True) -> list[Event]:
    found, spaces = list[Event](), {0: Blocks(chance, range(PLACES), aligned)}
    for _ in range(count):
        kind, process = chance.random(), chance.choice(sorted(spaces))
        blocks, start, of = spaces[process], 0 if process else KERNEL, {"process": process}
        if kind < 0.15:
            new = next(each for each in range(1, PLACES) if each not in spaces)
            spaces[new] = Blocks(chance, range(PLACES), aligned)
            found.append({"op": "process.create", "result": new})
        elif kind < 0.22 and process:
            del spaces[process]
            found.append({"op": "process.exit", "process": process})
        elif kind < 0.6:
            pages = chance.randint(1, 5)
            first = blocks.take(1 << (pages - 1).bit_length() if aligned else pages)
            answer = outcome(None if first is None else start + first * PAGE)
            found.append({"op": "range.allocate", **of, "pages": pages, **answer})
        elif kind < 0.9 and (block := blocks.give()):
            found.append({"op": "range.free", **of, "address": start + block[0] * PAGE, "pages": block[1]})
        else:
            page = chance.randrange(PLACES)
            size = blocks.used.get(page, 0)
            found.append({"op": "range.size", **of, "address": start + page * PAGE, "result": size})
    return found


def heap(chance: Random, count: int) -> list[Event]:
    found, blocks = list[Event](), Blocks(chance, range(ARENA, ARENA + 128), grain=16)
    for _ in range(count):
        kind, size = chance.random(), chance.choice((16, 32, 48, 64))
        if kind < 0.55:
            found.append({"op": "heap.new", "bytes": size, **outcome(blocks.take(size))})
        elif (block := blocks.give()) and (kind < 0.8 or (moved := blocks.take(size)) is None):
            found.append({"op": "heap.delete", "address": block[0]})
        elif block:
            found.append({"op": "heap.resize", "address": block[0], "bytes": size, "result": moved})
    return found


def pages(chance: Random, count: int, releases: float = 0.5) -> list[Event]:
    found, blocks, shown, entry = list[Event](), Blocks(chance, range(2, 6)), dict[int, int](), 0
    for _ in range(count):
        kind, page = chance.random(), chance.randrange(3)
        of = {"virtual": KERNEL + page * PAGE}
        if kind < 0.2 and (frame := blocks.take(1)) is not None:
            found.append({"op": "frame.allocate", "result": frame * PAGE})
        elif kind < 0.45 and page not in shown:
            shown[page] = chance.randrange(2, 6)
            found.append({"op": "page.map", **of, "physical": shown[page] * PAGE})
        elif kind < 0.65 and page in shown:
            frame, release = shown.pop(page), chance.random() < releases
            if release and frame not in shown.values():
                blocks.used.pop(frame, None)
            found.append({"op": "page.unmap", **of, "release": release})
        elif kind < 0.75:
            found.append({"op": "page.translate", **of, "result": shown[page] * PAGE if page in shown else None})
        elif kind < 0.85:
            found.append({"op": "frame.free_count", "result": blocks.free})
        elif kind < 0.92:
            entry = chance.randrange(1, 4) * PAGE
            found.append({"op": "pml4.write", "index": 300, "value": entry})
        else:
            found.append({"op": "pml4.read", "index": 300, "result": entry})
    return found


HISTORIES: dict[str, Callable[[Random, int], list[Event]]] = {
    "frames": frames,
    "blocks": lambda chance, count: runs(chance, count, aligned=True),
    "runs": runs,
    "ranges": ranges,
    "runs of pages": lambda chance, count: ranges(chance, count, aligned=False),
    "heap": heap,
    "heap, undefined": heap,
    "pages": pages,
    "pages, kept": lambda chance, count: pages(chance, count, releases=0),
}


def changed(event: Event, chance: Random) -> Event:
    """The same event, of which one number is another."""
    numbers = [key for key in ("result", "address", "physical") if type(event.get(key)) is int]
    if not numbers:
        return event
    key = chance.choice(numbers)
    grain = PAGE if event[key] >= PAGE else 1
    grain = 16 if event["op"].startswith("heap") else grain
    return {**event, key: max(0, event[key] + chance.choice((-grain, grain)))}


def overlapping(events: Sequence[Event], chance: Random, processors: int, longest: int) -> list[Event]:
    """The same, each made by some processor at a time around the one at which it took effect."""
    made_by = [chance.randrange(processors) for _ in events]
    found, returned = list[Event](), [0] * processors
    for place, event in enumerate(events):
        cpu, moment = made_by[place], 10 * place
        following = (10 * each for each in range(place + 1, len(events)) if made_by[each] == cpu)
        call = max(returned[cpu], moment - chance.randint(0, longest))
        returned[cpu] = min(next(following, moment + longest), moment + chance.randint(0, longest))
        found.append({**event, "_cpu": cpu, "_call": call, "_return": returned[cpu]})
    return found


def replay_of(kind: str, level: str = LEGAL) -> Replay:
    return Replay(Rules(geometry_from(GEOMETRIES[kind]), level), "history")


def encoded(event: Event) -> bytes:
    return json.dumps(event).encode()


def decided(kind: str, history: Sequence[Event], level: str = LEGAL, **options: Any) -> Decision:
    recording = read_recording("history", map(encoded, history), 2, decode_event)
    return decide("history", recording, lambda: replay_of(kind, level), **options)


def nodes_up_to(kind: str, history: Sequence[Event], moment: int = NEVER) -> list[Node]:
    """The operations that were called up to a moment."""
    recording = read_recording("history", map(encoded, history), 2, decode_event)
    nodes = nodes_of("history", replay_of(kind).rules, recording.operations)
    return [each for each in nodes if each.call <= moment]


def search_up_to(kind: str, history: Sequence[Event], moment: int) -> Search:
    """For an order of all that returned up to a moment."""
    called = nodes_up_to(kind, history, moment)
    return Search(queued(called), lambda: replay_of(kind), Budget(10**7), moment)


def has_legal_order(kind: str, history: Sequence[Event], level: str = LEGAL) -> bool:
    """Whether some order is legal, found by trying each that keeps what did not overlap, from the start every time."""
    events = [decode_event(encoded(event)) for event in history]
    calls = [(event["_call"], event["_return"], place) for place, event in enumerate(history)]

    def is_legal(order: Sequence[int]) -> bool:
        replay = replay_of(kind, level)
        return all(replay.step(events[place], place + 2) is None for place in order)

    def may_come_next(place: int, left: Sequence[int]) -> bool:
        cpu = history[place]["_cpu"]
        others = [calls[each] for each in left if each != place and history[each]["_cpu"] == cpu]
        return calls[place][0] <= min(calls[each][1] for each in left) and all(calls[place] < each for each in others)

    def goes_on(order: list[int], left: list[int]) -> bool:
        if not left:
            return True
        following = [each for each in left if may_come_next(each, left)]
        return any(
            is_legal([*order, each]) and goes_on([*order, each], [one for one in left if one != each])
            for each in following
        )

    return goes_on([], list(range(len(history))))
