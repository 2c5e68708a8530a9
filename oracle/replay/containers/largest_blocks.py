"""The free blocks of a buddy system's largest order, of which a range may have more than there is memory for."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Literal

SPARE = 64  # numbers that came back and went again, which are not worth clearing away


class LargestBlocks:
    """Stands in for a SortedSet of the numbers from one on and before another, of which most are never removed.

    missing: those of them that are not in the set.
    frontier: of the numbers before it, `returned` has all that are in the set, and some that are missing: these go when
    they come up as the lowest, or when there are too many.
    """

    def __init__(self, first: int, last: int) -> None:
        """All of these numbers are in the set."""
        self.first = first
        self.last = last
        self.missing: set[int] = set()
        self.frontier = first
        self.returned: list[int] = []
        self.most_returned = SPARE

    def __contains__(self, number: int) -> bool:
        return self.first <= number < self.last and number not in self.missing

    def __len__(self) -> int:
        return self.last - self.first - len(self.missing)

    def __iter__(self) -> Iterator[int]:
        """The numbers in the set, in order."""
        for number in range(self.first, self.last):
            if number not in self.missing:
                yield number

    def __getitem__(self, place: Literal[0]) -> int:
        """The lowest number; raises IndexError if there is none."""
        returned, missing = self.returned, self.missing
        while returned and returned[0] in missing:
            heappop(returned)
        if returned:
            return returned[0]
        while self.frontier in missing:
            self.frontier += 1
        if self.frontier == self.last:
            raise IndexError("there is no number in the set")
        return self.frontier

    def add(self, number: int) -> None:
        """Raises KeyError if it is not one that was removed."""
        self.missing.remove(number)
        if number < self.frontier:
            heappush(self.returned, number)
            if len(self.returned) > self.most_returned:
                self.returned = sorted({*self.returned} - self.missing)
                self.most_returned = 2 * len(self.returned) + SPARE

    def remove(self, number: int) -> None:
        """Raises KeyError if it is not in the set."""
        if number not in self:
            raise KeyError(number)
        self.missing.add(number)

    def copy(self) -> LargestBlocks:
        """Another set of the same numbers."""
        copy = LargestBlocks(self.first, self.last)
        copy.missing = {*self.missing}
        return copy
