"""An index of runs by their first places, which finds the lowest run that is long enough.

The places are the leaves of a binary tree: block b of level k is the places b * 2^k to (b + 1) * 2^k - 1. Each block
knows the length of the longest run that begins in it, so a search passes over blocks in which none is long enough. Only
blocks in which a run begins are kept, so the index grows with the runs and not with the places.
"""

from __future__ import annotations


class RunIndex:
    """Runs among places 0 to places - 1: at most one begins at each place.

    longest: by level, then by block, what that block knows; a block that is not there knows of no run.
    """

    def __init__(self, places: int) -> None:
        """No run is noted.

        pre: 1 <= places
        post: self.places == places and not any(self.length(place) for place in range(places))
        """
        self.places = places
        self.depth = (places - 1).bit_length()
        self.longest: list[dict[int, int]] = [{} for _ in range(self.depth + 1)]

    def length(self, place: int) -> int:
        """The length of the run that begins at this place; 0 if none does.

        post: __return__ == self.longest[0].get(place, 0)
        """
        return self.longest[0].get(place, 0)

    def put(self, place: int, length: int) -> bool:
        """Notes that a run of this length begins at a place, and no other; 0: that none does.

        False if the run does not lie among the places.

        post: __return__ == (0 <= place < self.places and 0 <= length <= self.places - place)
        post: not __return__ or self.length(place) == length
        post: all(self.length(p) == __old__.self.length(p) for p in range(self.places) if p != place or not __return__)
        """
        if not 0 <= place < self.places or not 0 <= length <= self.places - place:
            return False
        self._note(0, place, length)
        level = 0
        while level < self.depth:
            level = self._tell_parent(level, place)
        return True

    def first(self, least: int, place: int) -> int | None:
        """The lowest place, from this one on, at which a run of so many places or more begins; None if none does.

        post: __return__ == min((p for p in range(self.places) if p >= place and self.length(p) >= max(least, 1)), default=None)
        """  # noqa: E501
        least, place, longest = max(least, 1), max(place, 0), self.longest
        if place >= self.places:
            return None
        level, block = 0, place
        while longest[level].get(block, 0) < least:
            if level == self.depth:
                return None
            level, block = self._rightwards(level, block)
        while level > 0:
            level, block = self._lower_half(level, block, least)
        return block

    def last(self, place: int) -> int | None:
        """The highest place, up to this one, at which a run begins; None if none does.

        post: __return__ == max((p for p in range(self.places) if p <= place and self.length(p)), default=None)
        """
        if place < 0:
            return None
        level, block, longest = 0, min(place, self.places - 1), self.longest
        while block not in longest[level]:
            if block == 0:
                return None
            level, block = self._leftwards(level, block)
        while level > 0:
            level, block = self._upper_half(level, block)
        return block

    def most(self) -> int:
        """The length of the longest run; 0 if there is none.

        post: __return__ == max(self.length(place) for place in range(self.places))
        """
        return self.longest[self.depth].get(0, 0)

    def _note(self, level: int, block: int, length: int) -> None:
        if length:
            self.longest[level][block] = length
        elif block in self.longest[level]:
            del self.longest[level][block]

    def _tell_parent(self, level: int, place: int) -> int:
        """Notes the longest run in the block over a place that is one level up; the level that is to be told next.

        That is the last one if nothing changed.
        """
        halves, parent = self.longest[level], place >> level + 1
        length = max(halves.get(2 * parent, 0), halves.get(2 * parent + 1, 0))
        if length == self.longest[level + 1].get(parent, 0):
            return self.depth
        self._note(level + 1, parent, length)
        return level + 1

    def _rightwards(self, level: int, block: int) -> tuple[int, int]:
        """The block one level up that ends behind this one: of what it has that begins earlier, all was searched."""
        return level + 1, block + 1 >> 1

    def _lower_half(self, level: int, block: int, least: int) -> tuple[int, int]:
        """The lower half of a block if a run that is long enough begins in it, or else the upper half."""
        level, block = level - 1, 2 * block
        return level, block if self.longest[level].get(block, 0) >= least else block + 1

    def _leftwards(self, level: int, block: int) -> tuple[int, int]:
        """The block one level up that begins before this one: of what it has that begins later, all was searched."""
        return level + 1, block - 1 >> 1

    def _upper_half(self, level: int, block: int) -> tuple[int, int]:
        """The upper half of a block if a run begins in it, or else the lower half."""
        level, block = level - 1, 2 * block + 1
        return level, block if block in self.longest[level] else block - 1
