"""Proofs of runs that are given back whole: what was given stays in use and apart, and may always be given back."""

from __future__ import annotations

from memoracle.proofs.components.runs import law as runs_law
from memoracle.proofs.components.runs.law import LAW, proved
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import Symbolic
from memoracle.spec import given_runs as law
from memoracle.spec import runs as runs_spec
from memoracle.spec.clauses import Clause, implies, neg


def unknown(run: Run) -> law.GivenRuns:
    """Any state that satisfies the invariants."""
    places = runs_law.unknown(run)
    state = law.GivenRuns(places, given=run.function("given", "place"))
    run.assume_all(LAW.invariants, places)
    run.assume_all(law.INVARIANTS, state)
    return state


def given(run: Run) -> tuple[law.GivenRuns, law.GivenRuns, Symbolic, Symbolic]:
    """A run was allocated, which is given from then on: the states before and after, the run."""
    before = unknown(run)
    first, count = run.point("first"), run.point("count")
    law_obligations.permitted(run, runs_spec.reserve, before.places, {"first": first, "count": count})
    return before, law.give(before, first, count), first, count


def freed(run: Run) -> tuple[law.GivenRuns, law.GivenRuns, Symbolic, Symbolic]:
    """A run that was given is freed whole: the states before and after, the run."""
    before = unknown(run)
    first, count = run.point("first"), run.point("count")
    law_obligations.permitted(run, law.free_whole, before, {"first": first, "count": count})
    return before, law.free_whole(before, first, count), first, count


def halved(run: Run) -> tuple[law.GivenRuns, law.GivenRuns, Symbolic, Symbolic]:
    """A run that was given is halved: the states before and after, the first place of each half."""
    before = unknown(run)
    first, half = run.point("first"), run.point("half")
    law_obligations.permitted(run, law.halve, before, {"first": first, "half": half})
    return before, law.halve(before, first, half), first, first + half


def initially(clause: Clause) -> Obligation:
    @proved(f"initially.{law_obligations.short(clause)}", "initial", f"initially {clause.says}")
    def body(run: Run) -> None:
        state = law.GivenRuns(runs_law.initial(run), given=lambda place: 0)
        run.assert_goal(clause.says, clause(state, *run.point_of_each(clause.points).values()))

    return body


def kept_by_giving(clause: Clause) -> Obligation:
    @proved(f"give.keeps-{law_obligations.short(clause)}", "invariant", f"after a run was given, {clause.says}")
    def body(run: Run) -> None:
        _, after, _, _ = given(run)
        run.assert_goal(clause.says, clause(after, *run.point_of_each(clause.points).values()))

    return body


def kept_by_freeing(clause: Clause) -> Obligation:
    @proved(f"free-whole.keeps-{law_obligations.short(clause)}", "invariant", f"after a run was freed, {clause.says}")
    def body(run: Run) -> None:
        _, after, _, _ = freed(run)
        run.assert_goal(clause.says, clause(after, *run.point_of_each(clause.points).values()))

    return body


def kept_by_halving(clause: Clause) -> Obligation:
    @proved(f"halve.keeps-{law_obligations.short(clause)}", "invariant", f"after a run was halved, {clause.says}")
    def body(run: Run) -> None:
        _, after, _, _ = halved(run)
        run.assert_goal(clause.says, clause(after, *run.point_of_each(clause.points).values()))

    return body


@proved("halve.divides-one-run", "theorem", "the halves are the run that was halved, and no other run is another")
def halve_divides_one_run(run: Run) -> None:
    before, after, first, middle = halved(run)
    place, half = run.point("place"), middle - first
    whole = runs_spec.among(first, before.given(first), place)
    lower = runs_spec.among(first, after.given(first), place)
    upper = runs_spec.among(middle, after.given(middle), place)
    run.assert_goal("each half is given", (after.given(first) == half) & (after.given(middle) == half))
    run.assert_goal("a place is of one half if it was of the run, and only then", whole == (lower | upper))
    run.assert_goal("the halves have no place in common", neg(lower & upper))
    other = neg(place == first) & neg(place == middle)
    run.assert_goal("what else was given is as it was", implies(other, after.given(place) == before.given(place)))


@proved("halve-after-give", "theorem", "a run of an even number of places may be halved as soon as it was given")
def halve_after_give(run: Run) -> None:
    _, after, first, count = given(run)
    half = run.point("half")
    run.assume(count == half + half)
    run.assert_goal("it may be halved", law.halve.allows(after, first=first, half=half))


@proved("halve.moves-no-place", "theorem", "to halve a run frees nothing, and hands out nothing")
def halve_moves_no_place(run: Run) -> None:
    before, after, _, _ = halved(run)
    place = run.point("place")
    for name in ("exists", "never_free", "is_free", "in_use"):
        was, is_now = getattr(before.places, name)(place), getattr(after.places, name)(place)
        run.assert_goal(f"{name} is as it was", was == is_now)
    run.assert_goal("as many are free", before.places.count == after.places.count)


@proved("free-whole-after-halve", "theorem", "each half may be given back, and the other stays")
def free_whole_after_halve(run: Run) -> None:
    _, after, first, middle = halved(run)
    half = middle - first
    for one, other in ((first, middle), (middle, first)):
        run.assert_goal("it may be freed", law.free_whole.allows(after, first=one, count=half))
        left = law.free_whole(after, one, half)
        run.assert_goal("the other is given", left.given(other) == half)


@proved("free-whole.is-a-free", "theorem", "what one allocation gave may be freed, all of it")
def free_whole_is_a_free(run: Run) -> None:
    before, _, first, count = freed(run)
    allowed = runs_spec.free.allows(before.places, first=first, count=count, place=run.point("place"))
    run.assert_goal("the places may be freed", allowed)


@proved("free-whole-after-give", "theorem", "to free whole what was given just now restores what was given before")
def free_whole_restores(run: Run) -> None:
    """That the places are as they were is `runs.free-after-reserve`: these are the same steps."""
    before, after, first, count = given(run)
    run.assert_goal("it may be freed", law.free_whole.allows(after, first=first, count=count))
    left, place = law.free_whole(after, first, count), run.point("place")
    run.assert_goal("what else was given is as it was", left.given(place) == before.given(place))


@proved("free-whole.takes-all-or-nothing", "theorem", "no place stays in use of a run that is freed whole")
def free_whole_takes_all(run: Run) -> None:
    before, after, first, _ = freed(run)
    place = run.point("place")
    run.assume(runs_spec.among(first, before.given(first), place))
    run.assert_goal("it is free", after.places.is_free(place) & neg(after.places.in_use(place)))


LAWS = (
    *(initially(clause) for clause in law.INVARIANTS),
    *(kept_by_giving(clause) for clause in law.INVARIANTS),
    *(kept_by_freeing(clause) for clause in law.INVARIANTS),
    *(kept_by_halving(clause) for clause in law.INVARIANTS),
    halve_divides_one_run,
    halve_moves_no_place,
    halve_after_give,
    free_whole_after_halve,
    free_whole_is_a_free,
    free_whole_restores,
    free_whole_takes_all,
)
