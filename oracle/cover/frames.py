"""The states of a few frames: which of them are handed out, and in which blocks where these are given back whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from memoracle.cover.family import Asks, Call, call, stretches
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.replay.frames.frame_requests import rounded
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY, SINGLE

ALLOCATE, FREE, RESERVE = "frame.allocate", "frame.free", "frame.reserve"
IS_FREE, FREE_COUNT = "frame.is_free", "frame.free_count"
OPERATIONS = (ALLOCATE, FREE, RESERVE, IS_FREE, FREE_COUNT)
INSIDE = 8  # bytes from the start of a frame to an address where none begins
Blocks: TypeAlias = frozenset[tuple[int, int]]  # first frame, and how many
SIZES = frozenset({"count", "order"})  # the arguments that say how many


def count_of(arguments: Mapping[str, Any]) -> int:
    """How many frames a call is about; 1 where it does not say."""
    count: int = 1 << arguments["order"] if "order" in arguments else arguments.get("count", 1)
    return count


def taken_by(arguments: Mapping[str, Any], geometry: Geometry) -> int:
    """How many frames a call takes or gives back that is about so many."""
    return rounded(count_of(arguments)) if geometry.frame_allocator == BUDDY else count_of(arguments)


def is_whole(geometry: Geometry) -> bool:
    """Whether a block is given back whole, as it was given."""
    return geometry.frame_allocator != SINGLE and geometry.frees_whole_runs


def is_all(operation: str, arguments: Mapping[str, Any], geometry: Geometry) -> bool:
    """Whether a free gives back all of a block, since it does not say how much."""
    return operation == FREE and is_whole(geometry) and SIZES.isdisjoint(arguments)


class FrameStates:
    """Calls on all frames of a machine. whole: whether a block is given back whole, as it was given."""

    name = "frames"
    start: Blocks = frozenset()

    def __init__(self, asks: Asks, geometry: Geometry) -> None:
        self.asks, self.geometry = asks, geometry
        self.size = geometry.page_size
        self.whole = is_whole(geometry)
        self.of_allocate = asks.get(ALLOCATE, frozenset())
        self.of_free = asks.get(FREE, frozenset())
        self.asked = list(self._questions())
        self.fixed = [*self.asked, *self._allocations(), *self._reservations()]

    def state(self, situation: Blocks) -> Blocks:
        return situation

    def words(self, state: Blocks) -> str:
        return f"frames {stretches(state)} in use" if state else "no frame is in use"

    def calls(self, situation: Blocks) -> Sequence[Call]:
        return [*self.fixed, *dict.fromkeys(self._frees(situation))]

    def questions(self, situation: Blocks) -> Sequence[Call]:
        return self.asked if self.geometry.frame_allocator == SINGLE else self.asked[:1]

    def wish(self, situation: Blocks, call: Call) -> Wish:
        return call.operation, dict(call.arguments)

    def after(self, situation: Blocks, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Blocks:
        if answer.error is not None:
            return situation
        if operation == ALLOCATE and answer.result is not None:
            return situation | self._blocks(answer.result, taken_by(arguments, self.geometry))
        if operation == RESERVE:
            return situation | self._blocks(arguments["address"], arguments["count"])
        if is_all(operation, arguments, self.geometry):
            return frozenset(each for each in situation if each[0] != arguments["address"] // self.size)
        if operation == FREE:
            return situation - self._blocks(arguments["address"], taken_by(arguments, self.geometry))
        return situation

    def _blocks(self, address: int, count: int) -> Blocks:
        first = address // self.size
        return frozenset([(first, count)] if self.whole else [(frame, 1) for frame in range(first, first + count)])

    def _questions(self) -> Iterator[Call]:
        frames, size = self.geometry.frames, self.size
        if FREE_COUNT in self.asks:
            yield call(FREE_COUNT)
            if "zone" in self.asks[FREE_COUNT]:
                yield from (call(FREE_COUNT, zone=zone.name) for zone in self.geometry.zones)
        if IS_FREE in self.asks:
            yield from (call(IS_FREE, address=frame * size) for frame in range(frames + 1))
            yield call(IS_FREE, address=frames * size - 1)

    def _allocations(self) -> Iterator[Call]:
        """One of each size, as the first of them with limits, alignments and zones."""
        if ALLOCATE not in self.asks:
            return
        named = list(self._sizes())
        for arguments in named:
            yield call(ALLOCATE, **arguments)
        frames, size, keys = self.geometry.frames, self.size, self.of_allocate
        middle = frames // 2 * size
        for arguments in named[:2]:
            if "alignment" in keys:
                yield from (call(ALLOCATE, **arguments, alignment=size << shift) for shift in (1, 2))
            if "from" in keys:
                yield call(ALLOCATE, **arguments, **{"from": middle})
            if "below" in keys:
                yield call(ALLOCATE, **arguments, below=middle)
            if {"from", "below"} <= keys:
                yield call(ALLOCATE, **arguments, **{"from": middle - size, "below": middle + size})
            if "zone" in keys:
                yield from (call(ALLOCATE, **arguments, zone=zone.name) for zone in self.geometry.zones)

    def _sizes(self) -> Iterator[dict[str, int]]:
        """Every size from one frame to more than there are; and none, which is refused."""
        frames = self.geometry.frames
        if "order" in self.of_allocate:
            top = self.geometry.frame_max_order
            top = (frames - 1).bit_length() if top is None else top
            yield from ({"order": order} for order in range(top + 2))
        elif "count" in self.of_allocate and self.geometry.frame_allocator != SINGLE:
            yield from ({"count": count} for count in (*range(1, frames + 2), 0))
        else:
            yield {}

    def _reservations(self) -> Iterator[Call]:
        frames = self.geometry.frames
        for first in range(frames) if RESERVE in self.asks else ():
            for count in range(frames + 2 - first):
                yield call(RESERVE, address=first * self.size, count=count)
        if RESERVE in self.asks:
            yield call(RESERVE, address=(frames - 1) * self.size + INSIDE, count=1)

    def _frees(self, situation: Blocks) -> Iterator[Call]:
        """Of each block as it was given, of others too long and too short, at each frame, and inside one."""
        if FREE not in self.asks:
            return
        frames = self.geometry.frames
        for first in range(frames + 1):
            yield from self._free(first, 1)
        for first, count in sorted(situation) or [(frames - 1, 1)]:
            yield from self._free(first, count, INSIDE)
        if self.of_free.isdisjoint(SIZES):
            return
        if not self.whole:
            for first in range(frames):
                for count in range(frames + 2 - first):
                    yield from self._free(first, count)
        for first, count in sorted(situation):
            for other in (count, count - 1, count + 1, count // 2, 2 * count):
                yield from self._free(first, other)
            yield from self._free(first + count // 2, max(1, count // 2))

    def _free(self, first: int, count: int, inside: int = 0) -> Iterator[Call]:
        """inside: how many bytes after the frame's start."""
        address = first * self.size + inside
        if "order" in self.of_free:
            if count > 0 and count & count - 1 == 0:
                yield call(FREE, address=address, order=count.bit_length() - 1)
        elif "count" in self.of_free:
            yield call(FREE, address=address, count=count)
        elif count == 1:
            yield call(FREE, address=address)
