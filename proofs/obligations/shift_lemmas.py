"""Asks the solver with shifts by unknown numbers as unknown functions, of which some laws of arithmetic are known.

The solver spells such a shift out bit by bit, and finds each of these laws again in every proof. Whatever cannot be of
unknown functions cannot be of shifts either, for they obey these laws (`proofs/components/buddy/shifts.py` shows it).
What can be of unknown functions says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import TypeAlias

import z3

from memoracle.proofs.symbolic.numbers import WIDTH

Vector: TypeAlias = z3.BitVecRef
Right: TypeAlias = Callable[[Vector, Vector], Vector]  # a number shifted right, which keeps its sign
Power: TypeAlias = Callable[[Vector], Vector]  # 1 shifted left
SHOWN_BY = "buddy.shifts.obey-laws"  # the claim that they do: of which shifts must be what they are
SHOWN_WITH = SHOWN_BY.partition(".")[0]  # the component whose proofs may use the laws: both are proved together
LARGEST = WIDTH - 2  # the exponent of the largest power of two that is no negative vector


def may_be_used(obligation: str) -> bool:
    """Whether a proof may take the laws as given: not the one that shows them, nor one that is proved without it."""
    return obligation.partition(".")[0] == SHOWN_WITH and obligation != SHOWN_BY


# The laws, of any numbers x and y, and of any shifts by t and u


def stays_below(right: Right, x: Vector, t: Vector) -> z3.BoolRef:
    return z3.Implies(x >= 0, z3.And(right(x, t) >= 0, right(x, t) <= x))


def keeps_order(right: Right, x: Vector, y: Vector, t: Vector) -> z3.BoolRef:
    return z3.Implies(x <= y, right(x, t) <= right(y, t))


def once_more(right: Right, x: Vector, t: Vector, u: Vector) -> z3.BoolRef:
    return z3.Implies(z3.And(t >= 0, u == t + 1), right(x, u) == right(x, t) >> 1)


def same_from_here(right: Right, x: Vector, y: Vector, t: Vector, u: Vector) -> z3.BoolRef:
    """What is the same but for its lowest bit is the same if it is shifted further."""
    further = z3.And(t >= 0, t < u, u <= LARGEST, right(x, t) >> 1 == right(y, t) >> 1)
    return z3.Implies(further, right(x, u) == right(y, u))


def is_a_power(power: Power, t: Vector) -> z3.BoolRef:
    return z3.Implies(z3.And(t >= 0, t <= LARGEST), z3.And(power(t) > 0, power(t) & power(t) - 1 == 0))


def masks_nest(power: Power, t: Vector, u: Vector) -> z3.BoolRef:
    return z3.Implies(z3.And(t >= 0, t <= u, u <= LARGEST), power(t) - 1 & power(u) - 1 == power(t) - 1)


def leaves_the_highest_bits(right: Right, power: Power, x: Vector, y: Vector, t: Vector) -> z3.BoolRef:
    same = (x & -power(t)) == (y & -power(t))
    return z3.Implies(z3.And(t >= 0, t <= LARGEST), (right(x, t) == right(y, t)) == same)


def leaves_nothing(right: Right, power: Power, x: Vector, t: Vector) -> z3.BoolRef:
    return z3.Implies(z3.And(t >= 0, t <= LARGEST), (right(x, t) == 0) == (x & -power(t) == 0))


def abstracted(assertions: Sequence[z3.BoolRef]) -> list[z3.BoolRef]:
    """The same assertions with unknown functions in the place of such shifts, and what is known of these."""
    known, pairs = _Shifts(), list[tuple[z3.ExprRef, z3.ExprRef]]()
    for term in _shifts(assertions):
        whole, by = (z3.substitute(part, *pairs) for part in term.children())
        pairs.append((term, known.note(term.decl().kind(), whole, by)))
    return [*(z3.substitute(each, *pairs) for each in assertions), *known.laws()]


def _shifts(assertions: Sequence[z3.BoolRef]) -> Iterator[z3.ExprRef]:
    """The shifts by unknown numbers, those within others before these."""
    seen: set[int] = set()
    todo: list[tuple[z3.ExprRef, bool]] = [(each, False) for each in reversed(assertions)]
    while todo:
        term, parts_are_done = todo.pop()
        if parts_are_done:
            yield term
        elif term.get_id() not in seen:
            seen.add(term.get_id())
            parts = term.children()
            if z3.is_app(term) and term.decl().kind() in (z3.Z3_OP_BASHR, z3.Z3_OP_BSHL):
                todo += [(term, True)] if not z3.is_bv_value(parts[1]) else []
            todo += [(part, False) for part in reversed(parts)]


class _Shifts:
    """The shifts of numbers of the usual width; what is known of them is said of each pair that is shifted alike."""

    def __init__(self) -> None:
        self.shifted: dict[int, tuple[Vector, dict[int, Vector]]] = {}  # by what it is shifted by: that, and all of it
        self.powers: dict[int, Vector] = {}  # the exponents

    def note(self, kind: int, whole: Vector, by: Vector) -> Vector:
        """What stands for a shift."""
        usual, sort = whole.size() == WIDTH, whole.sort()
        if kind == z3.Z3_OP_BASHR:
            if usual:
                self.shifted.setdefault(by.get_id(), (by, {}))[1][whole.get_id()] = whole
            return z3.Function(f"right{sort.size()}@", sort, sort, sort)(whole, by)
        if usual and z3.is_bv_value(whole) and whole.as_long() == 1:
            self.powers[by.get_id()] = by
            return z3.Function("power@", sort, sort)(by)
        return z3.Function(f"left{sort.size()}@", sort, sort, sort)(whole, by)

    def laws(self) -> Iterator[z3.BoolRef]:
        for by, wholes in self.shifted.values():
            sort = by.sort()
            right, power = z3.Function(f"right{WIDTH}@", sort, sort, sort), z3.Function("power@", sort, sort)
            for x in wholes.values():
                yield stays_below(right, x, by)
                if by.get_id() in self.powers:
                    yield leaves_nothing(right, power, x, by)
            for x, y in combinations(wholes.values(), 2):
                yield keeps_order(right, x, y, by)
                yield keeps_order(right, y, x, by)
                if by.get_id() in self.powers:
                    yield leaves_the_highest_bits(right, power, x, y, by)
        for (t, some), (u, others) in permutations(self.shifted.values(), 2):
            right = z3.Function(f"right{WIDTH}@", t.sort(), t.sort(), t.sort())
            both = [whole for place, whole in some.items() if place in others]
            yield from (once_more(right, x, t, u) for x in both)
            yield from (same_from_here(right, x, y, t, u) for x, y in combinations(both, 2))
        for t in self.powers.values():
            yield is_a_power(z3.Function("power@", t.sort(), t.sort()), t)
        for t, u in permutations(self.powers.values(), 2):
            yield masks_nest(z3.Function("power@", t.sort(), t.sort()), t, u)
