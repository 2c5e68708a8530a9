"""The solver's terms, built straight from its C functions.

A proof builds hundreds of thousands of terms, of sorts that are known and all in one context. What z3's own operators
check and convert at each of them would take most of the time, and so would its module of C functions: these are
declared here for what is passed to them. After each the solver is asked whether it refused to build the term.
"""

from __future__ import annotations

import atexit
import ctypes
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import z3
from z3 import z3core

CONTEXT = z3.main_ctx()
REF = CONTEXT.ref()
PAIR = z3.Ast * 2
POINTER, COUNT = ctypes.c_void_p, ctypes.c_uint


Function = Callable[..., z3.Ast]  # one of the solver's own, in C


def declared(name: str, gives: type[Any] | None, *takes: type[Any]) -> Callable[..., Any]:
    """One of the solver's C functions, which takes a context and these."""
    (called,) = getattr(z3core, f"Z3_{name}").__defaults__
    address = ctypes.cast(called.f, ctypes.c_void_p).value
    assert address is not None
    return ctypes.PYFUNCTYPE(gives, POINTER, *takes)(address)


def _building(name: str, *takes: type[Any]) -> Function:
    return declared(f"mk_{name}", z3.Ast, *takes)


_error_code = declared("get_error_code", COUNT)
_keep = declared("inc_ref", None, POINTER)
_let_go = declared("dec_ref", None, POINTER)
_id = declared("get_ast_id", COUNT, POINTER)
_simplify = declared("simplify", z3.Ast, POINTER)
_assert = declared("solver_assert", None, POINTER, POINTER)
_check = declared("solver_check_assumptions", ctypes.c_int, POINTER, COUNT, POINTER)
_eval = declared("model_eval", ctypes.c_bool, POINTER, POINTER, ctypes.c_bool, POINTER)
_text = declared("benchmark_to_smtlib_string", ctypes.c_char_p, *[ctypes.c_char_p] * 4, COUNT, POINTER, POINTER)
_app, _not, _implies = (
    _building("app", POINTER, COUNT, POINTER),
    _building("not", POINTER),
    _building("implies", *[POINTER] * 2),
)
_and, _or = _building("and", COUNT, POINTER), _building("or", COUNT, POINTER)
_extract = _building("extract", COUNT, COUNT, POINTER)
_ite, _sign_ext = _building("ite", *[POINTER] * 3), _building("sign_ext", COUNT, POINTER)


def accepted() -> None:
    """Raises an error if the solver refused what it was last asked to do."""
    code = _error_code(REF)
    if code:
        raise z3.Z3Exception(z3core.Z3_get_error_msg(REF, code))


# Empty once the program ends: from then on the solver may be gone before the terms are.
LIVE = [True]
atexit.register(LIVE.clear)


class Built:
    """A term that was just built, kept for as long as it is used."""

    ast: z3.Ast

    def __init__(self, ast: z3.Ast) -> None:
        accepted()
        _keep(REF, ast)
        self.ast, self.ctx = ast, CONTEXT

    def __del__(self, live: Sequence[bool] = LIVE, let_go: Callable[..., Any] = _let_go) -> None:
        if live and "ast" in vars(self):
            let_go(REF, self.ast)


class Truth(Built, z3.BoolRef):  # type: ignore[misc]  # z3 declares no types
    pass


class Integer(Built, z3.ArithRef):  # type: ignore[misc]  # z3 declares no types
    pass


class Vector(Built, z3.BitVecRef):  # type: ignore[misc]  # z3 declares no types
    """width: how many bits it has."""

    def __init__(self, ast: z3.Ast, width: int) -> None:
        super().__init__(ast)
        self.width = width


def _of_integers(integer: str, vector: str) -> tuple[Function, Function]:
    """A function of two terms, for integers and for bit vectors; integers' sums take any number of terms."""
    several = _building(integer, COUNT, POINTER)
    return (lambda a, b: several(REF, 2, PAIR(a, b))), _of_two(vector)


