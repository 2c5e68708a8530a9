"""Processes come and go."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from memoracle.drive.generation.frames import Wish
from memoracle.drive.target import Answer

CREATE, EXIT = "process.create", "process.exit"
MOST = 3  # at once, most often, besides the kernel


class Processes:
    """Which processes there are. live: their numbers, the kernel's among them."""

    def __init__(self, operations: Mapping[str, frozenset[str]], random: Random) -> None:
        self.operations, self.random = operations, random
        self.live = [0]

    @property
    def is_driven(self) -> bool:
        return CREATE in self.operations

    def wish(self) -> Wish | None:
        """A process more or one less, if there is one to exit."""
        random = self.random
        if len(self.live) > 1 and EXIT in self.operations and random.random() * 2 * MOST < len(self.live) - 1:
            keys = self.operations[EXIT]
            release = {"release": random.random() < 0.5} if "release" in keys else {}
            return EXIT, {"process": random.choice(self.live[1:]), **release}
        return (CREATE, {}) if self.is_driven else None

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        if answer.error is not None:
            return
        if operation == CREATE and type(answer.result) is int and answer.result not in self.live:
            self.live.append(answer.result)
        elif operation == EXIT and arguments["process"] in self.live[1:]:
            self.live.remove(arguments["process"])
