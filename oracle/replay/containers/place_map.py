"""Sets of places, at less cost a change than the reference's: a byte for each place, or its runs in sorted lists.

They stand in for a PlaceSet in a replay, as far as the reference asks of one. What is free changes at every event, and
is kept as bytes; what exists changes seldom, and is kept as runs.
"""

from __future__ import annotations

from bisect import bisect_right

from memoracle.replay.containers.run_search import ALL_IN, IN, OUT, SHORT, RunSearch

# A bytearray takes the bytes of another as they are; of `bytes` it makes a copy first, as large again.
ALL_OUT = [bytearray(count) for count in range(SHORT + 1)]


class PlaceMap:
    """A set of places 0 to places - 1, of which runs are found.

    marks: of each place, IN or OUT.  search: what finds runs, once some are searched for.
    """

    def __init__(self, places: int) -> None:
        """The set is empty."""
        self.places = places
        self.marks = bytearray(places)
        self.search: RunSearch | None = None

    def covers(self, first: int, last: int) -> bool:
        """Whether there are such places, and all of them are in the set."""
        return 0 <= first < last <= self.places and self.marks.find(OUT, first, last) < 0

    def add(self, first: int, last: int) -> bool:
        """Adds places; False if there are none, one is in the set, or one does not lie among all places."""
        marks, count = self.marks, last - first
        if not 0 <= first < last:
            return False
        if count > SHORT:
            return self._add_many(first, last)
        if not marks.startswith(ALL_OUT[count], first):
            return False
        marks[first:last] = ALL_IN[count]
        if self.search is not None:
            self.search.added(first, last)
        return True

    def _add_many(self, first: int, last: int) -> bool:
        if last > self.places or self.marks.find(IN, first, last) >= 0:
            return False
        self.marks[first:last] = bytearray(b"\1") * (last - first)
        if self.search is not None:
            self.search.added(first, last)
        return True

    def remove(self, first: int, last: int) -> bool:
        """Removes places; False if there are none, or one is not in the set."""
        marks, count = self.marks, last - first
        if not 0 <= first < last:
            return False
        if count > SHORT:
            return self._remove_many(first, last)
        if not marks.startswith(ALL_IN[count], first):
            return False
        marks[first:last] = ALL_OUT[count]
        return True

    def _remove_many(self, first: int, last: int) -> bool:
        if last > self.places or self.marks.find(OUT, first, last) >= 0:
            return False
        self.marks[first:last] = bytearray(last - first)
        return True

    def find(self, count: int, alignment: int, lowest: int, below: int) -> int | None:
        """The lowest place of which so many on end are in the set, all within limits; None if there is none."""
        if not 1 <= count <= self.places or lowest >= self.places or alignment < 1 or alignment & alignment - 1:
            return None
        if self.search is None:
            self.search = RunSearch(self.marks)
        return self.search.find(count, alignment, max(lowest, 0), below)

    def most(self) -> int:
        """The length of the longest run in the set; 0 if it is empty."""
        return self.longest_run()[1]

    def longest_run(self) -> tuple[int, int]:
        """The longest run in the set, the lowest of several: its first place, and how many it has; none: 0 and 0."""
        marks, first, most, place = self.marks, 0, 0, 0
        while (place := marks.find(b"\1" * min(most + 1, SHORT), place)) >= 0:
            end = self.next_out(place)
            if end - place > most:
                first, most = place, end - place
            place = end
        return first, most

    def below(self, place: int) -> int:
        """How many places below this one are in the set."""
        return self.marks.count(IN, 0, max(place, 0))

    def next_in(self, place: int) -> int:
        """The first place from this one on that is in the set; past all places, if none is."""
        found = self.marks.find(IN, max(place, 0))
        return max(place, self.places) if found < 0 else found

    def next_out(self, place: int) -> int:
        """The first place from this one on that is not in the set."""
        if not 0 <= place < self.places:
            return place
        found = self.marks.find(OUT, place)
        return self.places if found < 0 else found


class Spans:
    """A set of places 0 to places - 1 to which places are only added.

    starts, ends: of its runs, in order: the first place of each, and the one after its last.
    low, high: a run that places were found in, as far as it reached then.
    """

    def __init__(self, places: int) -> None:
        """The set is empty."""
        self.places = places
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.low = self.high = 0

    def covers(self, first: int, last: int) -> bool:
        """Whether there are such places, and all of them are in the set."""
        if self.low <= first < last <= self.high:
            return True
        run = bisect_right(self.starts, first) - 1
        if run < 0 or not first < last <= self.ends[run]:
            return False
        self.low, self.high = self.starts[run], self.ends[run]
        return True

    def add(self, first: int, last: int) -> bool:
        """Adds places; False if there are none, one is in the set, or one does not lie among all places."""
        starts, ends = self.starts, self.ends
        after = bisect_right(starts, first)
        if not 0 <= first < last <= self.places or (after > 0 and first < ends[after - 1]):
            return False
        if after < len(starts) and starts[after] < last:
            return False
        merges, follows = after < len(starts) and starts[after] == last, after > 0 and ends[after - 1] == first
        if merges and follows:
            ends[after - 1] = ends[after]
            del starts[after], ends[after]
        elif merges:
            starts[after] = first
        elif follows:
            ends[after - 1] = last
        else:
            starts.insert(after, first)
            ends.insert(after, last)
        return True

    def next_in(self, place: int) -> int:
        """The first place from this one on that is in the set; past all places, if none is."""
        run = bisect_right(self.ends, place)
        return max(place, self.starts[run]) if run < len(self.starts) else max(place, self.places)

    def next_out(self, place: int) -> int:
        """The first place from this one on that is not in the set."""
        run = bisect_right(self.starts, place) - 1
        return max(place, self.ends[run]) if run >= 0 else place
