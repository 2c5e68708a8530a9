"""Proofs of the laws of shifts that other proofs take as known (`shift_lemmas.py`)."""

from __future__ import annotations

import z3

from memoracle.proofs.obligations import shift_lemmas as lemmas
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import WIDTH, WIDTHS, SymbolicBool

SORT, WIDE = z3.BitVecSort(WIDTH), z3.BitVecSort(WIDTHS[1])


def unknown() -> list[z3.BitVecRef]:
    """Any numbers x and y, and any t and u to shift by: also negative ones, and such as leave nothing."""
    return [z3.Const(name, SORT) for name in ("x", "y", "t", "u")]


def right(x: z3.BitVecRef, t: z3.BitVecRef) -> z3.BitVecRef:
    return x >> t


def left(x: z3.BitVecRef, t: z3.BitVecRef) -> z3.BitVecRef:
    return x << t


def power(t: z3.BitVecRef) -> z3.BitVecRef:
    return z3.BitVecVal(1, WIDTH) << t


def obey_laws(run: Run) -> None:
    x, y, t, u = unknown()
    wide, by = z3.Const("wide", WIDE), z3.Const("by", WIDE)
    laws = {
        "a number that is not negative becomes no larger, and not negative": lemmas.stays_below(right, x, t),
        "order is kept": lemmas.keeps_order(right, x, y, t),
        "to shift by one more is to halve": lemmas.once_more(right, x, t, u),
        "1 shifted left is a power of two": lemmas.is_a_power(power, t),
        "the bits below a power are among those below a larger one": lemmas.masks_nest(power, t, u),
        "what is left are the highest bits": lemmas.leaves_the_highest_bits(right, power, x, y, t),
        "nothing is left if there are no higher bits": lemmas.leaves_nothing(right, power, x, t),
        "what is no larger is below the same power": lemmas.below_a_power(right, power, x, t, u),
        "what is shifted left, and loses nothing, comes back": lemmas.comes_back(left, right, x, y, t),
        "nor is it larger than what it is no larger than": lemmas.stays_within(left, right, x, y, t),
        "what is shifted left is a multiple of a power": lemmas.is_a_multiple(left, power, x, t),
        "more bits make no difference to what loses none": lemmas.is_as_wide(left, left, right, wide, y, by),
        "more bits make no difference to what is left": lemmas.is_right_as_wide(right, right, wide, by),
    }
    for says, law in laws.items():
        run.assert_goal(says, SymbolicBool(law))


def stay_the_same(run: Run) -> None:
    """Of any functions that obey those laws: so it is of shifts."""
    x, y, t, u = unknown()
    shifted, powers = z3.Function("right", SORT, SORT, SORT), z3.Function("power", SORT, SORT)
    run.suppose(*(SymbolicBool(lemmas.once_more(shifted, each, t, t + 1)) for each in (x, y)))
    high = (lemmas.leaves_the_highest_bits(shifted, powers, x, y, by) for by in (t + 1, u))
    run.suppose(*map(SymbolicBool, high), SymbolicBool(lemmas.masks_nest(powers, t + 1, u)))
    run.assert_goal("they are the same from a higher bit on", SymbolicBool(lemmas.same_from_here(shifted, x, y, t, u)))


def obligations(proved: Claims) -> tuple[Obligation, ...]:
    """The proofs of all laws, for the component that makes these claims."""
    obey = "shifts obey the laws that are taken as known of unknown functions instead"
    same = "numbers that are the same from some bit on are so from each higher bit on"
    return (
        proved(f"{lemmas.SHOW}.obey-laws", "theorem", obey)(obey_laws),
        proved(f"{lemmas.SHOW}.stay-the-same", "theorem", same)(stay_the_same),
    )
