"""Proofs of the bitmap's law: its invariants are kept, and what may be answered is what any choice would answer."""

from __future__ import annotations

from dataclasses import replace

from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.law_answers import any_state, one_answer
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, HypothesisPool, Sort
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Operation, at_least, at_most, implies, neg

MOST_FRAMES = 1 << 52  # of 4 KiB, in 64-bit addresses
FRAME = Sort("frame")
SORTS = {
    "alignment": Sort("alignment"),
    "frame": FRAME,
    "later": FRAME,
    "first": FRAME,
    "last": FRAME,
    "word": Sort("word"),
}
FUNCTIONS = dict.fromkeys(
    ("never_free", "exists", "is_free", "in_use", "free_below"), law_obligations.any_point("frame")
)


def unknown(run: HypothesisPool) -> law.Frames:
    """Any state: any number of frames, any of which may be put aside."""
    reach = run.number("reach", 1, MOST_FRAMES)
    run.touch(("frame",), (reach,))
    run.touch(("frame",), (0,))
    return law.Frames(
        reach=reach,
        count=run.number("count"),
        never_free=run.relation("never_free", "frame"),
        exists=run.relation("exists", "frame"),
        is_free=run.relation("is_free", "frame"),
        in_use=run.relation("in_use", "frame"),
        free_below=run.function("free_below", "frame"),
    )


def initial(run: HypothesisPool) -> law.Frames:
    """No frame exists but those that are never free."""
    state = unknown(run)
    return law.empty(state.reach, state.never_free)


LAW = law_obligations.Law(
    "bitmap", SORTS, FUNCTIONS, unknown, initial, law.CHECKED, law.OPERATIONS, law.THEOREMS, integers=True
)


proved = Claims("bitmap", SORTS)


@proved("add.begins", "invariant", "adding no frames changes nothing", integers=True)
def add_begins(run: Run) -> None:
    state, first = unknown(run), run.point("frame")
    law_obligations.same_state(run, LAW, state, law.added(state, first, first))


@proved("add.goes-on", "invariant", "adding frames up to one more is adding that one, too", integers=True)
def add_goes_on(run: Run) -> None:
    state, first, last = unknown(run), run.point("frame"), run.point("frame")
    run.assume(first <= last)
    law_obligations.same_state(
        run, LAW, law.add(law.added(state, first, last), last), law.added(state, first, last + 1)
    )


@proved("memory-add.adds-each", "invariant", "adding memory is adding each frame of it that the bitmap reaches")
def add_memory_adds_each(run: Run) -> None:
    state, first, last, frame = unknown(run), run.point("first"), run.point("last"), run.point("frame")
    run.assume_all(law.CHECKED, state)
    law_obligations.permitted(run, law.add_memory, state, {"first": first, "last": last})
    run.assume((first <= frame) & (frame < at_most(last, state.reach)))
    so_far = law.added(state, first, frame)
    run.assert_goal("the next frame may be added", law.add.allows(so_far, frame=frame))
    law_obligations.same_state(
        run,
        LAW,
        law.add_memory(state, first, last),
        law.added(state, first, at_least(at_most(last, state.reach), first)),
    )


@proved("reserve.begins", "invariant", "reserving no frames changes nothing", integers=True)
def reserve_begins(run: Run) -> None:
    state, first = unknown(run), run.point("frame")
    law_obligations.same_state(run, LAW, state, law.reserved(state, first, first))


@proved("reserve.goes-on", "invariant", "reserving frames up to one more is allocating that one, too", integers=True)
def reserve_goes_on(run: Run) -> None:
    state, first, last = unknown(run), run.point("frame"), run.point("frame")
    run.assume(first <= last)
    law_obligations.same_state(
        run, LAW, law.allocate(law.reserved(state, first, last), last), law.reserved(state, first, last + 1)
    )


@proved("reserve.is-allowed-where-each-is", "theorem", "frames may be reserved, one or more, if each may be allocated")
def reserve_is_allowed(run: Run) -> None:
    state, (first, last, frame) = any_state(LAW)(run), (run.point("frame") for _ in range(3))
    each = implies((first <= frame) & (frame < last), law.allocate.allows(state, frame=frame))
    allowed = law.reserve.allows(state, first=first, last=last, frame=frame)
    run.assert_goal("it is allowed if it is of each", implies((first < last) & each, allowed))
    run.assert_goal("of no frame it is not", implies(last <= first, neg(allowed)))


@proved("reserve.allocates-each", "invariant", "reserving frames is allocating each of them")
def reserve_allocates_each(run: Run) -> None:
    state, first, last, frame = unknown(run), run.point("first"), run.point("last"), run.point("frame")
    law_obligations.permitted(run, law.reserve, state, {"first": first, "last": last})
    run.assume((first <= frame) & (frame < last))
    so_far = law.reserved(state, first, frame)
    run.assert_goal("the next frame may be allocated", law.allocate.allows(so_far, frame=frame))
    law_obligations.same_state(run, LAW, law.reserve(state, first, last), law.reserved(state, first, last))


