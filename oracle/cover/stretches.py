"""Memory that is added to a machine of any size: which of few pieces of it are there, and whether a frame is in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from memoracle.cover.family import Asks, Call, call, stretches
from memoracle.cover.frames import ALLOCATE, FREE, FREE_COUNT, IS_FREE
from memoracle.cover.memory import ADD
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

MOST_PIECES = 4
Stretch = tuple[int, int]  # the first frame, and the one after the last


class Grown(NamedTuple):
    """added: the pieces that were, by their places.  used: the address of the frame that is in use, if one is."""

    added: frozenset[int]
    used: int | None


class StretchStates:
    """Calls that add memory, and one frame that is handed out. missing: the stretches that are not there at start."""

    def __init__(self, asks: Asks, geometry: Geometry, missing: Sequence[Stretch]) -> None:
        self.asks, self.geometry, self.size = asks, geometry, geometry.page_size
        self.pieces = pieces_of(missing)
        self.start = Grown(frozenset(), None)
        self.name = f"memory that is added in {len(self.pieces)} pieces" if missing else "memory that is there already"
        one = {"count": 1, "order": 0}
        self.one = {key: one[key] for key in one if key in asks.get(FREE, ())}
        self.asked = list(self._questions())

    def state(self, situation: Grown) -> tuple[frozenset[int], bool]:
        return situation.added, situation.used is not None

    def words(self, state: tuple[frozenset[int], bool]) -> str:
        added = stretches((first, end - first) for first, end in (self.pieces[place] for place in state[0]))
        used = "a frame is in use" if state[1] else "no frame is in use"
        return f"{used}; {f'frames {added} added' if added else 'no memory added'}"

    def calls(self, situation: Grown) -> Sequence[Call]:
        return [*dict.fromkeys([*self._adds(), *self.asked, *self._uses(situation)])]

    def questions(self, situation: Grown) -> Sequence[Call]:
        return self.asked

    def wish(self, situation: Grown, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.block is not None:
            arguments["address"] += situation.used
        return call.operation, arguments

    def after(self, situation: Grown, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Grown:
        if answer.error is not None:
            return situation
        if operation == ADD:
            first, end = self.geometry.frames_within(arguments["start"], arguments["start"] + arguments["length"])
            places = (place for place, piece in enumerate(self.pieces) if first <= piece[0] and piece[1] <= end)
            return situation._replace(added=situation.added | {*places})
        if operation == ALLOCATE:
            return situation._replace(used=answer.result)
        return situation._replace(used=None) if operation == FREE else situation

    def _uses(self, situation: Grown) -> Iterator[Call]:
        if situation.used is None and ALLOCATE in self.asks:
            yield call(ALLOCATE)
        elif situation.used is not None and FREE in self.asks:
            yield call(FREE, address=0, **self.one)._replace(block=0)

    def _questions(self) -> Iterator[Call]:
        """How many frames are free, and whether those at both ends of each piece are, and their neighbours."""
        if FREE_COUNT in self.asks:
            yield call(FREE_COUNT)
        edges = {frame for first, end in self.pieces for frame in (first - 1, first, end - 1, end)}
        for frame in sorted(edges) if IS_FREE in self.asks else ():
            if 0 <= frame < self.geometry.frames:
                yield call(IS_FREE, address=frame * self.size)

    def _adds(self) -> Iterator[Call]:
        """What is there, what no address has, parts of pages, and then each piece, two neighbours, and all of them."""
        size, frames, pieces = self.size, self.geometry.frames, self.pieces
        yield call(ADD, start=(1 << 64) - size, length=2 * size)
        there = [frame for frame in (0, frames - 1) if not any(first <= frame < end for first, end in pieces)]
        there += [end for _, end in pieces if end < frames and all(end != first for first, _ in pieces)]
        yield from (call(ADD, start=frame * size, length=size) for frame in there)
        if not pieces:
            yield call(ADD, start=0, length=frames * size)
            yield call(ADD, start=(frames - 1) * size, length=2 * size)
            return
        first, last = pieces[0][0], pieces[-1][1]
        yield call(ADD, start=first * size + 8, length=size)
        if first:
            yield call(ADD, start=(first - 1) * size, length=2 * size)
            yield call(ADD, start=first * size - 8, length=(pieces[0][1] - first) * size + 16)
        yield call(ADD, start=first * size, length=(last - first) * size)
        for one, other in pairwise(pieces):
            if one[1] == other[0]:
                yield call(ADD, start=one[0] * size, length=(other[1] - one[0]) * size)
        yield from (call(ADD, start=first * size, length=(end - first) * size) for first, end in pieces)


def pieces_of(missing: Sequence[Stretch]) -> list[Stretch]:
    """The stretches, few of them; of the longest the first and the last frame are pieces of their own."""
    found = sorted(missing)[: MOST_PIECES - 2]
    longest = max(found, key=lambda each: each[1] - each[0], default=None)
    if longest is None or longest[1] - longest[0] < 3:
        return found
    first, end = longest
    found.remove(longest)
    return sorted([*found, (first, first + 1), (first + 1, end - 1), (end - 1, end)])
