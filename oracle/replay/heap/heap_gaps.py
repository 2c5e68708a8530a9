"""The gaps between the live blocks of an arena, of which the largest is asked for when a request fails.

Most requests do not fail. So what changes is only noted, and looked at once the largest gap is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from memoracle.replay.containers.sorted_addresses import SortedAddresses

FEW = 16  # starts that are noted at once
SPARE = 1 << 10  # notes, and gaps that are no more, which are not worth clearing away

End = Callable[[int], int]


class Gaps:
    """layers: what takes bytes of the arena, each with where what starts at an address ends.

    Within a layer, what starts later ends later. The last one has the doubted stretches, of which it is not known what
    is free in them: a fault that was named may have lost some.
    changed: addresses at which something has started to take bytes, or does no longer; None if there are too many to
    note.  found: gaps, by their length and an address at which they are found, the largest first; some are no more.
    most: how many notes are too many.
    """

    def __init__(self, start: int, end: int, *layers: tuple[SortedAddresses, End]) -> None:
        self.start = start
        self.end = end
        self.doubted = SortedAddresses()
        self.ends: dict[int, int] = {}
        self.layers = (*layers, (self.doubted, self.ends.__getitem__))
        self.changed: set[int] | None = None
        self.found: list[tuple[int, int]] = []
        self.most = SPARE

    def changes(self, address: int) -> None:
        """What starts at this address is there from now on, or no longer."""
        if self.changed is not None:
            self.changed.add(address)
            if len(self.changed) > self.most:
                self.changed = None

    def changes_over(self, first: int, last: int) -> None:
        """So does what takes these bytes; a few starts of other things among them are noted, too: they end gaps."""
        self.changes(first)
        self.changes(last)
        for layer, _ in self.layers:
            _, after = layer.around(first)
            for _ in range(FEW):
                if after is None or after >= last:
                    break
                self.changes(after)
                _, after = layer.around(after)

    def look_everywhere(self) -> None:
        """Finds every gap, each once: behind what takes bytes, or at the arena's start."""
        starts = {self.start - 1}.union(*(layer for layer, _ in self.layers))
        gaps = ((self.around(address), address) for address in starts)
        self.found = [(first - last, address) for (first, last), address in gaps if first < last]
        heapify(self.found)
        self.changed = set()
        self.most = 4 * len(starts) + SPARE

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
        if self.changed is None or len(self.found) > self.most:
            self.look_everywhere()
        else:
            self.look_where_it_changed(self.changed)
            self.changed.clear()
        while self.found:
            length, address = self.found[0]
            first, last = self.around(address)
            if first - last == length:
                return first, last
            heappop(self.found)
        return self.end, self.end

    def look_where_it_changed(self, addresses: set[int]) -> None:
        """Finds the gaps before and behind these addresses, of which one may be no more."""
        for address in addresses:
            for place in (address - 1, address):
                first, last = self.around(place)
                if first < last:
                    heappush(self.found, (first - last, place))

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
        self.changes_over(first, last)

    def forget(self, doubted: int) -> None:
        self.doubted.remove(doubted)
        del self.ends[doubted]
