"""What was handed out, piece by piece: neighbouring pages, and the line that took them. No two pieces have a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sortedcontainers import SortedList


class Pieces:
    """The pieces of one range.

    at: by the first page of each, how many it has, the line that took it (0: it was taken at start), and the first
    page that it had then; this is another where a part of it was given back.
    """

    def __init__(self) -> None:
        self.at: dict[int, tuple[int, int, int]] = {}
        self._ordered: SortedList[int] | None = None  # once it is needed: most pieces are given back as they were taken

    def add(self, first: int, pages: int, line: int) -> None:
        self.at[first] = (pages, line, first)
        if self._ordered is not None:
            self._ordered.add(first)

    def drop(self, first: int) -> None:
        """The piece that begins here is gone."""
        del self.at[first]
        if self._ordered is not None:
            self._ordered.remove(first)

    def pages(self, first: int) -> int:
        """How many pages the piece has that begins here; 0 if none does."""
        return self.at[first][0] if first in self.at else 0

    def line(self, first: int) -> int:
        return self.at[first][1]

    def end(self, first: int) -> int:
        return first + self.at[first][0]

    def is_begin(self, first: int) -> bool:
        """Whether a piece begins here, and began here when it was taken."""
        return first in self.at and self.at[first][2] == first

    def overlapping(self, first: int, last: int) -> Iterator[int]:
        """The first page of each piece that has a page from the first on and before the last, in order."""
        ordered = self.ordered
        place = max(ordered.bisect_right(first) - 1, 0)
        while place < len(ordered) and ordered[place] < last:
            if first < self.end(ordered[place]):
                yield ordered[place]
            place += 1

    def after(self, page: int) -> int | None:
        """The first page of the first piece that begins here or later."""
        return next(self.ordered.irange(page, None), None)

    def before(self, page: int) -> int | None:
        """The first page of the last piece that begins before this page."""
        return next(self.ordered.irange(None, page, (True, False), reverse=True), None)

    def cut(self, first: int, last: int) -> None:
        """Pages are in no piece any more: what is left of a piece on either side is a piece."""
        for begin in [*self.overlapping(first, last)]:
            pages, line, origin = self.at[begin]
            self.drop(begin)
            if begin < first:
                self._put(begin, (first - begin, line, origin))
            if last < begin + pages:
                self._put(last, (begin + pages - last, line, origin))

    @property
    def ordered(self) -> SortedList[int]:
        if self._ordered is None:
            self._ordered = SortedList(self.at)
        return self._ordered

    def _put(self, first: int, piece: tuple[int, int, int]) -> None:
        self.at[first] = piece
        if self._ordered is not None:
            self._ordered.add(first)


def gaps(stretches: Iterable[tuple[int, int]], first: int, last: int) -> Iterator[tuple[int, int]]:
    """What these stretches, in order, leave of the pages from the first on and before the last."""
    for begin, end in stretches:
        if first < min(begin, last):
            yield first, min(begin, last)
        first = max(first, end)
    if first < last:
        yield first, last
