"""What was asked lately, and what was answered: calls are made up from it that are right, or wrong by a little."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from random import Random
from typing import Any

NOTHING: Mapping[str, Any] = {}
REMEMBERED = 64  # calls of each kind of object


class Recent:
    """The last calls about each kind of object: frames, ranges, pages, ...

    calls: by the kind, the arguments of each; a number that was the result is the address of what it gave.
    """

    def __init__(self) -> None:
        self.calls: defaultdict[str, deque[Mapping[str, Any]]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def add(self, kind: str, arguments: Mapping[str, Any], result: Any) -> None:
        self.calls[kind].append({**arguments, "address": result} if type(result) is int else arguments)

    def one(self, random: Random, kind: str) -> Mapping[str, Any]:
        """One of the last calls; an empty one if there was none."""
        found = self.calls.get(kind)
        return random.choice(found) if found else NOTHING
