"""Guesses a way on from where a search cannot go on, without replaying anything: which operations, in which order.

Many calls that overlap have many orders, and few of these may agree with a count, or with a request that failed. To try
them on a replay takes long, since each that fails must be taken back. Here it is only noted which blocks seem to be
taken, and how many frames seem to be free. What is guessed is a proposal, like every hint: the search replays it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from memoracle.concurrent.hints import looks_legal
from memoracle.concurrent.touches import FRAMES, Space, Touch
from memoracle.concurrent.trail import Node
from memoracle.replay.dispatch import Replay
from memoracle.trace import events
from memoracle.trace.events import number

MOST_LOOKED_AT = 20_000  # states of one guess
Place = tuple[Space, int]


class Guess:
    """What seems to be so after some operations.

    taken: of the blocks at some places, whether they are.  free: how many frames are.
    refuted: after how many operations of each processor, which one did not come next, as the search found.
    """

    def __init__(self, replay: Replay) -> None:
        """replay: the state that it begins at."""
        self.replay = replay
        self.taken: dict[Place, bool] = {}
        self.free = replay.frames.free_frames
        self.refuted: set[tuple[tuple[int, ...], int]] = set()

    def way(self, queues: Sequence[Sequence[Node]], start: Sequence[int], horizon: int) -> list[Node] | None:
        """Operations in an order that seems legal, by which all that return up to a moment are; None if none is found.

        start: how many of each processor come before.
        """
        positions, found = list(start), list[Node]()
        seen: set[tuple[int, ...]] = set()
        choices: list[tuple[int, list[Node]]] = []
        places = {queue[0].operation.cpu: place for place, queue in enumerate(queues)}
        following = self.following(queues, positions, horizon)
        while following is not None:
            place = tuple(positions)
            rest = [] if place in seen or len(seen) > MOST_LOOKED_AT else following
            seen.add(place)
            rest = [each for each in rest if (place, each.line) not in self.refuted and self.seems_legal(each)]
            if rest and not rest[0].about.changes:
                rest = rest[:1]
            while not rest:
                if not choices:
                    self.back(found, 0, positions, places)
                    return None
                count, rest = choices.pop()
                self.back(found, count, positions, places)
            if rest[1:]:
                choices.append((len(found), rest[1:]))
            self.change(rest[0], rest[0].about.takes)
            found.append(rest[0])
            positions[places[rest[0].operation.cpu]] += 1
            following = self.following(queues, positions, horizon)
        way = list(found)
        self.back(found, 0, positions, places)
        return way

    def following(self, queues: Sequence[Sequence[Node]], positions: Sequence[int], horizon: int) -> list[Node] | None:
        """What may come next, the likeliest first; None if all that return up to the horizon are in order."""
        heads = [queue[at] for queue, at in zip(queues, positions, strict=True) if at < len(queue)]
        first_return = min((each.returned for each in heads), default=horizon + 1)
        if first_return > horizon:
            return None
        return sorted((each for each in heads if each.call <= first_return), key=likelihood)

    def back(self, found: list[Node], count: int, positions: list[int], places: dict[int, int]) -> None:
        while len(found) > count:
            node = found.pop()
            positions[places[node.operation.cpu]] -= 1
            self.change(node, not node.about.takes)

    def change(self, node: Node, taken: bool) -> None:
        """Notes that what an operation takes, or gives back, is taken now, or is not."""
        if node.about.changes and node.about.undone_whole:
            touch = block_of(node)
            self.taken[touch.space, touch.first] = taken
            if touch.space[0] == FRAMES:
                self.free += (touch.first - touch.end) if taken else (touch.end - touch.first)

    def seems_legal(self, node: Node) -> bool:
        event, about = node.operation.event, node.about
        if about.changes and about.undone_whole:
            touch = block_of(node)
            taken = self.taken.get((touch.space, touch.first))
            return looks_legal(self.replay, event) if taken is None else taken != about.takes
        if isinstance(event, events.FrameFreeCount) and event.result is not None and event.zone is UNSET:
            return number(event.result) == self.free
        if isinstance(event, events.FrameIsFree):
            taken = self.taken.get(((FRAMES, 0), number(event.address) >> self.replay.frames.geometry.page_shift))
            return looks_legal(self.replay, event) if taken is None else taken != event.result
        if isinstance(event, events.FrameAllocate) and event.count is event.order is event.zone is UNSET:
            return self.free <= 0
        return True


def block_of(node: Node) -> Touch:
    """What an operation takes or gives back."""
    return next(each for each in reversed(node.about.touches) if each.changes)


def likelihood(node: Node) -> tuple[int, int, int]:
    return (0 if not node.about.changes else 1 if node.about.takes else 2), node.returned, node.line
