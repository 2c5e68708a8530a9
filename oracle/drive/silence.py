"""How long a target has come to nothing new.

A machine that stands still, or this process that does, is no silence of the target: of the time between two looks no
more counts than they are apart where nothing is in the way.
"""

from __future__ import annotations

import time

POLL = 0.05  # seconds from one look to the next
MOST = 4 * POLL  # of the time between two looks, in seconds


class Silence:
    """seen: what there was at the last look.  seconds: for how long that has been the same."""

    def __init__(self) -> None:
        self.seen: object = None
        self.seconds = 0.0
        self.at = time.monotonic()

    def look(self, seen: object) -> float:
        """For how many seconds there has been what is there now."""
        now = time.monotonic()
        self.seconds = self.seconds + min(now - self.at, MOST) if seen == self.seen else 0.0
        self.seen, self.at = seen, now
        return self.seconds


def no_answer(patience: float) -> str:
    """What a target died of that was silent for so many seconds."""
    return f"no answer within {patience:g} seconds"
