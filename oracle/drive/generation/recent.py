"""What was asked lately, and what was answered: calls are made up from it that are right, or wrong by a little."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

NOTHING: Mapping[str, Any] = {}
REMEMBERED, GIVEN_BACK = 64, 16  # calls of each kind of object, and of each operation that gives back


class Recent:
    """The last calls about each kind of object: frames, ranges, pages, ...

    calls: by the kind, the arguments and the result of each.
    """

    def __init__(self) -> None:
        self.calls: defaultdict[str, deque[tuple[Mapping[str, Any], Any]]] = defaultdict(
            lambda: deque(maxlen=REMEMBERED)
        )
        self.given_back: defaultdict[tuple[str, str | None], deque[Mapping[str, Any]]] = defaultdict(
            lambda: deque(maxlen=GIVEN_BACK)
        )

    def add(self, kind: str, arguments: Mapping[str, Any], result: Any) -> None:
        self.calls[kind].append((arguments, result))

    def gave_back(self, operation: str, arguments: Mapping[str, Any], by: str | None = None) -> None:
        """What this call would give back is given back already: made now, it is one too many.

        by: what gave it back, if that was another operation; it is rarer, and remembered apart.
        """
        self.given_back[operation, by].append(arguments)

    def given_back_by(self, random: Random, operation: str, others: Sequence[str]) -> Mapping[str, Any]:
        """A call that gives back what was given back once; an empty one if there was none."""
        found = self.given_back.get((operation, random.choice((None, *others))))
        return random.choice(found) if found else NOTHING

    def one(self, random: Random, kind: str) -> Mapping[str, Any]:
        """One of the last calls; a number that was its result is the address of what it gave.

        An empty one if there was none.
        """
        found = self.calls.get(kind)
        if not found:
            return NOTHING
        arguments, result = random.choice(found)
        return {**arguments, "address": result} if type(result) is int else arguments
