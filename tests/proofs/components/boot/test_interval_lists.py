"""What stands in for the lists that boot works through, and for the functions that make them, behaves as these do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NoReturn

from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import MODES, can_be, can_fail, possible

from memoracle.impl import boot
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.boot import TOP, Interval, Record
from memoracle.proofs.components.boot.cuts import cutting, lies_in, meeting
from memoracle.proofs.components.boot.interval_lists import Bag, Place, Records, covers
from memoracle.proofs.components.boot.law import SORTS
from memoracle.proofs.components.boot.records import claims, filling, spoiling
from memoracle.proofs.components.boot.start import Machine
from memoracle.proofs.symbolic.execution import EndOfRunError, Run, explore
from memoracle.proofs.symbolic.extents import Extents
from memoracle.proofs.symbolic.numbers import number
from memoracle.spec import boot as law
from memoracle.spec.clauses import implies

LAST = 7
PROBES = range(LAST + 2)


def disjoint(bounds: list[int]) -> list[Interval]:
    """Disjoint intervals in order, between bounds of which every second one begins one."""
    bounds = sorted(set(bounds))
    return [Interval(*pair) for pair in zip(bounds[::2], bounds[1::2], strict=False)]


LISTS = st.lists(st.integers(0, LAST), max_size=5).map(disjoint)
INTERVALS = st.tuples(st.integers(0, LAST), st.integers(0, LAST)).map(lambda ends: Interval(min(ends), max(ends)))
RECORDS = st.builds(Record, st.integers(0, LAST), st.integers(0, 3), st.sampled_from([1, 2, 3]))
TRIALS = settings(max_examples=12, deadline=None)


def bag(run: Run, intervals: Sequence[Interval], parameter: str = "point") -> Any:
    """The stand-in for the list of these, which code takes for a list; what is given of all points is given of the
    probes at least.
    """
    for probe in PROBES:
        run.touch((parameter,), (probe,))
    return Bag(run, lambda point: covers(intervals, number(point)), parameter)


def not_read(*points: object) -> NoReturn:
    """A part of a map that records are read without."""
    raise AssertionError(points)


def gone_through(run: Run, source: Any, turns: int) -> list[Any]:
    """What a loop over a stand-in comes upon; runs with more turns end."""

    def go() -> list[Any]:
        found = []
        for item in source:
            if len(found) == turns:
                raise EndOfRunError
            found.append(item)
            source.advance()
        return found

    found: list[Any] = run.call(go)
    return found


def holds(body: Callable[[Run], None], integers: bool) -> list[Run]:
    """The runs that come to an end, of which no claim fails, and one can be taken."""
    runs = explore(SORTS, body, integers)
    assert not any(can_fail(run, integers) for run in runs)
    ended = [run for run in runs if run.ended and possible(run, integers, *run.conditions)]
    assert ended
    return ended


@MODES
@TRIALS
@given(intervals=LISTS)
def test_going_through_a_list_comes_upon_all_that_it_covers(integers: bool, intervals: list[Interval]) -> None:
    same: dict[int, Any] = {}

    def body(run: Run) -> None:
        found = gone_through(run, bag(run, intervals), len(intervals))
        for probe in PROBES:
            run.assert_goal("no more and no less", covers(found, number(probe)) == covers(intervals, number(probe)))
        for one, other in pairwise(found):
            run.assert_goal("in order", one.end <= other.start)
        if len(found) == len(intervals):
            ends = [(got.start == due.start, got.end == due.end) for got, due in zip(found, intervals, strict=True)]
            same[id(run)] = [each for pair in ends for each in pair]

    assert any(can_be(run, integers, *same[id(run)]) for run in holds(body, integers) if id(run) in same)


@MODES
@TRIALS
@given(intervals=LISTS)
def test_whether_a_list_is_empty(integers: bool, intervals: list[Interval]) -> None:
    holds(lambda run: run.assert_goal("as it is", run.call(bool, bag(run, intervals)) == bool(intervals)), integers)


@MODES
@TRIALS
@given(intervals=LISTS, pieces=st.lists(INTERVALS, max_size=2))
def test_adding_to_a_list(integers: bool, intervals: list[Interval], pieces: list[Interval]) -> None:
    def body(run: Run) -> None:
        longer = bag(run, intervals) + pieces
        for probe in PROBES:
            run.assert_goal("both cover it", covers(longer, number(probe)) == covers(intervals + pieces, number(probe)))

    every = intervals + pieces
    in_order = all(one.end <= other.start for one, other in pairwise(every))
    if in_order and all(piece.start < piece.end for piece in pieces):
        holds(body, integers)
    else:
        assert any(can_fail(run, integers) for run in explore(SORTS, body, integers))


@MODES
@TRIALS
@given(intervals=LISTS, gap=INTERVALS)
def test_parts_of_a_list(integers: bool, intervals: list[Interval], gap: Interval) -> None:
    first, last = boot.meeting(intervals, gap)
    due = intervals[:first], intervals[first:last], intervals[last:]
    same: list[tuple[Run, list[Any]]] = []

    def body(run: Run) -> None:
        meeting(run)
        whole = bag(run, intervals)
        low, high = boot.meeting(whole, gap)
        assert isinstance(low, Place)
        assert isinstance(high, Place)
        got = whole[:low], whole[low:high], whole[high:]
        assert whole.last_part() is got[2]
        together = got[0] + got[1] + got[2]
        for probe in map(number, PROBES):
            run.assert_goal("before the cut", implies(covers(got[0], probe), probe < gap.start))
            run.assert_goal("after the cut", implies(covers(got[2], probe), gap.end <= probe))
        alike = [
            covers(one, p) == covers(other, p) for one, other in zip(got, due, strict=True) for p in map(number, PROBES)
        ]
        for probe in map(number, PROBES):
            run.assert_goal("nothing is lost", covers(together, probe) == covers(intervals, probe))
        same.append((run, alike))

    holds(body, integers)
    assert any(can_be(run, integers, *alike) for run, alike in same)


def read(records: Sequence[Record]) -> law.Map:
    state = law.unread(0)
    for record in records:
        state = law.read(state, *record)
    return state


@TRIALS
@given(records=st.lists(RECORDS, max_size=3))
def test_going_through_records_comes_upon_all_that_they_say(records: list[Record]) -> None:
    whole, same = read(records), dict[int, Any]()

    def body(run: Run) -> None:
        for probe in PROBES:
            run.touch(("byte",), (probe,))
        symbolic = law.Map(
            0, lambda b: whole.is_covered(number(b)), lambda b: whole.is_claimed(number(b)), not_read, not_read
        )
        found = gone_through(run, Records(run, symbolic), len(records))
        seen = read(found)
        for probe in map(number, PROBES):
            run.assert_goal("what is covered", seen.is_covered(probe) == whole.is_covered(probe))
            run.assert_goal("what is claimed", seen.is_claimed(probe) == whole.is_claimed(probe))
        if len(found) == len(records):
            pairs = (pair for both in zip(found, records, strict=True) for pair in zip(*both, strict=True))
            same[id(run)] = [got == due for got, due in pairs]

    assert any(can_be(run, False, *same[id(run)]) for run in holds(body, False) if id(run) in same)


@TRIALS
@given(extents=st.lists(INTERVALS.filter(lambda each: each.start < each.end), max_size=3))
def test_going_through_extents_comes_upon_all_that_they_have(extents: list[Interval]) -> None:
    same: dict[int, Any] = {}

    def body(run: Run) -> None:
        for probe in PROBES:
            run.touch(("point",), (probe,))
        listed = Extents(run, lambda point: covers(extents, number(point)), "point", number(LAST))
        found = [Interval(*each) for each in gone_through(run, listed, len(extents))]
        for probe in map(number, PROBES):
            run.assert_goal("no more and no less", covers(found, probe) == covers(extents, probe))
            run.assert_goal("what was seen is what was come upon", listed.seen(probe) == covers(found, probe))
        if len(found) == len(extents):
            pairs = (pair for both in zip(found, extents, strict=True) for pair in zip(*both, strict=True))
            same[id(run)] = [got == due for got, due in pairs]

    assert any(can_be(run, False, *same[id(run)]) for run in holds(body, False) if id(run) in same)


@MODES
@TRIALS
@given(intervals=LISTS, gap=INTERVALS, record=RECORDS)
def test_intervals_without_one(integers: bool, intervals: list[Interval], gap: Interval, record: Record) -> None:
    def body(run: Run) -> None:
        due = boot.without(intervals, gap), boot.without_usable(intervals, record)
        cutting(run)
        filling(run)
        got = boot.without(bag(run, intervals), gap), boot.without_usable(bag(run, intervals, "byte"), record)
        for one, other in zip(got, due, strict=True):
            for probe in map(number, PROBES):
                run.assert_goal("as the code does", covers(one, probe) == covers(other, probe))

    holds(body, integers)


@TRIALS
@given(runs=LISTS, spoiler=INTERVALS, record=RECORDS, shift=st.integers(0, 2))
def test_pages_without_those_that_are_touched(
    runs: list[Interval], spoiler: Interval, record: Record, shift: int
) -> None:
    def body(run: Run) -> None:
        due = boot.without_touched(runs, spoiler, shift), boot.without_other(runs, record, shift)
        spoiling(run, "without_touched", lambda each: lambda byte: lies_in(each, byte))
        spoiling(run, "without_other", claims)
        for byte in range((LAST + 2) << shift):
            run.touch(("byte",), (byte,))
        before = bag(run, runs, "page")
        # The reference's own lists have a byte of each page that they lack; here any will do.
        got: Any = [
            run.call(lambda: boot.without_touched(before, spoiler, number(shift))),
            run.call(lambda: boot.without_other(before, record, number(shift))),
        ]
        for page in map(number, PROBES):
            for byte in range((LAST + 2) << shift):
                run.touch(("page", "byte"), (page, number(byte)))
            for one, other in zip(got, due, strict=True):
                run.assert_goal("as the code does", covers(one, page) == covers(other, page))

    holds(body, False)


@TRIALS
@given(runs=LISTS, aside=LISTS)
def test_the_machine_that_boot_fills(runs: list[Interval], aside: list[Interval]) -> None:
    aside = [Interval(start, min(end, LAST - 1)) for start, end in aside if start < LAST - 1]
    for each in aside:
        runs = boot.without(runs, each)
    bitmap = Bitmap(LAST - 1, aside)

    def body(run: Run) -> None:
        machine = Machine(run, number(LAST - 1), lambda frame: covers(aside, frame))
        for first, last in runs:
            machine.add(number(first), number(last))
        for frame in map(number, PROBES):
            place = frame.low
            run.assert_goal("what exists", machine.state.exists(frame) == bitmap.exists(place))
            run.assert_goal("what is free", machine.state.is_free(frame) == bitmap.is_free(place))

    for first, last in runs:
        bitmap.add(first, last)
    holds(body, False)
    assert TOP == law.TOP
