"""Guesses a way on from where a search cannot go on, without replaying anything: which operations, in which order.

Many calls that overlap have many orders, and few of these may agree with a count, or with a request that failed. To try
them on a replay takes long, since each that fails must be taken back. Here it is only noted which blocks seem to be
taken, and how many frames seem to be free. What is guessed is a proposal, like every hint: the search replays it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from memoracle.concurrent.about import ENTRIES, FRAMES, PAGES, Space, Touch
from memoracle.concurrent.hints import looks_legal
from memoracle.concurrent.trail import Node
from memoracle.replay.dispatch import Replay
from memoracle.spec.geometry_keys import LOWER_HALF_END
from memoracle.spec.kernel_half import FIRST as LOWER
from memoracle.trace import events
from memoracle.trace.events import AnyEvent
from memoracle.trace.numbers import number

MOST_LOOKED_AT = 20_000  # states of one guess
Place = tuple[Space, int]


class Guess:
    """What seems to be so after some operations.

    taken: of the blocks at some places, whether they are.  free: how many frames are.
    values: what pages show, and what entries say, as far as operations have set them.  before: what they were.
    refuted: after how many operations of each processor, which one did not come next, as the search found.
    """

    def __init__(self, replay: Replay) -> None:
        """replay: the state that it begins at."""
        self.replay = replay
        self.taken: dict[Place, bool] = {}
        self.free = replay.frames.free_frames
        self.values: dict[Place, int | None] = {}
        self.before: list[tuple[Place, bool, int | None] | None] = []
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
            self.set(rest[0].operation.event)
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
            if (before := self.before.pop()) is not None:
                place, is_known, value = before
                self.values[place] = value
                if not is_known:
                    del self.values[place]

    def change(self, node: Node, taken: bool) -> None:
        """Notes that what an operation takes, or gives back, is taken now, or is not."""
        if node.about.changes and node.about.undone_whole:
            touch = block_of(node)
            self.taken[touch.space, touch.first] = taken
            if touch.space[0] == FRAMES:
                self.free += (touch.first - touch.end) if taken else (touch.end - touch.first)

    def set(self, event: AnyEvent | events.Crash) -> None:
        """Notes what a page shows, or an entry says, if an operation sets that."""
        place = self.place_of(event)
        self.before.append(None if place is None else (place, place in self.values, self.values.get(place)))
        if place is not None and event.error is UNSET:
            if isinstance(event, events.PageMap):
                self.values[place] = number(event.physical)
            elif isinstance(event, events.PageUnmap):
                self.values[place] = None
            elif isinstance(event, events.Pml4Write):
                self.values[place] = number(event.value)

    def place_of(self, event: AnyEvent | events.Crash) -> Place | None:
        """The page, or the entry, that an event sets or asks for."""
        if isinstance(event, events.PageMap | events.PageUnmap | events.PageTranslate):
            virtual = number(event.virtual)
            process = number(event.process) if virtual < LOWER_HALF_END else 0
            return (PAGES, process), virtual >> self.replay.frames.geometry.page_shift
        if isinstance(event, events.Pml4Write | events.Pml4Read):
            index = number(event.index)
            return (ENTRIES, number(event.process) if index < LOWER else 0), index
        return None

    def agrees(self, event: AnyEvent | events.Crash, value: int | None) -> bool:
        """Whether an event seems legal where the page that it names shows this, or the entry says it."""
        if isinstance(event, events.PageMap | events.PageUnmap):
            return ((value is None) == isinstance(event, events.PageMap)) == event.succeeded
        shift = self.replay.frames.geometry.page_shift
        if isinstance(event, events.PageTranslate) and event.error is UNSET:
            if value is None or event.result is None:
                return value is None and event.result is None
            return number(event.result) >> shift == value >> shift
        return not isinstance(event, events.Pml4Read) or event.result is None or number(event.result) == value

    def seems_legal(self, node: Node) -> bool:
        event, about = node.operation.event, node.about
        if about.changes and about.undone_whole:
            touch = block_of(node)
            taken = self.taken.get((touch.space, touch.first))
            return looks_legal(self.replay, event) if taken is None else taken != about.takes
        place = self.place_of(event)
        if place is not None:
            return self.agrees(event, self.values[place]) if place in self.values else looks_legal(self.replay, event)
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
