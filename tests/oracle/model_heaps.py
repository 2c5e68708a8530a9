"""Heaps with an arena, as kernels have them, each of which records what it does; and their faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

START = 0xFFFFFFFF00500000
HEADER, GRAIN, LEAST = 16, 16, 32  # bytes: before each block; to which sizes are rounded; the least of a block
LEAST_CHUNK = HEADER + LEAST

Event = dict[str, Any]


def geometry(length: int, overhead: int, minimum: int, **keys: Any) -> dict[str, Any]:
    arena = {"start": hex(START), "bytes": length, "overhead": overhead, "minimum": minimum}
    return {"preset": "x64-4k", "heap_alignment": GRAIN, "heap_arena": arena} | keys


def up(number: int, alignment: int) -> int:
    return -(-number // alignment) * alignment


@dataclass
class Chunk:
    start: int
    length: int
    block: int = 0  # the address that was handed out; 0: it is free
    asked: int = 0

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass
class FitHeap:
    """First fit, or best fit. faults: what it does wrong, by name.

    keeps_the_rest: a block that becomes smaller where it is keeps all of its room.
    """

    length: int = 1 << 14
    best: bool = False
    keeps_the_rest: bool = False
    faults: frozenset[str] = frozenset()
    trace: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chunks = [Chunk(START, self.length + (256 if "past the end" in self.faults else 0))]

    @property
    def geometry(self) -> dict[str, Any]:
        """What is too small to be a chunk is lost with a block, too."""
        return geometry(self.length, HEADER + GRAIN + LEAST_CHUNK, LEAST)

    @property
    def live(self) -> list[int]:
        return [chunk.block for chunk in self.chunks if chunk.block > 1]

    # What is recorded

    def new(self, size: int, alignment: int | None = None) -> int | None:
        found = self._new(size, alignment or GRAIN)
        self._record({"op": "heap.new", "bytes": size}, alignment, found)
        return found

    def delete(self, block: int) -> None:
        self._delete(block)
        self.trace.append({"op": "heap.delete", "address": hex(block)})

    def resize(self, block: int, size: int, alignment: int | None = None) -> int | None:
        found = self._resize(block, size, alignment or GRAIN)
        self._record({"op": "heap.resize", "address": hex(block), "bytes": size}, alignment, found)
        return found

    def _record(self, event: Event, alignment: int | None, found: int | None) -> None:
        named = {} if alignment is None else {"alignment": alignment}
        answer = {"error": "no memory"} if found is None else {"result": hex(found)}
        self.trace.append(event | named | answer)

    # What it does

    def _new(self, size: int, alignment: int) -> int | None:
        if size < 1:
            return None
        if "alignment of large blocks" in self.faults and size > 512:
            alignment = GRAIN
        fits = [chunk for chunk in self.chunks if not chunk.block and self._end(chunk, size, alignment) <= chunk.end]
        if not fits:
            return None
        chunk = min(fits, key=lambda chunk: chunk.length) if self.best else fits[0]
        return self._carve(chunk, size, alignment)

    def _place(self, chunk: Chunk, alignment: int) -> int:
        place = up(chunk.start + HEADER, alignment)
        if 0 < place - HEADER - chunk.start < LEAST_CHUNK:
            place = up(chunk.start + LEAST_CHUNK + HEADER, alignment)
        return place

    def _end(self, chunk: Chunk, size: int, alignment: int) -> int:
        return self._place(chunk, alignment) + up(max(size, LEAST), GRAIN)

    def _carve(self, chunk: Chunk, size: int, alignment: int) -> int:
        place, end = self._place(chunk, alignment), self._end(chunk, size, alignment)
        at = self.chunks.index(chunk)
        if end + LEAST_CHUNK <= chunk.end:
            self.chunks.insert(at + 1, Chunk(end, chunk.end - end))
            chunk.length = end - chunk.start
        lead = place - HEADER - chunk.start
        if lead:
            if "padding" not in self.faults:
                self.chunks.insert(at, Chunk(chunk.start, lead))
            chunk.start, chunk.length = chunk.start + lead, chunk.length - lead
        chunk.block, chunk.asked = place, size
        return place

    def _delete(self, block: int) -> None:
        at = next(at for at, chunk in enumerate(self.chunks) if chunk.block == block)
        self.chunks[at].block = 0
        if "leak" in self.faults and self.chunks[at].asked > 256:
            del self.chunks[at]
            return
        if "merging" not in self.faults:
            self._merge(at)
            self._merge(at - 1)

    def _merge(self, at: int) -> None:
        if not 0 <= at < len(self.chunks) - 1:
            return
        chunk, after = self.chunks[at : at + 2]
        if not chunk.block and not after.block and chunk.end == after.start:
            chunk.length += after.length
            del self.chunks[at + 1]

    def _resize(self, block: int, size: int, alignment: int) -> int | None:
        at = next(at for at, chunk in enumerate(self.chunks) if chunk.block == block)
        chunk, end = self.chunks[at], block + up(max(size, LEAST), GRAIN)
        if size < 1:
            return None
        after = self.chunks[at + 1] if at + 1 < len(self.chunks) else None
        grows = after is not None and (not after.block or "neighbour" in self.faults) and chunk.end == after.start
        if block % alignment == 0 and end <= chunk.end:
            chunk.asked = size
            if not self.keeps_the_rest and end + LEAST_CHUNK <= chunk.end:
                lost = 1 if "loses the rest" in self.faults else 0  # it is in use for ever
                self.chunks.insert(at + 1, Chunk(end, chunk.end - end, lost))
                chunk.length = end - chunk.start
                if not lost:
                    self._merge(at + 1)
            return block
        if block % alignment == 0 and after is not None and grows and end <= after.end:
            chunk.asked = size
            if after.block:
                return block
            rest = after.end - end
            chunk.length = end - chunk.start if rest >= LEAST_CHUNK else after.end - chunk.start
            del self.chunks[at + 1]
            if rest >= LEAST_CHUNK:
                self.chunks.insert(at + 1, Chunk(end, rest))
            return block
        if "loses the old block" in self.faults:
            self._delete(block)
        found = self._new(size, alignment)
        if found is not None and "loses the old block" not in self.faults:
            if "keeps the old block" in self.faults:
                chunk.block = 1  # it is in use for ever
            else:
                self._delete(block)
        return found


@dataclass
class BuddyHeap:
    """Blocks of powers of two, each aligned as it is large. faults: "merging"."""

    length: int = 1 << 14
    faults: frozenset[str] = frozenset()
    trace: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free = {(START, self.length)}
        self.sizes: dict[int, int] = {}

    @property
    def geometry(self) -> dict[str, Any]:
        return geometry(self.length, 0, LEAST, heap_fragments=True)

    @property
    def live(self) -> list[int]:
        return list(self.sizes)

    def new(self, size: int, alignment: int | None = None) -> int | None:
        least = max(LEAST, alignment or GRAIN, 1 << max(size - 1, 0).bit_length())
        found = min((block for block in self.free if least <= block[1]), key=lambda block: block[::-1], default=None)
        named = {} if alignment is None else {"alignment": alignment}
        if found is None or size < 1:
            self.trace.append({"op": "heap.new", "bytes": size, "error": "no memory"} | named)
            return None
        self.free.remove(found)
        address, length = found
        while length > least:
            length //= 2
            self.free.add((address + length, length))
        self.sizes[address] = least
        self.trace.append({"op": "heap.new", "bytes": size, "result": hex(address)} | named)
        return address

    def delete(self, block: int) -> None:
        address, length = block, self.sizes.pop(block)
        while (START + (address - START ^ length), length) in self.free and "merging" not in self.faults:
            self.free.remove((START + (address - START ^ length), length))
            address, length = START + (address - START & ~length), 2 * length
        self.free.add((address, length))
        self.trace.append({"op": "heap.delete", "address": hex(block)})
