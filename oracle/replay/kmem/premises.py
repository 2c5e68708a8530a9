"""Findings of a log that are faults only if the log records what it may leave out: held until it shows that it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from memoracle.diagnostics.divergence import Divergence

MOST_HELD = 1 << 12  # findings at a time


class Premises:
    """shown: those that the log has shown to be so.  refuted: those that it has shown not to be so.

    dropped: by a premise that was not shown in time, how many findings rest on it.
    """

    def __init__(self) -> None:
        self.shown: set[str] = set()
        self.refuted: set[str] = set()
        self.held: list[tuple[frozenset[str], Divergence]] = []
        self.dropped: Counter[str] = Counter()

    def show(self, premise: str) -> Iterator[Divergence]:
        """This premise is so: the findings that are faults now, in the order of their lines."""
        if premise in self.shown:
            return
        self.shown.add(premise)
        held, self.held = self.held, []
        for needs, divergence in held:
            yield from self.found(divergence, needs)

    def refute(self, premise: str) -> None:
        """This premise is not so: what rests on it is no fault."""
        self.refuted.add(premise)
        self.held = [(needs, divergence) for needs, divergence in self.held if premise not in needs]

    def found(self, divergence: Divergence, needs: frozenset[str]) -> Iterator[Divergence]:
        """The finding, if it is known to be a fault; otherwise it is held, unless it is known to be none."""
        if needs <= self.shown:
            yield divergence
        elif needs & self.refuted:
            return
        elif len(self.held) < MOST_HELD:
            self.held.append((needs, divergence))
        else:
            self.dropped.update(needs - self.shown)

    def end(self) -> None:
        """The log shows no more."""
        for needs, _ in self.held:
            self.dropped.update(needs - self.shown)
        self.held = []
