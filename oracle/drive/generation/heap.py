"""Operations on a kernel's heap."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from memoracle.drive.generation.frames import Wish
from memoracle.drive.generation.live import Live
from memoracle.drive.generation.phases import EMPTY, Stretches
from memoracle.drive.generation.sizes import near
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

NEW, DELETE, RESIZE = "heap.new", "heap.delete", "heap.resize"


class Heap:
    """Allocates, resizes and frees blocks."""

    def __init__(self, operations: Mapping[str, frozenset[str]], geometry: Geometry, random: Random) -> None:
        self.operations, self.geometry, self.random = operations, geometry, random
        self.live: Live[int] = Live()
        self.stretches = Stretches(random)
        arena = geometry.heap_arena
        self.most = arena.bytes if arena is not None else 4 * geometry.page_size
        self.edges = [*geometry.heap_classes, geometry.page_size, *(1 << bit for bit in range(self.most.bit_length()))]

    @property
    def is_driven(self) -> bool:
        return NEW in self.operations

    def wish(self) -> Wish:
        random = self.random
        phase = self.stretches.now()
        if self.live and random.random() * 100 >= phase.grows:
            if RESIZE in self.operations and random.random() < 0.3:
                return RESIZE, {"address": self.live.any(random), **self._sizes(RESIZE)}
            if DELETE in self.operations:
                block = self.live.take(self.live.pick(random, phase.order), phase.order == "oldest")
                return DELETE, {"address": block}
        if not self.live:
            self.stretches.ended(EMPTY)
        return NEW, self._sizes(NEW)

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        if operation == NEW:
            if answer.error is None and answer.result is not None:
                self.live.add(answer.result)
            else:
                self.stretches.refused(size := arguments["bytes"], 1, size // 2)
        elif operation == RESIZE and answer.error is None and answer.result is not None:
            blocks, address = self.live.blocks, arguments["address"]
            if address in blocks:
                blocks[blocks.index(address)] = answer.result

    def _sizes(self, operation: str) -> dict[str, Any]:
        random = self.random
        chance = random.random()
        if chance < 0.5:
            size = random.randint(1, 256)
        elif chance < 0.8:
            size = max(1, near(random, random.choice(self.edges)))
        elif chance < 0.999:
            size = random.randint(1, max(1, min(self.most, 1 << 16)))
        else:
            size = near(random, self.most)
        found: dict[str, Any] = {"bytes": self.stretches.sized(size, self.most)}
        if "alignment" in self.operations[operation]:
            most = 5 if chance >= 0.1 or self.stretches.fills else self.geometry.page_shift + 1
            found["alignment"] = 1 << random.randrange(most)
        return found
