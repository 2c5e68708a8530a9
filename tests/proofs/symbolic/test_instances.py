"""Hypotheses: written out when somebody looks, together with the facts that come up then."""

from __future__ import annotations

import z3

from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.instances import Hypotheses

A, B, C = z3.Bools("a b c")


def test_is_written_when_it_is_looked_at() -> None:
    facts, written = [A, A], []

    def instance() -> z3.BoolRef:
        written.append(B)
        facts.append(C)
        return B

    hypotheses = Hypotheses(facts, [instance, lambda: C])
    assert (len(hypotheses), written) == (3, [])  # the same fact twice is one
    assert [hypotheses[0], hypotheses[2], written] == [A, C, []]
    assert hypotheses[1].eq(z3.And(B, C))
    assert hypotheses[1].eq(hypotheses[1])
    assert len(written) == 1
    assert [str(each) for each in hypotheses] == ["a", "And(b, c)", "c"]


def test_a_clause_is_given_at_no_number_that_is_no_point() -> None:
    """Each point lies between two others. A number that is too large does not, and to say so of it proves anything."""

    @Claims("test", {"page": Sort("page")})("shift", "theorem", "what is shifted keeps its bits")
    def body(run: Run) -> None:
        start, end = run.function("start", "page"), run.function("end", "page")
        run.assume_for_all(("page",), lambda page: (start(page) <= page) & (page <= end(page)))
        page = run.number("page")
        shifted = run.call(lambda: page << 8)  # which claims that no bit is lost
        run.assert_goal("it lies before an end", shifted <= end(shifted))

    found = discharge(body, use_cache=False)
    assert found.verdict == "refuted"
    assert "a shifted number has 64 bits" in (found.counterexample or "")
