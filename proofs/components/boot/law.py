"""Proofs of the law of memory maps: it leaves no choice, and each of its clauses is needed for that."""

from __future__ import annotations

from dataclasses import replace

from memoracle.proofs.obligations import law_obligations, vacuity
from memoracle.proofs.obligations.obligation import Claims, Computation, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.spec import boot as law
from memoracle.spec.clauses import Clause

BYTE, PAGE = Sort("byte"), Sort("page")
SORTS = {
    "byte": BYTE,
    "page": PAGE,
    "frame": PAGE,
    "first": PAGE,
    "last": PAGE,
    "point": Sort("point"),
    "place": Sort("place"),
}
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


proved = Claims("boot", SORTS)


def initially(clause: Clause) -> Obligation:
    @proved(f"initially.{law_obligations.short(clause)}", "initial", f"before any record is read, {clause.says}")
    def body(run: Run) -> None:
        state = law.unread(unknown(run).page_shift)
        run.assert_goal(clause.says, clause(state, *run.point_of_each(clause.points).values()))

    return body


def no_choice(dropped: Clause | None = None) -> Obligation:
    """Claims that two answers are the same; with one of the clauses dropped they may differ."""

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
    """Claims that without this clause the law would leave a choice."""

    def run() -> str | None:
        return None if vacuity.can_fail(no_choice(dropped=clause)) else "without it, the law leaves no choice either"

    claim = f"unless the law says it, two answers may differ: {clause.says}"
    return Computation(f"boot.{law_obligations.short(clause)}.is-needed", "boot", "vacuity", claim, run, "unbounded")


BY_RULE = (no_choice(), *map(initially, law.POSTCONDITIONS))
NEEDED = tuple(map(is_needed, law.POSTCONDITIONS))
