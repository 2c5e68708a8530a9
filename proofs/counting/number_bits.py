"""A set of small numbers as the bits of one, in the place of a SortedSet: states are copied and compared by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal


class NumberBits:
    """bits: 1 << n for each number n in the set."""

    __slots__ = ("bits",)

    def __init__(self) -> None:
        """The set is empty."""
        self.bits = 0

    def __contains__(self, number: int) -> bool:
        return self.bits >> number & 1 != 0

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __iter__(self) -> Iterator[int]:
        """The numbers in order."""
        return (number for number in range(self.bits.bit_length()) if number in self)

    def __getitem__(self, place: Literal[0]) -> int:
        """The lowest number; raises IndexError if there is none."""
        if not self.bits:
            raise IndexError("the set is empty")
        return (self.bits & -self.bits).bit_length() - 1

    def add(self, number: int) -> None:
        self.bits |= 1 << number

    def remove(self, number: int) -> None:
        """Raises KeyError if it is not in the set."""
        if number not in self:
            raise KeyError(number)
        self.bits ^= 1 << number
