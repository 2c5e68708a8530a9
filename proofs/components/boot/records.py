"""Proofs of the code of `impl/boot.py` that reads one record: which holes it fills, and which pages it spoils.

Each function is shown to do what its stand-in does in the proof of the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memoracle.impl import boot as code
from memoracle.impl.boot import Interval, Record
from memoracle.proofs.components.boot.cuts import any_interval, cutting, is_one, lies_in
from memoracle.proofs.components.boot.interval_lists import Bag, Intervals, any_record, covers
from memoracle.proofs.components.boot.law import LARGEST_SHIFT, proved
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function, Property
from memoracle.spec import boot as law
from memoracle.spec.clauses import Number, Truth, at_least, implies, neg, when


@proved("extent.refines", "refinement", "the extent of a record is the bytes that it has", integers=True)
def extent_refines(run: Run) -> None:
    record, byte = any_record(run), run.any_number("byte")
    found = run.call(code.extent, record)
    run.assert_goal("they are the record's", lies_in(found, byte) == law.lies_in(byte, record.start, record.length))


@proved("without-usable.refines", "refinement", "a usable record fills the holes that it covers", integers=True)
def without_usable_refines(run: Run) -> None:
    holes, record, byte = Bag.unknown(run, "byte"), any_record(run), run.point("byte")
    cutting(run)
    result = run.call(code.without_usable, holes, record)
    fills = (record.type == law.USABLE) & law.lies_in(byte, record.start, record.length)
    run.assert_goal("the holes are those that are left", covers(result, byte) == (holes.covers(byte) & neg(fills)))


def filling(run: Run) -> None:
    """Puts what `without_usable_refines` shows in the place of `without_usable`."""

    def stand_in(holes: Intervals, record: Record) -> Bag:
        def left(byte: Number) -> Truth:
            fills = (record.type == law.USABLE) & law.lies_in(byte, record.start, record.length)
            still: Truth = covers(holes, byte) & neg(fills)
            return still

        return Bag(run, left, "byte")

    run.replace(code, "without_usable", stand_in)


def pages_are_spoilt(
    before: Intervals, after: Intervals, shift: Number, spoils: Property, page: Number, byte: Number
) -> Truth:
    """What is left of runs of pages: pages that were among them, without one that has a byte that spoils it."""
    spoilt = (byte >> shift == page) & spoils(byte)
    return implies(covers(after, page), covers(before, page) & neg(spoilt))


def pages_are_kept(
    before: Intervals, after: Intervals, shift: Number, spoils: Property, page: Number, byte: Number
) -> Truth:
    """A page that is gone has this byte, which spoils it."""
    spoilt = (byte >> shift == page) & spoils(byte)
    return implies(covers(before, page) & neg(covers(after, page)), spoilt)


def spoils_pages(run: Run, runs: Bag, result: Intervals, shift: Number, spoils: Property, start: Number) -> None:
    page = run.point("page")
    run.assert_goal(
        "no page with such a byte is left", pages_are_spoilt(runs, result, shift, spoils, page, run.point("byte"))
    )
    first = at_least(start, page << shift)
    run.assert_goal("every page that is gone has such a byte", pages_are_kept(runs, result, shift, spoils, page, first))


@proved("without-touched.refines", "refinement", "exactly the pages that a spoiler touches are gone")
def without_touched_refines(run: Run) -> None:
    runs, spoiler, shift = Bag.unknown(run, "page"), any_interval(run), run.number("page_shift", 0, LARGEST_SHIFT)
    cutting(run)
    result = run.call(code.without_touched, runs, spoiler, shift)
    spoils_pages(run, runs, result, shift, lambda byte: lies_in(spoiler, byte), spoiler.start)


def flaw_of(runs: Intervals) -> Function:
    """A byte of each page that the runs lack; of the list that the code starts from, any will do."""
    if isinstance(runs, Bag):
        return runs.flaw
    return lambda page: page


def spoiling(run: Run, name: str, bytes_of: Callable[[Any], Property]) -> None:
    """Puts what is shown of a function that takes pages away in its place; `flaw` is a byte that spoilt a page."""

    def stand_in(runs: Intervals, spoiler: Interval | Record, shift: Number) -> Bag:
        with run.reading_law():
            if isinstance(spoiler, Interval):
                run.assert_goal("what spoils pages does not end before it starts", is_one(spoiler))
            run.assert_goal("pages have a size that it was shown of", (0 <= shift) & (shift <= LARGEST_SHIFT))
            spoils, left = bytes_of(spoiler), Bag.unknown(run, "page")
            flaw = run.function(f"flaw#{next(run.count)}", "page")
            before = flaw_of(runs)
            left.flaw = lambda page: when(covers(runs, page), flaw(page), before(page))
            both = lambda page, byte: pages_are_spoilt(runs, left, shift, spoils, page, byte)  # noqa: E731
            run.assume_for_all(("page", "byte"), both)
            kept = lambda page: pages_are_kept(runs, left, shift, spoils, page, flaw(page))  # noqa: E731
            run.assume_for_all(("page",), kept)
        return left

    run.replace(code, name, stand_in)


def claims(record: Record) -> Property:
    return lambda byte: (record.type != law.USABLE) & law.lies_in(byte, record.start, record.length)


@proved("without-other.refines", "refinement", "exactly the pages that a record which is not usable touches are gone")
def without_other_refines(run: Run) -> None:
    runs, record, shift = Bag.unknown(run, "page"), any_record(run), run.number("page_shift", 0, LARGEST_SHIFT)
    spoiling(run, "without_touched", lambda spoiler: lambda byte: lies_in(spoiler, byte))
    result = run.call(code.without_other, runs, record, shift)
    page = run.point("page")
    no_page = pages_are_spoilt(runs, result, shift, claims(record), page, run.point("byte"))
    run.assert_goal("no page that it touches is left", no_page)
    gone = pages_are_kept(runs, result, shift, claims(record), page, flaw_of(result)(page))
    run.assert_goal("every page that is gone is touched", gone)


CODE = (extent_refines, without_usable_refines, without_touched_refines, without_other_refines)
