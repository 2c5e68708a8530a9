"""Operations on processes and their ranges of virtual addresses."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from memoracle.drive.generation.frames import Wish
from memoracle.drive.generation.live import Live
from memoracle.drive.generation.phases import EMPTY, Stretches
from memoracle.drive.generation.processes import CREATE, EXIT
from memoracle.drive.generation.sizes import aligned, count
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry
from memoracle.trace.operations import UNSAID

TAKE, GIVE, RESERVE, SIZE, LIST = "range.allocate", "range.free", "range.reserve", "range.size", "range.list"
MOST_LISTED = 64  # blocks of a list that is asked for


class Ranges:
    """Allocates and frees ranges of some processes."""

    def __init__(self, operations: Mapping[str, frozenset[str]], geometry: Geometry, random: Random) -> None:
        self.operations, self.geometry, self.random = operations, geometry, random
        self.live: dict[int, Live[tuple[int, int]]] = {0: Live()}
        self.stretches = Stretches(random)
        self.stretch = self.filled = 0  # the phase in which it was chosen, and the process that is filled then
        self.names_process = "process" in operations.get(TAKE, frozenset())

    @property
    def is_driven(self) -> bool:
        return TAKE in self.operations

    def wish(self) -> Wish:
        random, live = self.random, self.live
        chance = random.random()
        phase = self.stretches.now()
        process = self._process()
        of, blocks = ({"process": process} if self.names_process else {}), live[process]
        if chance < 0.05 and SIZE in self.operations and blocks:
            return SIZE, {**of, "address": blocks.any(random)[0]}
        if chance < 0.06 and LIST in self.operations and len(blocks) < MOST_LISTED:
            return LIST, of
        if blocks and GIVE in self.operations and random.random() * 100 >= phase.grows:
            block = blocks.take(blocks.pick(random, phase.order), phase.order == "oldest")
            return GIVE, {**of, "address": block[0], "pages": block[1]}
        if not blocks:
            self.stretches.ended(EMPTY)
        whole, fills = self._all(process), self.stretches.fills
        pages = self.stretches.sized(count(random, whole.pages), whole.pages)
        if RESERVE in self.operations and random.random() < 0.1:
            pages = 1 << pages.bit_length() - 1
            return RESERVE, {**of, "address": self._somewhere(process, pages), "pages": pages}
        arguments: dict[str, Any] = {**of, "pages": pages}
        if "alignment" in self.operations[TAKE]:
            page = self.geometry.page_size
            arguments["alignment"] = page if fills else aligned(random, page, whole.pages)
        for key, end in (("from", 0), ("below", whole.pages)):
            if key in self.operations[TAKE]:
                at = min(whole.start + end * self.geometry.page_size, UNSAID["below"])
                arguments[key] = at if fills else self._somewhere(process, pages)
        return TAKE, arguments

    def _process(self) -> int:
        """Whose ranges a call is about: any's, but one is filled at a time."""
        if len(self.live) == 1:
            return 0
        if self.stretches.fills and self.stretch == self.stretches.count:
            return self.filled if self.filled in self.live else 0
        process = self.random.choice(list(self.live))
        if self.stretches.fills:
            self.stretch, self.filled = self.stretches.count, process
        return process

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        process = arguments.get("process", 0)
        if answer.error is not None:
            if operation == TAKE:
                self.stretches.refused(pages := arguments["pages"], 1, pages // 2)
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