def _of_two(name: str) -> Function:
    function = _building(name, POINTER, POINTER)
    return lambda a, b: function(REF, a, b)


_distinct = _building("distinct", COUNT, POINTER)
SUMS = {"+": _of_integers("add", "bvadd"), "-": _of_integers("sub", "bvsub")}
COMPARISONS = {
    "<": (_of_two("lt"), _of_two("bvslt")),
    "<=": (_of_two("le"), _of_two("bvsle")),
    ">": (_of_two("gt"), _of_two("bvsgt")),
    ">=": (_of_two("ge"), _of_two("bvsge")),
    "==": (_of_two("eq"),) * 2,
    "!=": (lambda a, b: _distinct(REF, 2, PAIR(a, b)),) * 2,
}
ONE_KIND = {
    sign: _of_two(name)
    for sign, name in (("&", "bvand"), ("|", "bvor"), ("^", "bvxor"), ("<<", "bvshl"), (">>", "bvashr"))
}

UNKNOWN = {"&": "and", "|": "or", "^": "xor", "<<": "shifted_left", ">>": "shifted_right"}


TRUE, FALSE = (Truth(z3.BoolVal(value).ast) for value in (True, False))


def identity(term: z3.AstRef) -> int:
    """The solver's id of a term; it may be reused once the term is no longer kept."""
    return int(_id(REF, term.ast))


def is_integer(term: z3.ExprRef) -> bool:
    return isinstance(term, z3.ArithRef)


def width_of(vector: z3.BitVecRef) -> int:
    return vector.width if isinstance(vector, Vector) else int(vector.size())


def simplified(term: z3.ExprRef) -> z3.ExprRef:
    """What the solver makes of a term."""
    ast = _simplify(REF, term.ast)
    if isinstance(term, z3.BoolRef):
        return Truth(ast)
    return _number(ast, None if is_integer(term) else width_of(term))


def _number(ast: z3.Ast, width: int | None) -> z3.ExprRef:
    return Integer(ast) if width is None else Vector(ast, width)


def sum_of(sign: str, one: z3.ExprRef, other: z3.ExprRef) -> z3.ExprRef:
    """The sum or the difference (`+`, `-`) of two integers, or of two vectors of one width."""
    if is_integer(one):
        return Integer(SUMS[sign][0](one.ast, other.ast))
    return Vector(SUMS[sign][1](one.ast, other.ast), width_of(one))


def bitwise(sign: str, one: z3.ExprRef, other: z3.ExprRef) -> z3.ExprRef:
    """`&`, `|`, `^`, `<<` or `>>`, which keeps the sign, of two vectors of one width; of integers unknown functions."""
    if is_integer(one):
        return applied(z3.Function(f"{UNKNOWN[sign]}@", *[z3.IntSort()] * 3), (one, other), truth=False)
    return Vector(ONE_KIND[sign](one.ast, other.ast), width_of(one))


def compared(sign: str, one: z3.ExprRef, other: z3.ExprRef) -> z3.BoolRef:
    """How two integers, or two signed vectors of one width, compare; `==` and `!=` also of two truths."""
    return Truth(COMPARISONS[sign][not is_integer(one)](one.ast, other.ast))


def widened(one: z3.BitVecRef, other: z3.BitVecRef, least: int) -> tuple[z3.BitVecRef, z3.BitVecRef]:
    """Two signed vectors, with as many bits as the wider has, and so many at least."""
    widths = width_of(one), width_of(other)
    width = max(least, *widths)
    return _extended(one, width - widths[0], width), _extended(other, width - widths[1], width)


def _extended(vector: z3.BitVecRef, by: int, width: int) -> z3.BitVecRef:
    return Vector(_sign_ext(REF, by, vector.ast), width) if by else vector


def numeral(value: int, width: int | None) -> z3.ExprRef:
    """A constant: an integer, or a vector of so many bits."""
    return _number((z3.IntVal(value) if width is None else z3.BitVecVal(value, width)).ast, width)


