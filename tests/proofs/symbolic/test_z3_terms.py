"""Terms that are built by the solver's C functions, and what is asked of them."""

from __future__ import annotations

import gc

import pytest
import z3

from memoracle.proofs.symbolic import z3_terms

X, WIDE, N, P = z3.BitVec("x", 72), z3.BitVec("wide", 144), z3.Int("n"), z3.Bool("p")


@pytest.mark.parametrize("sign", z3_terms.COMPARISONS)
def test_terms_of_two_sorts_are_refused(sign: str) -> None:
    with pytest.raises(z3.Z3Exception):
        z3_terms.compared(sign, X, WIDE)
    assert z3_terms.compared(sign, X, X).sort() == z3.BoolSort()


def test_what_the_solver_refuses_raises_an_error() -> None:
    with pytest.raises(z3.Z3Exception):
        z3_terms.all_of([P, X])
    with pytest.raises(z3.Z3Exception):
        z3_terms.check(z3.Solver(), [N > 0, X])
    with pytest.raises(z3.Z3Exception):
        z3_terms.add(z3.Solver(), [X])


@pytest.mark.parametrize(
    ("built", "due"),
    [
        (lambda: z3_terms.sum_of("+", X, X), X + X),
        (lambda: z3_terms.sum_of("-", N, N), N - N),
        (lambda: z3_terms.bitwise(">>", X, X), X >> X),
        (lambda: z3_terms.compared("<", X, X), X < X),
        (lambda: z3_terms.compared(">=", N, N), N >= N),
        (lambda: z3_terms.widened(X, WIDE, 72)[0], z3.SignExt(72, X)),
        (lambda: z3_terms.lowest_bits(WIDE, 72), z3.Extract(71, 0, WIDE)),
        (lambda: z3_terms.chosen_number(P, X, X + 1), z3.If(P, X, X + 1)),
        (lambda: z3_terms.chosen_truth(P, P, z3.Not(P)), z3.If(P, P, z3.Not(P))),
        (lambda: z3_terms.simplified(X - X), z3.BitVecVal(0, 72)),
        (lambda: z3_terms.numeral(-1, 72), z3.BitVecVal(-1, 72)),
        (lambda: z3_terms.unknown("x", X.sort()), X),
        (lambda: z3_terms.unknown("n", N.sort()), N),
        (lambda: z3_terms.implication(P, z3_terms.negation(P)), z3.Implies(P, z3.Not(P))),
    ],
)
def test_a_term_is_what_the_operators_build(built: object, due: z3.ExprRef) -> None:
    assert callable(built)
    term = built()
    assert term.eq(due)
    assert type(term).__mro__[2] in type(due).__mro__
    if isinstance(due, z3.BitVecRef):
        assert z3_terms.width_of(term) == due.size()


def test_a_term_lives_as_long_as_it_is_used() -> None:
    places = set()
    for number in range(1000):
        places.add(z3_terms.identity(z3_terms.numeral(1 << 60 | number, 72)))
        gc.collect(0)
    kept = [z3_terms.numeral(1 << 61 | number, 72) for number in range(1000)]
    assert len(places) < 1000 == len({z3_terms.identity(each) for each in kept})
    assert [z3.simplify(each).as_long() for each in kept] == [1 << 61 | number for number in range(1000)]


def test_the_text_is_the_one_that_the_solver_writes() -> None:
    asserted = [X > 1, z3.And(P, N < 3), z3.Implies(P, X == 2)]
    solver = z3.Solver()
    solver.add(*asserted)
    assert z3_terms.smtlib(asserted) == solver.to_smt2()
    assert z3_terms.smtlib([]) == z3.Solver().to_smt2()


def test_a_truth_is_one_of_two_constants_or_none() -> None:
    assert [z3_terms.constant_truth(each) for each in (z3.BoolVal(True), z3.BoolVal(False), P)] == [True, False, None]


def test_what_holds_in_a_model() -> None:
    solver = z3.Solver()
    solver.add(X == 3)
    assert z3_terms.check(solver, [P]) == z3.Z3_L_TRUE
    model = solver.model()
    assert z3_terms.holds_in(model, z3.And(P, X == 3))
    assert not z3_terms.holds_in(model, X == 4)
    # What the model leaves open is settled once: not both ways.
    assert z3_terms.holds_in(model, N == 0) != z3_terms.holds_in(model, N != 0)
