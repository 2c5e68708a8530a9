"""Calls at random, of all components that a target has."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from memoracle.drive.calls import Wish
from memoracle.drive.generation.frames import Frames
from memoracle.drive.generation.heap import Heap
from memoracle.drive.generation.ranges import Ranges
from memoracle.drive.target import Answer, Target
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import UNDEFINED
from memoracle.trace.inputs import InputError

TAKE = ("frame.allocate", "range.allocate", "heap.new")  # what each family begins with
CLOCK_EVERY = 256  # calls between two looks at the clock


class RandomCalls:
    """Calls until so many were made, or so much time has gone.

    seed: of all choices.  misuse: whether there are calls that the law refuses, of operations that can say so.
    """

    def __init__(
        self, target: Target, geometry: Geometry, seed: int, calls: int, seconds: float | None, misuse: bool
    ) -> None:
        self.calls, self.seconds = calls, seconds
        self.random = random = Random(seed)
        undefined = {operation for operation, policy in geometry.misuse if policy == UNDEFINED}
        refusing = target.refusing - undefined if misuse else frozenset[str]()
        made = (kind(target.operations, geometry, refusing, random) for kind in (Frames, Ranges, Heap))
        self.families = [each for each in made if each.is_driven]
        if not self.families:
            words = f"it has none of {', '.join(TAKE)}: there is nothing to drive"
            raise InputError("operations", None, words)
        self.by_prefix = {"frame": Frames, "range": Ranges, "process": Ranges, "heap": Heap}
        self.learners = {
            operation: each
            for operation in target.operations
            for each in self.families
            if isinstance(each, self.by_prefix.get(operation.partition(".")[0], ()))
        }

    def wishes(self) -> Iterator[Wish]:
        end = None if self.seconds is None else time.monotonic() + self.seconds
        families, choice = self.families, self.random.choice
        for made in range(self.calls):
            if end is not None and made % CLOCK_EVERY == 0 and time.monotonic() > end:
                return
            yield (families[0] if len(families) == 1 else choice(families)).wish()

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        self.learners[operation].learn(operation, arguments, answer)
