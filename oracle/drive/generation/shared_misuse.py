"""Calls that the law refuses, made while other threads call: of what can say that it refuses.

What one thread was given another may have freed, and it may be handed out again: so what is refused in every order is
an address at which no block begins, and a block that is never free. Of a block that two threads free (see `Caller`)
one free is refused, unless it was handed out again in between.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from memoracle.drive.extents import gives_all
from memoracle.drive.generation.frames import Wish
from memoracle.drive.target import Answer, misusable
from memoracle.spec.geometry import Geometry
from memoracle.trace.operations import arguments_of

GIVES_BACK = {"frame.allocate": "frame.free", "range.allocate": "range.free", "heap.new": "heap.delete"}
INSIDE = 8  # bytes from the start of a block to an address where none begins
EXTENT = ("pages", "count", "order", "process")  # what a free says again of what was allocated
UNSAID = {"pages": 1, "count": 1, "order": 0, "process": 0}


class SharedMisuse:
    """Frees of what is no block. given: of each operation that gives back, what this thread was given last."""

    def __init__(
        self,
        operations: Mapping[str, frozenset[str]],
        refusing: Collection[str],
        geometry: Geometry,
        random: Random,
    ) -> None:
        self.operations, self.random = operations, random
        self.refusing = misusable(frozenset(refusing), geometry) & operations.keys()
        self.given: dict[str, dict[str, Any]] = {}
        size = geometry.page_size
        self.never_free = [frame * size for first, end in geometry.never_free_frames for frame in (first, end - 1)]

    def refuses(self, operation: str) -> bool:
        """Whether what gives back, of what this operation gives, can say that it refuses."""
        return GIVES_BACK.get(operation) in self.refusing

    def may_be_late(self, operation: str) -> bool:
        """Whether what this operation gives may be freed once more, when it is another's perhaps.

        Where the free is not told how much, it would give back all of that, however much it is.
        """
        gives_back = GIVES_BACK[operation]
        return gives_back in self.refusing and not gives_all(gives_back, self.operations[gives_back])

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        if self.refuses(operation) and answer.error is None and answer.result:
            extent = {key: arguments[key] for key in EXTENT if key in arguments}
            self.given[GIVES_BACK[operation]] = {**extent, "address": answer.result}

    def wish(self) -> Wish | None:
        """None if there is nothing that could be misused."""
        found = [(each, {**block, "address": block["address"] + INSIDE}) for each, block in self.given.items()]
        if "frame.free" in self.refusing:
            found += [("frame.free", {"address": frame}) for frame in self.never_free]
        if not found:
            return None
        operation, known = self.random.choice(found)
        due = {key for key, is_due in arguments_of(operation).items() if is_due} | self.operations[operation]
        return operation, {key: known.get(key, UNSAID.get(key)) for key in sorted(due)}
