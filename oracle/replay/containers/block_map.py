"""What is free of a buddy system's places, and in which blocks: the reference's buddy system says which it would give.

Places become free, or are taken, in any runs; here each is made of the blocks that it consists of.
"""

from __future__ import annotations

from collections.abc import Iterator

from sortedcontainers import SortedSet

from memoracle.impl.buddy import Buddy
from memoracle.replay.containers.block_search import place_within
from memoracle.replay.containers.min_heap_set import Lowest
from memoracle.replay.containers.place_map import PlaceMap
from memoracle.spec.geometry_keys import LARGEST_ORDER


class BlockMap(PlaceMap):
    """A set of places 0 to places - 1. buddy: has a block of each of them free, and no other."""

    def __init__(self, places: int, highest: int | None = None) -> None:
        """The set is empty. highest: the order of the largest block."""
        super().__init__(places)
        depth = (places - 1).bit_length()
        self.buddy = Buddy(depth, None if highest is None else min(highest, depth), whole=False)
        self.buddy.free_blocks = [Lowest(blocks) for blocks in self.buddy.free_blocks]

    def add(self, first: int, last: int) -> bool:
        """Adds places; False if there are none, one is in the set, or one does not lie among all places."""
        if not super().add(first, last):
            return False
        if self.buddy.size(first) == last - first:  # most come back as they were given
            return self.buddy.free(first, last - first)
        while first < last:
            first = (
                self._give_back(first, last)
                if self.buddy.existing.covers(first, first + 1)
                else self._turn_up(first, last)
            )
        return True

    def remove(self, first: int, last: int) -> bool:
        """Removes places; False if there are none, or one is not in the set."""
        if not super().remove(first, last):
            return False
        self._take(first, last)
        return True

    def preferred(self, count: int, alignment: int, lowest: int, below: int) -> int | None:
        """The first place of the block that the reference would allocate for so many places; None if there is none."""
        if alignment != count or lowest > 0 or below < self.places:
            return place_within(self._sorted_blocks(), count, alignment, lowest, below)
        found = self.buddy.allocate(count)
        if found is not None:
            self.buddy.free(found, count)
        return found

    def give(self, count: int) -> int | None:
        """Removes the block that the reference allocates for so many places; its first one, or None."""
        found = self.buddy.allocate(count)
        if found is not None:
            super().remove(found, found + count)
        return found

    def _sorted_blocks(self) -> list[SortedSet]:
        """The free blocks, of which from the first such search on more is asked than the lowest."""
        if not isinstance(self.buddy.free_blocks[0], SortedSet):
            self.buddy.free_blocks = [SortedSet(blocks) for blocks in self.buddy.free_blocks]
        return self.buddy.free_blocks

    def _turn_up(self, first: int, last: int) -> int:
        """Adds the places from this one on that did not exist, up to the other; returns the one after them."""
        following = self.buddy.existing.find(1, 1, first, last)
        end = last if following is None else following
        self.buddy.add(first, end - first)
        return end

    def _give_back(self, first: int, last: int) -> int:
        """Frees what lies between these places of the block of the first one; returns the place after the block."""
        buddy = self.buddy
        order = next(n for n in range(buddy.highest + 1) if buddy.size(first >> n << n) == 1 << n)
        block, end = first >> order << order, (first >> order) + 1 << order
        buddy.free(block, 1 << order)
        self._take(block, first)
        self._take(min(end, last), end)
        return end

    def _take(self, first: int, last: int) -> None:
        for block, count in blocks_between(first, last, self.buddy.highest):
            self.buddy.reserve(block, count)


def blocks_between(first: int, last: int, highest: int = LARGEST_ORDER) -> Iterator[tuple[int, int]]:
    """The largest blocks that a run consists of: the first place of each, and how many it has.

    highest: the order of the largest that there are.
    """
    while first < last:
        count = 1 << min((last - first).bit_length() - 1, highest)
        if first:
            count = min(count, first & -first)
        yield first, count
        first += count
