"""The reference's runs of free places at less cost a change, for a replay that knows where a run is.

A run that is handed out from where a free one begins, or up to where one ends, is found by that place alone; so are the
free neighbours of one that comes back whole. The reference's index, which searches, is brought up to date when it is
asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.impl.place_set import PlaceSet
from memoracle.impl.run_index import RunIndex
from memoracle.impl.runs import Runs
from memoracle.replay.containers.lowest_runs import LAST, LowestRuns, Run

SPARE = 64  # changes that are not worth another index


class LazyPlaceSet(PlaceSet):
    """Stands in for a PlaceSet.

    ends: by the first place of each run, the one after its last.  starts: the other way round.
    changed: places at which the index may have something else than `ends`.
    lowest: where the lowest run is asked for at most events, what finds it.
    """

    def __init__(self, places: int, finds_lowest: bool = False) -> None:
        """The set is empty. finds_lowest: it is asked at most events where the lowest run is."""
        self.places = places
        self.index = RunIndex(places)
        self.ends: dict[int, int] = {}
        self.starts: dict[int, int] = {}
        self.changed: set[int] = set()
        self.lowest = LowestRuns(self._runs, self._is_run) if finds_lowest else None

    @property
    def runs(self) -> RunIndex:  # type: ignore[override]  # an attribute there, made when it is asked here
        """The index, brought up to date."""
        if len(self.changed) > len(self.ends) + SPARE:
            self.index, self.changed = RunIndex(self.places), {*self.ends}
        for first in self.changed:
            self.index.put(first, self.ends.get(first, first) - first)
        self.changed.clear()
        return self.index

    def covers(self, first: int, last: int) -> bool:
        end = self.ends.get(first)
        return first < last <= end if end is not None else super().covers(first, last)

    def remove(self, first: int, last: int) -> bool:
        start, end = first, self.ends.get(first)
        if end is None:
            if last in self.starts:
                start, end = self.starts[last], last
            else:
                found = self.runs.last(first)
                start, end = (first, first) if found is None else (found, self.ends[found])
        if not start <= first < last <= end:
            return False
        changed = self.changed
        changed.add(start)
        if start < first:
            self.ends[start] = first
            self.starts[first] = start
        else:
            del self.ends[start]
        if last < end:
            self.ends[last] = end
            self.starts[end] = last
            changed.add(last)
        else:
            del self.starts[end]
        if len(changed) > 2 * len(self.ends) + 2 * SPARE:
            self.forget_changes()
        if self.lowest is not None:
            self.lowest.was_divided(start, min(end - start, LAST))
            if start < first:
                self.lowest.note(start, min(first - start, LAST))
            if last < end:
                self.lowest.note(last, min(end - last, LAST))
        return True

    def add(self, first: int, last: int) -> bool:
        if not 0 <= first < last <= self.places:
            return False
        before = self.runs.last(last - 1)
        if before is not None and first < self.ends[before]:
            return False
        self.join(first, last)
        return True

    def join(self, first: int, last: int) -> None:
        """Adds places none of which is in the set."""
        start, end = self.starts.pop(first, first), self.ends.pop(last, last)
        self.ends[start] = end
        self.starts[end] = start
        self.changed.add(start)
        if end != last:
            self.changed.add(last)
        if self.lowest is not None:
            self.lowest.note(start, min(end - start, LAST))

    def find(self, count: int, alignment: int, lowest: int, below: int) -> int | None:
        if self.lowest is None or alignment != 1 or not 1 <= count <= LAST:
            return super().find(count, alignment, lowest, below)
        first = self.lowest.first(count)
        if first is not None and first < lowest:
            return super().find(count, alignment, lowest, below)
        return None if first is None or first + count > below else first

    def _runs(self) -> Iterator[Run]:
        return ((first, end - first) for first, end in self.ends.items())

    def _is_run(self, first: int, count: int) -> bool:
        return self.ends.get(first, first) - first >= count

    def forget_changes(self) -> None:
        """An index that is made when it is asked costs less than so many changes."""
        self.index, self.changed = RunIndex(self.places), {*self.ends}


class LazyRuns(Runs):
    """Stands in for Runs."""

    available: LazyPlaceSet

    def __init__(self, places: int, finds_lowest: bool = False) -> None:
        super().__init__(places)
        self.available = LazyPlaceSet(places, finds_lowest)

    def give_back(self, first: int, count: int) -> None:
        """Frees places, all of which are in use."""
        self.available.join(first, first + count)
        self.free_places += count
