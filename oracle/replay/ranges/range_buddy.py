"""The reference's buddy system over a range, in containers at less cost a change than its own."""

from __future__ import annotations

from memoracle.impl.buddy import Buddy
from memoracle.replay.containers.largest_blocks import LargestBlocks
from memoracle.replay.containers.min_heap_set import Lowest, Unordered


def buddy_of(first: int, last: int, highest: int | None, chooses: bool = True) -> Buddy:
    """One in which the pages from one on and before another exist, and are free, of the smallest root that has them.

    highest: the order of the largest block, if one is smaller than the root.
    chooses: whether it is to allocate what it chooses itself; if not, its lowest free block is rarely asked for.
    """
    depth = (last - 1).bit_length()
    buddy = Buddy(depth, None if highest is None else min(highest, depth), whole=False)
    # The largest blocks are too many to be added one by one.
    begin, end = -(-first >> buddy.highest), last >> buddy.highest
    kind = Lowest if chooses else Unordered
    buddy.free_blocks = [*(kind() for _ in range(buddy.highest)), LargestBlocks(begin, max(begin, end))]
    if begin < end:
        buddy.existing.add(begin << buddy.highest, end << buddy.highest)
        buddy.add(first, (begin << buddy.highest) - first)
        buddy.add(end << buddy.highest, last - (end << buddy.highest))
    else:
        buddy.add(first, last - first)
    return buddy
