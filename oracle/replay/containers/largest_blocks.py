"""A buddy system with a largest block: buddies of its order do not merge, and no block that is given is larger.

It is kept as one that merges further, since a range may have more of the largest blocks than there is memory for: that
a block is free and larger than the largest says that all of the largest that make it up are free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memoracle.impl.buddy import Buddy, order_for


class CappedBuddy(Buddy):
    """cap: the largest order that a block may have; buddies merge beyond it, up to the whole range."""

    def __init__(self, depth: int, cap: int) -> None:
        super().__init__(depth)
        self.cap = min(cap, depth)

    def allocate(self, pages: int) -> int | None:
        """The smallest block that fits, the lowest of these: the largest ones are all of one size."""
        wanted = order_for(pages)
        if wanted is None or wanted > self.cap:
            return None
        order = next((order for order in range(wanted, self.cap) if self.free_blocks[order]), None)
        if order is None:
            larger = range(self.cap, self.depth + 1)
            found = [(self.free_blocks[order][0] << order, order) for order in larger if self.free_blocks[order]]
            if not found:
                return None
            _, order = min(found)
        page: int = self.free_blocks[order][0] << order
        self._carve(order, page, wanted)
        return page


def empty_like(buddy: Buddy) -> Buddy:
    """One of the same kind and size, all of which is free."""
    return CappedBuddy(buddy.depth, buddy.cap) if isinstance(buddy, CappedBuddy) else Buddy(buddy.depth)


def no_larger(blocks: Iterable[tuple[int, int, bool]], most: int) -> Iterator[tuple[int, int, bool]]:
    """Blocks of at most so many pages, which make up these."""
    for page, pages, allocated in blocks:
        for first in range(page, page + pages, most):
            yield first, min(pages, most), allocated
