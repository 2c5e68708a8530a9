"""Operations on processes and their ranges of virtual addresses."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from memoracle.drive.generation.frames import Wish
from memoracle.drive.generation.live import Live
from memoracle.drive.generation.phases import Stretches
from memoracle.drive.generation.processes import CREATE, EXIT
from memoracle.drive.generation.sizes import aligned, count
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

TAKE, GIVE, RESERVE, SIZE, LIST = "range.allocate", "range.free", "range.reserve", "range.size", "range.list"
MOST_LISTED = 64  # blocks of a list that is asked for


class Ranges:
    """Allocates and frees ranges of some processes."""

    def __init__(self, operations: Mapping[str, frozenset[str]], geometry: Geometry, random: Random) -> None:
        self.operations, self.geometry, self.random = operations, geometry, random
        self.live: dict[int, Live[tuple[int, int]]] = {0: Live()}
        self.stretches = Stretches(random)
        self.names_process = "process" in operations.get(TAKE, frozenset())

    @property
    def is_driven(self) -> bool:
        return TAKE in self.operations

    def wish(self) -> Wish:
        random, live = self.random, self.live
        chance = random.random()
        process = random.choice(list(live)) if len(live) > 1 else 0
        of, blocks = ({"process": process} if self.names_process else {}), live[process]
        if chance < 0.05 and SIZE in self.operations and blocks:
            return SIZE, {**of, "address": blocks.any(random)[0]}
        if chance < 0.06 and LIST in self.operations and len(blocks) < MOST_LISTED:
            return LIST, of
        phase = self.stretches.now()
        if blocks and GIVE in self.operations and random.random() * 100 >= phase.grows:
            block = blocks.take(blocks.pick(random, phase.order), phase.order == "oldest")
            return GIVE, {**of, "address": block[0], "pages": block[1]}
        if not blocks:
            self.stretches.ended("empty")
        pages = count(random, self._all(process).pages)
        if RESERVE in self.operations and random.random() < 0.1:
            pages = 1 << pages.bit_length() - 1
            return RESERVE, {**of, "address": self._somewhere(process, pages), "pages": pages}
        arguments: dict[str, Any] = {**of, "pages": pages}
        if "alignment" in self.operations[TAKE]:
            arguments["alignment"] = aligned(random, self.geometry.page_size, self._all(process).pages)
        for key in ("from", "below"):
            if key in self.operations[TAKE]:
                arguments[key] = self._somewhere(process, pages)
        return TAKE, arguments

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        process = arguments.get("process", 0)
        if answer.error is not None:
            if operation == TAKE:
                self.stretches.ended("full")
        elif operation == CREATE:
            self.live[answer.result] = Live()
        elif operation == EXIT:
            self.live.pop(process, None)
        elif operation in (TAKE, RESERVE) and process in self.live:
            address = answer.result if operation == TAKE else arguments["address"]
            self.live[process].add((address, arguments["pages"]))

    def of(self, process: int) -> list[tuple[int, int]]:
        """The addresses and pages of a process's ranges."""
        return self.live[process].blocks if process in self.live else []

    def _all(self, process: int) -> Any:
        return self.geometry.process_range if process else self.geometry.kernel_range

    def _somewhere(self, process: int, pages: int) -> int:
        whole = self._all(process)
        return int(whole.start + self.random.randrange(max(1, whole.pages // pages)) * pages * self.geometry.page_size)