def unknown(name: str, sort: z3.SortRef) -> z3.ExprRef:
    """An unknown integer or vector."""
    return _number(z3.Const(name, sort).ast, sort.size() if isinstance(sort, z3.BitVecSortRef) else None)


def lowest_bits(vector: z3.BitVecRef, width: int) -> z3.BitVecRef:
    return Vector(_extract(REF, width - 1, 0, vector.ast), width)


def applied(function: z3.FuncDeclRef, arguments: Sequence[z3.ExprRef], truth: bool) -> z3.ExprRef:
    """An unknown function's value at arguments of its sorts: a truth, or a number of the first's."""
    ast = _app(REF, function.ast, len(arguments), array_of(arguments))
    first = arguments[0]
    return Truth(ast) if truth else _number(ast, None if is_integer(first) else width_of(first))


def array_of(terms: Sequence[z3.ExprRef]) -> Any:
    """Terms as the solver's functions take any number of them."""
    return (z3.Ast * len(terms))(*[term.ast for term in terms])


def all_of(truths: Sequence[z3.BoolRef]) -> z3.BoolRef:
    """The conjunction; SMT-LIB has none of a single truth."""
    return truths[0] if len(truths) == 1 else Truth(_and(REF, len(truths), array_of(truths)))


def any_of(truths: Sequence[z3.BoolRef]) -> z3.BoolRef:
    """The disjunction; SMT-LIB has none of a single truth."""
    return truths[0] if len(truths) == 1 else Truth(_or(REF, len(truths), array_of(truths)))


def negation(truth: z3.BoolRef) -> z3.BoolRef:
    return Truth(_not(REF, truth.ast))


def implication(given: z3.BoolRef, then: z3.BoolRef) -> z3.BoolRef:
    return Truth(_implies(REF, given.ast, then.ast))


def chosen_truth(condition: z3.BoolRef, yes: z3.BoolRef, no: z3.BoolRef) -> z3.BoolRef:
    return Truth(_ite(REF, condition.ast, yes.ast, no.ast))


def chosen_number(condition: z3.BoolRef, yes: z3.ExprRef, no: z3.ExprRef) -> z3.ExprRef:
    """One of two integers, or of two vectors of one width."""
    return _number(_ite(REF, condition.ast, yes.ast, no.ast), None if is_integer(yes) else width_of(yes))


def constant_truth(truth: z3.BoolRef) -> bool | None:
    """Which of the two it is, if it is one of them; each is one term."""
    place = identity(truth)
    return True if place == identity(TRUE) else False if place == identity(FALSE) else None


# What is done with terms


def add(solver: z3.Solver, truths: Iterable[z3.BoolRef]) -> None:
    """Has a solver take these as given."""
    for truth in truths:
        _assert(REF, solver.solver, truth.ast)
        accepted()


def check(solver: z3.Solver, assumptions: Sequence[z3.BoolRef]) -> int:
    """Whether these can hold with all that a solver takes as given: `Z3_L_TRUE`, `Z3_L_FALSE` or `Z3_L_UNDEF`."""
    answer = int(_check(REF, solver.solver, len(assumptions), array_of(assumptions)))
    accepted()
    return answer


def holds_in(model: z3.ModelRef, truth: z3.BoolRef) -> bool:
    """Whether a truth holds in a model; what the model leaves open is settled then."""
    found = (z3.Ast * 1)()
    if not _eval(REF, model.model, truth.ast, True, found):
        return False
    return constant_truth(Truth(found[0])) is True


def smtlib(truths: Sequence[z3.BoolRef]) -> str:
    """The SMT-LIB text of what is asserted."""
    *others, last = truths or [TRUE]
    said = (b"benchmark generated from python API", b"", b"unknown", b"")
    text: bytes = _text(REF, *said, len(others), array_of(others), last.ast)
    accepted()
    return text.decode()