@proved("trusting.keeps-counting", "invariant", "also a free that is not checked counts right", integers=True)
def trusting_counts(run: Run) -> None:
    before = unknown(run)
    run.assume_all(law.TRUSTING, before)
    values = run.point_of_each(law.free_trusting.points)
    law_obligations.permitted(run, law.free_trusting, before, values)
    after = law.free_trusting(before, *values.values())
    for clause in law.TRUSTING:
        run.assert_goal(clause.says, clause(after, *run.point_of_each(clause.points).values()))


@proved(
    "trusting.must-free-what-is-checked",
    "theorem",
    "a free that the checked law allows must succeed when trusting, too",
)
def trusting_must_free(run: Run) -> None:
    state, frame = any_state(LAW)(run), run.point("frame")
    run.assume(law.free.allows(state, frame=frame))
    run.assert_goal("the law of trusting frees allows it", law.free_trusting.allows(state, frame=frame))
    sure = law.MUST_SUCCEED_IF[law.free_trusting]
    run.assert_goal("and it may not be refused", sure(state, frame))


def moves_no_other_bit(operation: Operation) -> Obligation:
    @proved(
        f"{law_obligations.short(operation)}.moves-no-other-bit", "theorem", "no other frame's bit moves", integers=True
    )
    def body(run: Run) -> None:
        before, after, values = law_obligations.happens(run, LAW, operation)
        other = run.point("frame")
        run.assume(other != values["frame"])
        run.assert_goal("no other frame's bit moves", before.is_free(other) == after.is_free(other))

    return body


@proved("add.takes-nothing-away", "theorem", "a frame that is added was not handed out before")
def add_takes_nothing_away(run: Run) -> None:
    before, after, _ = law_obligations.happens(run, LAW, law.add)
    frame = run.point("frame")
    run.assert_goal("who has a frame keeps it", before.in_use(frame) == after.in_use(frame))


# What may be answered where frames were allocated without being named: how many is known, but not which.


@proved("count.may-be-lower", "theorem", "what may be counted is what is counted after any frames were allocated")
def count_may_be_lower(run: Run) -> None:
    before, after, _ = law_obligations.happens(run, LAW, law.allocate)
    answer = run.number("answer", -HIGHEST, HIGHEST)
    may = law.counts_only_the_free(before, answer)
    run.assert_goal("the count may be answered", implies(law.tells_the_count(before, answer), may))
    run.assert_goal(
        "what may be after a frame is allocated may be before", implies(law.counts_only_the_free(after, answer), may)
    )
    other = may & neg(law.tells_the_count(before, answer))
    run.assert_goal("any other answer may be after one is", implies(other, law.counts_only_the_free(after, answer)))
    none = replace(before, count=0)
    run.assert_goal("where none is free, none is counted", law.counts_only_the_free(none, answer) == (answer == 0))


@proved("is-free.may-be-denied", "theorem", "what may be called free is what is so after any frames were allocated")
def is_free_may_be_denied(run: Run) -> None:
    before, after, values = law_obligations.happens(run, LAW, law.allocate)
    frame, answer = run.point("frame"), run.truth("answer")
    may = law.calls_free_only_the_free(before, frame, answer)
    run.assert_goal("what is so may be answered", implies(law.tells_whether_free(before, frame, answer), may))
    run.assert_goal(
        "and what is so after a frame is allocated", implies(law.tells_whether_free(after, frame, answer), may)
    )
    taken = law.tells_whether_free(after, values["frame"], answer)
    here = law.calls_free_only_the_free(before, values["frame"], answer)
    run.assert_goal("and nothing else", implies(here, taken | law.tells_whether_free(before, values["frame"], answer)))
    gone = law.calls_free_only_the_free(after, frame, answer)
    run.assert_goal("what is not free is never called free", implies(neg(after.is_free(frame)) & gone, neg(answer)))


LAWS = (
    add_begins,
    add_goes_on,
    add_memory_adds_each,
    reserve_begins,
    reserve_goes_on,
    reserve_allocates_each,
    reserve_is_allowed,
    add_takes_nothing_away,
    trusting_counts,
    trusting_must_free,
    count_may_be_lower,
    is_free_may_be_denied,
    one_answer(proved, any_state(LAW), law.tells_whether_free, [], ["answer"]),
    one_answer(proved, any_state(LAW), law.tells_the_count, ["answer"]),
    *map(moves_no_other_bit, (law.allocate, law.free)),
)
