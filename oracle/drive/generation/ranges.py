"""Operations on processes and their ranges of virtual addresses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from memoracle.drive.generation.frames import Wish
from memoracle.drive.generation.live import Live
from memoracle.drive.generation.phases import Stretches
from memoracle.drive.generation.sizes import count, near
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

CREATE, EXIT = "process.create", "process.exit"
TAKE, GIVE, RESERVE, SIZE, LIST = "range.allocate", "range.free", "range.reserve", "range.size", "range.list"
PROCESSES = 3  # at once, besides the kernel
MOST_LISTED = 64  # blocks of a list that is asked for


class Ranges:
    """Allocates and frees ranges of some processes.

    misuse: operations of which calls may be made that the law refuses.
    """

    def __init__(
        self, operations: Mapping[str, frozenset[str]], geometry: Geometry, misuse: Collection[str], random: Random
    ) -> None:
        self.operations, self.geometry, self.misuse, self.random = operations, geometry, misuse, random
        self.live: dict[int, Live[tuple[int, int]]] = {0: Live()}
        self.stretches = Stretches(random)
        self.names_process = "process" in operations.get(TAKE, frozenset())

    @property
    def is_driven(self) -> bool:
        return TAKE in self.operations

    def wish(self) -> Wish:
        random, live = self.random, self.live
        chance = random.random()
        if self.names_process and CREATE in self.operations and len(live) <= PROCESSES and chance < 0.02:
            return CREATE, {}
        if EXIT in self.operations and len(live) > 1 and chance > 0.995:
            return EXIT, {"process": random.choice([each for each in live if each])}
        process = random.choice(list(live)) if len(live) > 1 else 0
        of, blocks = ({"process": process} if self.names_process else {}), live[process]
        if chance < 0.05 and SIZE in self.operations and blocks:
            return SIZE, {**of, "address": blocks.any(random)[0]}
        if chance < 0.06 and LIST in self.operations and len(blocks) < MOST_LISTED:
            return LIST, of
        if chance < 0.08 and GIVE in self.misuse:
            return GIVE, {**of, **self._wrong(blocks)}
        phase = self.stretches.now()
        if blocks and GIVE in self.operations and random.random() * 100 >= phase.grows:
            block = blocks.take(blocks.pick(random, phase.order), phase.order == "oldest")
            blocks.forget(block)
            return GIVE, {**of, "address": block[0], "pages": block[1]}
        if not blocks:
            self.stretches.ended("empty")
        pages = count(random, self._all(process).pages)
        if RESERVE in self.operations and random.random() < 0.1:
            pages = 1 << pages.bit_length() - 1
            return RESERVE, {**of, "address": self._somewhere(process, pages), "pages": pages}
        arguments: dict[str, Any] = {**of, "pages": pages}
        if "alignment" in self.operations[TAKE]:
            arguments["alignment"] = self.geometry.page_size << (random.randrange(6) if random.random() < 0.3 else 0)
        return TAKE, arguments

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        process = arguments.get("process", 0)
        if answer.error is not None:
            if operation == TAKE:
                self.stretches.ended("full")
        elif operation == CREATE:
            self.live[answer.result] = Live()
        elif operation == EXIT:
            del self.live[process]
        elif operation == TAKE:
            self.live[process].add((answer.result, arguments["pages"]))
        elif operation == RESERVE:
            self.live[process].add((arguments["address"], arguments["pages"]))

    def _all(self, process: int) -> Any:
        return self.geometry.process_range if process else self.geometry.kernel_range

    def _somewhere(self, process: int, pages: int) -> int:
        whole = self._all(process)
        return int(whole.start + self.random.randrange(max(1, whole.pages // pages)) * pages * self.geometry.page_size)

    def _wrong(self, blocks: Live[tuple[int, int]]) -> dict[str, Any]:
        """A free that the law refuses: of what was freed already, or of another address or size than a block's."""
        random, size = self.random, self.geometry.page_size
        if blocks.gone and random.random() < 0.5:
            address, pages = random.choice(blocks.gone)
        elif blocks:
            address, pages = blocks.any(random)
            address, pages = (
                (address + size, pages) if random.random() < 0.5 else (address, max(1, near(random, 2 * pages)))
            )
        else:
            address, pages = self.geometry.process_range.start, 1
        return {"address": address, "pages": pages}
