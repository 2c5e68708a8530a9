"""Stretches of pages in any order, that may overlap: which pages are in doubt."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.replay.containers.pieces import gaps

MOST_STRETCHES = 1 << 6  # the oldest are dropped where there are more


class Stretches:
    """Pages, each from the first of a stretch on and before its last.

    changes: how often some were added.
    """

    def __init__(self) -> None:
        self.stretches: list[tuple[int, int]] = []
        self.changes = 0

    def __bool__(self) -> bool:
        return bool(self.stretches)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """In order, no two of which overlap."""
        done = 0
        for first, last in sorted(self.stretches):
            if done < last:
                yield max(first, done), last
                done = last

    def add(self, first: int, last: int) -> None:
        self.changes += 1
        self.stretches = [*self.stretches[1 - MOST_STRETCHES :], (first, last)]

    def remove(self, first: int, last: int) -> None:
        """None of these pages is one of them any more."""
        self.stretches = [part for begin, end in self.stretches for part in gaps([(first, last)], begin, end)]

    def cover(self, first: int, last: int) -> bool:
        """Whether all of these pages are among them."""
        return not any(gaps(self, first, last))
