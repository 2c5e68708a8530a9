"""The states of a few blocks of kernel pages: how long they are. Where they lie, and on which frames, is the target's
choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from memoracle.cover.family import Asks, Call, call
from memoracle.drive.calls import Wish
from memoracle.drive.extents import gives_all
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry

ALLOCATE, FREE = "kernel_pages.allocate", "kernel_pages.free"
FREE_COUNT, TRANSLATE = "frame.free_count", "page.translate"
MOST_PAGES = 1 << 12  # of one block
FEW = (1, 2, 3)  # pages of the blocks that are live together
Blocks: TypeAlias = tuple[tuple[int, int], ...]  # pages, and the address


class KernelPageStates:
    """Calls on kernel pages. blocks: how many are live at the most."""

    start: Blocks = ()

    def __init__(self, asks: Asks, geometry: Geometry, blocks: int) -> None:
        self.asks, self.blocks, self.size = asks, blocks, geometry.page_size
        self.gives_all = FREE in asks and gives_all(FREE, asks[FREE])
        self.name = f"kernel pages in up to {blocks} blocks"
        area, frames = geometry.kernel_range, geometry.frames
        # One more than there are frames runs out of these half-way, where the range is long enough.
        edges = {area.pages // 2, area.pages, frames, frames + 1}
        self.large = sorted({each for each in edges if FEW[-1] < each <= area.pages and each <= MOST_PAGES})
        self.none = [each for each in (0, area.pages + 1) if each <= MOST_PAGES]
        self.first = area.start

    def state(self, situation: Blocks) -> tuple[int, ...]:
        return tuple(pages for pages, _ in situation)

    def words(self, state: tuple[int, ...]) -> str:
        return f"blocks of {', '.join(map(str, state))} pages" if state else "no kernel pages"

    def calls(self, situation: Blocks) -> Sequence[Call]:
        return list(self._all_calls(situation))

    def questions(self, situation: Blocks) -> Sequence[Call]:
        return list(self._questions(situation))

    def wish(self, situation: Blocks, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.block is not None:
            key = "virtual" if call.operation == TRANSLATE else "address"
            arguments[key] += situation[call.block][1]
        return call.operation, arguments

    def after(self, situation: Blocks, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Blocks:
        if answer.error is not None:
            return situation
        if operation == FREE:
            return tuple(each for each in situation if each[1] != arguments["address"])
        if operation == ALLOCATE and answer.result is not None:
            return tuple(sorted([*situation, (arguments["pages"], answer.result)]))
        return situation

    def _questions(self, situation: Blocks) -> Iterator[Call]:
        if FREE_COUNT in self.asks:
            yield call(FREE_COUNT)
        for place, (pages, _) in enumerate(situation if TRANSLATE in self.asks else ()):
            for page in dict.fromkeys((0, pages - 1)):
                yield call(TRANSLATE, virtual=page * self.size)._replace(block=place)

    def _all_calls(self, situation: Blocks) -> Iterator[Call]:
        """Frees of what was not allocated so first, then what may run out, and then the questions."""
        if FREE in self.asks:
            yield call(FREE, address=self.first + self.size // 2, pages=1)
            if not situation:
                yield call(FREE, address=self.first, pages=1)
            for place, (pages, _) in enumerate(situation):
                for other in () if self.gives_all else dict.fromkeys((0, pages - 1, pages + 1, 2 * pages)):
                    yield call(FREE, address=0, pages=other)._replace(block=place)
                yield call(FREE, address=self.size // 2, pages=pages)._replace(block=place)
                if pages > 1:
                    yield call(FREE, address=self.size, pages=pages - 1)._replace(block=place)
        large = [call(ALLOCATE, pages=pages) for pages in (*self.none, *reversed(self.large))]
        yield from large if len(situation) < self.blocks else large[: len(self.none)]
        yield from self._questions(situation)
        if len(situation) < self.blocks:
            yield from (call(ALLOCATE, pages=pages) for pages in FEW)
        for place, (pages, _) in enumerate(situation if FREE in self.asks else ()):
            yield call(FREE, address=0, pages=pages)._replace(block=place)
