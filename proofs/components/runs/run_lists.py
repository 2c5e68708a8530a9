"""Proofs of what is answered of runs: that it is said of each place, and no less may be said than what is so.

Where an answer is refused, there is a place of which it would not be so.
"""

from __future__ import annotations

from memoracle.proofs.components.runs import given_runs
from memoracle.proofs.components.runs.law import LAW, proved
from memoracle.proofs.obligations.law_answers import any_state, one_answer
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.spec import given_runs as given_law
from memoracle.spec import run_lists as law
from memoracle.spec.clauses import Number, Truth, implies, neg, when
from memoracle.spec.runs import among, run_lies_in_reach
from memoracle.spec.zones import tells_the_count_of_a_zone


@proved("lists-in-order.leaves-none-out", "theorem", "a list goes on at the place that is due, whatever place that is")
def leaves_none_out(run: Run) -> None:
    state, due = any_state(LAW)(run), run.point("place")
    run.assert_goal("it may go on there", law.lists_in_order(state, due, due))


@proved("lists-one-state.is-of-each-place", "theorem", "a stretch is listed as allocated if all of it is, or as free")
def lists_each_place(run: Run) -> None:
    state, first, count = any_state(LAW)(run), run.point("first"), run.point("count")
    allocated, place = run.truth("allocated"), run.point("place")
    run.assume(run_lies_in_reach(state, first, count))
    listed = law.lists_one_state(state, first, count, allocated)
    as_listed = state.is_free(place) == neg(allocated)
    run.assert_goal("each place is in this state", implies(listed & among(first, count, place), as_listed))
    other = when(allocated, state.next_free(first), state.next_taken(first))
    differs = among(first, count, other) & (state.is_free(other) == allocated)
    run.assert_goal("if it may not be listed, one is in the other", implies(neg(listed), differs))


@proved("size-is-of-places-in-use.is-of-each-place", "theorem", "a size is of places that may be in use, each of them")
def size_is_of_each_place(run: Run) -> None:
    state, first, size = any_state(LAW)(run), run.point("first"), run.fresh("size", -HIGHEST, HIGHEST)
    place, free = run.point("place"), state.next_free(first)
    answered = law.size_is_of_places_in_use(state, first, size)
    run.assert_goal("it is none, or a number of places", implies(answered, 0 <= size))
    inside = (place < state.reach) & neg(state.is_free(place))
    run.assert_goal("each is below the reach, and not free", implies(answered & among(first, size, place), inside))
    last = first + size - 1
    beyond = (state.reach <= last) | (among(first, size, free) & state.is_free(free))
    wrong = (size < 0) | (1 <= size) & beyond
    run.assert_goal("if it may not be answered, a place is free, or past the reach", implies(neg(answered), wrong))


@proved(
    "size-is-of-the-given-run.is-what-is-freed", "theorem", "a run is freed whole by the size that is answered of it"
)
def size_is_what_is_freed(run: Run) -> None:
    state, first, size = given_runs.unknown(run), run.point("first"), run.point("count")
    may_be_freed = given_law.frees_a_whole_run(state, first, size)
    run.assert_goal("it is the size of a free", law.size_is_of_the_given_run(state, first, size) == may_be_freed)


@proved("block-is-not-too-large.up-to-the-largest", "theorem", "blocks may be as large as the largest, and no larger")
def up_to_the_largest(run: Run) -> None:
    state, most, count = any_state(LAW)(run), run.fresh("most"), run.fresh("count", -HIGHEST, HIGHEST)

    def is_not(count: Number) -> Truth:
        return given_law.block_is_not_too_large(state, most, count)

    run.assert_goal("the largest is not too large", is_not(most))
    run.assert_goal("one frame more is", neg(is_not(most + 1)))
    run.assert_goal("what is smaller than one that is not, is not", implies(is_not(count), is_not(count - 1)))
    run.assert_goal("what is larger than one that is, is", implies(neg(is_not(count)), neg(is_not(count + 1))))


@proved("tells-the-count-of-a-zone.counts-each-place", "theorem", "the count of a zone is that of its free places")
def counts_each_place(run: Run) -> None:
    state, start, end = any_state(LAW)(run), run.point("place"), run.point("place")
    answer = run.fresh("answer", -HIGHEST, HIGHEST)
    run.assert_goal("of no place it is 0", tells_the_count_of_a_zone(state, start, start, 0))
    one_more = answer + when(state.is_free(end), 1, 0)
    goes_on = tells_the_count_of_a_zone(state, start, end + 1, one_more)
    before = tells_the_count_of_a_zone(state, start, end, answer)
    run.assert_goal("with one place more it is one more if that is free", implies(before, goes_on))


LAWS = (
    leaves_none_out,
    one_answer(proved, any_state(LAW), law.lists_in_order, ["first"]),
    lists_each_place,
    size_is_of_each_place,
    size_is_what_is_freed,
    one_answer(proved, given_runs.unknown, law.size_is_of_the_given_run, ["answer"]),
    up_to_the_largest,
    counts_each_place,
)
