"""That a law leaves no choice of what is answered to a question: where it does, a wrong answer would be legal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memoracle.proofs.obligations.law_obligations import Law, State, short
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.spec.clauses import Clause, Point


def any_state(law: Law[State]) -> Callable[[Run], State]:
    """Any state that satisfies the invariants."""

    def state(run: Run) -> State:
        unknown = law.unknown(run)
        run.assume_all([*law.given, *law.invariants], unknown)
        return unknown

    return state


def one_answer(
    proved: Claims, state: Callable[[Run], object], clause: Clause, numbers: Sequence[str], truths: Sequence[str] = ()
) -> Obligation:
    """That two answers to a question which both satisfy its clause are one.

    state: any that the law reaches.  numbers, truths: the clause's parameters that are the answer.
    """

    def an_answer(run: Run) -> dict[str, Point]:
        counted: dict[str, Point] = {name: run.fresh(name, -HIGHEST, HIGHEST) for name in numbers}
        return {**counted, **{name: run.fresh_truth(name) for name in truths}}

    @proved(
        f"{short(clause)}.has-one-answer",
        "theorem",
        f"there is one answer at most of which it holds that {clause.says}",
    )
    def body(run: Run) -> None:
        asked = state(run)
        question = [each for each in clause.points if each not in numbers and each not in truths]
        points = {name: run.point(name) if name in proved.sorts else run.fresh(name) for name in question}
        one, other = an_answer(run), an_answer(run)
        for answer in (one, other):
            values = {**points, **answer}
            run.assume(clause(asked, *(values[each] for each in clause.points)))
        for name, value in one.items():
            run.assert_goal(f"there is one {name}", value == other[name])

    return body
