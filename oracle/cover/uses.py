"""The states of a few frames that are in use: how many uses each has that no page shows. Which frames they are is the
target's choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

from memoracle.cover.family import Asks, Call, call
from memoracle.cover.frames import ALLOCATE, FREE, FREE_COUNT, IS_FREE
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import REFUSE

GET, PUT = "frame.get", "frame.put"
OPERATIONS = (GET, PUT)
GETS = 2  # of one frame, at the most
MOST_ASKED = 64  # frames of which each is asked about: what was released is none of those in use
Uses: TypeAlias = tuple[tuple[int, int], ...]  # gets, and the frame's address


class UseStates:
    """Calls on uses of frames. frames: how many are in use at the most."""

    start: Uses = ()

    def __init__(self, asks: Asks, geometry: Geometry, frames: int) -> None:
        self.asks, self.geometry, self.frames, self.size = asks, geometry, frames, geometry.page_size
        never = {frame for first, last in geometry.never_free_frames for frame in range(first, last)}
        last = range(geometry.frames - 1, -1, -1)
        self.allocatable = [*islice((frame * self.size for frame in last if frame not in never), frames + 1)]
        self.beyond = geometry.frames * self.size
        self.name = f"uses of up to {frames} frames"
        extent = {"order": 0} if "order" in asks[ALLOCATE] else {"count": 1} if "count" in asks[ALLOCATE] else {}
        self.taken = call(ALLOCATE, **extent)
        given = asks.get(FREE, frozenset())
        self.freed = call(FREE, address=0, **{key: value for key, value in extent.items() if key in given})

    def state(self, situation: Uses) -> tuple[int, ...]:
        return tuple(gets for gets, _ in situation)

    def words(self, state: tuple[int, ...]) -> str:
        return f"frames with {', '.join(map(str, state))} gets" if state else "no frame is in use"

    def calls(self, situation: Uses) -> Sequence[Call]:
        return list(self._all_calls(situation))

    def questions(self, situation: Uses) -> Sequence[Call]:
        return list(self._questions())

    def wish(self, situation: Uses, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.block is not None:
            used = [address for _, address in situation]
            arguments["address"] += used[call.block] if call.block < len(used) else self._other(used)
        return call.operation, arguments

    def after(self, situation: Uses, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Uses:
        if answer.error is not None:
            return situation
        gets = {address: count for count, address in situation}
        if operation == ALLOCATE and answer.result is not None:
            gets[answer.result] = 0
        elif operation == FREE:
            del gets[arguments["address"]]
        elif operation == GET:
            gets[arguments["address"]] += 1
        elif operation == PUT:
            gets[arguments["address"]] -= 1
            if not gets[arguments["address"]] and arguments.get("release"):
                del gets[arguments["address"]]
        return tuple(sorted((count, address) for address, count in gets.items()))

    def _other(self, used: Sequence[int]) -> int:
        """A frame that is not in use, if there is one."""
        return next((address for address in self.allocatable if address not in used), self.beyond)

    def _questions(self) -> Iterator[Call]:
        if FREE_COUNT in self.asks:
            yield call(FREE_COUNT)
        if IS_FREE in self.asks and self.geometry.frames <= MOST_ASKED:
            yield from (call(IS_FREE, address=frame * self.size) for frame in range(self.geometry.frames))

    def _all_calls(self, situation: Uses) -> Iterator[Call]:
        """With addresses at which no frame begins, past all frames, and of a frame that was not handed out."""
        inside = self.size // 2
        for operation in (each for each in OPERATIONS if each in self.asks):
            yield call(operation, address=self.beyond)
            yield call(operation, address=0)._replace(block=len(situation))
            for place in range(len(situation)):
                yield call(operation, address=inside)._replace(block=place)
        releases = [{"release": each} for each in (False, True)] if "release" in self.asks.get(PUT, ()) else [{}]
        for place, (gets, _) in enumerate(situation):
            if not gets and PUT in self.asks:
                yield from (call(PUT, address=0, **release)._replace(block=place) for release in releases)
            if gets and FREE in self.asks and self.geometry.free_while_mapped == REFUSE:
                yield self.freed._replace(block=place)
        yield from self._questions()
        if len(situation) < self.frames:
            yield self.taken
        for place, (gets, _) in enumerate(situation):
            if gets < GETS and GET in self.asks:
                yield call(GET, address=0)._replace(block=place)
            if gets and PUT in self.asks:
                yield from (call(PUT, address=0, **release)._replace(block=place) for release in releases)
            if not gets and FREE in self.asks:
                yield self.freed._replace(block=place)
