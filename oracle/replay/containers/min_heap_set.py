"""Numbers of which the lowest is known: free blocks, or words of a bitmap with a free frame, in a replay."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Literal

SPARE = 64  # removed numbers that are not worth clearing away


class Unordered(set[int]):
    """Likewise, where the lowest is rarely asked for."""

    __slots__ = ()

    def copy(self) -> Unordered:
        return Unordered(self)

    def __getitem__(self, place: Literal[0]) -> int:
        """The lowest number; raises ValueError if there is none."""
        return min(self)


class Lowest(set[int]):
    """Stands in for a SortedSet, where only `add`, `remove`, `in`, `len` and `[0]` are asked of it, at less cost a
    change.

    The heap has every number of the set, and some that were removed since: these go when they come up as the lowest, or
    when they outnumber the others.
    """

    __slots__ = ("heap",)

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        super().__init__(numbers)
        self.heap = sorted(self)

    def add(self, number: int) -> None:
        set.add(self, number)  # super() would cost as much again
        heappush(self.heap, number)
        if len(self.heap) > 2 * len(self) + SPARE:
            self.heap = sorted(self)

    def copy(self) -> Lowest:
        return Lowest(self)

    def __getitem__(self, place: Literal[0]) -> int:
        """The lowest number; raises IndexError if there is none."""
        heap = self.heap
        while heap[0] not in self:
            heappop(heap)
        return heap[0]
