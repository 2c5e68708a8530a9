"""Clauses at points are put off, and no answer depends on it."""

from __future__ import annotations

import z3
from hypothesis import given
from hypothesis import strategies as st

from memoracle.proofs.obligations.instantiation import ask
from memoracle.proofs.obligations.solver import RLIMIT, Way, text_of
from memoracle.proofs.obligations.solver import ask as ask_text

NAMES = "abcd"
GIVEN = z3.Bool("given")
literals = st.tuples(st.sampled_from(NAMES), st.booleans()).map(lambda each: z3.Bool(each[0]) == each[1])
clauses = st.lists(literals, min_size=1, max_size=3).map(lambda each: z3.Implies(GIVEN, z3.Or(*each)))
with_facts = st.tuples(clauses, literals).map(lambda both: z3.And(*both))


@given(st.lists(st.one_of(clauses, with_facts, literals), min_size=1, max_size=12))
def test_the_answer_is_that_of_all_at_once(assertions: list[z3.BoolRef]) -> None:
    text = text_of([GIVEN, *assertions], integers=True)
    at_once = ask_text(text, use_cache=False)
    by_and_by = ask_text(text, use_cache=False, way=Way.BY_AND_BY)
    assert by_and_by.verdict == at_once.verdict != "unknown"


@given(st.lists(st.one_of(clauses, literals), min_size=1, max_size=12))
def test_a_model_satisfies_what_was_put_off_too(assertions: list[z3.BoolRef]) -> None:
    found = ask(z3.Solver(), [GIVEN, *assertions], RLIMIT)
    if found.model is not None:
        assert all(z3.is_true(found.model.eval(each, model_completion=True)) for each in [GIVEN, *assertions])


def test_only_what_matters_is_asked() -> None:
    a, b = z3.Bools("a b")
    found = ask(z3.Solver(), [GIVEN, a, z3.Implies(GIVEN, b), z3.Implies(GIVEN, z3.Not(a))], RLIMIT)
    assert (found.verdict, set(found.used) >= {0, 1, 3}) == ("unsat", True)


def test_it_gives_up_when_the_budget_of_all_checks_is_spent() -> None:
    x, y = z3.BitVecs("x y", 72)
    hard = [x * y == 0x1234567890ABCDEF1, z3.ULT(1, x), z3.ULT(1, y), x < 1 << 36, y < 1 << 36]
    assert ask(z3.SolverFor("QF_BV"), hard, 1000).verdict == "unknown"
    assert ask(z3.SolverFor("QF_BV"), [GIVEN, *(z3.Implies(GIVEN, each) for each in hard)], 1000).verdict == "unknown"
