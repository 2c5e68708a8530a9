"""The pages of one range of which runs are handed out: which are free, and which line took each of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from memoracle.proofs.abstraction.objects import places_of
from memoracle.replay.containers.lazy_runs import LazyRuns
from memoracle.replay.containers.pieces import Pieces, gaps
from memoracle.replay.ranges.run_limits import NONE, RunLimits
from memoracle.spec.clauses import Number
from memoracle.spec.geometry_keys import Piece, Range
from memoracle.spec.given_runs import GivenRuns
from memoracle.spec.runs import Places


class RunPages:
    """Pages are counted from the start of the range.

    runs: the reference, whose places are counted from an address that is a multiple of `extent` pages, more than the
    range has: so a page is aligned as an address if and only if its place is.  offset: the place of page 0.
    pieces: whatever is not free, as it was handed out, and what was taken at start.
    """

    def __init__(self, area: Range, page_size: int, reserved: Sequence[Piece], exact: bool) -> None:
        """exact: it is asked which run the reference would give."""
        self.area = area
        self.page_size = page_size
        self.extent = 2 << (area.pages - 1).bit_length()
        self.offset = area.start // page_size % self.extent
        self.runs = LazyRuns(self.offset + area.pages, exact)
        self.start, self.shift = area.start, page_size.bit_length() - 1
        self.pieces = Pieces()
        page = 0
        for piece in sorted(reserved, key=lambda piece: piece.page):
            self.runs.add(self.offset + page, piece.page - page)
            self.runs.add_never_free(self.offset + piece.page, piece.pages)
            self.pieces.add(piece.page, piece.pages, 0)
            page = piece.page + piece.pages
        self.runs.add(self.offset + page, area.pages - page)

    def page_at(self, address: int) -> int | None:
        """The page that begins at this address, which may lie outside the range; None if none does."""
        page = address - self.start >> self.shift
        return page if (page << self.shift) + self.start == address else None

    def state(self) -> Places:
        """The state of the law; its places are the pages of the range."""
        places, offset = places_of(self.runs), self.offset
        return replace(
            places,
            reach=self.area.pages,
            exists=lambda page: places.exists(page + offset),
            never_free=lambda page: places.never_free(page + offset),
            is_free=lambda page: places.is_free(page + offset),
            in_use=lambda page: places.in_use(page + offset),
            next_free=lambda page: places.next_free(page + offset) - offset,
            next_taken=lambda page: places.next_taken(page + offset) - offset,
        )

    def given(self) -> GivenRuns:
        """The same, with the runs that were handed out and not given back."""
        size: Callable[[Any], Number] = self.size
        return GivenRuns(self.state(), size)

    def lowest(self, pages: int, limits: RunLimits = NONE) -> int | None:
        """The page at which the lowest run that may be given begins; None if there is none."""
        if limits is NONE:
            place = self.runs.available.find(pages, 1, self.offset, self.runs.places)
            return None if place is None else place - self.offset
        start, size = self.area.start, self.page_size
        alignment, lowest = max(limits.alignment // size, 1), -(-max(limits.lowest - start, 0) // size)
        if alignment > self.extent:
            # At most one address in the range is such a multiple.
            first = -(-start // limits.alignment) * limits.alignment
            lowest, alignment = max(lowest, (first - start) // size), self.extent
        below = (limits.below - start) // size
        place = self.runs.available.find(pages, alignment, lowest + self.offset, below + self.offset)
        return None if place is None else place - self.offset

    def longest(self) -> int:
        """How many pages the longest free run has."""
        return self.runs.available.most()

    def give(self, pages: int, page: int, line: int) -> bool:
        """Takes the lowest run of so many pages, if it begins at this page; False if it does not, or there is none."""
        runs = self.runs
        place = runs.allocate(pages, 1, self.offset, runs.places)
        if place is None:
            return False
        if place != page + self.offset:
            runs.give_back(place, pages)
            return False
        self.pieces.add(page, pages, line)
        return True

    def reserve(self, page: int, pages: int, line: int) -> bool:
        """Takes just these pages; False if one is not free."""
        if not self.runs.reserve(page + self.offset, pages):
            return False
        self.pieces.add(page, pages, line)
        return True

    def free(self, page: int, pages: int) -> bool:
        """Frees pages in use; False if one is not, or was taken at start."""
        if self.free_piece(page, pages):
            return True
        if not self.runs.free(page + self.offset, pages):
            return False
        self.pieces.cut(page, page + pages)
        return True

    def free_piece(self, page: int, pages: int) -> bool:
        """Frees what was handed out here, if it has so many pages; False if it has not, or nothing was."""
        piece = self.pieces.at.get(page)
        if piece is None or piece[0] != pages or not piece[1]:
            return False
        self.runs.give_back(page + self.offset, pages)
        self.pieces.drop(page)
        return True

    def size(self, page: int) -> int:
        """How many pages the piece has that was handed out here; 0 if none was."""
        return self.pieces.pages(page) if page in self.pieces.at and self.pieces.line(page) else 0

    # Pages of which some are free, and some are not

    def within(self, page: int, pages: int) -> tuple[int, int]:
        """The first and the one after the last of these pages, as far as they lie in the range."""
        first = min(max(page, 0), self.area.pages)
        return first, max(first, min(page + pages, self.area.pages))

    def in_use(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The stretches of these pages that were handed out."""
        for begin in self.pieces.overlapping(first, last):
            if self.pieces.line(begin):
                yield max(begin, first), min(self.pieces.end(begin), last)

    def free_ones(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The stretches of these pages that are free."""
        taken = ((begin, self.pieces.end(begin)) for begin in self.pieces.overlapping(first, last))
        return gaps(taken, first, last)

    def free_all(self, page: int, pages: int) -> None:
        """Frees what is in use of these pages."""
        for first, last in [*self.in_use(*self.within(page, pages))]:
            self.free(first, last - first)

    def take_all(self, page: int, pages: int, line: int) -> None:
        """Takes what is free of these pages."""
        for first, last in [*self.free_ones(*self.within(page, pages))]:
            self.reserve(first, last - first, line)
