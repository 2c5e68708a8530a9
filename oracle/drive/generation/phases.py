"""What a stretch of operations is about: growth, exhaustion, drainage, holes. Plain chance seldom comes to any end."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

SHORTEST, LONGEST = 32, 2000  # operations of one stretch at the most: at first, and at any time


@dataclass(frozen=True)
class Phase:
    """grows: of 100 operations that take or give back, how many take.  order: which live block is given back first."""

    grows: int
    order: str
    until: str | None = None  # what ends it before its length does: "full" or "empty"


PHASES = (
    Phase(50, "any"),
    Phase(75, "any"),
    Phase(30, "any"),
    Phase(100, "any", "full"),
    Phase(0, "newest", "empty"),
    Phase(0, "oldest", "empty"),
    Phase(0, "any", "empty"),
    Phase(0, "every other"),
    Phase(52, "newest"),
    Phase(52, "oldest"),
)


class Stretches:
    """The phases of one run, each for some operations."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.left = self.made = 0
        self.deck: list[Phase] = []
        self.phase = PHASES[0]

    def now(self) -> Phase:
        if self.left <= 0:
            self.phase = self._next()
            shortest = 4 * SHORTEST if self.phase.until else SHORTEST
            longest = min(LONGEST, shortest + self.made)  # so that a short run sees more than one
            most = longest if self.phase.until else max(1, longest >> self.random.randrange(8))
            self.left = self.random.randint(1, most)
        self.left -= 1
        self.made += 1
        return self.phase

    def _next(self) -> Phase:
        """Each phase once, in any order, before one comes again."""
        if not self.deck:
            self.deck = self.random.sample(PHASES, len(PHASES))
        return self.deck.pop()

    def ended(self, what: str) -> None:
        """Memory is full, or empty."""
        if self.phase.until == what:
            self.left = 0
