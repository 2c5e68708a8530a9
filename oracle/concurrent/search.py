"""Looks for a legal order of operations of which some overlap (Wing and Gong 1993, Lowe 2017).

Where a search stands is how many operations of each processor were put in order. Next comes one of those that no other
one must precede: none that is left returned before it was called. They are tried in the order in which they seem most
likely, and what fails is taken back. Two things keep that from trying every order:

- Where it stood before, it does not look again: which operations were put in order says what state they lead to, but
  for the order of those that are *sensitive*, which is part of where it stands.
- An operation that is legal, and that no operation which overlaps it hinders or is hindered by, comes next without
  another choice. What comes of it is legal in any legal order, and can be moved to the front of it: whatever precedes
  it there overlaps it, and is independent of it. So can an operation that changes nothing, if it is legal: nothing
  depends on it. And so can one that takes room, before requests that failed for want of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from memoracle.concurrent.about import EVERYTHING, FRAMES, About, conflict
from memoracle.concurrent.guess import Guess
from memoracle.concurrent.hints import looks_legal
from memoracle.concurrent.recording import NEVER
from memoracle.concurrent.trail import Budget, Node, Trail
from memoracle.replay.dispatch import Replay
from memoracle.trace import events
from memoracle.trace.numbers import number

MOST_GUESSES = 16
FEW = 16  # operations of each processor
MOST_LOOKED_AT = 256  # operations that overlap one: of which more do is never moved


class Choice(NamedTuple):
    """After so many operations, others that could have come next, which were not tried yet."""

    after: int
    rest: list[Node]


class Search:
    """One search.

    trail: the order so far.  best: the longest order that was found, when the search came to its end without one.
    """

    def __init__(
        self,
        queues: Sequence[Sequence[Node]],
        begin: Callable[[], Replay],
        budget: Budget,
        horizon: int = NEVER,
        by_address: bool = False,
    ) -> None:
        """queues: the operations of each processor, one after another.  begin: makes a replay at the state before.

        horizon: those that return later need not be put in order.  by_address: the lowest places seem to come first.
        """
        self.queues = queues
        self.places = {queue[0].operation.cpu: place for place, queue in enumerate(queues)}
        self.horizon = horizon
        self.by_address = by_address
        self.trail = Trail(begin, budget, any(changes_frames(each.about) for queue in queues for each in queue))
        self.positions = [0] * len(queues)
        self.choices: list[Choice] = []
        self.seen: set[tuple[int, ...]] = set()
        self.sensitive: list[tuple[int, int]] = [(0, 0)]  # after how many operations, which sensitive ones so far
        self.orders: dict[tuple[int, int], int] = {}  # of sensitive operations, each by a number
        self.best: list[Node] = []

    def run(self, gives_up: Callable[[int], bool] = lambda count: False) -> bool:
        """Whether there is a legal order; raises OutOfBudgetError.

        gives_up: asked of each number of operations to which it comes back; if so, there is known to be none.
        """
        while True:
            rest = self.next_ones()
            if rest is None:
                return True
            while not self.advanced(rest):
                if len(self.trail.order) > len(self.best):
                    self.best = list(self.trail.order)
                    if self.leapt():
                        break
                if not self.choices or gives_up(self.choices[-1].after):
                    return False
                count, rest = self.choices.pop()
                self.back_to(count)

    def leapt(self) -> bool:
        """Whether it has gone another way, which was guessed, past the end of the longest order so far.

        It goes back to where the base of the trail stands. What was tried since then may be tried once more.
        """
        if self.by_address:
            return False
        base = self.trail.behind
        guess, stuck = Guess(self.trail.base), self.stuck.returned
        start = list(self.positions)
        for node in self.trail.order[base:]:
            start[self.places[node.operation.cpu]] -= 1
        for _ in range(MOST_GUESSES):
            way = guess.way(self.queues, start, self.end_of_overlap(stuck)) or guess.way(self.queues, start, stuck)
            if way is None:
                return False
            self.back_to(base)
            self.choices = [each for each in self.choices if each.after < base]
            self.seen.clear()
            for node in way:
                following = self.next_ones()
                if following is None:
                    return True  # all up to the horizon are in order
                rest = [each for each in following if each is not node]
                place = tuple(self.positions)
                if not self.advanced([node], rest):
                    guess.refuted.add((place, node.line))
                    self.choices.append(Choice(len(self.trail.order), rest))
                    break
            else:
                return True
        return False

    def end_of_overlap(self, moment: int) -> int:
        """When all has returned that was called up to a moment."""
        called = (each for queue, at in zip(self.queues, self.positions, strict=True) for each in queue[at : at + FEW])
        return max((each.returned for each in called if each.call <= moment), default=moment)

    def next_ones(self) -> list[Node] | None:
        """What may come next, the likeliest first; nothing where it stood before, None where all are in order."""
        heads = [queue[at] for queue, at in zip(self.queues, self.positions, strict=True) if at < len(queue)]
        first_return = min((each.returned for each in heads), default=self.horizon + 1)
        if first_return > self.horizon or not heads:
            return None
        if len(heads) == 1:
            return heads
        place = (*self.positions, self.sensitive[-1][1])
        if place in self.seen:
            return []
        self.seen.add(place)
        return self.ranked([each for each in heads if each.call <= first_return])

    def ranked(self, nodes: list[Node]) -> list[Node]:
        """What seems to come first, first: what changes nothing, what takes, what gives back; of these what ends first.

        What a count says that is higher than now waits for what gives back.
        """
        if len(nodes) < 2:
            return nodes
        more = any(self.waits_for_frees(each) for each in nodes)

        def rank(node: Node) -> tuple[int, int, int, int]:
            about = node.about
            kind = 9 if node.operation.crashed else 0 if not about.changes else 2 if about.takes else 1 if more else 3
            place = about.touches[-1].first if self.by_address and about.takes else 0
            return kind, place, node.returned, node.line

        return sorted(nodes, key=rank)

    def waits_for_frees(self, node: Node) -> bool:
        event = node.operation.event
        if not isinstance(event, events.FrameFreeCount) or event.result is None:
            return False
        return number(event.result) > self.trail.replay().frames.free_frames

    def likeliest(self, rest: list[Node]) -> int:
        """The place of the first of these that looks legal; of the first if none does."""
        if len(rest) == 1:
            return 0
        replay = self.trail.replay()
        return next((place for place, each in enumerate(rest) if looks_legal(replay, each.operation.event)), 0)

    def advanced(self, rest: list[Node], others: Sequence[Node] = ()) -> bool:
        """Puts the first of these next that is legal; the others are choices that are left, as some more may be."""
        while rest:
            place = self.likeliest(rest)
            node, rest = rest[place], rest[:place] + rest[place + 1 :]
            if self.trail.attempt(node) is None:
                left = [*rest, *others]
                if left and not self.comes_next(node):
                    self.choices.append(Choice(len(self.trail.order) - 1, left))
                self.positions[self.places[node.operation.cpu]] += 1
                self.note_sensitive(node)
                return True
        return False

    def note_sensitive(self, node: Node) -> None:
        if node.sensitive:
            order = self.sensitive[-1][1], node.line
            self.sensitive.append((len(self.trail.order), self.orders.setdefault(order, len(self.orders) + 1)))

    @property
    def stuck(self) -> Node:
        """The operation that should have come next after the longest order: the one that returned first."""
        done = set(map(id, self.best))
        left = (next((each for each in queue if id(each) not in done), None) for queue in self.queues)
        return min((each for each in left if each is not None), key=lambda one: (one.returned, one.line))

    def pass_over(self) -> None:
        """Goes on after the operation that has no place, as if it had one after the longest order."""
        node = self.stuck
        self.back_to(0)
        self.trail.order[:] = self.best
        self.trail.excuse(node)
        for each in self.trail.order:
            self.positions[self.places[each.operation.cpu]] += 1
            self.note_sensitive(each)
        self.choices.clear()
        self.seen.clear()
        self.best = []

    def back_to(self, count: int) -> None:
        for node in self.trail.order[count:]:
            self.positions[self.places[node.operation.cpu]] -= 1
        while self.sensitive[-1][0] > count:
            self.sensitive.pop()
        self.trail.back_to(count)

    def comes_next(self, node: Node) -> bool:
        """Whether an operation, which is legal, may come next in any legal order."""
        about = node.about
        if not about.changes:
            return True
        looked_at = 0
        for queue, at in zip(self.queues, self.positions, strict=True):
            for place in range(at, len(queue)):
                other = queue[place]
                if other.call > node.returned:
                    break
                looked_at += 1
                if other is not node and hinders(about, other.about):
                    return False
                if looked_at > MOST_LOOKED_AT:
                    return False
        return True


def hinders(one: About, other: About) -> bool:
    """Whether it may matter which of two operations comes first, where the first is legal."""
    return conflict(one, other) and not (one.takes and other.lacks and not other.changes)


def changes_frames(about: About) -> bool:
    """Whether an operation may make other frames free, or fewer."""
    return any(touch.changes and touch.space[0] in (FRAMES, EVERYTHING[0]) for touch in about.touches)


def queued(nodes: Sequence[Node]) -> list[list[Node]]:
    """The operations of each processor, one after another."""
    by_cpu: dict[int, list[Node]] = defaultdict(list)
    for node in sorted(nodes, key=lambda one: (one.call, one.returned, one.line)):
        by_cpu[node.operation.cpu].append(node)
    return list(by_cpu.values())
