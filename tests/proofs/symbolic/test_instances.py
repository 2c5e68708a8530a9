"""Hypotheses: written out when somebody looks, together with the facts that come up then."""

from __future__ import annotations

import z3

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
