"""The places that a log has told of, in rows: neighbouring places that one line was the last to allocate or to free.

Two views of the rows stand in for sets of the reference's: the places that exist as far as the log shows, and those of
them that are free. Most of what is asked is about just one row, which is found by its first place alone.
"""

from __future__ import annotations

from memoracle.replay.containers.row_index import Row, RowIndex


class SeenPlaces(RowIndex):
    """line: the one that is read.

    below: what is searched for ends there, since the law is asked only of what lies before.
    """

    def __init__(self) -> None:
        """No line has told of any place."""
        super().__init__()
        self.line = 0
        self.below = 0

    def join(self, first: int, last: int, free: bool) -> None:
        """These places, all of them in rows, are one row; of what they were of, the rest stays as it was."""
        for start, row in list(self.among(first, last)):
            if last < row.end:
                self.put(last, Row(row.end, row.free, row.line))
            if start < first:
                row.end = first
            else:
                self.remove(start)
        self.put(first, Row(last, free, self.line))

    def are(self, first: int, last: int, free: bool | None = None) -> bool:
        """Whether there are such places and all of them are in rows, of this state if one is named."""
        start, place = self.before(first + 1), first
        if start is None or self.rows[start].end <= first:
            return False
        for start, row in self.among(first, last):
            if start > place or free not in (None, row.free):
                return False
            place = row.end
        return first < last <= place

    def end(self, place: int, free: bool | None = None) -> int:
        """The first place from this one on that is in no row, or in none of this state; `below`, if none is before."""
        for start, row in self.among(place, self.below):
            if start > place or free not in (None, row.free):
                return place
            place = row.end
        return place


class Existing:
    """The places in rows, as the reference's set of those that exist."""

    def __init__(self, seen: SeenPlaces) -> None:
        self.seen = seen
        self.rows = seen.rows

    def covers(self, first: int, last: int) -> bool:
        """Whether there are such places, and all of them are in the set."""
        row = self.rows.get(first)
        return self.seen.are(first, last) if row is None or last > row.end else first < last

    def add(self, first: int, last: int) -> bool:
        """Adds places, which are not free yet; False if there are none, or one is in the set."""
        if last <= first or self.seen.meets(first, last):
            return False
        self.seen.put(first, Row(last, False, self.seen.line))
        return True

    def next_out(self, place: int) -> int:
        """The first place from this one on that is not in the set."""
        return self.seen.end(place)


class Changing(Existing):
    """The same places, as the reference's set of those that may be free: what was added to the other is in it."""

    def add(self, first: int, last: int) -> bool:
        return True


class Free:
    """The free places in rows, as the reference's set of those that are available."""

    def __init__(self, seen: SeenPlaces) -> None:
        self.seen = seen
        self.rows = seen.rows

    def covers(self, first: int, last: int) -> bool:
        """Whether there are such places, and all of them are in the set."""
        return self.seen.are(first, last, True)

    def add(self, first: int, last: int) -> bool:
        """Adds places, all of which exist; False if there are none, or one is in the set."""
        row = self.rows.get(first)
        if row is None or row.end != last:
            return self._become(first, last, True)
        if row.free:
            return False
        row.free, row.line = True, self.seen.line
        return True

    def remove(self, first: int, last: int) -> bool:
        """Removes places; False if there are none, or one is not in the set."""
        row = self.rows.get(first)
        if row is None or row.end != last:
            return self._become(first, last, False)
        if not row.free:
            return False
        row.free, row.line = False, self.seen.line
        return True

    def _become(self, first: int, last: int, free: bool) -> bool:
        """Whether all of these places were in the other state; then they are in this one now, and one row."""
        if not self.seen.are(first, last, not free):
            return False
        self.seen.join(first, last, free)
        return True

    def next_in(self, place: int) -> int:
        """The first place from this one on that is in the set; if none is before `below`, that."""
        seen = self.seen
        return next(
            (max(start, place) for start, row in seen.among(place, seen.below) if row.free), max(place, seen.below)
        )

    def next_out(self, place: int) -> int:
        """The first place from this one on that is not in the set."""
        return self.seen.end(place, True)
