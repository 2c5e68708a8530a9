"""Heap events a second: of `check`, of the peer that anybody would write, and of decoding alone, which is the limit.

The heap is a first fit with size classes: what was freed of a size is handed out again at random, and what is new lies
behind all else. So its blocks are scattered as those of a kernel that has run for a while.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from benchmarks.workloads import FREEING, LIVE, taken_out
from memoracle.diagnostics.levels import Rules
from memoracle.replay.dispatch import Replay
from memoracle.trace.decoding import EVENT
from memoracle.trace.events import AnyEvent, HeapDelete, HeapNew
from memoracle.trace.geometry import geometry_from
from memoracle.trace.numbers import number

START, LENGTH = 0xFFFF_FFFF_0050_0000, 1 << 30
SIZES = (8, 24, 64, 128, 256, 512, 4096)
ARENA = {"start": hex(START), "bytes": LENGTH, "overhead": 4096, "minimum": 8}
GEOMETRIES: dict[str, dict[str, Any]] = {"heap": {}, "heap in an arena": {"heap_arena": ARENA}}
REPEATS = 3  # the best of which counts


@dataclass(frozen=True)
class HeapSpeeds:
    """Events a second."""

    name: str
    check: float
    plain: float
    decoding: float


def lines() -> Iterator[bytes]:
    """Blocks are made and deleted, without end; the same at every call."""
    chance, top = random.Random(1), START
    live: list[tuple[int, int]] = []
    freed: dict[int, list[int]] = {size: [] for size in SIZES}
    while True:
        if live and (len(live) == LIVE or chance.random() < FREEING):
            address, size = taken_out(live, chance)
            freed[size].append(address)
            yield b'{"op":"heap.delete","address":"%#x"}\n' % address
            continue
        size = chance.choice(SIZES)
        if freed[size]:
            address = taken_out(freed[size], chance)
        else:
            aligned = size & -size
            address = -(-top // aligned) * aligned
            top = address + size
        live.append((address, size))
        yield b'{"op":"heap.new","bytes":%d,"result":"%#x"}\n' % (size, address)


class PlainIntervals:
    """The addresses of the live blocks in a sorted list, and their sizes in a dictionary.

    It answers yes or no, and nothing more; of what an arena must serve it knows nothing.
    """

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.sizes: dict[int, int] = {}

    def accepts(self, event: AnyEvent) -> bool:
        if isinstance(event, HeapNew):
            return event.result is None or self.made(number(event.result), number(event.bytes))
        return isinstance(event, HeapDelete) and self.deleted(number(event.address))

    def made(self, address: int, size: int) -> bool:
        place = bisect_right(self.starts, address)
        before = self.starts[place - 1] if place else 0
        fits = before + self.sizes.get(before, 0) <= address
        ends = place == len(self.starts) or address + size <= self.starts[place]
        if address % min(max(size & -size, 8), 4096) or not (fits and ends):
            return False
        self.starts.insert(place, address)
        self.sizes[address] = size
        return True

    def deleted(self, address: int) -> bool:
        if self.sizes.pop(address, None) is None:
            return False
        del self.starts[bisect_left(self.starts, address)]
        return True


def heap_speeds(events: int) -> Iterator[HeapSpeeds]:
    """Measures each way to check so many events; raises AssertionError if one refuses a trace that conforms."""
    recorded = list(islice(lines(), events))
    plain, decoding = (events / best(way, recorded) for way in (modelled, decoded))
    for name, keys in GEOMETRIES.items():
        geometry = geometry_from({"preset": "x64-4k"} | keys)

        def checked(recorded: list[bytes], geometry: Any = geometry) -> None:
            assert not list(Replay(Rules(geometry), "heap").divergences(recorded))

        yield HeapSpeeds(name, events / best(checked, recorded), plain, decoding)


def best(way: Callable[[list[bytes]], None], recorded: list[bytes]) -> float:
    """The seconds of the processor, at the least."""
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        way(recorded)
        taken.append(time.process_time() - start)
    return min(taken)


def modelled(recorded: list[bytes]) -> None:
    plain = PlainIntervals()
    assert all(plain.accepts(EVENT.decode(line)) for line in recorded)


def decoded(recorded: list[bytes]) -> None:
    decode = EVENT.decode
    for line in recorded:
        decode(line)
