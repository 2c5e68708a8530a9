"""The operations that a search has put in order so far, replayed; the last ones can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memoracle.concurrent.about import About
from memoracle.concurrent.copies import copied
from memoracle.concurrent.recording import Operation
from memoracle.diagnostics.divergence import Finding
from memoracle.replay.dispatch import Replay
from memoracle.trace.decoding import MalformedLine, misread
from memoracle.trace.inputs import InputError
from memoracle.trace.interrupts import INTERRUPTS
from memoracle.trace.numbers import BadNumber

COPY = 500  # steps that a copy counts for
FARTHEST, NEAREST = 96, 48  # operations by which the state that copies are made of lags behind


class OutOfBudgetError(Exception):
    """A search has taken as many steps as it may."""


@dataclass
class Budget:
    """Steps that are left: one for each event that is replayed, and more for a copy of the state."""

    steps: int

    def spend(self, steps: int = 1) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise OutOfBudgetError
        if INTERRUPTS.asked:
            raise KeyboardInterrupt


@dataclass(eq=False, slots=True)
class Node:
    """An operation, and what it is about.

    sensitive: whether what comes of it, or of one that overlaps it, may depend on which of both happens first.
    """

    operation: Operation
    about: About
    sensitive: bool = False

    @property
    def line(self) -> int:
        return self.operation.line

    @property
    def call(self) -> int:
        return self.operation.call

    @property
    def returned(self) -> int:
        return self.operation.returned


class Trail:
    """order: the operations so far."""

    def __init__(self, begin: Callable[[], Replay], budget: Budget, changes_frames: bool) -> None:
        """begin: makes a replay at the state before the first operation.  changes_frames: whether any may do so."""
        self.begin = begin
        self.changes_frames = changes_frames
        self.budget = budget
        self.order: list[Node] = []
        self.base, self.behind = begin(), 0  # of so many operations
        self.front: Replay | None = None
        self.ahead = 0

    def replay(self) -> Replay:
        """The state after all operations so far."""
        if self.front is None or self.ahead != len(self.order):
            self.catch_up()
        assert self.front is not None, "it was just made"
        return self.front

    def catch_up(self) -> None:
        if self.behind > len(self.order):
            self.base, self.behind = self.begin(), 0
            self.advance_base(max(0, len(self.order) - FARTHEST))
        self.budget.spend(COPY)
        self.let_go()
        self.front = copied(self.base, () if self.changes_frames else (self.base.frames.bitmap,))
        for node in self.order[self.behind :]:
            self.step(self.front, node)
        self.ahead = len(self.order)

    def attempt(self, node: Node) -> Finding | None:
        """Puts an operation next, if it is legal there; else what is found."""
        finding = self.step(self.replay(), node)
        if finding is not None and not node.operation.crashed:
            self.let_go()
            return finding
        self.order.append(node)
        self.ahead += 1
        if self.ahead - self.behind > FARTHEST:
            self.advance_base(self.ahead - NEAREST)
        return None

    def excuse(self, node: Node) -> Finding | None:
        """Puts an operation next, although it is not legal there; what is found."""
        finding = self.step(self.replay(), node)
        self.order.append(node)
        self.ahead += 1
        return finding

    def back_to(self, count: int) -> None:
        """Takes back all but the first so many operations."""
        if count < len(self.order):
            del self.order[count:]
            self.let_go()

    def let_go(self) -> None:
        """Of the state after all operations, which is large, and is made anew when it is asked for."""
        if self.front is not None:
            self.front.end()
        self.front = None

    def end(self) -> None:
        """Nothing more is tried."""
        self.let_go()
        self.base.end()

    def advance_base(self, count: int) -> None:
        for node in self.order[self.behind : count]:
            self.step(self.base, node)
        self.behind = count

    def step(self, replay: Replay, node: Node) -> Finding | None:
        self.budget.spend()
        return step(replay, node.operation)


def step(replay: Replay, operation: Operation) -> Finding | None:
    """What is found of one operation; raises InputError, which names its line."""
    try:
        return replay.step(operation.event, operation.line)
    except BadNumber as fault:
        raise InputError(replay.path, operation.line, str(misread(operation.text, fault))) from None
    except MalformedLine as fault:
        raise InputError(replay.path, operation.line, str(fault)) from None


def replayed(replay: Replay, nodes: Sequence[Node]) -> Finding | None:
    """Replays these, up to the first of which something is found, which is returned."""
    found = (step(replay, node.operation) for node in nodes)
    return next((each for each in found if each is not None), None)
