"""Numbers and truths as a solver's terms, exact as Python's.

A number carries the interval that it is known to lie in, and is a signed bit vector wide enough for it: an operation
whose result might need more bits gets a wider vector. So nothing ever wraps, and what is proved of terms holds of
Python's ints. Where a proof only counts and compares, numbers are the solver's integers instead: it adds them faster.
Integers have no bits, so of a shift by an unknown number, and of most of what is done bit by bit, it is only known that
it is a function: what a proof needs of it, it must take as given, and that must be proved with bit vectors.
The term of a number says which kind it is; for a number without a term, the proof's context says it (`context.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, ClassVar, NamedTuple

import z3

from memoracle.proofs.symbolic import z3_terms
from memoracle.proofs.symbolic.context import counts_with_integers, runner
from memoracle.spec.clauses import Formula, Number, Term, Truth

WIDTHS = (72, 144)
WIDTH = WIDTHS[0]  # of the keys and values that containers hold: 64-bit numbers
INTEGERS, VECTORS = z3.IntSort(), z3.BitVecSort(WIDTH)


class SymbolicBool(Formula):
    """A truth; code that branches on it is run both ways."""

    __slots__ = ("z",)

    def __init__(self, z: z3.BoolRef) -> None:
        self.z = z

    def __and__(self, other: Truth) -> Truth:
        if isinstance(other, bool):
            return self if other else False
        return SymbolicBool(z3_terms.all_of((self.z, symbolic(other).z)))

    def __or__(self, other: Truth) -> Truth:
        if isinstance(other, bool):
            return True if other else self
        return SymbolicBool(z3_terms.any_of((self.z, symbolic(other).z)))

    __rand__ = __and__
    __ror__ = __or__

    def __eq__(self, other: object) -> Any:
        return SymbolicBool(z3_terms.compared("==", self.z, truth(other)))

    def __ne__(self, other: object) -> Any:
        return SymbolicBool(z3_terms.compared("!=", self.z, truth(other)))

    def __hash__(self) -> int:
        raise TypeError("a term is no key of a real container, for what it equals is not known")

    def __bool__(self) -> bool:
        by = runner()
        if by is None:
            raise TypeError("a clause branches on a truth; it must be written with neg, implies and when")
        return by.decide(self.z)

    def __rmul__(self, other: int) -> Symbolic:
        return number(self.choose(other, 0))  # as Python counts truths

    def negated(self) -> SymbolicBool:
        return SymbolicBool(z3_terms.negation(self.z))

    def choose(self, yes: Any, no: Any) -> Any:
        if isinstance(yes, bool | SymbolicBool) and isinstance(no, bool | SymbolicBool):
            return SymbolicBool(z3_terms.chosen_truth(self.z, truth(yes), truth(no)))
        yes, no = (no.like(yes), no) if isinstance(no, Symbolic) else (number(yes), number(yes).like(no))
        low, high = min(yes.low, no.low), max(yes.high, no.high)
        return Symbolic(z3_terms.chosen_number(self.z, *alike(yes, no)), low, high)


class Symbolic(Term):
    """A whole number between two known bounds."""

    __slots__ = ("high", "low", "shifted", "z")
    repeat: ClassVar[Callable[[Any, Any], Any]]  # a sequence, so many times; set by what stands in for sequences

    def __init__(self, z: z3.BitVecRef, low: int, high: int) -> None:
        self.z, self.low, self.high = z, low, high
        self.shifted: ShiftedRight | None = None  # of what it is what is left

    @property
    def is_constant(self) -> bool:
        return self.low == self.high

    @property
    def is_integer(self) -> bool:
        """Whether it is one of the solver's integers, and no bit vector."""
        return z3_terms.is_integer(self.z)

    def like(self, value: Number) -> Symbolic:
        """A term of the same kind for a number of either kind."""
        return value if isinstance(value, Symbolic) else _constant(checked(value), self.is_integer)

    def _with(
        self, other: Number, low: int, high: int, apply: Callable[[z3.ExprRef, z3.ExprRef], z3.ExprRef]
    ) -> Symbolic:
        other = self.like(other)
        if self.is_integer:
            return Symbolic(apply(self.z, other.z), low, high)
        width = width_for(min(low, self.low, other.low), max(high, self.high, other.high))
        return Symbolic(apply(*alike(self, other, width)), low, high)

    def __add__(self, other: Number) -> Symbolic:
        other = self.like(other)
        return self._with(other, self.low + other.low, self.high + other.high, partial(z3_terms.sum_of, "+"))

    def __sub__(self, other: Number) -> Symbolic:
        other = self.like(other)
        return self._with(other, self.low - other.high, self.high - other.low, partial(z3_terms.sum_of, "-"))

    def __neg__(self) -> Symbolic:
        return self.like(0) - self

    def __rsub__(self, other: Number) -> Symbolic:
        return self.like(other) - self

    __radd__ = __add__

    def __mul__(self, other: int) -> Symbolic:
        return self << power(other)

    def __rmul__(self, other: Any) -> Any:
        return self * other if isinstance(other, int) else type(self).repeat(self, other)

    def __floordiv__(self, other: int) -> Symbolic:
        return self >> power(other)

    def __mod__(self, other: int) -> Symbolic:
        return self & (1 << power(other)) - 1

    def __lshift__(self, other: Number) -> Symbolic:
        by = shift(self.like(other))
        if self.is_integer and by.is_constant:
            return self._with(by, self.low << by.low, self.high << by.high, lambda a, _: a * (1 << by.low))
        if by.high > 128:
            raise OverflowError("a left shift without a bound")
        if self.shifted and self.shifted.by.z.eq(by.z):
            return self.shifted.without_lowest_bits()
        wide = self._shifted_left(by)
        code = runner()
        if self.is_integer or code is None or z3_terms.width_of(wide.z) == WIDTH:
            return wide
        code.assert_and_assume("a shifted number has 64 bits", (wide >= 0) & (wide < 1 << 64))
        # Of these the lowest bits are all, and those come of the lowest bits. No more than 64 are taken, so that the
        # number lies between its bounds also where the claim is wrong: a clause may be instantiated at it.
        most = (1 << 64) - 1
        lowest = z3_terms.bitwise("<<", key(self), key(by))
        return Symbolic(z3_terms.bitwise("&", lowest, z3_terms.numeral(most, WIDTH)), 0, most)

    def _shifted_left(self, by: Symbolic) -> Symbolic:
        """With all of its bits. What a negative shift gives does not matter: Python refuses it, and so does `shift`."""
        most = max(by.high, 0)
        return self._with(by, min(self.low << most, 0), max(self.high << most, 0), partial(z3_terms.bitwise, "<<"))

    def __rlshift__(self, other: Number) -> Symbolic:
        return self.like(other) << self

    def __rshift__(self, other: Number) -> Symbolic:
        other = shift(self.like(other))
        if self.is_integer and other.is_constant:
            return self._with(other, min(self.low, 0), max(self.high, 0), lambda a, _: a / (1 << other.low))
        result = self._with(other, min(self.low, 0), max(self.high, 0), partial(z3_terms.bitwise, ">>"))
        if self.low >= 0 and other.low >= 0 and other.high < WIDTH and not self.is_integer:
            result.shifted = ShiftedRight(self, other)
        return result

    def __rrshift__(self, other: Number) -> Symbolic:
        return self.like(other) >> self

    def _bitwise(self, other: Number, sign: str) -> Symbolic:
        other = self.like(other)
        bits = max(abs(bound).bit_length() for bound in (self.low, self.high, other.low, other.high))
        negative = min(self.low, other.low) < 0
        return self._with(other, -(1 << bits) if negative else 0, (1 << bits) - 1, partial(z3_terms.bitwise, sign))

    def __and__(self, other: Number) -> Symbolic:
        other = self.like(other)
        if self.is_integer and other.is_constant and other.low >= 0 and other.low & other.low + 1 == 0:
            return Symbolic(self.z % (other.low + 1), 0, other.low)
        both = self._bitwise(other, "&")
        tops = [term.high for term in (self, other) if term.low >= 0]
        return Symbolic(both.z, 0, min(tops)) if tops else both

    def __or__(self, other: Number) -> Symbolic:
        return self._bitwise(other, "|")

    def __xor__(self, other: Number) -> Symbolic:
        return self._bitwise(other, "^")

    __rand__ = __and__
    __ror__ = __or__
    __rxor__ = __xor__

    def __invert__(self) -> Symbolic:
        return self ^ -1

    def _compare(self, other: object, sign: str) -> Any:
        if not isinstance(other, int | Symbolic):
            return NotImplemented
        return SymbolicBool(z3_terms.compared(sign, *alike(self, self.like(other))))

    def _ordered(self, other: Number, sign: str) -> SymbolicBool:
        return SymbolicBool(z3_terms.compared(sign, *alike(self, self.like(other))))

    def __lt__(self, other: Number) -> Truth:
        return self._ordered(other, "<")

    def __le__(self, other: Number) -> Truth:
        return self._ordered(other, "<=")

    def __gt__(self, other: Number) -> Truth:
        return self._ordered(other, ">")

    def __ge__(self, other: Number) -> Truth:
        return self._ordered(other, ">=")

    def __eq__(self, other: object) -> Any:
        return self._compare(other, "==")

    def __ne__(self, other: object) -> Any:
        return self._compare(other, "!=")

    def __hash__(self) -> int:
        raise TypeError("a term is no key of a real container, for what it equals is not known")

    def __bool__(self) -> bool:
        return bool(self != 0)

    def bit_length(self) -> Symbolic:
        """As int's: of a negative number, that of its opposite."""
        rest, length, none = self, self.like(0), self.like(0)
        if self.low < 0:
            rest = self._ordered(0, "<").choose(-self, self)
        most = max(abs(self.low), abs(self.high)).bit_length()
        for step in (128, 64, 32, 16, 8, 4, 2, 1) if most > 128 else (64, 32, 16, 8, 4, 2, 1):
            above = rest >> step
            length = length + (above != 0).choose(step, none)
            rest = (above != 0).choose(above, rest)
        length = length + (rest != 0).choose(1, none)
        return Symbolic(length.z, 0, most)


