"""Blocks that are written full when they are handed out, and read again before they are given back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

TAKES = {"frame.allocate": "frame.free", "heap.new": "heap.delete"}  # and what gives back
RESIZES = "heap.resize"
BYTES = 251  # how many different ones are written; a prime, so that no page begins like its neighbour


class DamagedError(Exception):
    """What was written into a block is not there any more; the text says where."""


class Answered(Protocol):
    """What came of a call."""

    @property
    def result(self) -> Any: ...

    @property
    def error(self) -> str | None: ...


class Filled(NamedTuple):
    """A block. at: its address in this process.  first: the byte at its start; the next ones count on."""

    at: int
    size: int
    first: int


class Filling:
    """The blocks of one target. contents: of a result, the address in this process of what was handed out."""

    def __init__(self, contents: Mapping[str, Callable[[Any], int]], page_size: int) -> None:
        self.contents, self.page_size = contents, page_size
        self.blocks: dict[int, Filled] = {}
        self.written = 0
        self.pattern = bytes(range(BYTES))

    def before(self, operation: str, arguments: Mapping[str, Any]) -> None:
        """Reads the block that a call is about, if it was written; raises DamagedError."""
        if operation == RESIZES or operation in TAKES.values():
            block = self.blocks.get(arguments["address"])
            if block is not None:
                self._read(arguments["address"], block)

    def after(self, operation: str, arguments: Mapping[str, Any], answer: Answered) -> None:
        """Writes what was handed out, and forgets what was given back."""
        if answer.error is not None:
            return
        if operation == RESIZES or operation in TAKES.values():
            self.blocks.pop(arguments["address"], None)
        if operation in self.contents and answer.result is not None:
            self.written += 1
            block = Filled(self.contents[operation](answer.result), self._size(arguments), self.written % BYTES)
            self.blocks[answer.result] = block
            ctypes.memmove(block.at, self._text(block), block.size)

    def _size(self, arguments: Mapping[str, Any]) -> int:
        """Bytes of what a call asked for."""
        if "bytes" in arguments:
            return int(arguments["bytes"])
        return int(self.page_size * (arguments.get("count", 1) << max(0, arguments.get("order", 0))))

    def _text(self, block: Filled) -> bytes:
        return (self.pattern * (block.size // BYTES + 2))[block.first : block.first + block.size]

    def _read(self, address: int, block: Filled) -> None:
        written, found = self._text(block), ctypes.string_at(block.at, block.size)
        if found != written:
            place = next(place for place in range(block.size) if found[place] != written[place])
            what = f"{found[place]:#04x}, where {written[place]:#04x} was written"
            raise DamagedError(f"byte {place:,} of the {block.size:,} at {address:#x} is {what}")
