"""Asks the solver with shifts by unknown numbers as unknown functions, of which some laws of arithmetic are known.

The solver spells such a shift out bit by bit, and finds each of these laws again in every proof. Whatever cannot be of
unknown functions cannot be of shifts either, for they obey these laws (`proofs/obligations/shift_laws.py` shows it).
What can be of unknown functions says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise, permutations, product
from typing import TypeAlias

import z3

from memoracle.proofs.symbolic.numbers import WIDTH, WIDTHS

Vector: TypeAlias = z3.BitVecRef
Shift: TypeAlias = Callable[[Vector, Vector], Vector]  # a number shifted right, which keeps its sign, or left
Power: TypeAlias = Callable[[Vector], Vector]  # 1 shifted left
SHOW = "shifts"  # the claims that show that shifts obey the laws, as `buddy.shifts.obey-laws`
SHOWN_IN = frozenset({"boot", "buddy"})  # the components that have them, whose proofs may use the laws
LARGEST = WIDTH - 2  # the exponent of the largest power of two that is no negative vector


def may_be_used(obligation: str) -> bool:
    """Whether a proof may take the laws as given: not one that shows them, nor one that is proved without these."""
    component, _, name = obligation.partition(".")
    return component in SHOWN_IN and name.partition(".")[0] != SHOW


# The laws, of any numbers x and y, and of any shifts by t and u


def usual(*shifts: Vector) -> z3.BoolRef:
    """That one shifts by these: each is larger than the one before, and none leaves the sign alone."""
    steps = [one <= other for one, other in pairwise(shifts)]
    return z3.And(shifts[0] >= 0, *steps, shifts[-1] <= LARGEST)


def stays_below(right: Shift, x: Vector, t: Vector) -> z3.BoolRef:
    return z3.Implies(x >= 0, z3.And(right(x, t) >= 0, right(x, t) <= x))


def keeps_order(right: Shift, x: Vector, y: Vector, t: Vector) -> z3.BoolRef:
    return z3.Implies(z3.And(usual(t), x <= y), right(x, t) <= right(y, t))


def once_more(right: Shift, x: Vector, t: Vector, u: Vector) -> z3.BoolRef:
    return z3.Implies(z3.And(usual(t, u), u == t + 1), right(x, u) == right(x, t) >> 1)


def same_from_here(right: Shift, x: Vector, y: Vector, t: Vector, u: Vector) -> z3.BoolRef:
    """What is the same but for its lowest bit is the same if it is shifted further."""
    further = z3.And(usual(t, u), t < u, right(x, t) >> 1 == right(y, t) >> 1)
    return z3.Implies(further, right(x, u) == right(y, u))


def is_a_power(power: Power, t: Vector) -> z3.BoolRef:
    return z3.Implies(usual(t), z3.And(power(t) > 0, power(t) & power(t) - 1 == 0))


def masks_nest(power: Power, t: Vector, u: Vector) -> z3.BoolRef:
    return z3.Implies(usual(t, u), power(t) - 1 & power(u) - 1 == power(t) - 1)


def leaves_the_highest_bits(right: Shift, power: Power, x: Vector, y: Vector, t: Vector) -> z3.BoolRef:
    same = (x & -power(t)) == (y & -power(t))
    return z3.Implies(usual(t), (right(x, t) == right(y, t)) == same)


def leaves_nothing(right: Shift, power: Power, x: Vector, t: Vector) -> z3.BoolRef:
    below = x & -power(t) == 0
    return z3.Implies(usual(t), z3.And((right(x, t) == 0) == below, (right(x, t) <= 0) == (x < power(t))))


def below_a_power(right: Shift, power: Power, x: Vector, t: Vector, u: Vector) -> z3.BoolRef:
    """Of the numbers below a larger power, the last stays the last, and odd; what is no larger then is one of them."""
    last = right(power(u) - 1, t)
    odd = z3.Implies(t < u, last & 1 == 1)
    return z3.Implies(usual(t, u), z3.And(odd, z3.Implies(right(x, t) <= last, x < power(u))))


def comes_back(left: Shift, right: Shift, x: Vector, y: Vector, t: Vector) -> z3.BoolRef:
    """What is shifted left loses nothing if it is no larger than what is left of a number."""
    back = z3.And(left(x, t) >= 0, right(left(x, t), t) == x)
    return z3.Implies(z3.And(usual(t), x >= 0, x <= right(y, t)), back)


def stays_within(left: Shift, right: Shift, x: Vector, y: Vector, t: Vector) -> z3.BoolRef:
    """Nor is it larger than that number."""
    return z3.Implies(z3.And(usual(t), x >= 0, x <= right(y, t)), left(x, t) <= y)


def is_a_multiple(left: Shift, power: Power, x: Vector, t: Vector) -> z3.BoolRef:
    return z3.Implies(usual(t), left(x, t) & power(t) - 1 == 0)


def is_as_wide(left: Shift, wide: Shift, right: Shift, x: Vector, y: Vector, t: Vector) -> z3.BoolRef:
    """What is shifted left with more bits to spare, and loses nothing without, is the same."""
    fits = z3.And(fit(x, t), usual(narrow(t)), narrow(x) >= 0, narrow(x) <= right(y, narrow(t)))
    return z3.Implies(fits, wide(x, t) == widened(left(narrow(x), narrow(t))))


def is_right_as_wide(right: Shift, wide: Shift, x: Vector, t: Vector) -> z3.BoolRef:
    """What is shifted right with more bits to spare is the same."""
    return z3.Implies(fit(x, t), wide(x, t) == widened(right(narrow(x), narrow(t))))


def fit(*wide: Vector) -> z3.BoolRef:
    """That these wider vectors have numbers of the usual width."""
    return z3.And(*(each == widened(narrow(each)) for each in wide))


def narrow(wide: Vector) -> Vector:
    """The lowest bits of a wider vector, as many as usual."""
    bits: Vector = z3.simplify(z3.Extract(WIDTH - 1, 0, wide))
    return bits


def widened(vector: Vector) -> Vector:
    """With more bits, as wider vectors have them."""
    return z3.SignExt(WIDTHS[1] - WIDTH, vector)


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


Terms: TypeAlias = dict[int, Vector]  # by their numbers in the solver


class _Shifts:
    """The shifts that are asked of, and what is said of them: of each pair of numbers that are shifted alike.

    A number of more bits than usual is said to be shifted as its lowest bits are.
    """

    def __init__(self) -> None:
        self.by: Terms = {}  # what numbers of the usual width are shifted by
        self.right: dict[int, Terms] = {}  # by that, the numbers shifted right
        self.left: dict[int, Terms] = {}  # likewise, left; what comes of it is shifted right, too
        self.powers: Terms = {}  # the exponents
        self.wide: list[tuple[int, Vector, Vector]] = []  # of others, the kind, the number, and what it is shifted by

    def note(self, kind: int, whole: Vector, by: Vector) -> Vector:
        """What stands for a shift."""
        if whole.size() != WIDTH:
            if whole.size() == WIDTHS[1]:
                self.wide.append((kind, whole, by))
                self.note(kind, narrow(whole), narrow(by))
            return _function(kind, by)(whole, by)
        if kind == z3.Z3_OP_BSHL and z3.is_bv_value(whole) and whole.as_long() == 1:
            self.powers[by.get_id()] = by
            return _power(by)(by)
        self.by[by.get_id()] = by
        shifted = _function(kind, by)(whole, by)
        if kind == z3.Z3_OP_BSHL:
            self.left.setdefault(by.get_id(), {})[whole.get_id()] = whole
            whole = shifted
        self.right.setdefault(by.get_id(), {})[whole.get_id()] = whole
        return shifted

    def laws(self) -> Iterator[z3.BoolRef]:
        for place, by in self.by.items():
            yield from self._of_right(by, list(self.right[place].values()), place in self.powers)
            yield from self._of_left(by, list(self.right[place].values()), place in self.powers)
        for t, u in permutations(self.by.values(), 2):
            yield from self._of_two(t, u)
        for t, u in product(self.by.values(), self.powers.values()):
            yield from self._of_powers(t, u)
        for t in self.powers.values():
            yield is_a_power(_power(t), t)
        for t, u in permutations(self.powers.values(), 2):
            yield masks_nest(_power(t), t, u)
        for kind, x, t in self.wide:
            yield from self._of_wide(kind, x, t)

    def _of_right(self, by: Vector, wholes: list[Vector], is_exponent: bool) -> Iterator[z3.BoolRef]:
        right, power = _function(z3.Z3_OP_BASHR, by), _power(by)
        for x in wholes:
            yield stays_below(right, x, by)
            if is_exponent:
                yield leaves_nothing(right, power, x, by)
        for x, y in combinations(wholes, 2):
            yield keeps_order(right, x, y, by)
            yield keeps_order(right, y, x, by)
            if is_exponent:
                yield leaves_the_highest_bits(right, power, x, y, by)

    def _of_left(self, by: Vector, wholes: list[Vector], is_exponent: bool) -> Iterator[z3.BoolRef]:
        left, right, power = _function(z3.Z3_OP_BSHL, by), _function(z3.Z3_OP_BASHR, by), _power(by)
        for x in self.left.get(by.get_id(), {}).values():
            yield from (law(left, right, x, y, by) for y in wholes for law in (comes_back, stays_within))
            if is_exponent:
                yield is_a_multiple(left, power, x, by)

    def _of_two(self, t: Vector, u: Vector) -> Iterator[z3.BoolRef]:
        right = _function(z3.Z3_OP_BASHR, t)
        some, others = self.right[t.get_id()], self.right[u.get_id()]
        both = [whole for place, whole in some.items() if place in others]
        yield from (once_more(right, x, t, u) for x in both)
        yield from (same_from_here(right, x, y, t, u) for x, y in combinations(both, 2))

    def _of_powers(self, t: Vector, u: Vector) -> Iterator[z3.BoolRef]:
        right, power, wholes = _function(z3.Z3_OP_BASHR, t), _power(t), self.right[t.get_id()].values()
        last = z3.simplify(power(u) - 1)
        if any(z3.simplify(whole).eq(last) for whole in wholes):
            yield from (below_a_power(right, power, x, t, u) for x in wholes)

    def _of_wide(self, kind: int, x: Vector, t: Vector) -> Iterator[z3.BoolRef]:
        wide, right = _function(kind, t), _function(z3.Z3_OP_BASHR, narrow(t))
        if kind == z3.Z3_OP_BASHR:
            yield is_right_as_wide(right, wide, x, t)
        else:
            left = _function(kind, narrow(t))
            wholes = self.right.get(narrow(t).get_id(), {}).values()
            yield from (is_as_wide(left, wide, right, x, y, t) for y in wholes)


NAMES = {z3.Z3_OP_BASHR: "right", z3.Z3_OP_BSHL: "left"}


def _function(kind: int, by: Vector) -> Shift:
    """The unknown function that stands for a shift by a vector of this sort."""
    sort = by.sort()
    unknown: Shift = z3.Function(f"{NAMES[kind]}{by.size()}@", sort, sort, sort)
    return unknown


def _power(by: Vector) -> Power:
    unknown: Power = z3.Function("power@", by.sort(), by.sort())
    return unknown
