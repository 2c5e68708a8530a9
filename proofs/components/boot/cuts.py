"""Proofs of the code of `impl/boot.py` that cuts lists of intervals.

All that is known of a list is which points it covers, so what is shown holds for any list.
"""

from __future__ import annotations

from typing import ClassVar

from memoracle.impl import boot as code
from memoracle.impl.boot import Interval
from memoracle.proofs.components.boot.interval_lists import Bag, Intervals, Place, as_bag, covers
from memoracle.proofs.components.boot.law import proved
from memoracle.proofs.symbolic.containers import Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Iterates, Measure, cut
from memoracle.proofs.symbolic.values import Property, record_of
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import boot as law
from memoracle.spec.clauses import Number, Truth, implies, neg


def lies_in(interval: Interval, point: Number) -> Truth:
    inside: Truth = (interval.start <= point) & (point < interval.end)
    return inside


def is_one(interval: Interval) -> Truth:
    """Whether an interval lies in memory, and does not end before it starts."""
    lies: Truth = (0 <= interval.start) & (interval.start <= interval.end) & (interval.end <= law.TOP)
    return lies


def any_interval(run: Run) -> Interval:
    """Any interval that is one."""
    interval = record_of(Interval, run.fresh("start", 0, law.TOP), run.fresh("end", 0, law.TOP))
    run.assume(is_one(interval))
    return interval


@proved(
    "beside.refines", "refinement", "the pieces beside a cut are what of an interval lies outside it", integers=True
)
def beside_refines(run: Run) -> None:
    left, interval, gap, point = Bag.unknown(run, "point"), any_interval(run), any_interval(run), run.point("point")
    run.assume(interval.start < interval.end)
    run.assume_for_all(("point",), lambda point: implies(left.covers(point), point < interval.start))
    result = run.call(code.beside, left, interval, gap)
    outside = lies_in(interval, point) & neg(lies_in(gap, point))
    run.assert_goal("they are left, too", covers(result, point) == (left.covers(point) | outside))


class Cutting:
    """The loop that cuts intervals: what is left is what those before covered, but for the cut."""

    points: ClassVar[Points] = dict.fromkeys(("seen", "covers", "flaw"), ("point",))

    def __init__(self, intervals: Bag, gap: Interval) -> None:
        self.intervals, self.gap = intervals, gap

    def _known(self, left: Intervals) -> Property:
        seen, gap = self.intervals.seen, self.gap
        return lambda point: covers(left, point) == (seen(point) & neg(lies_in(gap, point)))

    def on_entry(self, run: Run, arguments: tuple[Intervals, Interval, Interval]) -> Measure:
        run.assert_goal("what is left so far lies outside the cut", self._known(arguments[0])(run.point("point")))
        return Iterates()

    def havoc(self, run: Run) -> object:
        left = Bag.unknown(run, "point")
        self.intervals.forget()
        run.assume_for_all(("point",), self._known(left))
        return left

    def on_back_edge(self, run: Run, result: Intervals) -> Measure:
        self.intervals.advance()
        self.result = as_bag(run, result, "point")
        return Iterates()

    def witnesses(self, result: Intervals) -> list[object]:
        return [self.result.covers, *self.intervals.witnesses()]

    def as_stand_in(self, value: object) -> object:
        return self.result


@proved("meeting.refines", "refinement", "intervals before and after those that may meet a cut do not", integers=True)
def meeting_refines(run: Run) -> None:
    gap, length = any_interval(run), run.fresh("length")
    start, end = run.function("start", "place"), run.function("end", "place", high=law.TOP)

    def in_order(place: Number) -> Truth:
        nonempty = implies(place < length, start(place) < end(place))
        return nonempty & implies(place + 1 < length, end(place) <= start(place + 1))

    every = Unasked()

    def bisect_left(intervals: object, searched: Interval) -> Number:
        """Where those begin that are not smaller, first bytes first; a last byte is above 0."""
        run.assert_goal("the intervals are those that were given", intervals is every)
        run.assert_goal("it is looked for by its first byte alone", searched.end == 0)
        found = run.fresh("place")
        run.touch(("place",), (found,))
        run.suppose(found <= length)
        below = lambda place: implies(place < found, start(place) < searched.start)  # noqa: E731
        run.assume_for_all(("place",), below)
        above = lambda place: implies((found <= place) & (place < length), searched.start <= start(place))  # noqa: E731
        run.assume_for_all(("place",), above)
        return found

    run.assume_for_all(("place",), in_order)
    run.replace(code, "bisect_left", bisect_left)
    first, last = run.call(code.meeting, every, gap)
    place = run.point("place")
    run.touch(("place",), (place + 1,))
    run.assert_goal("those before end before the cut", implies(place < first, end(place) <= gap.start))
    after = (last <= place) & (place < length)
    run.assert_goal("those after start after the cut", implies(after, gap.end <= start(place)))
    run.assert_goal("places are in order", (0 <= first) & (first <= last) & (last <= length))


def meeting(run: Run) -> None:
    """Puts what `meeting_refines` shows in the place of `meeting`."""

    def stand_in(intervals: Bag, gap: Interval) -> tuple[Place, Place]:
        run.assert_goal("the cut does not end before it starts", is_one(gap))
        # They are in order, so for each place there is such a point; that it is so near the cut was shown.
        first, last = (Place(run.fresh(each, 0, law.TOP), intervals) for each in ("first", "last"))
        run.assume((first.point <= gap.start) & (gap.end <= last.point))
        return first, last

    run.replace(code, "meeting", stand_in)


@proved("without.refines", "refinement", "intervals without a cut cover what lies outside it", integers=True)
def without_refines(run: Run) -> None:
    intervals, gap, point = Bag.unknown(run, "point"), any_interval(run), run.point("point")
    meeting(run)
    cut(run, code, "beside", lambda left, interval, gap: Cutting(intervals.last_part(), gap))
    result = run.call(code.without, intervals, gap)
    run.assert_goal(
        "no more and no less is left", covers(result, point) == (intervals.covers(point) & neg(lies_in(gap, point)))
    )


def cutting(run: Run) -> None:
    """Puts what `without_refines` shows in the place of `without`."""

    def stand_in(intervals: Bag, gap: Interval) -> Bag:
        run.assert_goal("the cut does not end before it starts", is_one(gap))
        return Bag(run, lambda point: covers(intervals, point) & neg(lies_in(gap, point)), intervals.parameter)

    run.replace(code, "without", stand_in)


CODE = (beside_refines, meeting_refines, without_refines)
