"""A solver's terms count as Python's numbers do, whatever bounds they are known to lie between."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from memoracle.proofs.symbolic.context import counting_with, counts_with_integers
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import Symbolic, SymbolicBool, constant, number, truth, width_for

NUMBERS = st.one_of(st.integers(-(1 << 64), 1 << 64), st.integers(-9, 9), st.sampled_from([(1 << 63) - 1, 1 << 63]))
NATURALS = st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0, 9), st.integers(0, 64).map(lambda bit: 1 << bit))
SLACK = st.integers(0, 1 << 64)
SHIFTS = st.integers(0, 64)
COUNTING = [operator.add, operator.sub]
COMPARING = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
BITWISE = [operator.and_, operator.or_, operator.xor]
SHIFTING = [operator.lshift, operator.rshift]
BY_POWERS = [operator.mul, operator.floordiv, operator.mod]
MODES = pytest.mark.parametrize("integers", [False, True])


def loose(value: int, below: int, above: int) -> Symbolic:
    """A term for a number of which only bounds are known."""
    low, high = value - below, value + above
    z = z3.IntVal(value) if counts_with_integers() else z3.BitVecVal(value, width_for(low, high))
    return Symbolic(z, low, high)


def value_of(term: Any) -> int | bool:
    """The value of a term without unknowns; it must lie between the bounds that the term claims."""
    if isinstance(term, SymbolicBool):
        simple = z3.simplify(term.z)
        assert z3.is_true(simple) or z3.is_false(simple)
        return z3.is_true(simple)
    assert isinstance(term, Symbolic)
    simple = z3.simplify(term.z)
    value = int(simple.as_long() if z3.is_int(simple) else simple.as_signed_long())
    assert term.low <= value <= term.high
    return value


def agrees(apply: Callable[[Any, Any], Any], one: int, other: int, *slacks: int) -> None:
    """The operator gives the same on numbers, on terms, and on one of each."""
    due = apply(one, other)
    first, second = loose(one, *slacks[:2]), loose(other, *slacks[2:])
    assert value_of(apply(first, second)) == due
    assert value_of(apply(first, other)) == due
    assert value_of(apply(one, second)) == due


@MODES
@pytest.mark.parametrize("apply", COUNTING + COMPARING)
@given(one=NUMBERS, other=NUMBERS, slacks=st.tuples(SLACK, SLACK, SLACK, SLACK))
def test_counting_and_comparing(apply: Any, integers: bool, one: int, other: int, slacks: tuple[int, ...]) -> None:
    with counting_with(integers):
        agrees(apply, one, other, *slacks)
        agrees(apply, one, one, *slacks)


@MODES
@given(one=NUMBERS, slacks=st.tuples(SLACK, SLACK))
def test_negation(integers: bool, one: int, slacks: tuple[int, int]) -> None:
    with counting_with(integers):
        assert value_of(-loose(one, *slacks)) == -one


@MODES
@pytest.mark.parametrize("apply", BY_POWERS)
@given(one=NUMBERS, exponent=SHIFTS, slacks=st.tuples(SLACK, SLACK))
def test_by_powers_of_two(apply: Any, integers: bool, one: int, exponent: int, slacks: tuple[int, int]) -> None:
    with counting_with(integers):
        assert value_of(apply(loose(one, *slacks), 1 << exponent)) == apply(one, 1 << exponent)


@pytest.mark.parametrize("factor", [0, -2, 3, 6])
def test_nothing_else_is_multiplied_or_divided_by(factor: int) -> None:
    for apply in BY_POWERS:
        with pytest.raises(TypeError, match="power of two"):
            apply(number(5), factor)


@pytest.mark.parametrize("apply", BITWISE)
@given(one=NUMBERS, other=NUMBERS, slacks=st.tuples(SLACK, SLACK, SLACK, SLACK))
def test_bits(apply: Any, one: int, other: int, slacks: tuple[int, ...]) -> None:
    agrees(apply, one, other, *slacks)
    assert value_of(~loose(one, *slacks[:2])) == ~one


@given(one=NUMBERS, bits=st.integers(0, 70), slacks=st.tuples(SLACK, SLACK))
def test_integers_have_only_their_lowest_bits(one: int, bits: int, slacks: tuple[int, int]) -> None:
    mask = (1 << bits) - 1
    with counting_with(True):
        assert value_of(loose(one, *slacks) & mask) == one & mask


@pytest.mark.parametrize("apply", [*BITWISE, *SHIFTING])
@given(one=NUMBERS, by=SHIFTS, slacks=st.tuples(SLACK, SLACK), more=st.integers(1, 8))
def test_of_other_bits_of_integers_it_is_only_known_that_they_are_a_function(
    apply: Any, one: int, by: int, slacks: tuple[int, int], more: int
) -> None:
    with counting_with(True):
        unknown, amount = (
            Symbolic(z3.Int("one"), one - slacks[0], one + slacks[1]),
            Symbolic(z3.Int("by"), 0, by + more),
        )
        found = apply(unknown, amount)
        assert found.low <= apply(one, by) <= found.high
        assert z3.is_true(z3.simplify(truth(found == apply(unknown, amount))))
        solver = z3.Solver()
        solver.add(unknown.z == one, amount.z == by, found.z != apply(one, by))
        assert solver.check() == z3.sat
        other = apply(Symbolic(z3.Int("other"), one - slacks[0], one + slacks[1]), amount)
        solver.add(z3.Int("other") == one, other.z != found.z)
        assert solver.check() == z3.unsat


@pytest.mark.parametrize("apply", SHIFTING)
@given(one=NUMBERS, by=SHIFTS, slacks=st.tuples(SLACK, SLACK), more=st.integers(0, 8), less=st.integers(0, 70))
def test_shifts(apply: Any, one: int, by: int, slacks: tuple[int, int], more: int, less: int) -> None:
    agrees(apply, one, by, *slacks, less, more if by + more <= 64 else 0)


@pytest.mark.parametrize("apply", SHIFTING)
@given(one=NUMBERS, by=SHIFTS, slacks=st.tuples(SLACK, SLACK))
def test_integers_shift_by_constants(apply: Any, one: int, by: int, slacks: tuple[int, int]) -> None:
    with counting_with(True):
        assert value_of(apply(loose(one, *slacks), by)) == apply(one, by)


@given(one=NATURALS, by=SHIFTS, other=SHIFTS, more=st.integers(0, 7))
def test_right_and_left_again(one: int, by: int, other: int, more: int) -> None:
    amount = loose(by, by, more)
    shifted = loose(one, one, 0) >> amount
    assert value_of(shifted << amount) == one >> by << by
    assert value_of(shifted << loose(other, other, 0)) == one >> by << other


@given(one=st.integers(-(1 << 64), -1), by=SHIFTS)
def test_a_negative_number_right_and_left_again(one: int, by: int) -> None:
    amount = loose(by, by, 0)
    assert value_of((loose(one, 0, 0) >> amount) << amount) == one >> by << by


@given(one=NATURALS, above=SLACK)
def test_bit_length(one: int, above: int) -> None:
    assert value_of(loose(one, one, above).bit_length()) == one.bit_length()


@given(one=NUMBERS, below=SLACK, above=SLACK)
def test_bit_length_of_any_number(one: int, below: int, above: int) -> None:
    assert value_of(loose(one, below, above).bit_length()) == one.bit_length()


def test_bit_length_of_large_numbers() -> None:
    for one in (1 << 128, (1 << 140) - 1, 1 - (1 << 130)):
        assert value_of(loose(one, 0, 0).bit_length()) == one.bit_length()


def test_all_bits_of_an_integer_are_no_remainder() -> None:
    """Of `& -1` it is only known that it is a function, not that it is what is left of a division by 0."""
    with counting_with(True):
        kept = loose(5, 1, 1) & -1
    assert kept.low <= 5 <= kept.high


def test_an_unknown_number_has_no_more_bits_than_its_term() -> None:
    with pytest.raises(OverflowError):
        constant("x", 0, 1 << 80)
    with counting_with(True):
        assert constant("x", 0, 1 << 80).high == 1 << 80


@given(one=NATURALS, by=SHIFTS)
def test_code_that_shifts_left_owes_that_64_bits_are_enough(one: int, by: int) -> None:
    run = Run({}, [])
    shifted = run.call(lambda: loose(one, one, (1 << 64) - one) << loose(by, by, 64 - by))
    (goal,) = run.goals
    holds = z3.is_true(z3.simplify(goal.holds))
    assert holds == (one << by < 1 << 64)
    if holds:
        assert value_of(shifted) == one << by


@MODES
@given(one=NUMBERS, other=NUMBERS, which=st.booleans(), slacks=st.tuples(SLACK, SLACK, SLACK, SLACK))
def test_choice(integers: bool, one: int, other: int, which: bool, slacks: tuple[int, ...]) -> None:
    with counting_with(integers):
        chosen = SymbolicBool(z3.BoolVal(which)).choose(loose(one, *slacks[:2]), loose(other, *slacks[2:]))
        assert value_of(chosen) == (one if which else other)


@given(one=st.booleans(), other=st.booleans())
def test_truths(one: bool, other: bool) -> None:
    first, second = SymbolicBool(z3.BoolVal(one)), SymbolicBool(z3.BoolVal(other))
    for apply in (operator.and_, operator.or_, operator.eq, operator.ne):
        for answer in (apply(first, second), apply(first, other), apply(one, second)):
            assert z3.is_true(z3.simplify(truth(answer))) == apply(one, other)
    assert value_of(first.negated()) == (not one)
    assert value_of(first.choose(second, True)) == (other if one else True)


def test_what_no_term_can_hold_is_refused() -> None:
    with pytest.raises(OverflowError):
        number(1 << 143)
    with pytest.raises(OverflowError):
        loose(1, 0, 1 << 100) << 64
    for no_number in (True, 1.5, "1", None, SymbolicBool(z3.BoolVal(True))):
        with pytest.raises(TypeError):
            number(no_number)


def test_the_law_never_branches_on_a_truth() -> None:
    with pytest.raises(TypeError, match="branches"):
        bool(number(1) == number(2))
