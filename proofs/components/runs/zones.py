"""Proofs of zones: of the law of requests that name zones, and of the code of `impl/zones.py`.

The code works on runs that do what their law says, which `runs.allocate.refines` shows of them. The loop over the zones
is cut: of the zones seen so far, none can serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, ClassVar, TypeAlias

from memoracle.impl import zones as code
from memoracle.impl.zones import Zone
from memoracle.proofs.components.runs import law as runs_law
from memoracle.proofs.components.runs.law import LAW, PLACE, SORTS
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.law_answers import any_state, one_answer
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.containers import Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Iterates, Measure, cut
from memoracle.proofs.symbolic.values import Relation, record_of
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import runs as runs_spec
from memoracle.spec import zones as law
from memoracle.spec.clauses import Number, Truth, implies, neg

proved = Claims("runs", SORTS | dict.fromkeys(("start", "end"), PLACE), integers=True, once=True)
Request: TypeAlias = dict[str, Number]


class LawfulRuns:
    """Stands in for runs, as `runs.allocate.refines` shows their allocation to be."""

    def __init__(self, run: Run, state: law.Zoned) -> None:
        self.run, self.state = run, state

    def allocate(self, count: Number, alignment: Number, lowest: Number, below: Number) -> Number | None:
        run, state = self.run, self.state
        asked = {"count": count, "alignment": alignment, "lowest": lowest, "below": below}

        def may_be_given(first: Number) -> Truth:
            return runs_spec.allocate.allows(state, first=first, **asked)

        if not run.fork():
            with run.reading_law():
                run.assume_for_all(("place",), lambda first: neg(may_be_given(first)))
            return None
        with run.reading_law():
            found = run.point("place")
            run.suppose(may_be_given(found))
            run.assume_for_all(("place",), lambda first: implies(may_be_given(first), found <= first))
            self.state = runs_spec.allocate(state, *asked.values(), found)
        return found


class Named(Unasked):
    """Stands in for the list of the zones that a request names: whether each was seen is known."""

    NOTES = ("current",)

    def __init__(self, run: Run, is_named: Relation) -> None:
        self.run, self.is_named = run, is_named
        self.seen: Relation = lambda start, end: False
        self.current: Zone | None = None

    def __iter__(self) -> Iterator[Zone]:
        run, is_named = self.run, self.is_named
        self.seen = lambda start, end: False
        while run.fresh_truth("more"):
            zone = record_of(Zone, run.point("start"), run.point("end"))
            run.suppose(is_named(*zone))
            self.current = zone
            yield zone
        seen = self.seen
        run.assume_for_all(("start", "end"), lambda start, end: implies(is_named(start, end), seen(start, end)))

    def forget(self) -> None:
        """From here on any of the zones may have been seen."""
        self.seen = seen = self.run.relation(f"seen#{next(self.run.count)}", "start", "end")
        is_named = self.is_named
        self.run.assume_for_all(("start", "end"), lambda start, end: implies(seen(start, end), is_named(start, end)))

    def advance(self) -> None:
        """The zone at hand was seen, too."""
        seen, current = self.seen, self.current
        assert current is not None
        self.seen = lambda start, end: seen(start, end) | ((start == current.start) & (end == current.end))


class Trying:
    """The loop over the zones: none before the one at hand can serve, and what that one gave is what it can."""

    points: ClassVar[Points] = {
        "seen": ("start", "end"),
        **dict.fromkeys(("is_free", "in_use", "next_free", "next_taken", "free_below"), ("place",)),
    }

    def __init__(self, run: Run, runs: LawfulRuns, named: Named, asked: Request) -> None:
        self.runs, self.named, self.asked = runs, named, asked
        self.before = runs.state
        self.zone = record_of(Zone, run.point("start"), run.point("end"))

    def may_give(self, start: Number, end: Number, first: Number) -> Truth:
        return law.allocate.allows(self.before, start=start, end=end, first=first, **self.asked)

    def none_serves(self, start: Number, end: Number, first: Number) -> Truth:
        return implies(self.named.seen(start, end), neg(self.may_give(start, end, first)))

    def is_lowest(self, first: Number, other: Number) -> Truth:
        return implies(self.may_give(*self.zone, other), first <= other)

    def claim(self, run: Run) -> None:
        zone = run.point("start"), run.point("end")
        run.assert_goal("no zone before can serve", self.none_serves(*zone, run.point("place")))

    def on_entry(self, run: Run, arguments: tuple[object, ...]) -> Measure:
        law_obligations.same_state(run, LAW, self.runs.state, self.before)
        self.claim(run)
        return Iterates()

    def havoc(self, run: Run) -> Number | None:
        self.named.forget()
        self.named.current = self.zone
        run.suppose(self.named.is_named(*self.zone))
        first: Number | None = None
        if run.fork():
            first = found = run.point("place")
            run.suppose(self.may_give(*self.zone, found))
            run.assume_for_all(("place",), lambda other: self.is_lowest(found, other))
            self.runs.state = law.allocate(self.before, *self.asked.values(), *self.zone, found)
        else:
            self.named.advance()
            self.runs.state = replace(self.before)
        run.assume_for_all(("start", "end", "place"), self.none_serves)
        return first

    def changes(self, run: Run) -> dict[str, object]:
        return {"zone": self.zone}

    def on_back_edge(self, run: Run, result: Number | None) -> Measure:
        current, state = self.named.current, self.before
        assert current is not None
        self.zone, self.seen = current, self.named.seen
        if result is None:
            self.named.advance()
        else:
            run.assert_goal("the zone at hand can give this", self.may_give(*current, result))
            run.assert_goal("it is the lowest there", self.is_lowest(result, run.point("place")))
            state = law.allocate(self.before, *self.asked.values(), *current, result)
        law_obligations.same_state(run, LAW, self.runs.state, state)
        return Iterates()

    def witnesses(self, result: Number | None) -> list[object]:
        return [self.seen, False] if result is None else [self.seen, True, result]


def unknown(run: Run) -> law.Zoned:
    """Any places, and any zones that are named."""
    places = runs_law.unknown(run)
    known = {field.name: getattr(places, field.name) for field in fields(places)}
    return law.Zoned(**known, is_named=run.relation("is_named", "start", "end"))


@proved(
    "zones.allocate.refines",
    "refinement",
    "what is given lies in the first of the named zones that can serve, and is the lowest run there",
)
def allocate_refines(run: Run) -> None:
    state = unknown(run)
    names = ("count", "alignment", "lowest", "below")
    asked: Request = {name: run.any_number(name) for name in names}
    runs, named = LawfulRuns(run, state), Named(run, state.is_named)
    loops: list[Trying] = []

    def trying(zone: Zone, given: object, *arguments: Number) -> Trying:
        run.assert_goal("the runs are those that were given", given is runs)
        loops.append(Trying(run, runs, named, asked))
        return loops[-1]

    cut(run, code, "allocate_in", trying)
    found: Any = run.call(code.allocate, runs, named, *asked.values())
    start, end, first = run.point("start"), run.point("end"), run.point("place")
    may_give = law.allocate.allows(state, start=start, end=end, first=first, **asked)
    if found is None:
        run.assert_goal("it fails only if none of the zones named can serve", neg(may_give))
        law_obligations.same_state(run, LAW, runs.state, state)
        return
    if not isinstance(found, tuple):
        run.assert_goal("the answer is a zone and a place", False)
    zone, given = found
    run.assert_goal(
        "the law allows it", law.allocate.allows(state, start=zone.start, end=zone.end, first=given, **asked)
    )
    in_this_zone = (start == zone.start) & (end == zone.end)
    run.assert_goal("there is no lower one in this zone", implies(may_give & in_this_zone, given <= first))
    run.assert_goal("no zone that was tried before can serve", implies(named.seen(start, end), neg(may_give)))
    law_obligations.same_state(run, LAW, runs.state, runs_spec.taken(state, given, asked["count"]))


@proved(
    "zones.gives-of-a-named-zone", "theorem", "what is given lies in a zone that the request names, each place of it"
)
def gives_of_a_named_zone(run: Run) -> None:
    state, values = unknown(run), run.point_of_each(law.allocate.points)
    run.assume(law.allocate.allows(state, **values))
    after, place = law.allocate(state, *values.values()), run.point("place")
    taken = after.in_use(place) & neg(state.in_use(place))
    inside = (values["start"] <= place) & (place < values["end"]) & state.is_named(values["start"], values["end"])
    run.assert_goal("what is in use now and was not lies in it", implies(taken, inside))


CODE = (
    allocate_refines,
    gives_of_a_named_zone,
    one_answer(proved, any_state(LAW), law.tells_the_count_of_a_zone, ["answer"]),
)
