"""The solver's terms, built straight from its C functions.

A proof builds hundreds of thousands of terms, of sorts that are known and all in one context. What z3's own operators
check and convert at each of them would take most of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import z3
from z3 import z3core

CONTEXT = z3.main_ctx()
REF = CONTEXT.ref()
PAIR = z3.Ast * 2


Function = Callable[..., z3.Ast]  # one of the solver's own, in C


def _of_integers(integer: Function, vector: Function) -> tuple[Function, Function]:
    """A function of two terms, for integers and for bit vectors; integers' sums take any number of terms."""
    return (lambda a, b: integer(REF, 2, PAIR(a, b))), (lambda a, b: vector(REF, a, b))


def _alike(function: Function) -> Function:
    return lambda a, b: function(REF, a, b)


SUMS = {
    "+": _of_integers(z3core.Z3_mk_add, z3core.Z3_mk_bvadd),
    "-": _of_integers(z3core.Z3_mk_sub, z3core.Z3_mk_bvsub),
}
COMPARISONS = {
    "<": (_alike(z3core.Z3_mk_lt), _alike(z3core.Z3_mk_bvslt)),
    "<=": (_alike(z3core.Z3_mk_le), _alike(z3core.Z3_mk_bvsle)),
    ">": (_alike(z3core.Z3_mk_gt), _alike(z3core.Z3_mk_bvsgt)),
    ">=": (_alike(z3core.Z3_mk_ge), _alike(z3core.Z3_mk_bvsge)),
    "==": (_alike(z3core.Z3_mk_eq),) * 2,
    "!=": (lambda a, b: z3core.Z3_mk_distinct(REF, 2, PAIR(a, b)),) * 2,
}
ONE_KIND = {
    "&": _alike(z3core.Z3_mk_bvand),
    "|": _alike(z3core.Z3_mk_bvor),
    "^": _alike(z3core.Z3_mk_bvxor),
    "<<": _alike(z3core.Z3_mk_bvshl),
    ">>": _alike(z3core.Z3_mk_bvashr),
}

UNKNOWN = {"&": "and", "|": "or", "^": "xor", "<<": "shifted_left", ">>": "shifted_right"}


def identity(term: z3.ExprRef) -> int:
    """The solver's id of a term; it may be reused once the term is no longer kept."""
    return int(z3core.Z3_get_ast_id(REF, term.ast))


def is_integer(term: z3.ExprRef) -> bool:
    return isinstance(term, z3.ArithRef)


def width_of(vector: z3.BitVecRef) -> int:
    return int(z3core.Z3_get_bv_sort_size(REF, z3core.Z3_get_sort(REF, vector.ast)))


def _number(ast: z3.Ast, integer: bool) -> z3.ExprRef:
    return z3.ArithRef(ast, CONTEXT) if integer else z3.BitVecRef(ast, CONTEXT)


def sum_of(sign: str, one: z3.ExprRef, other: z3.ExprRef) -> z3.ExprRef:
    """The sum or the difference (`+`, `-`) of two integers, or of two vectors of one width."""
    integer = is_integer(one)
    return _number(SUMS[sign][not integer](one.ast, other.ast), integer)


def bitwise(sign: str, one: z3.ExprRef, other: z3.ExprRef) -> z3.ExprRef:
    """`&`, `|`, `^`, `<<` or `>>`, which keeps the sign, of two vectors of one width; of integers unknown functions."""
    if is_integer(one):
        return applied(z3.Function(f"{UNKNOWN[sign]}@", *[z3.IntSort()] * 3), (one, other), truth=False)
    return z3.BitVecRef(ONE_KIND[sign](one.ast, other.ast), CONTEXT)


def compared(sign: str, one: z3.ExprRef, other: z3.ExprRef) -> z3.BoolRef:
    """How two integers, or two signed vectors of one width, compare; `==` and `!=` also of two truths."""
    return z3.BoolRef(COMPARISONS[sign][not is_integer(one)](one.ast, other.ast), CONTEXT)


def widened(one: z3.BitVecRef, other: z3.BitVecRef, least: int) -> tuple[z3.BitVecRef, z3.BitVecRef]:
    """Two signed vectors, with as many bits as the wider has, and so many at least."""
    widths = width_of(one), width_of(other)
    width = max(least, *widths)
    return _extended(one, width - widths[0]), _extended(other, width - widths[1])


def _extended(vector: z3.BitVecRef, by: int) -> z3.BitVecRef:
    return z3.BitVecRef(z3core.Z3_mk_sign_ext(REF, by, vector.ast), CONTEXT) if by else vector


def numeral(value: int, width: int | None) -> z3.ExprRef:
    """A constant: an integer, or a vector of so many bits."""
    return z3.IntVal(value) if width is None else z3.BitVecVal(value, width)


def applied(function: z3.FuncDeclRef, arguments: Sequence[z3.ExprRef], truth: bool) -> z3.ExprRef:
    """An unknown function's value at arguments of its sorts: a truth or a number."""
    array = (z3.Ast * len(arguments))(*[argument.ast for argument in arguments])
    ast = z3core.Z3_mk_app(REF, function.ast, len(arguments), array)
    return z3.BoolRef(ast, CONTEXT) if truth else _number(ast, is_integer(arguments[0]))


def all_of(truths: Sequence[z3.BoolRef]) -> z3.BoolRef:
    """The conjunction; SMT-LIB has none of a single truth."""
    return truths[0] if len(truths) == 1 else _junction(z3core.Z3_mk_and, truths)


def any_of(truths: Sequence[z3.BoolRef]) -> z3.BoolRef:
    """The disjunction; SMT-LIB has none of a single truth."""
    return truths[0] if len(truths) == 1 else _junction(z3core.Z3_mk_or, truths)


def _junction(function: Function, truths: Sequence[z3.BoolRef]) -> z3.BoolRef:
    array = (z3.Ast * len(truths))(*[truth.ast for truth in truths])
    return z3.BoolRef(function(REF, len(truths), array), CONTEXT)


def negation(truth: z3.BoolRef) -> z3.BoolRef:
    return z3.BoolRef(z3core.Z3_mk_not(REF, truth.ast), CONTEXT)


def implication(given: z3.BoolRef, then: z3.BoolRef) -> z3.BoolRef:
    return z3.BoolRef(z3core.Z3_mk_implies(REF, given.ast, then.ast), CONTEXT)


def chosen_truth(condition: z3.BoolRef, yes: z3.BoolRef, no: z3.BoolRef) -> z3.BoolRef:
    return z3.BoolRef(z3core.Z3_mk_ite(REF, condition.ast, yes.ast, no.ast), CONTEXT)


def chosen_number(condition: z3.BoolRef, yes: z3.ExprRef, no: z3.ExprRef) -> z3.ExprRef:
    """One of two integers, or of two vectors of one width."""
    return _number(z3core.Z3_mk_ite(REF, condition.ast, yes.ast, no.ast), is_integer(yes))
