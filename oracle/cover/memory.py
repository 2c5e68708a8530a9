"""The states of a few frames to which memory is added: which frames are there, and which of them are handed out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from memoracle.cover.family import Asks, Call, call, stretches
from memoracle.cover.frames import Blocks, FrameStates
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

ADD = "memory.add"


class Machine(NamedTuple):
    """added: the frames that were."""

    blocks: Blocks
    added: frozenset[int]


class MemoryStates:
    """Calls on all frames of a machine that can grow. missing: the frames that are not there at start.

    Where none is, as without a memory map, nothing can be added, in any state.
    """

    def __init__(self, asks: Asks, geometry: Geometry, missing: Collection[int]) -> None:
        self.geometry, self.size = geometry, geometry.page_size
        self.frames = FrameStates(asks, geometry)
        self.start = Machine(self.frames.start, frozenset())
        self.missing = sorted(missing)
        self.name = "frames, and memory that is added" if missing else "frames, and memory that is there already"

    def state(self, situation: Machine) -> Machine:
        return situation

    def words(self, state: Machine) -> str:
        added = stretches((frame, 1) for frame in state.added)
        return f"{self.frames.words(state.blocks)}; {f'frames {added} added' if added else 'no memory added'}"

    def calls(self, situation: Machine) -> Sequence[Call]:
        """What cannot be added comes first, then questions, and then the rest."""
        adds = dict.fromkeys(self._adds())
        return [*adds, *self.frames.calls(situation.blocks)]

    def questions(self, situation: Machine) -> Sequence[Call]:
        return self.frames.questions(situation.blocks)

    def wish(self, situation: Machine, call: Call) -> Wish:
        return call.operation, dict(call.arguments)

    def after(self, situation: Machine, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Machine:
        if operation == ADD and answer.error is None:
            start, length = arguments["start"], arguments["length"]
            first, last = self.geometry.frames_within(start, start + length)
            return situation._replace(added=situation.added | {*range(first, last)})
        return situation._replace(blocks=self.frames.after(situation.blocks, operation, arguments, answer))

    def _adds(self) -> Iterator[Call]:
        """Of each missing frame and two neighbours of them, of all, and of what is there or is no whole frame."""
        size, missing, frames = self.size, self.missing, self.geometry.frames
        yield call(ADD, start=(1 << 64) - size, length=2 * size)
        if not missing:
            yield from (call(ADD, start=frame * size, length=size) for frame in range(frames))
            yield call(ADD, start=0, length=frames * size)
            yield call(ADD, start=(frames - 1) * size, length=2 * size)
            return
        first, last = missing[0], missing[-1]
        yield call(ADD, start=first * size + 8, length=size)
        there = next((frame for frame in range(frames) if frame not in missing), None)
        if there is not None:
            yield call(ADD, start=there * size, length=size)
        yield call(ADD, start=first * size, length=(last + 1 - first) * size)
        for one, other in pairwise(missing):
            if other == one + 1:
                yield call(ADD, start=one * size, length=2 * size)
        yield from (call(ADD, start=frame * size, length=size) for frame in missing)
