"""Every reachable state of the reference's buddy system, counted, for depths up to 4: half a million states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from memoracle.impl.buddy import Buddy
from memoracle.proofs.counting.number_bits import NumberBits


@dataclass
class Census:
    """What there is to count.

    found: the number of each state.  returned: whether undoing a transition always led back to the very same state.
    """

    codes: Codes
    found: list[int] = field(default_factory=list)
    transitions: int = 0
    free_pages: Counter[int] = field(default_factory=Counter)
    returned: bool = True

    @property
    def states(self) -> int:
        return len(self.found)

    def buddies(self) -> Iterator[Buddy]:
        """Every state."""
        return map(self.codes.buddy, self.found)


class Forgetful(Buddy):
    """Forgets to coalesce: while it frees, there seems to be nothing to merge with."""

    def free(self, page: int, pages: int) -> bool:
        free_blocks, self.free_blocks = self.free_blocks, [NumberBits() for _ in self.free_blocks]
        try:
            return super().free(page, pages)
        finally:
            for blocks, freed in zip(free_blocks, self.free_blocks, strict=True):
                blocks.bits |= freed.bits
            self.free_blocks = free_blocks


class Codes:
    """A state as a number: a bit for each block that is free, and one for each that is allocated."""

    def __init__(self, make: type[Buddy], depth: int) -> None:
        self.make, self.depth = make, depth
        orders = range(depth + 1)
        self.widths = [1 << depth - order for order in orders]
        free_bits = sum(self.widths)
        self.whole = 1 << free_bits - 1  # the whole range is free
        blocks = ((block << order, order) for order in orders for block in range(1 << depth - order))
        self.taken = {start: 1 << free_bits + place for place, start in enumerate(blocks)}

    def code(self, buddy: Buddy) -> int:
        """The number of a state whose free blocks are NumberBits."""
        code = sum(map(self.taken.__getitem__, buddy.allocated.items()))
        place = 0
        for blocks, width in zip(buddy.free_blocks, self.widths, strict=True):
            code |= blocks.bits << place
            place += width
        return code

    def buddy(self, code: int) -> Buddy:
        """The state with this number."""
        buddy, rest = self.make(self.depth), code
        buddy.free_blocks = [NumberBits() for _ in self.widths]
        for blocks, width in zip(buddy.free_blocks, self.widths, strict=True):
            blocks.bits = rest & (1 << width) - 1
            rest >>= width
        buddy.allocated = dict(start for start, bit in self.taken.items() if code & bit)
        return buddy


def census(depth: int, make: type[Buddy] = Buddy) -> Census:
    """Runs every allocation and every free in every state, from the whole range free."""
    codes = Codes(make, depth)
    counted = Census(codes)
    sizes = [1 << order for order in range(depth + 1)]
    start = codes.whole
    counted.found = queue = [start]
    known = {start}

    def back(buddy: Buddy, code: int) -> Buddy:
        """The state before a transition: the reference has undone it, or else it is built again."""
        if codes.code(buddy) == code:
            return buddy
        counted.returned = False
        return codes.buddy(code)

    def arrive(buddy: Buddy) -> None:
        counted.transitions += 1
        code = codes.code(buddy)
        if code not in known:
            known.add(code)
            queue.append(code)

    for code in queue:
        buddy = codes.buddy(code)
        counted.free_pages[sum(len(blocks) << order for order, blocks in enumerate(buddy.free_blocks))] += 1
        for page, order in list(buddy.allocated.items()):
            if buddy.free(page, sizes[order]):
                arrive(buddy)
                buddy.reserve(page, sizes[order])
                buddy = back(buddy, code)
        for size in sizes:
            taken = buddy.allocate(size)
            if taken is not None:
                arrive(buddy)
                buddy.free(taken, size)
                buddy = back(buddy, code)
    return counted
