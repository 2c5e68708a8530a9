"""Proofs of the code of `impl/boot.py` that finds the usable pages of any records.

Each of its loops makes a list, of which something is known, given what the loop has seen so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from memoracle.impl import boot as code
from memoracle.impl.boot import Interval
from memoracle.proofs.components.boot.cuts import lies_in
from memoracle.proofs.components.boot.interval_lists import Bag, Intervals, Records, as_bag, covers
from memoracle.proofs.components.boot.law import proved, unknown
from memoracle.proofs.components.boot.records import claims, filling, flaw_of, spoiling
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.extents import Extents
from memoracle.proofs.symbolic.loops import Iterates, Measure, cut
from memoracle.proofs.symbolic.values import Condition, Property, Relation
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import boot as law
from memoracle.spec.clauses import Number, Truth, implies, neg


class Making:
    """A loop that makes a list of intervals out of what it goes through.

    known: what holds of the list, given what it was at first, at any points, by what was seen when it is asked for.
    """

    def __init__(
        self,
        source: Bag | Records | Extents,
        parameters: tuple[str, ...],
        known: Callable[[Intervals, Intervals], Condition],
    ) -> None:
        self.source, self.parameters, self.known = source, parameters, known
        self.first: Intervals | None = None  # what the list was before the loop
        self.made: Bag | None = None  # once a turn was taken
        self.points: Points = dict.fromkeys(("seen", "covers"), parameters[:1])

    def _claim(self, run: Run, made: Intervals) -> None:
        points = run.point_of_each(self.parameters).values()
        run.assert_goal("what is made so far is right for what was seen", self._known(made)(*points))

    def _known(self, made: Intervals) -> Condition:
        assert self.first is not None
        return self.known(self.first, made)

    def on_entry(self, run: Run, arguments: tuple[Intervals, ...]) -> Measure:
        self.first = arguments[0] if self.first is None else self.first
        self._claim(run, arguments[0])
        return Iterates()

    def havoc(self, run: Run) -> Bag:
        self.source.forget()
        made = self.made = Bag.unknown(run, self.parameters[0])
        flaw = run.function(f"flaw#{next(run.count)}", "page")
        made.flaw = lambda page: flaw(page)
        run.assume_for_all(self.parameters, self._known(made))
        return made

    def on_back_edge(self, run: Run, result: Intervals) -> Measure:
        self.source.advance()
        self.result = as_bag(run, result, self.parameters[0])
        return Iterates()

    def witnesses(self, result: Intervals) -> list[object]:
        return [*self.source.witnesses(), self.result.covers, flaw_of(result)]

    def as_stand_in(self, value: object) -> object:
        return self.result


def no_page_is_flawed(runs: Intervals, shift: Number, flawed: Property) -> Relation:
    """What is known of the runs of pages, if these bytes are flawed: none lies in their pages, one in any other."""
    flaw = flaw_of(runs)

    def known(page: Number, byte: Number) -> Truth:
        clean = (page < law.TOP >> shift) & implies(byte >> shift == page, neg(flawed(byte)))
        spoilt = (flaw(page) >> shift == page) & flawed(flaw(page))
        return implies(covers(runs, page), clean) & implies((page < law.TOP >> shift) & neg(covers(runs, page)), spoilt)

    return known


class Loops:
    """The loops of `usable_pages`, whichever of those that take pages away comes first.

    filled: the one that fills the holes that records leave.  spoilt: by the loop, which bytes have spoilt pages so far.
    """

    def __init__(self, run: Run, records: Records, shift: Number) -> None:
        self.records, self.shift = records, shift
        self.filled = Making(records, ("byte",), self.are_holes)
        self.spoilt: dict[str, Property] = {}
        cut(run, code, "without_usable", lambda holes, record: self.filled)
        cut(run, code, "without_touched", lambda runs, hole, page_shift: self.over_holes())
        cut(run, code, "without_other", lambda runs, record, page_shift: self.over_records())

    def are_holes(self, first: object, made: Intervals) -> Property:
        """A byte of memory is in a hole if no usable record that was seen has it."""
        seen = self.records.seen
        return lambda byte: covers(made, byte) == ((byte < law.TOP) & neg(seen.is_covered(byte)))

    def over_holes(self) -> Making | None:
        holes = self.filled.made
        if holes is None:  # no record was read, so there is one hole, all of memory
            self.spoilt["holes"] = lambda byte: lies_in(Interval(0, law.TOP), byte)
            return None
        return self.taking_away("holes", holes, lambda: holes.seen)

    def over_records(self) -> Making:
        return self.taking_away("records", self.records, lambda: self.records.seen.is_claimed)

    def taking_away(self, loop: str, source: Bag | Records, seen: Callable[[], Property]) -> Making:
        """A loop that takes away the pages that what it has seen spoils: what is left was there, and is clean."""

        def known(first: Intervals, made: Intervals) -> Relation:
            self.spoilt[loop] = seen()
            kinds = list(self.spoilt.values())
            clean = no_page_is_flawed(made, self.shift, lambda byte: any_of([spoils(byte) for spoils in kinds]))
            return lambda page, byte: implies(covers(made, page), covers(first, page)) & clean(page, byte)

        return Making(source, ("page", "byte"), known)


@proved(
    "usable-pages.refines", "refinement", "the code that finds the usable pages does what the law says of any records"
)
def usable_pages_refines(run: Run) -> None:
    whole = unknown(run)
    shift, records = whole.page_shift, Records(run, whole)
    filling(run)
    spoiling(run, "without_touched", lambda spoiler: lambda byte: lies_in(spoiler, byte))
    spoiling(run, "without_other", claims)
    Loops(run, records, shift)
    result = run.call(code.usable_pages, records, shift)
    made = replace(whole, is_usable=lambda page: covers(result, page), flaw=flaw_of(result))
    for clause in law.POSTCONDITIONS:
        run.assert_goal(clause.says, clause(made, *run.point_of_each(clause.points).values()))


CODE = (usable_pages_refines,)
