"""Walks through the states of a live target, from one to the next, until every call was made in each that it reaches.

Which block a target gives is its own choice, so where it goes is seen only then: the walk goes on from the state that
was reached. The way to a state where calls are left is looked for among the calls that were made; where there is none,
the target has to be started again. After a call that leads to another state the target is asked about that: it may have
gone elsewhere than it said.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from memoracle.cover.family import Call, Family, Situation, State, left_by
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.replay.dispatch import Replay
from memoracle.trace.events import AnyEvent

CLOCK_EVERY = 256  # calls between two looks at the clock
MOST_ASTRAY = 1000  # calls on ways that do not lead where they led before


@dataclass
class Steps:
    """What was walked through so far.

    taken: by state, the calls that were made there, each with the state that it led to.  left: those that were not yet.
    moves: by state, the other states that calls led to, each with the last of them that did.
    unmade: how many are never made, since they are misuse that the target does not say that it refuses.
    calls: that were made in all.  died: whether the target did, so that what was left is not known.
    """

    taken: dict[State, dict[Call, State]] = field(default_factory=dict)
    left: dict[State, dict[Call, None]] = field(default_factory=dict)
    moves: dict[State, dict[State, Call]] = field(default_factory=dict)
    unmade: int = 0
    calls: int = 0
    died: bool = False

    @property
    def transitions(self) -> int:
        return sum(map(len, self.taken.values()))

    @property
    def missing(self) -> int:
        return sum(map(len, self.left.values()))

    def way(self, state: State) -> list[Call]:
        """The calls by which a state is reached where some are left; none if no such state is known to be."""
        reached_by: dict[State, tuple[State, Call]] = {}
        queue, met = deque([state]), {state}
        while queue:
            here = queue.popleft()
            for there, call in self.moves.get(here, {}).items():
                if there in met:
                    continue
                met.add(there)
                reached_by[there] = here, call
                if self.left.get(there):
                    return _calls_to(there, state, reached_by)
                queue.append(there)
        return []


@lru_cache(1 << 14)
def _event(operation: str, arguments: tuple[tuple[str, Any], ...]) -> Any:
    """A call as an event, as if it had been refused. In few states the same ones are made over and over."""
    return msgspec.convert({"op": operation, **dict(arguments), "error": ""}, AnyEvent)


def _calls_to(there: State, start: State, reached_by: Mapping[State, tuple[State, Call]]) -> list[Call]:
    calls = list[Call]()
    while there != start:
        there, call = reached_by[there]
        calls.append(call)
    return calls[::-1]


class Walk:
    """One run of a target. most, end: how many calls are made in all, and when it ends, if not before.

    refuses: the operations of which calls are made that the law refuses as they are made.
    """

    def __init__(
        self,
        family: Family,
        steps: Steps,
        refuses: frozenset[str],
        most: int,
        end: float | None,
    ) -> None:
        self.family, self.steps, self.refuses = family, steps, refuses
        self.replay: Replay | None = None  # what judges the answers, if anything does
        self.most, self.end = most, end
        self.now: Situation = family.start
        self.call: Call | None = None
        self.is_misuse = False
        self.questions: list[Call] = []
        self.expected: State = None  # where a call of a way leads

    def judged_by(self, replay: Replay) -> None:
        self.replay = replay

    def refused(self, wish: Wish) -> bool:
        """Whether the law refuses a call as it is made now, whatever the target would choose."""
        event = _event(wish[0], tuple(wish[1].items()))
        return self.replay is not None and self.replay.violated_by(event, 0) is not None

    def wishes(self) -> Iterator[Wish]:
        family, steps, astray = self.family, self.steps, 0
        way: list[Call] = []
        while steps.calls < self.most and not self._is_late():
            state = family.state(self.now)
            if state not in steps.left:
                steps.taken[state] = {}
                steps.left[state] = dict.fromkeys(reversed(family.calls(self.now)))
            left, strayed = steps.left[state], self.expected not in (None, state)
            self.expected = None
            if self.questions:
                call = self.questions.pop()
                left.pop(call, None)
            elif left:
                call, way = left.popitem()[0], []
            else:
                if strayed:
                    way, astray = [], astray + 1
                way = way or steps.way(state)
                if not way or astray > MOST_ASTRAY:
                    return
                call, way = way[0], way[1:]
                self.expected = steps.taken[state][call]
            wish = family.wish(self.now, call)
            self.is_misuse = self.expected is None and self.refused(wish)  # what leads on is none
            if self.is_misuse and wish[0] not in self.refuses:
                steps.unmade += 1
                continue
            self.call = call
            yield wish

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        assert self.call is not None, "it was made"
        family, steps = self.family, self.steps
        state = family.state(self.now)
        if not self.is_misuse:
            self.now = left_by(family, self.now, operation, arguments, answer)
        reached = family.state(self.now)
        if reached != state and self.call not in steps.taken[state]:
            self.questions = [*family.questions(self.now)]
        steps.taken[state][self.call] = reached
        steps.calls += 1
        moves = steps.moves.setdefault(state, {})
        if reached != state:
            moves[reached] = self.call
        if self.expected not in (None, reached) and moves.get(self.expected) == self.call:
            del moves[self.expected]  # it leads elsewhere now

    def _is_late(self) -> bool:
        return self.end is not None and self.steps.calls % CLOCK_EVERY == 0 and time.monotonic() > self.end
