"""What a trace exercised: a conforming trace that never ran out of memory says nothing of what happens then."""

from __future__ import annotations

from dataclasses import dataclass, field

from memoracle.spec.clauses import Clause
from memoracle.trace.events import AnyEvent, Crash

KINDS = AnyEvent.__args__


@dataclass
class Coverage:
    """events, failed: how many there were of each kind of event, and how many of them failed.

    refused: the clauses by which a call was rightly refused.  frames_ran_out, ranges_ran_out: whether at any moment no
    frame was free, or no block was large enough for what was asked.
    """

    events: dict[type, int] = field(default_factory=lambda: dict.fromkeys((*KINDS, Crash), 0))
    failed: dict[type, int] = field(default_factory=lambda: dict.fromkeys((*KINDS, Crash), 0))
    refused: set[Clause] = field(default_factory=set)
    frames_ran_out: bool = False
    ranges_ran_out: bool = False

    def add(self, other: Coverage) -> None:
        """Counts what another trace exercised, too."""
        for kind in KINDS:
            self.events[kind] += other.events[kind]
            self.failed[kind] += other.failed[kind]
        self.refused |= other.refused
        self.frames_ran_out |= other.frames_ran_out
        self.ranges_ran_out |= other.ranges_ran_out
