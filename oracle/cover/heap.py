"""The states of a heap with few blocks: their sizes. Where they lie is the heap's choice, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from memoracle.cover.family import Asks, Call, call
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

NEW, DELETE, RESIZE = "heap.new", "heap.delete", "heap.resize"
OPERATIONS = (NEW, DELETE, RESIZE)
POWERS = range(3, 13)
ALIGNMENT = 64  # bytes, of a block that names one
INSIDE = 8  # bytes from the start of a block to an address where none begins
Blocks: TypeAlias = tuple[tuple[int, int, int], ...]  # bytes, the alignment that was named or 0, and the address


class HeapStates:
    """Calls on a heap. blocks: how many are live at the most.  few: not all sizes, to be read by people."""

    start: Blocks = ()

    def __init__(self, asks: Asks, geometry: Geometry, blocks: int, few: bool = False) -> None:
        self.asks, self.blocks = asks, blocks
        self.name = f"a heap of up to {blocks} blocks"
        edges = {1, geometry.page_size, *(each + 1 for each in geometry.heap_classes)}
        edges |= (
            set() if few else {(1 << shift) + 1 for shift in POWERS}
        )  # what a class, or a free list, ends at most often
        arena = geometry.heap_arena
        if arena is not None:
            edges |= {arena.bytes // 4, arena.bytes // 2, arena.bytes - arena.overhead}
            edges = {size for size in edges if 0 < size <= arena.bytes}
        # What no arena holds is refused in any state.
        self.too_large = [] if arena is None else [{"bytes": arena.bytes + 1}]
        sizes = sorted(edges)
        self.sizes: list[dict[str, int]] = [{"bytes": size} for size in sizes]
        self.aligned = [{"bytes": sizes[0], "alignment": ALIGNMENT}]

    def state(self, situation: Blocks) -> tuple[tuple[int, int], ...]:
        return tuple((size, alignment) for size, alignment, _ in situation)

    def words(self, state: tuple[tuple[int, int], ...]) -> str:
        return f"blocks of {', '.join(str(size) for size, _ in state)} bytes" if state else "no block"

    def calls(self, situation: Blocks) -> Sequence[Call]:
        return list(self._all_calls(situation))

    def questions(self, situation: Blocks) -> Sequence[Call]:
        return ()

    def wish(self, situation: Blocks, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.block is not None:
            arguments["address"] += situation[call.block][2]
        return call.operation, arguments

    def after(self, situation: Blocks, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Blocks:
        if answer.error is not None:
            return situation
        blocks = [each for each in situation if operation == NEW or each[2] != arguments["address"]]
        if operation != DELETE and answer.result:
            blocks.append((arguments["bytes"], arguments.get("alignment", 0), answer.result))
        return tuple(sorted(blocks))

    def _all_calls(self, situation: Blocks) -> Iterator[Call]:
        places = range(len(situation))
        for operation in (DELETE, RESIZE):
            if operation in self.asks:
                more = self.sizes[0] if operation == RESIZE else {}
                for place in places:
                    if situation[place][0] > INSIDE:
                        yield call(operation, address=INSIDE, **more)._replace(block=place)
        if DELETE in self.asks:
            yield call(DELETE, address=0)
        if NEW in self.asks:
            yield from (call(NEW, **named) for named in self.too_large)
        if len(situation) < self.blocks and NEW in self.asks:
            yield from (call(NEW, **named) for named in self._named(NEW))
        for place in places if RESIZE in self.asks else ():
            yield from (call(RESIZE, address=0, **named)._replace(block=place) for named in self._named(RESIZE))
        for place in places if DELETE in self.asks else ():
            yield call(DELETE, address=0)._replace(block=place)

    def _named(self, operation: str) -> list[dict[str, int]]:
        return [*self.sizes, *(self.aligned if "alignment" in self.asks[operation] else ())]
