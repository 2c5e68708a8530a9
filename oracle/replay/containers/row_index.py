"""Rows of neighbouring places, no two of which share one, by their first places; near ones are found at little cost.

The first places are kept in sorted lists, one for each piece of memory that has any. So a place is sought in a short
list, however many rows there are, and memory grows with the rows alone, however far apart they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from sortedcontainers import SortedList

PIECE = 12  # bits of the places of one piece


class Row:
    """Places up to but not including `end`, whether they are free, and the line that said so last."""

    __slots__ = ("end", "free", "line")

    def __init__(self, end: int, free: bool, line: int) -> None:
        self.end = end
        self.free = free
        self.line = line


class RowIndex:
    """rows: by the first place of each.  starts: these, in order, by piece of memory.  pieces: those that have some."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.starts: dict[int, list[int]] = {}
        self.pieces: SortedList[int] = SortedList()

    def put(self, first: int, row: Row) -> None:
        """Adds a row, or replaces the one that begins here."""
        if first not in self.rows:
            starts = self.starts.get(first >> PIECE)
            if starts is None:
                self.starts[first >> PIECE] = [first]
                self.pieces.add(first >> PIECE)
            else:
                insort(starts, first)
        self.rows[first] = row

    def remove(self, first: int) -> None:
        """Removes the row that begins here."""
        del self.rows[first]
        starts = self.starts[first >> PIECE]
        del starts[bisect_left(starts, first)]
        if not starts:
            del self.starts[first >> PIECE]
            self.pieces.remove(first >> PIECE)

    def before(self, place: int) -> int | None:
        """Where the last row begins that begins before this place."""
        starts = self.starts.get(place >> PIECE)
        if starts is not None and starts[0] < place:
            return starts[bisect_left(starts, place) - 1]
        found = self.pieces.bisect_left(place >> PIECE)
        return self.starts[self.pieces[found - 1]][-1] if found else None

    def meets(self, first: int, last: int) -> bool:
        """Whether a row shares a place with these."""
        start = self.before(last)
        return start is not None and self.rows[start].end > first

    def among(self, first: int, last: int) -> Iterator[tuple[int, Row]]:
        """The rows that share a place with these, in order."""
        rows, start = self.rows, self.before(first + 1)
        if start is not None and first < last and rows[start].end > first:
            yield start, rows[start]
        for piece in self.pieces.irange(first >> PIECE, last - 1 >> PIECE):
            starts = self.starts[piece]
            for start in starts[bisect_right(starts, first) : bisect_left(starts, last)]:
                yield start, rows[start]
