"""What is answered of runs: a list of all places, and how many are in use from a place on.

Who keeps runs need not remember which were handed out together, so a list may have a stretch of places in the same
state in one piece or in several.
"""

from __future__ import annotations

from memoracle.spec.clauses import Number, Truth, clause, implies, neg, when
from memoracle.spec.given_runs import GivenRuns
from memoracle.spec.runs import Places, among, frees_only_allocated, run_is_free

PART_OF = "runs"


@clause("a list has the places in order, from the first to the last, and leaves none out")
def lists_in_order(s: Places, first: Number, due: Number) -> Truth:
    return first == due


@clause("all places of a stretch are in the state in which it is listed")
def lists_one_state(s: Places, first: Number, count: Number, allocated: Truth) -> Truth:
    state: Truth = when(allocated, frees_only_allocated(s, first, count), run_is_free(s, first, count))
    return state


@clause("so many places from there on are in use")
def size_is_of_places_in_use(s: Places, first: Number, answer: Number) -> Truth:
    in_use = frees_only_allocated(s, first, answer) & (first + answer <= s.reach)
    return (0 <= answer) & implies(1 <= answer, in_use)


@clause("the size is that of the run that was given there, or 0")
def size_is_of_the_given_run(s: GivenRuns, first: Number, answer: Number) -> Truth:
    return answer == s.given(first)


# Theorems


@clause("no place of a stretch that is listed as allocated is free")
def what_is_listed_as_allocated_is_not_free(s: Places, first: Number, count: Number, place: Number) -> Truth:
    return implies(frees_only_allocated(s, first, count) & among(first, count, place), neg(s.is_free(place)))


THEOREMS = (what_is_listed_as_allocated_is_not_free,)
