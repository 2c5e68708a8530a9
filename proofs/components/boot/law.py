"""Proofs of the law of memory maps: it leaves no choice, and each of its clauses is needed for that."""

from __future__ import annotations

from dataclasses import replace

from memoracle.proofs.obligations import law_obligations, vacuity
from memoracle.proofs.obligations.obligation import Claims, Computation, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, HypothesisPool, Sort
from memoracle.spec import boot as law
from memoracle.spec.clauses import Clause, Truth, neg

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


@proved("boot-comes-first.before-all-else", "theorem", "memory may be found as long as nothing has happened, not later")
def before_all_else(run: Run) -> None:
    state, earlier = unknown(run), run.fresh("earlier")
    run.assert_goal("it may be the first event", law.boot_comes_first(state, 0))
    run.assert_goal("it may not come after another", neg(law.boot_comes_first(state, earlier + 1)))


@proved("record-has-64-bits.in-each-number", "theorem", "a record is refused just if a number of it has other bits")
def has_64_bits(run: Run) -> None:
    state, numbers = unknown(run), [run.fresh(each, -HIGHEST, 2 * HIGHEST) for each in ("start", "length", "kind")]
    fits: Truth = True
    for each in numbers:
        fits = fits & (each >> 64 == 0)  # of a negative number ones are left
    run.assert_goal("it is refused if anything is left beyond them", law.record_has_64_bits(state, *numbers) == fits)


BY_RULE = (no_choice(), before_all_else, has_64_bits, *map(initially, law.POSTCONDITIONS))
NEEDED = tuple(map(is_needed, law.POSTCONDITIONS))
