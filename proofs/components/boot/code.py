"""Proofs of boot: the law leaves no choice, and the code of `impl/boot.py` comes to what it says of any records.

A list of intervals is known by the points that it covers alone; so what is shown holds for any list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from memoracle.impl import boot as code
from memoracle.impl.boot import Interval, Record
from memoracle.proofs.components.boot.interval_lists import Bag, Records, covers
from memoracle.proofs.obligations import law_obligations, vacuity
from memoracle.proofs.obligations.obligation import Computation, Obligation, claimed
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.proofs.symbolic.loops import Iterates, Measure, cut
from memoracle.proofs.symbolic.values import Property, Relation
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import boot as law
from memoracle.spec.clauses import Clause, Number, Truth, at_least, at_most, implies, neg, when

BYTE, PAGE = Sort("byte"), Sort("page")
SORTS = {"byte": BYTE, "page": PAGE, "frame": PAGE, "first": PAGE, "last": PAGE, "point": Sort("point")}
LARGEST_SHIFT = 64  # a page is all of memory


def unknown(run: HypothesisPool) -> law.Map:
    """Any records, and any pages taken to be usable."""
    return law.Map(
        page_shift=run.number("page_shift", 0, LARGEST_SHIFT),
        is_covered=run.relation("is_covered", "byte"),
        is_claimed=run.relation("is_claimed", "byte"),
        is_usable=run.relation("is_usable", "page"),
        flaw=run.function("flaw", "page"),
    )


def proved(name: str, kind: str, claim: str, integers: bool = False) -> Callable[[Callable[[Run], None]], Obligation]:
    return claimed(f"boot.{name}", kind, claim, SORTS, integers=integers)


def initially(clause: Clause) -> Obligation:
    @proved(f"initially.{law_obligations.short(clause)}", "initial", f"before any record is read, {clause.says}")
    def body(run: Run) -> None:
        state = law.unread(unknown(run).page_shift)
        run.assert_goal(clause.says, clause(state, *run.point_of_each(clause.points).values()))

    return body


def no_choice(dropped: Clause | None = None) -> Obligation:
    """That two answers are the same; unless one of the clauses is dropped."""

    @proved("no-choice", "theorem", "what the law says of usable pages leaves no choice: two answers are the same")
    def body(run: Run) -> None:
        one = unknown(run)
        other = replace(one, is_usable=run.relation("is_usable'", "page"), flaw=run.function("flaw'", "page"))
        for state in (one, other):
            run.assume_all([clause for clause in law.POSTCONDITIONS if clause is not dropped], state)
        page = run.point("page")
        run.assume(page < law.TOP >> one.page_shift)
        run.touch(("byte",), (one.flaw(page),))
        run.touch(("byte",), (other.flaw(page),))
        run.assert_goal("both call the same pages usable", one.is_usable(page) == other.is_usable(page))

    return body


def is_needed(clause: Clause) -> Computation:
    """That a clause of the law is needed for it to leave no choice."""

    def run() -> str | None:
        return None if vacuity.can_fail(no_choice(dropped=clause)) else "without it, the law leaves no choice either"

    claim = f"unless the law says it, two answers may differ: {clause.says}"
    return Computation(f"boot.{law_obligations.short(clause)}.is-needed", "boot", "vacuity", claim, run, "unbounded")


# The code, function by function: each is shown to do what stands in for it in the next.


def lies_in(interval: Any, point: Number) -> Truth:
    inside: Truth = (interval.start <= point) & (point < interval.end)
    return inside


def any_interval(run: Run) -> Interval:
    """Any interval that does not end before it starts."""
    interval = Interval(run.fresh("start"), run.fresh("end", 0, law.TOP))
    run.assume(interval.start <= interval.end)
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

    varies = ("interval",)

    def __init__(self, intervals: Bag, gap: Interval) -> None:
        self.intervals, self.gap = intervals, gap

    def _known(self, left: Any) -> Property:
        seen, gap = self.intervals.seen, self.gap
        return lambda point: covers(left, point) == (seen(point) & neg(lies_in(gap, point)))

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        run.assert_goal("what is left so far lies outside the cut", self._known(arguments[0])(run.point("point")))
        return Iterates()

    def havoc(self, run: Run) -> Any:
        left = Bag.unknown(run, "point")
        self.intervals.forget()
        run.assume_for_all(("point",), self._known(left))
        return left

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        self.intervals.advance()
        run.assert_goal("what is left so far lies outside the cut", self._known(result)(run.point("point")))
        return Iterates()


@proved("without.refines", "refinement", "intervals without a cut cover what lies outside it", integers=True)
def without_refines(run: Run) -> None:
    intervals, gap, point = Bag.unknown(run, "point"), any_interval(run), run.point("point")
    cut(run, code, "beside", lambda left, interval, gap: Cutting(intervals, gap))
    result = run.call(code.without, intervals, gap)
    run.assert_goal(
        "no more and no less is left", covers(result, point) == (intervals.covers(point) & neg(lies_in(gap, point)))
    )


def cutting(run: Run) -> None:
    """Puts what `without_refines` shows in the place of `without`."""

    def stand_in(intervals: Any, gap: Any) -> Bag:
        run.assert_goal("the cut does not end before it starts", gap.start <= gap.end)
        return Bag(run, lambda point: covers(intervals, point) & neg(lies_in(gap, point)), intervals.parameter)

    run.replace(code, "without", stand_in)


def any_record(run: Run) -> Record:
    return Record(run.fresh("start"), run.fresh("length"), run.fresh("type"))


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


def pages_are_spoilt(before: Any, after: Any, shift: Number, spoils: Property, page: Number, byte: Number) -> Truth:
    """What is left of runs of pages: pages that were among them, without one that has a byte that spoils it."""
    spoilt = (byte >> shift == page) & spoils(byte)
    return implies(covers(after, page), covers(before, page) & neg(spoilt))


def pages_are_kept(before: Any, after: Any, shift: Number, spoils: Property, page: Number, byte: Number) -> Truth:
    """A page that is gone has this byte, which spoils it."""
    spoilt = (byte >> shift == page) & spoils(byte)
    return implies(covers(before, page) & neg(covers(after, page)), spoilt)


def spoils_pages(run: Run, runs: Bag, result: Any, shift: Number, spoils: Property, start: Number) -> None:
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


def spoiling(run: Run, name: str, bytes_of: Callable[[Any], Property]) -> None:
    """Puts what is shown of a function that takes pages away in its place; `flaw` is a byte that spoilt a page."""

    def stand_in(runs: Any, spoiler: Any, shift: Number) -> Bag:
        with run.reading_law():
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


def claims(record: Any) -> Property:
    return lambda byte: (record.type != law.USABLE) & law.lies_in(byte, record.start, record.length)


@proved("without-other.refines", "refinement", "exactly the pages that a record which is not usable touches are gone")
def without_other_refines(run: Run) -> None:
    runs, record, shift = Bag.unknown(run, "page"), any_record(run), run.number("page_shift", 0, LARGEST_SHIFT)
    spoiling(run, "without_touched", lambda spoiler: lambda byte: lies_in(spoiler, byte))
    result = run.call(code.without_other, runs, record, shift)
    page = run.point("page")
    no_page = pages_are_spoilt(runs, result, shift, claims(record), page, run.point("byte"))
    run.assert_goal("no page that it touches is left", no_page)
    gone = pages_are_kept(runs, result, shift, claims(record), page, result.flaw(page))
    run.assert_goal("every page that is gone is touched", gone)


# The loops of `usable_pages`, each with what is known of the list that it makes, given what was seen so far.


class Making:
    """A loop that makes a list of intervals out of what it goes through.

    known: what holds of the list, given what it was at first, at any points, by what was seen when it is asked for.
    """

    varies = ("record", "hole")

    def __init__(
        self, source: Any, parameters: tuple[str, ...], known: Callable[[Any, Any], Callable[..., Truth]]
    ) -> None:
        self.source, self.parameters, self.known = source, parameters, known
        self.first: Any = None  # what the list was before the loop
        self.made: Any = None  # once a turn was taken

    def _claim(self, run: Run, made: Any) -> None:
        points = run.point_of_each(self.parameters).values()
        run.assert_goal("what is made so far is right for what was seen", self.known(self.first, made)(*points))

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        self.first = arguments[0] if self.first is None else self.first
        self._claim(run, arguments[0])
        return Iterates()

    def havoc(self, run: Run) -> Any:
        self.source.forget()
        made = self.made = Bag.unknown(run, self.parameters[0])
        flaw = run.function(f"flaw#{next(run.count)}", "page")
        made.flaw = lambda page: flaw(page)
        run.assume_for_all(self.parameters, self.known(self.first, made))
        return made

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        self.source.advance()
        self._claim(run, result)
        return Iterates()


def filling(run: Run) -> None:
    """Puts what `without_usable_refines` shows in the place of `without_usable`."""

    def stand_in(holes: Any, record: Any) -> Bag:
        def left(byte: Number) -> Truth:
            fills = (record.type == law.USABLE) & law.lies_in(byte, record.start, record.length)
            still: Truth = covers(holes, byte) & neg(fills)
            return still

        return Bag(run, left, "byte")

    run.replace(code, "without_usable", stand_in)


def flaw_of(runs: Any) -> Callable[[Any], Any]:
    """A byte of each page that the runs lack; of the list that the code starts from, any will do."""
    if isinstance(runs, Bag):
        return runs.flaw
    return lambda page: page


def no_page_is_flawed(runs: Any, shift: Number, flawed: Property) -> Relation:
    """What is known of the runs of pages, if these bytes are flawed: none lies in their pages, one in any other."""
    flaw = flaw_of(runs)

    def known(page: Number, byte: Number) -> Truth:
        clean = (page < law.TOP >> shift) & implies(byte >> shift == page, neg(flawed(byte)))
        spoilt = (flaw(page) >> shift == page) & flawed(flaw(page))
        return implies(covers(runs, page), clean) & implies((page < law.TOP >> shift) & neg(covers(runs, page)), spoilt)

    return known


@proved(
    "usable-pages.refines", "refinement", "the code that finds the usable pages does what the law says of any records"
)
def usable_pages_refines(run: Run) -> None:
    whole = unknown(run)
    shift, records = whole.page_shift, Records(run, whole)
    filling(run)
    spoiling(run, "without_touched", lambda spoiler: lambda byte: lies_in(spoiler, byte))
    spoiling(run, "without_other", claims)

    spoilt: dict[str, Property] = {}  # by the loop that goes through them, bytes that spoil pages

    def of_holes(first: object, made: Any) -> Property:
        seen = records.seen
        return lambda byte: covers(made, byte) == ((byte < law.TOP) & neg(seen.is_covered(byte)))

    def of_runs(loop: str, first: Any, made: Any, seen: Property) -> Relation:
        spoilt[loop] = seen
        bytes_of = list(spoilt.values())
        clean = no_page_is_flawed(made, shift, lambda byte: any_of([spoils(byte) for spoils in bytes_of]))
        return lambda page, byte: implies(covers(made, page), covers(first, page)) & clean(page, byte)

    filled = Making(records, ("byte",), of_holes)

    def by_holes(runs: Any, hole: Any, page_shift: Number) -> Making | None:
        if filled.made is None:
            spoilt["holes"] = lambda byte: lies_in(Interval(0, law.TOP), byte)
            return None  # no record was read, so there is one hole, all of memory
        return Making(
            filled.made, ("page", "byte"), lambda first, made: of_runs("holes", first, made, filled.made.seen)
        )

    def by_records(runs: Any, record: Any, page_shift: Number) -> Making:
        return Making(
            records, ("page", "byte"), lambda first, made: of_runs("records", first, made, records.seen.is_claimed)
        )

    cut(run, code, "without_usable", lambda holes, record: filled)
    cut(run, code, "without_touched", by_holes)
    cut(run, code, "without_other", by_records)
    result = run.call(code.usable_pages, records, shift)
    made = replace(whole, is_usable=lambda page: covers(result, page), flaw=flaw_of(result))
    for clause in law.POSTCONDITIONS:
        run.assert_goal(clause.says, clause(made, *run.point_of_each(clause.points).values()))


class Filling:
    """The loop that adds the runs of usable pages to the bitmap: the frames of those seen so far are free."""

    varies = ("run",)

    def __init__(self, machine: Machine, runs: Bag) -> None:
        self.machine, self.runs = machine, runs

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        frame = run.point("frame")
        run.assert_goal("the frames seen so far are free", self._known(self.machine.state)(frame))
        return Iterates()

    def havoc(self, run: Run) -> Any:
        self.runs.forget()
        state = replace(
            self.machine.state,
            exists=run.relation("exists~", "frame"),
            is_free=run.relation("is_free~", "frame"),
            in_use=run.relation("in_use~", "frame"),
        )
        run.assume_for_all(("frame",), self._known(state))
        self.machine.state = state

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        self.runs.advance()
        run.assert_goal("the frames seen so far are free", self._known(self.machine.state)(run.point("frame")))
        return Iterates()

    def _known(self, state: bitmap_law.Frames) -> Property:
        return booted(state, self.runs.seen)


def booted(state: bitmap_law.Frames, is_usable: Property) -> Property:
    """What is known of each frame if these pages turned out to be usable, and nothing was allocated."""

    def known(frame: Number) -> Truth:
        usable = is_usable(frame) & (state.image <= frame) & (frame < state.reach)
        exists = usable | (frame < state.image)
        right: Truth = (state.is_free(frame) == usable) & (state.exists(frame) == exists) & neg(state.in_use(frame))
        return right

    return known


class Machine:
    """Stands in for the bitmap, of which `proofs/components/bitmap.py` shows what it does: it holds the law's state."""

    def __init__(self, run: Run, frames: Number, image: Number) -> None:
        self.run, self.state = run, bitmap_law.empty(frames, image)

    def add(self, first: Number, last: Number) -> None:
        start, end = at_least(first, self.state.image), at_most(last, self.state.reach)
        frame = self.run.point("frame")
        among = (start <= frame) & (frame < end)
        new = bitmap_law.adds_only_new_frames(self.state, frame)
        self.run.assert_goal("only new frames are added, each once", implies(among, new))
        self.state = bitmap_law.added(self.state, start, at_least(end, start))


