"""The states of a machine after it was started with a memory map: which map that was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from memoracle.cover.family import Asks, Call, call
from memoracle.cover.frames import FREE_COUNT, IS_FREE
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

BOOT = "boot"
KEYS = ("start", "length", "type")
USABLE, RESERVED = 1, 2
TOP = 1 << 64
Records: TypeAlias = tuple[tuple[int, int, int], ...]


def memory_maps(geometry: Geometry) -> Iterator[Records]:
    """Maps of a small machine: whole and partial pages, records that join, overlap, are empty, and run past all."""
    size, end = geometry.page_size, geometry.frames * geometry.page_size
    half = size // 2
    middle = end // 2 // size * size
    yield ((0, end, USABLE),)
    yield ((0, end - 1, USABLE),)
    yield ((half, end - size, USABLE),)
    yield (0, middle + half, USABLE), (middle + half, end - middle - half, USABLE)
    yield (0, middle + half, USABLE), (middle + half + 1, end - middle - half - 1, USABLE)
    yield (middle, end - middle, USABLE), (0, middle, USABLE)
    yield (0, end, USABLE), (middle + half, 1, RESERVED)
    yield (middle, size, RESERVED), (0, end, USABLE), (middle, size, USABLE)
    yield (0, end, USABLE), (middle - 1, 2, RESERVED)
    yield (0, end, USABLE), (middle + half, 0, RESERVED), (middle, 0, USABLE)
    yield (0, 2 * end, USABLE), (end, end, RESERVED)
    yield (middle, TOP - middle, USABLE), (TOP - size, size, RESERVED)
    yield (middle, TOP - 1, USABLE), (0, size, USABLE)
    yield (0, end, RESERVED), (0, end, RESERVED)
    yield (0, end, USABLE), (size, size, 3), (3 * size, size, 4), (5 * size + 1, 1, 5)
    yield ()


class BootStates:
    """Starts with each of a few memory maps, and asks what is free then."""

    name = "memory maps"
    start: Records | None = None

    def __init__(self, asks: Asks, geometry: Geometry) -> None:
        self.asks, self.geometry = asks, geometry
        self.maps = list(dict.fromkeys(memory_maps(geometry)))

    def state(self, situation: Records | None) -> Records | None:
        return situation

    def words(self, state: Records | None) -> str:
        return "before the start" if state is None else f"{len(state)} records"

    def calls(self, situation: Records | None) -> Sequence[Call]:
        if situation is None:
            return [call(BOOT, memory_map=each) for each in self.maps]
        return self.questions(situation)

    def questions(self, situation: Records | None) -> Sequence[Call]:
        frames, size = self.geometry.frames, self.geometry.page_size
        asked = [call(IS_FREE, address=frame * size) for frame in range(frames)] if IS_FREE in self.asks else []
        return [*([call(FREE_COUNT)] if FREE_COUNT in self.asks else []), *asked]

    def wish(self, situation: Records | None, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.operation == BOOT:
            arguments["memory_map"] = [dict(zip(KEYS, each, strict=True)) for each in arguments["memory_map"]]
        return call.operation, arguments

    def after(
        self, situation: Records | None, operation: str, arguments: Mapping[str, Any], answer: Answer
    ) -> Records | None:
        if operation != BOOT or answer.error is not None:
            return situation
        return tuple((each["start"], each["length"], each["type"]) for each in arguments["memory_map"])
