"""Which block a buddy system gives where a request names limits or an alignment, as far as `exact` judges it."""

from __future__ import annotations

from collections.abc import Sequence

from sortedcontainers import SortedSet

from memoracle.impl.bitmap import aligned_up


def place_within(free_blocks: Sequence[SortedSet], count: int, alignment: int, lowest: int, below: int) -> int | None:
    """The first place of the block that is preferred for so many places, aligned and within limits; or None.

    It lies in the smallest free block that holds such a one, the lowest of these, and is the lowest there.
    free_blocks: by order.  count: a power of two; the alignment is one, too, and no less.
    """
    orders = range(count.bit_length() - 1, len(free_blocks))
    found = (place_in_order(free_blocks[order], order, count, alignment, lowest, below) for order in orders)
    return next((place for place in found if place is not None), None)


def place_in_order(blocks: SortedSet, order: int, count: int, alignment: int, lowest: int, below: int) -> int | None:
    """Likewise, of the blocks of one order, none of which is smaller."""
    place = aligned_up(max(lowest, 0), alignment)
    while place + count <= below:
        block = next(blocks.irange(place >> order), None)
        if block is None:
            return None
        if block << order <= place:
            return place
        place = aligned_up(block << order, alignment)
    return None
