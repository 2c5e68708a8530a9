"""Places of which runs are handed out: any number of neighbouring ones, the lowest that fit.

A place exists once it was added, as one that may be allocated and freed, or as one that is never free.
A refused operation returns None or False and changes nothing; a run of no places, or one that does not lie among all
places, is always refused.
"""

from __future__ import annotations

from memoracle.impl.place_set import PlaceSet


class Runs:
    """Places 0 to places - 1.

    existing: those that exist.  changing: of these, the ones that may be free.  available: of these, the free ones.

    inv: self.free_places == len(_in(self.available))
    inv: _in(self.available) <= _in(self.changing) <= _in(self.existing)
    """

    def __init__(self, places: int) -> None:
        """No place exists.

        pre: 1 <= places
        post: self.places == places and self.count() == 0 and not _in(self.existing)
        """
        self.places = places
        self.existing = PlaceSet(places)
        self.changing = PlaceSet(places)
        self.available = PlaceSet(places)
        self.free_places = 0

    def add(self, first: int, count: int) -> bool:
        """Adds places that do not exist yet, and are free from then on; False if one exists.

        post: __return__ == (_lies(self, first, count) and not _run(first, count) & _in(__old__.self.existing))
        post: _in(self.existing) == _in(__old__.self.existing) | (_run(first, count) if __return__ else set())
        post: _in(self.changing) == _in(__old__.self.changing) | (_run(first, count) if __return__ else set())
        post: _in(self.available) == _in(__old__.self.available) | (_run(first, count) if __return__ else set())
        """
        if not self.existing.add(first, first + count):
            return False
        self.changing.add(first, first + count)
        self.available.add(first, first + count)
        self.free_places += count
        return True

    def add_never_free(self, first: int, count: int) -> bool:
        """Adds places that do not exist yet, and are never free; False if one exists.

        post: __return__ == (_lies(self, first, count) and not _run(first, count) & _in(__old__.self.existing))
        post: _in(self.existing) == _in(__old__.self.existing) | (_run(first, count) if __return__ else set())
        post: _in(self.changing) == _in(__old__.self.changing) and _in(self.available) == _in(__old__.self.available)
        """
        return self.existing.add(first, first + count)

    def allocate(self, count: int, alignment: int, lowest: int, below: int) -> int | None:
        """Allocates the lowest run of so many free places; its first place, or None if there is no such run.

        alignment: of the first place, a power of two.  lowest, below: no place before the one, nor from the other on.

        post: __return__ == __old__.self.available.find(count, alignment, lowest, below)
        post: _in(self.available) == _in(__old__.self.available) - (set() if __return__ is None else _run(__return__, count))
        post: _in(self.changing) == _in(__old__.self.changing) and _in(self.existing) == _in(__old__.self.existing)
        """  # noqa: E501
        first = self.available.find(count, alignment, lowest, below)
        if first is not None:
            self.available.remove(first, first + count)
            self.free_places -= count
        return first

    def reserve(self, first: int, count: int) -> bool:
        """Allocates exactly these places; False if one is not free.

        post: __return__ == (_lies(self, first, count) and _run(first, count) <= _in(__old__.self.available))
        post: _in(self.available) == _in(__old__.self.available) - (_run(first, count) if __return__ else set())
        post: _in(self.changing) == _in(__old__.self.changing) and _in(self.existing) == _in(__old__.self.existing)
        """
        if not self.available.remove(first, first + count):
            return False
        self.free_places -= count
        return True

    def free(self, first: int, count: int) -> bool:
        """Frees places, however they were allocated; False if one is free, never is or does not exist.

        post: __return__ == (_lies(self, first, count) and _run(first, count) <= _in(self.changing) - _in(__old__.self.available))
        post: _in(self.available) == _in(__old__.self.available) | (_run(first, count) if __return__ else set())
        post: _in(self.changing) == _in(__old__.self.changing) and _in(self.existing) == _in(__old__.self.existing)
        """  # noqa: E501
        if not self.changing.covers(first, first + count) or not self.available.add(first, first + count):
            return False
        self.free_places += count
        return True

    def is_free(self, place: int) -> bool:
        """Whether a place may be handed out.

        post: __return__ == (place in _in(self.available))
        """
        return self.available.covers(place, place + 1)

    def exists(self, place: int) -> bool:
        """Whether there is such a place.

        post: __return__ == (place in _in(self.existing))
        """
        return self.existing.covers(place, place + 1)

    def count(self) -> int:
        """How many places are free.

        post: __return__ == len(_in(self.available))
        """
        return self.free_places

    def count_within(self, lowest: int, below: int) -> int:
        """How many places are free from one on, before another; it takes time by how many runs these are.

        post: __return__ == sum(lowest <= place < below for place in _in(self.available))
        """
        counted, first = 0, self.available.find(1, 1, lowest, below)
        while first is not None:
            counted, first = self._count_run(counted, first, below)
        return counted

    def _count_run(self, counted: int, first: int, below: int) -> tuple[int, int | None]:
        """Counts the free places that follow on one, too, as far as the limit; then the next free place."""
        last = min(self.available.next_out(first), below)
        return counted + last - first, self.available.find(1, 1, last, below)


# Helpers of the contracts


def _in(places: PlaceSet) -> set[int]:
    found = [place for place in range(places.places) if places.covers(place, place + 1)]
    return set(found)


def _run(first: int, count: int) -> set[int]:
    """The places of a run that lies among all places."""
    return set(range(first, first + count))


def _lies(runs: Runs, first: int, count: int) -> bool:
    """Whether a run has a place, and lies among all places."""
    return 0 <= first and 0 < count <= runs.places - first
