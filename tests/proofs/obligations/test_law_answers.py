"""A law leaves no choice of an answer only if no two answers satisfy it."""

from __future__ import annotations

import pytest

from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.law_answers import one_answer
from memoracle.proofs.obligations.obligation import Claims
from memoracle.spec.clauses import Clause, Number, Truth, clause, implies

proved = Claims("test", {})


@clause("the answer is one more")
def one_more(s: object, asked: Number, answer: Number) -> Truth:
    return answer == asked + 1


@clause("the answer is no more than is asked")
def at_most(s: object, asked: Number, answer: Number) -> Truth:
    return (0 <= answer) & (answer <= asked)


@clause("both answers are told, and the second is one of two")
def second_is_free(s: object, asked: Number, answer: Number, second: Number) -> Truth:
    return (answer == asked) & (asked <= second) & (second <= asked + 1)


@clause("it is called large if it is")
def is_large(s: object, asked: Number, large: Truth) -> Truth:
    return large == (asked > 9)


@clause("what is not large is not called large")
def may_be_large(s: object, asked: Number, large: Truth) -> Truth:
    return implies(large, asked > 9)


@clause("nothing is an answer")
def no_answer(s: object, asked: Number, answer: Number) -> Truth:
    return (answer == asked) & (answer == asked + 1)


@pytest.mark.parametrize(
    ("law", "numbers", "truths", "due"),
    [
        (one_more, ["answer"], [], "proved"),
        (at_most, ["answer"], [], "refuted"),
        (second_is_free, ["answer", "second"], [], "refuted"),
        (is_large, [], ["large"], "proved"),
        (may_be_large, [], ["large"], "refuted"),
        (no_answer, ["answer"], [], "vacuous"),
    ],
)
def test_there_is_one_answer_where_any_two_are_one(
    law: Clause, numbers: list[str], truths: list[str], due: str
) -> None:
    claim = one_answer(proved, lambda run: None, law, numbers, truths)
    assert discharge(claim, use_cache=False).verdict == due
