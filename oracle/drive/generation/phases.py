"""What a stretch of operations is about: growth, exhaustion, drainage, holes. Plain chance seldom comes to any end."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

SHORTEST, LONGEST = 32, 2000  # operations of one stretch at the most: at first, and at any time
OF_ALL = 8  # a stretch that is to come to an end may be one in so many of all operations so far, if that is more
FULL, EMPTY = "full", "empty"
GREEDS = 0.0, 0.1, 0.5  # of the requests of a stretch that fills memory, how many ask for all that there may be


@dataclass(frozen=True)
class Phase:
    """grows: of 100 operations that take or give back, how many take.  order: which live block is given back first."""

    grows: int
    order: str
    until: str | None = None  # what ends it before its length does: FULL or EMPTY


PHASES = (
    Phase(50, "any"),
    Phase(75, "any"),
    Phase(30, "any"),
    Phase(100, "any", FULL),
    Phase(0, "newest", EMPTY),
    Phase(0, "oldest", EMPTY),
    Phase(0, "any", EMPTY),
    Phase(0, "every other"),
    Phase(52, "newest"),
    Phase(52, "oldest"),
)

AFTER_FULL = tuple(each for each in PHASES if each.until == EMPTY)


class Stretches:
    """The phases of one run, each for some operations.

    count: of phases so far.  largest: what a request may ask for while memory is filled, since more was refused; None
    if nothing was.  greed: of these requests, how many ask for that much.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.left = self.made = 0
        self.is_full = False
        self.deck: list[Phase] = []
        self.phase = PHASES[0]
        self.count, self.greed = 0, GREEDS[0]
        self.largest: int | None = None

    def now(self) -> Phase:
        if self.left <= 0:
            self.phase = self._next()
            self.count += 1
            self.largest, self.greed = None, self.random.choice(GREEDS)
            shortest = 4 * SHORTEST if self.phase.until else SHORTEST
            longest = LONGEST + self.made // OF_ALL if self.phase.until else LONGEST
            longest = min(longest, shortest + self.made)  # so that a short run sees more than one
            most = longest if self.phase.until else max(1, longest >> self.random.randrange(8))
            self.left = self.random.randint(1, most)
        self.left -= 1
        self.made += 1
        return self.phase

    def _next(self) -> Phase:
        """Each phase once, in any order, before one comes again; where memory is full, one that gives back."""
        if self.is_full:
            self.is_full = False
            return self.random.choice(AFTER_FULL)
        if not self.deck:
            self.deck = self.random.sample(PHASES, len(PHASES))
        return self.deck.pop()

    def ended(self, what: str) -> None:
        """Memory is full, or empty."""
        if self.phase.until == what:
            self.left, self.is_full = 0, what == FULL

    @property
    def fills(self) -> bool:
        """Whether memory is being filled: to the last, so nothing else limits a request."""
        return self.phase.until == FULL

    def sized(self, wanted: int, most: int) -> int:
        """How much to ask for, where otherwise so much would be. most: that there may be."""
        if not self.fills:
            return wanted
        largest = most if self.largest is None else self.largest
        return largest if self.random.random() < self.greed else min(wanted, largest)

    def refused(self, size: int, least: int, less: int) -> None:
        """A request was refused: then less is asked for, until the least is refused, too."""
        if not self.fills or size < least:
            return
        if size == least:
            self.ended(FULL)
        elif self.largest is None or less < self.largest:
            self.largest = max(least, less)
