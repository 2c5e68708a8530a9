"""A set of places, kept as its runs: stretches of neighbouring places that are all in it, none of which can be longer.

A run that is added merges with its neighbours, and what is removed from a run leaves what lies on either side. A
refused operation returns None or False and changes nothing. Places are those from `first` on, and before `last`.
"""

from __future__ import annotations

from memoracle.impl.bitmap import aligned_up, is_power_of_two
from memoracle.impl.run_index import RunIndex


class PlaceSet:
    """A set of places 0 to places - 1.

    runs: by the first place of each.

    inv: sum(map(self.runs.length, range(self.places))) == len(_places(self))
    inv: not any(self.runs.length(p) and p - 1 in _places(self) for p in range(self.places))
    """

    def __init__(self, places: int) -> None:
        """The set is empty.

        pre: 1 <= places
        post: self.places == places and not _places(self)
        """
        self.places = places
        self.runs = RunIndex(places)

    def covers(self, first: int, last: int) -> bool:
        """Whether there are such places, and all of them are in the set.

        post: __return__ == (first < last and _among(first, last, self) == last - first)
        """
        run = self.runs.last(first)
        return run is not None and first < last <= run + self.runs.length(run)

    def add(self, first: int, last: int) -> bool:
        """Adds places; False if there are none, one is in the set, or one does not lie among all places.

        post: __return__ == (0 <= first < last <= self.places and _among(first, last, __old__.self) == 0)
        post: _places(self) == _places(__old__.self) | ({*range(first, last)} if __return__ else set())
        """
        if not 0 <= first < last <= self.places:
            return False
        before = self.runs.last(last - 1)
        end = 0 if before is None else before + self.runs.length(before)
        if first < end:
            return False
        start = first if before is None or end < first else before
        after = self.runs.length(last)
        if after:
            self.runs.put(last, 0)
        self.runs.put(start, last + after - start)
        return True

    def remove(self, first: int, last: int) -> bool:
        """Removes places; False if there are none, or one is not in the set.

        post: __return__ == (first < last and _among(first, last, __old__.self) == last - first)
        post: _places(self) == _places(__old__.self) - ({*range(first, last)} if __return__ else set())
        """
        run = self.runs.last(first)
        if run is None:
            return False
        end = run + self.runs.length(run)
        if not first < last <= end:
            return False
        self.runs.put(run, first - run)
        if last < end:
            self.runs.put(last, end - last)
        return True

    def find(self, count: int, alignment: int, lowest: int, below: int) -> int | None:
        """The lowest place of which so many on end are in the set, all within limits; None if there is none.

        alignment: of the place, a power of two.  lowest, below: no place before the one, nor from the other on.
        Takes time that grows with the logarithm of the number of places: once, and again for each lower run that has so
        many places but not from an aligned one on. Without alignment there is no such run.

        post: __return__ is None or _fits(self, __return__, count, alignment, lowest, below)
        post: not any(_fits(self, p, count, alignment, lowest, below) for p in range(self.places) if __return__ is None or p < __return__)
        """  # noqa: E501
        if count < 1 or not is_power_of_two(alignment):
            return None
        place = aligned_up(max(lowest, 0), alignment)
        if not self.covers(place, place + count):
            run = self.runs.first(count, place)
            while run is not None and run < below and not self._holds(run, count, alignment):
                run = self._next(run, count)
            if run is None:
                return None
            place = aligned_up(run, alignment)
        return place if place + count <= below else None

    def next_out(self, place: int) -> int:
        """The first place from this one on that is not in the set.

        post: place <= __return__ and __return__ not in _places(self)
        post: _among(place, __return__, self) == __return__ - place
        """
        run = self.runs.last(place)
        return place if run is None else max(place, run + self.runs.length(run))

    def most(self) -> int:
        """The length of the longest run in the set; 0 if it is empty.

        post: __return__ == max(map(self.runs.length, range(self.places)))
        """
        return self.runs.most()

    def _next(self, run: int, count: int) -> int | None:
        return self.runs.first(count, run + 1)

    def _holds(self, run: int, count: int, alignment: int) -> bool:
        """Whether so many places on end, the first of them aligned, lie in the run that begins here."""
        return aligned_up(run, alignment) + count <= run + self.runs.length(run)


# Helpers of the contracts


def _places(places: PlaceSet) -> set[int]:
    starts = range(places.places)
    found = [place for start in starts for place in range(start, start + places.runs.length(start))]
    return set(found)


def _among(first: int, last: int, places: PlaceSet) -> int:
    """How many of these places are in the set."""
    return len(_places(places) & set(range(max(first, 0), min(last, places.places))))


def _fits(places: PlaceSet, place: int, count: int, alignment: int, lowest: int, below: int) -> bool:
    if count < 1 or not is_power_of_two(alignment):
        return False
    whole = set(range(place, place + min(count, places.places + 1))) <= _places(places)
    return place % alignment == 0 and lowest <= place and place + count <= below and whole
