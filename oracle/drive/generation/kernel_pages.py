"""The kernel's own pages: ranges with a frame for each page."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from memoracle.drive.generation.frames import Wish
from memoracle.drive.generation.live import Live
from memoracle.drive.generation.phases import EMPTY, Stretches
from memoracle.drive.generation.sizes import count
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

TAKE, GIVE = "kernel_pages.allocate", "kernel_pages.free"


class KernelPages:
    """Allocates and frees them."""

    def __init__(self, operations: Mapping[str, frozenset[str]], geometry: Geometry, random: Random) -> None:
        self.operations, self.geometry, self.random = operations, geometry, random
        self.live: Live[tuple[int, int]] = Live()
        self.stretches = Stretches(random)

    @property
    def is_driven(self) -> bool:
        return TAKE in self.operations

    def wish(self) -> Wish:
        random, live = self.random, self.live
        phase = self.stretches.now()
        if live and GIVE in self.operations and random.random() * 100 >= phase.grows:
            address, pages = live.take(live.pick(random, phase.order), phase.order == "oldest")
            return GIVE, {"address": address, "pages": pages}
        if not live:
            self.stretches.ended(EMPTY)
        most = min(self.geometry.kernel_range.pages, self.geometry.frames)
        return TAKE, {"pages": self.stretches.sized(count(random, most), most)}

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        if operation != TAKE:
            return
        if answer.error is None and answer.result is not None:
            self.live.add((answer.result, arguments["pages"]))
        else:
            self.stretches.refused(pages := arguments["pages"], 1, pages // 2)
