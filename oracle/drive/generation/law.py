"""What the law says of a call before it is made, and what was put to the test so far: by this the calls are steered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from memoracle.drive.calls import Wish
from memoracle.drive.log import ENCODE
from memoracle.replay.dispatch import Replay
from memoracle.replay.frames.frame_runs import FrameRuns
from memoracle.trace.decoding import EVENT
from memoracle.trace.operations import KINDS


class Law:
    """The law, in the state that the calls so far have led to."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.chosen: Counter[tuple[str, str]] = Counter()
        self.is_whole = False  # all frames in reach exist, as was seen once: none ever ceases to

    def against(self, operation: str, arguments: Mapping[str, Any]) -> str | None:
        """The name of the clause that refuses this call as it would be made; None if there is none."""
        event = EVENT.decode(ENCODE({"op": operation, **arguments, "error": "not made"}))
        clause = self.replay.violated_by(event, 0)
        return None if clause is None else clause.name

    def missing_frames(self, frame: int) -> tuple[int, int] | None:
        """The first stretch of frames that do not exist, from this frame on or else from the lowest; None if all do."""
        if self.is_whole:
            return None
        runs, reach = FrameRuns(self.replay.rules, self.replay.frames), self.replay.rules.geometry.frames
        for lowest in (frame, 0):
            first = runs.missing(lowest, reach)
            if first < reach:
                end = runs.existing(first, reach)
                return first, reach if end is None else end
        self.is_whole = True
        return None

    def tested(self, operation: str, clause: str) -> int:
        """How many calls of an operation this clause has refused."""
        return self.replay.coverage.broken[KINDS[operation], clause]

    def least_tested(self, calls: Iterable[Wish]) -> Wish | None:
        """Of some calls the one that the law refuses by the clause that has refused least; None if it allows all."""
        judged = ((self.against(*call), call) for call in calls)
        # A call that cannot be put to the target tests nothing: what was chosen counts, too.
        refused = [
            (self.tested(call[0], clause) + self.chosen[call[0], clause], clause, call)
            for clause, call in judged
            if clause is not None
        ]
        if not refused:
            return None
        _, clause, call = min(refused, key=lambda each: each[0])
        self.chosen[call[0], clause] += 1
        return call