class ShiftedRight(NamedTuple):
    """A number, not negative, and by how much it was shifted right."""

    whole: Symbolic
    by: Symbolic

    def without_lowest_bits(self) -> Symbolic:
        """Shifted left again by as much: it lost its lowest bits, and needs no more bits than it had."""
        whole = self.whole
        cleared = whole ^ (whole & (1 << self.by) - 1)
        return Symbolic(cleared.z, 0, whole.high)


def width_for(low: int, high: int) -> int:
    for width in WIDTHS:
        if -(1 << width - 1) <= low and high < 1 << width - 1:
            return width
    raise OverflowError(f"a number between {low} and {high} needs more bits than any solver's term has here")


def number(value: Number) -> Symbolic:
    """A term for a number of either kind."""
    return value if isinstance(value, Symbolic) else _constant(checked(value), counts_with_integers())


def checked(value: object) -> int:
    """One of Python's numbers, which its truths are not; raises TypeError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return value


@lru_cache(maxsize=1024)
def _constant(value: int, integers: bool) -> Symbolic:
    return Symbolic(z3_terms.numeral(value, None if integers else width_for(value, value)), value, value)


def alike(one: Symbolic, other: Symbolic, width: int = WIDTH) -> tuple[z3.ExprRef, z3.ExprRef]:
    """The solver's terms for two numbers, of one sort: of this width at least."""
    if one.is_integer:
        return one.z, other.z
    return z3_terms.widened(one.z, other.z, width)


