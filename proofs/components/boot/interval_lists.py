"""Stand-ins for the lists of intervals, and of memory map records, that boot works through.

All that is known of a list of disjoint intervals in order is which points it covers. Iteration yields intervals that it
covers, each behind those before, until all of its points were seen. Records come in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

from memoracle.impl.boot import Interval, Record
from memoracle.proofs.symbolic.containers import Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function, Property, record_of
from memoracle.spec import boot as law
from memoracle.spec.clauses import Number, Truth, implies, neg


class Bag(Unasked):
    """A list of disjoint intervals in order, none of them empty."""

    NOTES = ("current", "flaw", "part")  # what the loop that goes through it has at hand; evidence that no code sees

    def __init__(self, run: Run, covers: Property, parameter: str) -> None:
        self.run, self.covers, self.parameter = run, covers, parameter
        self.seen: Property = lambda point: False
        self.current: Interval | None = None
        self.part: Bag | None = None  # that was taken last
        self.flaw: Function = lambda point: point  # of a page that it lacks: a byte that spoilt it

    @classmethod
    def unknown(cls, run: Run, parameter: str) -> Bag:
        return cls(run, run.relation(f"covers#{next(run.count)}", parameter), parameter)

    def __add__(self, pieces: Intervals) -> Bag:
        covers = self.covers
        if isinstance(pieces, Bag):
            more, point, later = pieces.covers, self.run.point(self.parameter), self.run.point(self.parameter)
            self.run.assert_goal(
                "intervals are disjoint, and in order", implies(covers(point) & more(later), point < later)
            )
            return Bag(self.run, lambda each: covers(each) | more(each), self.parameter)
        for start, end in pieces:
            point = self.run.point(self.parameter)
            self.run.assert_goal("an interval is not empty", start < end)
            self.run.assert_goal("intervals are disjoint, and in order", implies(covers(point), point < start))
            covers = self._with(covers, start, end)
        return Bag(self.run, covers, self.parameter)

    def __getitem__(self, part: slice) -> Bag:
        """Those between two places: the points from one on and below the other."""
        covers, after, before = self.covers, part.start, part.stop
        of_it = part.step is None and all(each is None or each.of is self for each in (after, before))
        self.run.assert_goal("a list is divided at places of its own", of_it)

        def covered(point: Number) -> Truth:
            from_there: Truth = after is None or point >= after.point
            until_there: Truth = before is None or point < before.point
            return covers(point) & from_there & until_there

        self.part = Bag(self.run, covered, self.parameter)
        return self.part

    def last_part(self) -> Bag:
        """The part that was taken last."""
        assert self.part is not None
        return self.part

    @staticmethod
    def _with(covers: Property, start: Number, end: Number) -> Property:
        return lambda point: covers(point) | ((start <= point) & (point < end))

    def __bool__(self) -> bool:
        """Whether it has an interval."""
        covers = self.covers
        if self.run.fresh_truth("some"):
            self.run.suppose(covers(self.run.point(self.parameter)))
            return True
        self.run.assume_for_all((self.parameter,), lambda point: neg(covers(point)))
        return False

    def __iter__(self) -> Iterator[Interval]:
        run, covers = self.run, self.covers
        while run.fresh_truth("more"):
            interval = record_of(Interval, run.fresh("start"), run.fresh("end", 0, law.TOP))
            run.suppose(interval.start < interval.end)
            self._assume_next(interval)
            self.current = interval
            yield interval
        seen = self.seen
        run.assume_for_all((self.parameter,), lambda point: implies(covers(point), seen(point)))

    def _assume_next(self, interval: Interval) -> None:
        covers, seen = self.covers, self.seen

        def known(point: Number) -> Truth:
            among = (interval.start <= point) & (point < interval.end)
            return implies(among, covers(point)) & implies(seen(point), point < interval.start)

        self.run.assume_for_all((self.parameter,), known)

    def forget(self) -> None:
        """From here on any of the intervals may have been seen."""
        self.seen = seen = self.run.relation(f"seen#{next(self.run.count)}", self.parameter)
        covers = self.covers
        self.run.assume_for_all((self.parameter,), lambda point: implies(seen(point), covers(point)))

    def witnesses(self) -> list[object]:
        """What was seen, for what `forget` asks."""
        return [self.seen]

    def advance(self) -> None:
        """The interval at hand was seen, too."""
        seen, current = self.seen, self.current
        assert current is not None
        self.seen = lambda point: seen(point) | ((current.start <= point) & (point < current.end))


class Place(NamedTuple):
    """A place in a list of intervals: those before it have the list's points below this one, and no other has any."""

    point: Number
    of: Bag  # the list


def any_record(run: Run) -> Record:
    """Any record: even one of all memory."""
    return record_of(Record, run.fresh("start"), run.fresh("length", 0, law.TOP), run.fresh("type"))


class Records(Unasked):
    """A list of memory map records, known by what they say of each byte: in all, and those that were seen."""

    NOTES = ("current",)

    def __init__(self, run: Run, whole: law.Map) -> None:
        self.run, self.whole = run, whole
        self.unread = self.seen = law.unread(whole.page_shift)
        self.current: Record | None = None

    def __iter__(self) -> Iterator[Record]:
        run, whole = self.run, self.whole
        self.seen = self.unread
        while run.fresh_truth("more"):
            record = any_record(run)
            self._assume_among(law.read(law.unread(whole.page_shift), *record))
            self.current = record
            yield record
        seen = self.seen
        run.assume_for_all(("byte",), lambda byte: implies(whole.is_covered(byte), seen.is_covered(byte)))
        run.assume_for_all(("byte",), lambda byte: implies(whole.is_claimed(byte), seen.is_claimed(byte)))

    def _assume_among(self, part: law.Map) -> None:
        """What some of the records say of a byte, all of them say."""
        whole = self.whole
        self.run.assume_for_all(("byte",), lambda byte: implies(part.is_covered(byte), whole.is_covered(byte)))
        self.run.assume_for_all(("byte",), lambda byte: implies(part.is_claimed(byte), whole.is_claimed(byte)))

    def forget(self) -> None:
        """From here on any of the records may have been seen."""
        is_covered, is_claimed = (
            self.run.relation(f"{name}#{next(self.run.count)}", "byte") for name in ("seen-covered", "seen-claimed")
        )
        self.seen = replace(self.unread, is_covered=is_covered, is_claimed=is_claimed)
        self._assume_among(self.seen)

    def witnesses(self) -> list[object]:
        """What was seen, for what `forget` asks."""
        return [self.seen.is_covered, self.seen.is_claimed]

    def advance(self) -> None:
        """The record at hand was seen, too."""
        assert self.current is not None
        self.seen = law.read(self.seen, *self.current)


Intervals: TypeAlias = Bag | Sequence[Interval]


def as_bag(run: Run, intervals: Intervals, parameter: str) -> Bag:
    """What stands in for a list of intervals."""
    return intervals if isinstance(intervals, Bag) else Bag(run, partial(covers, intervals), parameter)


def covers(intervals: Intervals, point: Number) -> Truth:
    """Whether a list of intervals, or what stands in for one, has a point."""
    if isinstance(intervals, Bag):
        return intervals.covers(point)
    found: Truth = False
    for start, end in intervals:
        found = found | ((start <= point) & (point < end))
    return found
