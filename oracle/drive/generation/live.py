"""What is live: the blocks that the target has handed out, and those that it has taken back lately."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Generic, TypeVar

Block = TypeVar("Block")
REMEMBERED = 16  # blocks that were given back


class Live(Generic[Block]):
    """Blocks, in the order in which they were handed out as far as it is still known."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.gone: deque[Block] = deque(maxlen=REMEMBERED)
        self.place = 0

    def __len__(self) -> int:
        return len(self.blocks)

    def add(self, block: Block) -> None:
        self.blocks.append(block)

    def any(self, random: Random) -> Block:
        return self.blocks[int(random.random() * len(self.blocks))]

    def pick(self, random: Random, order: str) -> int:
        """The place of a live block to give back."""
        count = len(self.blocks)
        if order == "newest":
            return count - 1
        if order == "oldest":
            return 0
        if order == "every other":
            self.place += 1  # the one after it moves up, or the last takes its place
            return self.place % count
        return int(random.random() * count)

    def take(self, place: int, keeps_order: bool) -> Block:
        """Takes a block out, which is given back."""
        blocks = self.blocks
        block = blocks[place]
        if keeps_order:
            del blocks[place]
        else:
            blocks[place] = blocks[-1]
            blocks.pop()
        return block

    def forget(self, block: Block) -> None:
        self.gone.append(block)