def sort() -> z3.SortRef:
    """The solver's sort of the keys and values that containers hold."""
    return INTEGERS if counts_with_integers() else VECTORS


def key(term: Symbolic) -> z3.ExprRef:
    """The solver's term for a number as a container's key: its lowest bits, if it is wider."""
    return term.z if term.is_integer or z3_terms.width_of(term.z) == WIDTH else z3_terms.lowest_bits(term.z, WIDTH)


def is_key(term: Symbolic) -> bool:
    """Whether a number is the same as its key, whatever it is."""
    return term.is_integer or (-(1 << WIDTH - 1) <= term.low and term.high < 1 << WIDTH - 1)


def symbolic(value: Formula) -> SymbolicBool:
    """The only formulas that a proof is built of."""
    if not isinstance(value, SymbolicBool):
        raise TypeError(f"{value!r} is no truth of a solver's terms")
    return value


def truth(value: object) -> z3.BoolRef:
    """The solver's term for a truth of either kind; raises TypeError for a number, though it may be equal to one."""
    if isinstance(value, bool):
        return z3_terms.TRUE if value else z3_terms.FALSE
    if not isinstance(value, SymbolicBool):
        raise TypeError(f"{value!r} is no truth")
    return value.z


def shift(by: Symbolic) -> Symbolic:
    """By how many bits code shifts; the proof must show that it is not negative, since Python refuses that."""
    code = runner()
    if by.low < 0 and code is not None:
        code.assert_and_assume("no number is shifted by a negative one", by >= 0)
    return by


def power(value: object) -> int:
    """The exponent of a constant power of two: code multiplies and divides by nothing else."""
    if not isinstance(value, int) or value <= 0 or value & value - 1:
        raise TypeError(f"{value!r} is no constant power of two")
    return value.bit_length() - 1


def constant(name: str, low: int, high: int) -> Symbolic:
    """An unknown number; that it lies between its bounds is for the caller to assume (see `within`)."""
    if not counts_with_integers() and width_for(low, high) != WIDTH:
        raise OverflowError(f"an unknown number between {low} and {high} has more bits than a container's key")
    return Symbolic(z3_terms.unknown(name, sort()), low, high)


def within(term: Symbolic, low: int, high: int) -> z3.BoolRef:
    """That a number lies between two bounds."""
    return z3_terms.all_of((truth(term >= low), truth(term <= high)))
