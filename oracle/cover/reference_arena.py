"""A heap in an arena as a target: the lowest place that a block fits in. The law leaves it to a heap where that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memoracle.cover import heap
from memoracle.cover.reference_frames import REFUSED
from memoracle.drive.target import Answer
from memoracle.replay.heap.live_blocks import LiveBlocks, number_of
from memoracle.spec import heap_room
from memoracle.spec.geometry import Geometry


class ArenaBlocks:
    """live: by address, the bytes of a block."""

    operations: Mapping[str, frozenset[str]] = {
        heap.NEW: frozenset({"bytes", "alignment"}),
        heap.DELETE: frozenset({"address"}),
    }

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.live: dict[int, int] = {}

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        if operation == heap.DELETE:
            address = arguments["address"]
            return Answer() if address == 0 or self.live.pop(address, None) is not None else REFUSED
        empty, size = LiveBlocks(self.geometry), arguments["bytes"]
        alignment = max(empty.alignment_of(size), arguments.get("alignment", 1))
        if operation == heap.RESIZE and arguments["address"]:
            return self._resized(arguments["address"], size, alignment)
        return self._new(size, alignment)

    def _resized(self, address: int, size: int, alignment: int) -> Answer:
        """A block that becomes no larger stays; another one moves to a place beside it, if there is one, or over it."""
        old = self.live.get(address)
        if old is None:
            return REFUSED
        if size <= old and address % alignment == 0:
            self.live[address] = size
            return Answer(address)
        found = self._new(size, alignment)
        del self.live[address]
        if found.error is None:
            return found
        found = self._new(size, alignment)
        if found.error is not None:
            self.live[address] = old
        return found

    def _new(self, size: int, alignment: int) -> Answer:
        room = LiveBlocks(self.geometry).room
        if room is None:
            raise AssertionError("there is an arena")
        taken = number_of(heap_room.taken(room, size))
        place = number_of(heap_room.aligned_up(room.heap.start, alignment))
        for address, other in sorted(self.live.items()):
            if place + taken <= address:
                break
            behind = address + number_of(heap_room.taken(room, other))
            place = number_of(heap_room.aligned_up(behind, alignment))
        if place + taken > number_of(room.heap.end):
            return REFUSED
        self.live[place] = size
        return Answer(place)

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> Sequence[Any] | None:
        """Where it matters to later calls is said by what they must do."""
        return None

    def take(self, operation: str, arguments: Mapping[str, Any], result: Any) -> bool:
        raise AssertionError("there is no choice")


class ResizedInArena(ArenaBlocks):
    """Whose blocks may become larger or smaller."""

    operations: Mapping[str, frozenset[str]] = {
        **ArenaBlocks.operations,
        heap.RESIZE: frozenset({"address", "bytes", "alignment"}),
    }
