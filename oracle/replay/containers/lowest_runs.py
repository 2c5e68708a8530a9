"""The lowest run that is long enough, by the lengths of runs: at less cost a change than the reference's index.

A run is noted whenever it becomes one. What is no longer there goes when it comes up as the lowest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush

BITS = 6
LAST = (1 << BITS) - 1  # the kind of all runs of so many places or more; of shorter ones, their length
NONE = 1 << 128  # is above any place
SPARE = 1 << 10  # notes of runs that are gone, which are not worth clearing away

Run = tuple[int, int]  # its first place, and how many it has


class LowestRuns:
    """heaps: by kind, the first places of runs.  lowest: by kind, the lowest of these places, and the kind with it.

    notes: how many places the heaps have.  most: how many are too many.
    """

    def __init__(self, runs: Callable[[], Iterable[Run]], is_free: Callable[[int, int], bool]) -> None:
        """runs: all that there are.  is_free: whether so many places from this one on are in a run."""
        self.runs = runs
        self.is_free = is_free
        self.begin()

    def begin(self) -> None:
        """Notes the runs that there are, and no other."""
        self.heaps: list[list[int]] = [[] for _ in range(LAST + 1)]
        for first, count in self.runs():
            self.heaps[min(count, LAST)].append(first)
        for heap in self.heaps:
            heapify(heap)
        self.lowest = [heap[0] << BITS | kind if heap else NONE for kind, heap in enumerate(self.heaps)]
        self.notes = sum(map(len, self.heaps))
        self.most = 4 * self.notes + SPARE

    def note(self, first: int, count: int) -> None:
        """A run begins here, and has so many places, or LAST if there are more."""
        if self.notes >= self.most:
            self.begin()  # it has this one, too
            return
        heap = self.heaps[count]
        heappush(heap, first)
        self.notes += 1
        if heap[0] == first:
            self.lowest[count] = first << BITS | count

    def was_divided(self, first: int, count: int) -> None:
        """The run that began here, and had so many places, or LAST if there were more, is no more."""
        if self.lowest[count] >> BITS == first:
            self._drop(count)

    def first(self, count: int) -> int | None:
        """The first place of the lowest run of so many places, of which there are LAST at the most; or None."""
        while (entry := min(self.lowest[count:])) != NONE:
            if self.is_free(entry >> BITS, count):
                return entry >> BITS
            self._drop(entry & LAST)
        return None

    def _drop(self, kind: int) -> None:
        heap = self.heaps[kind]
        heappop(heap)
        self.notes -= 1
        self.lowest[kind] = heap[0] << BITS | kind if heap else NONE
