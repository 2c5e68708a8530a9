"""Proofs of the code of `impl/runs.py`: it does what the law says."""

from __future__ import annotations

from typing import Any

from memoracle.impl import runs as code
from memoracle.impl.runs import Runs
from memoracle.proofs.components.runs.law import MOST_PLACES, proved
from memoracle.proofs.components.runs.symbolic_runs import (
    ATTRIBUTES,
    SETS,
    Members,
    is_the_laws,
    unknown_code,
)
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.spec import runs as law
from memoracle.spec.clauses import Operation, Truth, at_least, implies, neg


@proved("allocate.refines", "refinement", "the code of allocate does what the law allows, and takes the lowest run")
def allocate_refines(run: Run) -> None:
    runs, state = unknown_code(run)
    count, alignment = run.any_number("count"), run.any_number("alignment")
    limits = {"lowest": run.any_number("lowest"), "below": run.any_number("below")}
    asked, other = {"count": count, "alignment": alignment, **limits}, run.point("first")
    first = run.call(runs.allocate, count, alignment, *limits.values())
    if first is None:
        run.assert_goal("it fails only if there is none", neg(law.allocate.allows(state, first=other, **asked)))
        is_the_laws(run, runs, state)
        return
    run.assert_goal("the law allows the run", law.allocate.allows(state, first=first, **asked))
    lower = law.allocate.allows(state, first=other, **asked)
    run.assert_goal("there is no lower one", implies(lower, first <= other))
    is_the_laws(run, runs, law.allocate(state, *asked.values(), first))


def refines(name: str, operation: Operation) -> Obligation:
    """That a method that takes a run, any numbers, does what the operation says, or else nothing."""

    @proved(
        f"{name.replace('_', '-')}.refines",
        "refinement",
        f"the code of {name} does what the law says ({operation.name})",
    )
    def body(run: Run) -> None:
        runs, state = unknown_code(run)
        first, count, place = run.any_number("place"), run.any_number("count"), run.point("place")
        state.free_below(state.next_free(first))
        if run.answers(getattr(runs, name), first, count):
            allowed = operation.allows(state, first=first, count=count, place=place)
            run.assert_goal("the law allows it", allowed)
            is_the_laws(run, runs, operation(state, first, count))
            return
        # The first place of the run that is never free or missing, or the one that the code came upon.
        refused: Truth = False
        for at in (runs.changing.next_out(first), *runs.existing.met, *runs.available.met):
            refused = refused | neg(operation.allows(state, first=first, count=count, place=at))
        run.assert_goal("it fails only if the law says so", refused)
        is_the_laws(run, runs, state)

    return body


@proved("asked.refines", "refinement", "what the code answers when asked is so, of any number, and changes nothing")
def asked_refines(run: Run) -> None:
    runs, state = unknown_code(run)
    place = run.any_number("place")
    is_free, exists = (run.answers(ask, place) for ask in (runs.is_free, runs.exists))
    run.assert_goal("whether a place is free", law.tells_whether_free(state, place, is_free))
    run.assert_goal("whether a place exists", law.tells_whether_it_exists(state, place, exists))
    count = run.call(runs.count)
    run.assert_goal("how many places are free", law.tells_the_count(state, count))
    other = run.number("answer", -HIGHEST, HIGHEST)
    run.assert_goal("no other number is the law's", implies(law.tells_the_count(state, other), other == count))
    is_the_laws(run, runs, state)


@proved("empty.refines", "refinement", "the reference starts as the law says, with sets of its own")
def empty_refines(run: Run) -> None:
    places = run.number("places", 1, MOST_PLACES)
    made: list[Members] = []

    def empty_set(asked: Any) -> Members:
        run.assert_goal("a set has as many places as asked for", asked is places)
        made.append(Members(run, asked, lambda place: at_least(place, 0)))
        return made[-1]

    run.replace(code, "PlaceSet", empty_set)
    both: list[Any] = [run.call(Runs, places) for _ in range(2)]
    for runs in both:
        is_the_laws(run, runs, law.empty(places))
        run.assert_goal("it has the attributes that proofs compare", vars(runs).keys() == ATTRIBUTES)
    sets = [getattr(runs, name) for runs in both for name in SETS]
    run.assert_goal("no two sets are one", len({id(each) for each in sets}) == len(made) == 2 * len(SETS))


CODE = (
    allocate_refines,
    *(
        refines(name, operation)
        for name, operation in (
            ("add", law.add),
            ("add_never_free", law.add_never_free),
            ("reserve", law.reserve),
            ("free", law.free),
        )
    ),
    asked_refines,
    empty_refines,
)
