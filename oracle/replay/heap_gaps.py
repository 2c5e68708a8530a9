"""The gaps between the live blocks of an arena, of which the largest is asked for when a request fails.

Most requests do not fail. So what changes is only noted, and looked at once the largest gap is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from memoracle.replay.sorted_addresses import SortedAddresses

SPARE = 1 << 10  # notes, and gaps that are no more, which are not worth clearing away

End = Callable[[int], int]


class Gaps:
    """layers: what takes bytes of the arena, each with where what starts at an address ends.

    Within a layer, what starts later ends later. The last one has the doubted stretches, of which it is not known what
    is free in them: a fault that was named may have lost some.
    changed: addresses at which something has started to take bytes, or does no longer.  found: gaps, by their length
    and an address at which they are found, the largest first; some are no more.  most: how many notes are too many.
    """

    def __init__(self, start: int, end: int, *layers: tuple[SortedAddresses, End]) -> None:
        self.start = start
        self.end = end
        self.doubted = SortedAddresses()
        self.ends: dict[int, int] = {}
        self.layers = (*layers, (self.doubted, self.ends.__getitem__))
        self.changed = {start}
        self.found: list[tuple[int, int]] = []
        self.most = SPARE

    def changes(self, address: int) -> None:
        """What starts at this address is there from now on, or no longer."""
        self.changed.add(address)
        if len(self.changed) > self.most:
            self.start_over()

    def start_over(self) -> None:
        """Notes what is there, and nothing else."""
        self.found.clear()
        self.changed = {self.start}.union(*(layer for layer, _ in self.layers))
        self.most = 2 * len(self.changed) + SPARE

    def around(self, address: int) -> tuple[int, int]:
        """The gap at an address, or behind what takes it: from the first byte up to the second. It may be empty."""
        first, last = self.start, self.end
        for layer, end_of in self.layers:
            before, after = layer.around(address)
            if before is not None:
                first = max(first, end_of(before))
            if after is not None:
                last = min(last, after)
        return first, max(first, last)

    def largest(self) -> tuple[int, int]:
        """The largest gap; an empty one at the arena's end if there is none."""
        if len(self.found) > self.most:
            self.start_over()
        for address in self.changed:
            for place in (address - 1, address):
                first, last = self.around(place)
                if first < last:
                    heappush(self.found, (first - last, place))
        self.changed.clear()
        while self.found:
            length, address = self.found[0]
            first, last = self.around(address)
            if first - last == length:
                return first, last
            heappop(self.found)
        return self.end, self.end

    def doubt(self, first: int, last: int) -> None:
        """Of this stretch, if it is not empty, it is not known from now on what is free."""
        if last <= first:
            return
        before, after = self.doubted.around(first)
        if before is not None and first < self.ends[before]:
            first, last = before, max(last, self.ends[before])
            self.forget(before)
        while after is not None and after < last:
            last = max(last, self.ends[after])
            self.forget(after)
            _, after = self.doubted.around(first)
        self.doubted.add(first)
        self.ends[first] = last
        self.changes(first)

    def forget(self, doubted: int) -> None:
        self.doubted.remove(doubted)
        del self.ends[doubted]
