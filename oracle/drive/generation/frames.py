"""Operations on physical frames."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from memoracle.drive.generation.live import Live
from memoracle.drive.generation.phases import EMPTY, Stretches
from memoracle.drive.generation.sizes import aligned, count, near
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import SINGLE

Wish = tuple[str, dict[str, Any]]  # an operation and its arguments
TAKE, GIVE, IS_FREE, FREE_COUNT = "frame.allocate", "frame.free", "frame.is_free", "frame.free_count"
RESERVE = "frame.reserve"
MOST_ONE_BY_ONE = 4096  # frames of one reservation that are given back each by itself; the rest stays in use


class Frames:
    """Allocates and frees frames."""

    def __init__(self, operations: Mapping[str, frozenset[str]], geometry: Geometry, random: Random) -> None:
        self.operations, self.geometry, self.random = operations, geometry, random
        never_free = sum(end - first for first, end in geometry.never_free_frames)
        self.most = max(1, geometry.frames - never_free)  # frames in one block
        self.live: Live[tuple[int, dict[str, Any]]] = Live()
        self.stretches = Stretches(random)
        self.asks = operations.get(TAKE, frozenset())
        self.gives = operations.get(GIVE, frozenset())
        self.questions = [each for each in (IS_FREE, FREE_COUNT) if each in operations]

    @property
    def is_driven(self) -> bool:
        return TAKE in self.operations

    def wish(self) -> Wish:
        random = self.random
        chance = random.random()
        if self.questions and chance < 0.04:
            return self._question()
        phase = self.stretches.now()
        if self.live and GIVE in self.operations and random.random() * 100 >= phase.grows:
            return self._free(phase.order)
        if not self.live:
            self.stretches.ended(EMPTY)
        return TAKE, self._request()

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        if operation == TAKE:
            if answer.error is None and answer.result is not None:
                self.live.add((answer.result, {key: arguments[key] for key in ("count", "order") if key in arguments}))
            elif "order" in arguments:
                self.stretches.refused(arguments["order"], 0, arguments["order"] - 1)
            else:
                self.stretches.refused(count := arguments.get("count", 1), 1, count // 2)
        elif operation == RESERVE and answer.error is None:
            for block in self._reserved(arguments["address"], arguments["count"]):
                self.live.add(block)

    def _reserved(self, address: int, count: int) -> list[tuple[int, dict[str, Any]]]:
        """What was reserved, as blocks that can be given back; none where no such call would name just these frames."""
        geometry, gives = self.geometry, self.gives
        size, is_single = geometry.page_size, geometry.frame_allocator == SINGLE
        if not is_single and "count" in gives:
            return [(address, {"count": count})]
        if not is_single and "order" in gives:
            is_block = count.bit_count() == 1 and address % (count * size) == 0
            return [(address, {"order": count.bit_length() - 1})] if is_block else []
        if not is_single and geometry.frees_whole_runs:
            return [(address, {})]
        return [(address + place * size, {}) for place in range(min(count, MOST_ONE_BY_ONE))]

    def _request(self) -> dict[str, Any]:
        random, asks, geometry = self.random, self.asks, self.geometry
        arguments: dict[str, Any] = {}
        if "order" in asks:
            highest = geometry.frame_max_order
            top = highest if highest is not None else max(0, geometry.frames.bit_length() - 1)
            chance = random.random()
            order = 0 if chance < 0.4 else random.randint(0, top) if chance < 0.98 else top + 1
            arguments["order"] = self.stretches.sized(order, top)
        if "count" in asks:
            arguments["count"] = self.stretches.sized(count(random, self.most), self.most)
        fills = self.stretches.fills
        if "alignment" in asks:
            arguments["alignment"] = (
                geometry.page_size if fills else aligned(random, geometry.page_size, geometry.frames)
            )
        edges = [0, geometry.frames // 2, geometry.frames]
        for key, end in (("from", 0), ("below", geometry.frames)):
            if key in asks:
                page = end if fills else max(0, near(random, random.choice(edges)))
                arguments[key] = page * geometry.page_size
        if "zone" in asks:
            arguments["zone"] = random.choice(geometry.zones).name
        return arguments

    def _free(self, order: str) -> Wish:
        live = self.live
        address, extent = block = live.take(live.pick(self.random, order), order == "oldest")
        live.forget(block)
        return GIVE, {"address": address, **{key: value for key, value in extent.items() if key in self.gives}}

    def _question(self) -> Wish:
        random, question = self.random, self.random.choice(self.questions)
        if question == FREE_COUNT:
            zones = self.geometry.zones if "zone" in self.operations[question] else ()
            return question, {"zone": random.choice(zones).name} if zones else {}
        chance, size = random.random(), self.geometry.page_size
        if self.live and chance < 0.4:
            return question, {"address": self.live.any(random)[0]}
        if self.live.gone and chance < 0.7:
            return question, {"address": random.choice(self.live.gone)[0]}
        return question, {"address": random.randrange(self.geometry.frames) * size}