@proved(
    "boot.refines", "refinement", "usable frames below the bitmap's end are free, but for the image's", integers=True
)
def boot_refines(run: Run) -> None:
    reach, image = run.number("reach", 1, 1 << 52), run.number("image", 1, 1 << 52)
    trusting, shift, records = run.truth("trusting"), run.number("page_shift", 0, LARGEST_SHIFT), object()
    run.assume(image <= reach)
    usable = Bag.unknown(run, "frame")
    made: list[Machine] = []

    def machine(frames: Number, kernel: Number, trusts: Any = False) -> Machine:
        run.assert_goal("the bitmap is as large as asked for", (frames == reach) & (kernel == image))
        run.assert_goal("it is as trusting as asked for", trusts is trusting)
        made.append(Machine(run, frames, kernel))
        cut(run, made[-1], "add", lambda first, last: Filling(made[-1], usable))
        return made[-1]

    def found(listed: Any, page_shift: Number) -> Bag:
        run.assert_goal("the pages are those of the records that were given", listed is records)
        run.assert_goal("they are of the size that was given", page_shift == shift)
        return usable

    run.replace(code, "Bitmap", machine)
    run.replace(code, "usable_pages", found)
    bitmap = run.call(code.boot, records, shift, reach, image, trusting)
    run.assert_goal("one bitmap is made, and is what comes of it", len(made) == 1 and bitmap is made[0])
    run.assert_goal("the usable frames are free", booted(made[0].state, usable.covers)(run.point("frame")))
    run.assert_goal("its sizes are as asked for", (made[0].state.reach == reach) & (made[0].state.image == image))


@proved("boot.checks-frees", "refinement", "without a word about it, the bitmap that comes of a memory map is checked")
def boot_checks_frees(run: Run) -> None:
    made: list[Any] = []

    def machine(*arguments: object) -> object:
        made.append(arguments)
        return SimpleNamespace(add=None)

    run.replace(code, "Bitmap", machine)
    run.replace(code, "usable_pages", lambda records, shift: [])
    run.call(code.boot, (), 12, 3, 1)
    run.assert_goal("it is not trusting", made in ([(3, 1)], [(3, 1, False)]))


BY_RULE = (no_choice(), *map(initially, law.POSTCONDITIONS))
CODE = (
    beside_refines,
    without_refines,
    extent_refines,
    without_usable_refines,
    without_touched_refines,
    without_other_refines,
    usable_pages_refines,
    boot_refines,
    boot_checks_frees,
)


def obligations() -> Iterator[Obligation | Computation]:
    yield from BY_RULE
    yield from CODE
    yield from map(is_needed, law.POSTCONDITIONS)
