"""Proofs of the law of runs: its invariants are kept, and what follows from an operation, or from two."""

from __future__ import annotations

from typing import Any

from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.law_answers import any_state, one_answer
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, HypothesisPool, Sort
from memoracle.spec import run_lists
from memoracle.spec import runs as law
from memoracle.spec.clauses import Operation, Truth, implies, neg

MOST_PLACES = 1 << 52  # of 4 KiB, in 64-bit addresses
# Of a place that a caller may name, from which on others are looked for: the next place that is aligned is no farther.
FARTHEST = 4 * HIGHEST
PLACE = Sort("place", FARTHEST)
SORTS = {
    **dict.fromkeys(("place", "other", "first", "run"), PLACE),
    **dict.fromkeys(("lowest", "below"), Sort("limit")),
    **dict.fromkeys(("count", "half"), Sort("count")),
    "alignment": Sort("alignment"),
}
RELATIONS, FUNCTIONS = ("exists", "never_free", "is_free", "in_use"), ("next_free", "next_taken", "free_below")


def unknown(run: HypothesisPool) -> law.Places:
    """Any state of any number of places."""
    reach = run.number("reach", 1, MOST_PLACES)
    run.touch(("place",), (reach,))
    run.touch(("place",), (0,))
    return law.Places(
        reach=reach,
        count=run.number("count"),
        **{name: run.relation(name, "place") for name in RELATIONS},
        next_free=run.function("next_free", "place", high=FARTHEST, gives="place"),
        next_taken=run.function("next_taken", "place", high=FARTHEST, gives="place"),
        free_below=run.function("free_below", "place", high=FARTHEST),
    )


def initial(run: HypothesisPool) -> law.Places:
    """No place exists."""
    return law.empty(unknown(run).reach)


def reads(state: law.Places, values: dict[str, Any]) -> None:
    """What is free next, seen from a run that turns up, matters although no clause of its guard speaks of it."""
    if "first" in values:
        state.free_below(state.next_free(values["first"]))


LAW = law_obligations.Law(
    "runs",
    SORTS,
    dict.fromkeys((*RELATIONS, *FUNCTIONS), law_obligations.any_point("place")),
    unknown,
    initial,
    law.INVARIANTS,
    law.OPERATIONS,
    (*law.THEOREMS, *run_lists.THEOREMS),
    integers=True,
    once=True,
    reads=reads,
)

proved = Claims("runs", SORTS, integers=True, once=True)


def nothing_outside_the_run_moves(before: law.Places, after: law.Places, first: int, count: int, place: int) -> Truth:
    """Whether a place outside the run exists, is never free, free or in use is as it was."""
    same: Truth = True
    for name in RELATIONS:
        same = same & (getattr(before, name)(place) == getattr(after, name)(place))
    return law.among(first, count, place) | same


def all_of_the_run_is_in_use(before: law.Places, after: law.Places, first: int, count: int, place: int) -> Truth:
    """Each place of the run is in use, and was not before."""
    now = neg(before.in_use(place)) & after.in_use(place) & neg(after.is_free(place))
    return implies(law.among(first, count, place), now)


def all_of_the_run_is_free(before: law.Places, after: law.Places, first: int, count: int, place: int) -> Truth:
    """Each place of the run is free, and was not before."""
    now = neg(before.is_free(place)) & after.is_free(place) & neg(after.in_use(place))
    return implies(law.among(first, count, place), now)


def undone(operation: Operation) -> Obligation:
    """That a free of the run that was just handed out restores the state."""

    @proved(
        f"free-after-{law_obligations.short(operation)}", "theorem", "to free what was allocated restores the state"
    )
    def body(run: Run) -> None:
        before, after, values = law_obligations.happens(run, LAW, operation)
        first, count = values["first"], values["count"]
        run.assert_goal("it may be freed", law.free.allows(after, first=first, count=count, place=run.point("place")))
        law_obligations.same_state(run, LAW, law.free(after, first, count), before)

    return body


@proved("free.leaves-the-rest-in-use", "theorem", "a free of part of what was handed out leaves the rest in use")
def free_leaves_the_rest(run: Run) -> None:
    _, after, values = law_obligations.happens(run, LAW, law.allocate)
    first, count = values["first"], values["count"]
    part, length, place = run.point("first"), run.point("count"), run.point("place")
    run.assume(1 <= length, first <= part, part + length <= first + count)
    run.assert_goal(
        "any part of it may be freed", law.free.allows(after, first=part, count=length, place=run.point("place"))
    )
    left = law.free(after, part, length)
    rest = law.among(first, count, place) & neg(law.among(part, length, place))
    run.assert_goal("the rest is in use", implies(rest, left.in_use(place) & neg(left.is_free(place))))
    run.assert_goal("as many are free as were freed", left.count == after.count + length)


@proved("allocate.runs-are-disjoint", "theorem", "two runs handed out, none of them freed in between, are disjoint")
def runs_are_disjoint(run: Run) -> None:
    _, after, one = law_obligations.happens(run, LAW, law.allocate)
    place = run.point("place")
    for operation in (law.allocate, law.reserve):
        values = run.point_of_each(operation.points)
        both = law.among(one["first"], one["count"], place) & law.among(values["first"], values["count"], place)
        run.assert_goal("no place is in both", implies(operation.allows(after, **values), neg(both)))


@proved("is-free.is-asked-of-each-place", "theorem", "what may be asked for is a place that may be added, and no other")
def asked_of_each_place(run: Run) -> None:
    state, place = any_state(LAW)(run), run.any_number("place")
    may_be_added = law.run_lies_in_reach(state, place, 1)
    run.assert_goal("it is a place", law.is_free.allows(state, place=place) == may_be_added)


LAWS = (
    asked_of_each_place,
    *(undone(operation) for operation in (law.allocate, law.reserve)),
    free_leaves_the_rest,
    runs_are_disjoint,
    *(
        law_obligations.changes(LAW, operation, nothing_outside_the_run_moves, ("first", "count"))
        for operation in (law.add, law.add_never_free, law.allocate, law.reserve, law.free)
    ),
    *(
        law_obligations.changes(LAW, operation, all_of_the_run_is_in_use, ("first", "count"))
        for operation in (law.allocate, law.reserve)
    ),
    *(
        law_obligations.changes(LAW, operation, all_of_the_run_is_free, ("first", "count"))
        for operation in (law.add, law.free)
    ),
    one_answer(proved, any_state(LAW), law.tells_whether_free, [], ["answer"]),
    one_answer(proved, any_state(LAW), law.tells_whether_it_exists, [], ["answer"]),
    one_answer(proved, any_state(LAW), law.tells_the_count, ["answer"]),
)
