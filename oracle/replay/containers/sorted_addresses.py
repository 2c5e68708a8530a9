"""Addresses in order, of which the neighbours of any number are asked: at less cost than of a SortedList."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

LONGEST = 1024  # addresses of a piece


class SortedAddresses:
    """A set of positive numbers in ascending pieces.

    firsts: for each piece a number that is no larger than its own, and larger than all of the piece before.
    """

    def __init__(self) -> None:
        self.pieces: list[list[int]] = [[]]
        self.firsts = [0]

    def __bool__(self) -> bool:
        return bool(self.pieces[0])

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    def __iter__(self) -> Iterator[int]:
        for piece in self.pieces:
            yield from piece

    def add(self, address: int) -> None:
        """Adds one that is not in it."""
        place = bisect_right(self.firsts, address) - 1
        piece = self.pieces[place]
        insort(piece, address)
        if len(piece) > LONGEST:
            half = len(piece) // 2
            self.pieces.insert(place + 1, piece[half:])
            self.firsts.insert(place + 1, piece[half])
            del piece[half:]

    def remove(self, address: int) -> None:
        """Removes one that is in it."""
        place = bisect_right(self.firsts, address) - 1
        piece = self.pieces[place]
        del piece[bisect_left(piece, address)]
        if not piece and len(self.pieces) > 1:
            del self.pieces[place]
            del self.firsts[place]
            self.firsts[0] = 0

    def around(self, number: int) -> tuple[int | None, int | None]:
        """The highest address up to a number, and the lowest above it."""
        place = bisect_right(self.firsts, number) - 1
        if place < 0:
            return None, (self.pieces[0][0] if self else None)
        piece = self.pieces[place]
        index = bisect_right(piece, number)
        before = piece[index - 1] if index else self.pieces[place - 1][-1] if place else None
        if index < len(piece):
            return before, piece[index]
        return before, (self.pieces[place + 1][0] if place + 1 < len(self.pieces) else None)
