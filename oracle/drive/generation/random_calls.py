"""Calls at random, of all components that a target has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Protocol

from memoracle.drive.calls import Learn, Wish
from memoracle.drive.generation.arguments import Arguments
from memoracle.drive.generation.frames import Frames
from memoracle.drive.generation.heap import Heap
from memoracle.drive.generation.kernel_pages import KernelPages
from memoracle.drive.generation.law import Law
from memoracle.drive.generation.others import Others
from memoracle.drive.generation.processes import EXIT, Processes
from memoracle.drive.generation.ranges import Ranges
from memoracle.drive.generation.recent import Recent
from memoracle.drive.native.remembered import family_of
from memoracle.drive.requests import GIVE_BACK
from memoracle.drive.target import Answer, Target, misusable
from memoracle.replay.dispatch import Replay
from memoracle.spec.geometry import Geometry
from memoracle.trace.inputs import InputError

CLOCK_EVERY = 256  # calls between two looks at the clock
OF_PROCESSES, WRONG, OF_ALSO = 0.02, 0.03, 0.2  # of all calls; the last where ALSO is all that is asked besides
MOST_TRIES, FEW_TRIES = 100, 4  # to make up a call, where nothing else can be asked, and where something can
MOST_PER_ANSWER = 10  # calls that are made up
OTHERS = "page", "pml4", "pat", "pte"  # what such operations begin with
FREES_RANGE = "range.free"
ALSO = {"frame.reserve", "frame.get", "frame.put", "memory.add"}


class Family(Protocol):
    """Operations that take and give back objects of one kind."""

    @property
    def is_driven(self) -> bool: ...

    def wish(self) -> Wish: ...

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None: ...


FAMILIES: dict[str, Callable[[Mapping[str, frozenset[str]], Geometry, Random], Family]] = {
    "frame": Frames,
    "range": Ranges,
    "heap": Heap,
    "kernel_pages": KernelPages,
}


class RandomCalls:
    """Calls until so many were made, or so much time has gone.

    seed: of all choices.  misuse: whether there are calls that the law refuses, of operations that can say so.
    """

    def __init__(
        self, target: Target, geometry: Geometry, seed: int, calls: int, seconds: float | None, misuse: bool
    ) -> None:
        self.calls, self.seconds, self.answered = calls, seconds, 0
        self.is_misuse = False  # of the last call
        self.random = random = Random(seed)
        operations = target.operations
        self.processes, self.recent = Processes(operations, random), Recent()
        made = {kind: family(operations, geometry, random) for kind, family in FAMILIES.items()}
        families = {kind: family for kind, family in made.items() if family.is_driven}
        others = {each for each in operations if each.startswith(OTHERS) or (each in ALSO and "frame" in families)}
        refusing = misusable(target.refusing, geometry) if misuse else frozenset[str]()
        arguments = Arguments(geometry, random, self.recent, self.processes.live)
        self.others = Others(operations, others, refusing, arguments, random)
        self.families = list(families.values())
        self.asks_little_else = bool(families) and others <= ALSO
        found = families.get("range")
        self.ranges = found if isinstance(found, Ranges) else None
        if not self.families and not self.others.is_driven and not self.processes.is_driven:
            words = ", ".join(sorted({*(f"{kind}.*" for kind in (*FAMILIES, *OTHERS)), "process.*"}))
            raise InputError("operations", None, f"it has none of {words}: there is nothing to drive")
        self.learners = {each: (family_of(each), self._learners(each, families)) for each in operations}

    def _learners(self, operation: str, families: Mapping[str, Family]) -> tuple[Learn, ...]:
        """What learns of the answers of an operation."""
        kind = family_of(operation)
        if kind == "process":
            return (self.processes.learn, *(each.learn for each in families.values()))
        return (families[kind].learn,) if kind in families else ()

    def judged_by(self, replay: Replay) -> None:
        self.law = Law(replay)

    def wishes(self) -> Iterator[Wish]:
        end = None if self.seconds is None else time.monotonic() + self.seconds
        for made in range(MOST_PER_ANSWER * self.calls):  # some cannot be put to the target
            if self.answered >= self.calls or (end and made % CLOCK_EVERY == 0 and time.monotonic() > end):
                return
            wish = self._wish()
            if wish is None:
                return
            yield wish

    def _wish(self) -> Wish | None:
        """The next call; None if none can be made up."""
        families, others, random = self.families, self.others, self.random
        chance = random.random()
        wish: Wish | None = None
        self.is_misuse = False
        if chance < WRONG and others.misuse:
            wish = others.wrong(self.law)
            self.is_misuse = wish is not None
        elif chance < WRONG + OF_PROCESSES:
            wish = self.processes.wish()
        if wish is not None:
            return wish
        kinds = len(families) + others.is_driven
        place = int(random.random() * kinds) if kinds > 1 else 0
        if self.asks_little_else:
            place = len(families) if random.random() < OF_ALSO else place % len(families)
        if place < len(families):
            return families[place].wish()
        for _ in range(FEW_TRIES if families else MOST_TRIES):
            wish = (others.wish(self.law) if others.is_driven else None) or self.processes.wish()
            if wish is not None:
                return wish
        return families[0].wish() if families else None

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        self.answered += 1
        if answer.error is None and operation in GIVE_BACK:
            self._note_given_back(operation, arguments)
        kind, learners = self.learners[operation]
        self.recent.add(kind, arguments, answer.result)
        for learn in () if self.is_misuse and answer.error is not None else learners:
            learn(operation, arguments, answer)

    def _note_given_back(self, operation: str, arguments: Mapping[str, Any]) -> None:
        """Notes what a call gave back; of an exit the ranges of the process."""
        if operation != EXIT:
            self.recent.gave_back(operation, arguments)
        elif self.ranges is not None:
            for address, pages in self.ranges.of(arguments["process"]):
                block = {"process": arguments["process"], "address": address, "pages": pages}
                self.recent.gave_back(FREES_RANGE, block, by=EXIT)
