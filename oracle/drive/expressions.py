"""The expressions of a binding: how an operation's arguments become those of a C function, and its answer a result.

They are written as in Python, of numbers, names and functions of the library alone: nothing else is read, so that a
binding can do no more than call what it binds. `/` divides without a rest: where there is one, no call is made.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from typing import Any

from memoracle.drive.binding_tables import listed
from memoracle.drive.native.functions import Fields
from memoracle.drive.native.not_asked import NotAskedError

MOST_CHARACTERS = 1000
ALLOWED = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Call,
    ast.Name,
    ast.Constant,
    ast.Load,
    ast.Attribute,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
)
EVENT = "event()"  # no name in an expression
STRUCTURES = frozenset({"value", "out"})  # names that may stand for what has fields
NOT_OF_NUMBERS = (ast.In, ast.NotIn, ast.Is, ast.IsNot, ast.Pow, ast.MatMult)
QUOTIENT, SHIFTED, FIELD = "quotient", "shifted", "field"  # what `/`, `<<` and a dot call
MOST_SHIFTED = 256  # bits
FILE = "<binding> "  # begins the name of the file that an expression is compiled of, before its key
NO_PART = {
    ast.Lambda: "a lambda",
    ast.Subscript: "a subscript",
    ast.NamedExpr: "an assignment",
    ast.Pow: "a power",
    ast.MatMult: "`@`",
    ast.In: "`in`",
    ast.NotIn: "`not in`",
    ast.Is: "`is`",
    ast.IsNot: "`is not`",
    ast.Starred: "a star",
    ast.JoinedStr: "a string",
}


class ExpressionError(ValueError):
    """An expression of a binding that cannot be read; the text says what is wrong with it."""


class Expression:
    """One expression.

    text: as the binding has it.  names: that it reads.  calls: the functions that it calls, with how many arguments.
    key: of the binding, for messages.
    """

    def __init__(self, text: str, known: Collection[str], functions: Collection[str] = (), key: str = "") -> None:
        """known: the names that it may read.  functions: those that it may call. Raises ExpressionError."""
        self.text, self.key = text, key
        self.tree = _parsed(text)
        self.names: set[str] = set()
        self.calls: list[tuple[str, int]] = []
        called = set[ast.Name]()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                called.add(self._called(node, functions))
            elif isinstance(node, NOT_OF_NUMBERS) or not isinstance(node, ALLOWED):
                what = NO_PART.get(type(node), "what stands there")
                raise ExpressionError(f"{what} is no part of an expression here: see Expressions in docs/drive.md")
            elif isinstance(node, ast.Attribute):
                _require_field(node)
            elif isinstance(node, ast.Constant) and not isinstance(node.value, int):
                raise ExpressionError(f"{ast.unparse(node)} is not a number")
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and node not in called:
                if node.id not in known:
                    raise ExpressionError(_unknown("name", node.id, known))
                self.names.add(node.id)

    def _called(self, node: ast.Call, functions: Collection[str]) -> ast.Name:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise ExpressionError("a call is a function's name and its arguments in parentheses")
        if node.func.id not in functions:
            raise ExpressionError(_unknown("function", node.func.id, functions))
        self.calls.append((node.func.id, len(node.args)))
        return node.func

    def compiled(
        self,
        arguments: Collection[str],
        values: Mapping[str, Any],
        functions: Mapping[str, Callable[..., Any]],
        keys: Mapping[str, str] | None = None,
    ) -> Callable[..., Any]:
        """A function of these arguments, by position, that computes it.

        values: of all other names.  functions: that it may call; a number may have the name of one.
        keys: of names that are looked up in a further argument, the last.
        """
        parameters = [ast.arg(each) for each in (*arguments, *([EVENT] if keys is not None else []))]
        of_them = ast.arguments(posonlyargs=[], args=parameters, kwonlyargs=[], kw_defaults=[], defaults=[])
        body = _Renamed(keys or {}).visit(deepcopy(self.tree.body))
        tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(of_them, body)))
        values = {
            **values,
            **{function_name(name): function for name, function in {**functions, **OPERATORS}.items()},
        }
        try:
            code = compile(tree, f"{FILE}{self.key}", "eval")
        except (RecursionError, MemoryError, ValueError):
            raise ExpressionError("it is nested too deeply") from None
        made: Callable[..., Any] = eval(code, {"__builtins__": {}, **values})
        return made


def function_name(name: str) -> str:
    """What a function is called among values."""
    return f"{name}()"


class _Renamed(ast.NodeTransformer):
    """Tells functions that are called from numbers of the same name, looks names up in the event, and makes `/`
    a division that leaves no rest.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = keys

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if isinstance(node.func, ast.Name):
            node.func.id = function_name(node.func.id)
        node.args = [self.visit(each) for each in node.args]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        called = QUOTIENT if isinstance(node.op, ast.Div) else SHIFTED if isinstance(node.op, ast.LShift) else None
        return node if called is None else _call(called, node.left, node.right)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        return _call(FIELD, node.value, ast.Constant(node.attr))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.keys:
            return node
        return ast.Subscript(ast.Name(EVENT, ast.Load()), ast.Constant(self.keys[node.id]), ast.Load())


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(function_name(name), ast.Load()), list(arguments), [])


def field(value: Any, name: str) -> Any:
    """A field of a structure; raises ExpressionError."""
    if not isinstance(value, Fields):
        raise ExpressionError(f"what should have the field {name} is no structure")
    if name not in value.names_of_fields:
        raise ExpressionError(f"the structure has no field {name}; {listed(name, value.names_of_fields)}")
    return getattr(value, name)


def shifted(number: int, by: int) -> int:
    """Raises ExpressionError for what is no shift, or one that needs much memory."""
    if not 0 <= by <= MOST_SHIFTED:
        raise ExpressionError(f"a shift by {by} bits is none from 0 to {MOST_SHIFTED}")
    return number << by


def quotient(number: int, by: int) -> int:
    """Raises NotAskedError where there is a rest."""
    whole, rest = divmod(number, by)
    if rest:
        raise NotAskedError(f"{number} is no multiple of {by}")
    return whole


OPERATORS: dict[str, Callable[..., Any]] = {QUOTIENT: quotient, SHIFTED: shifted, FIELD: field}


def key_of(fault: BaseException) -> str | None:
    """The key of the expression that was computed when something went wrong; None if none was."""
    found, at = None, fault.__traceback__
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        found = name.removeprefix(FILE) if name.startswith(FILE) else found
        at = at.tb_next
    return found


def words_of(fault: BaseException) -> str:
    """Why an expression could not be computed, in words of whoever wrote it."""
    if isinstance(fault, ZeroDivisionError):
        return "it divides by 0"
    if isinstance(fault, OverflowError):
        return "a function is passed a number that its parameter does not hold"
    if isinstance(fault, MemoryError):
        return "it takes more memory than there is"
    if isinstance(fault, TypeError | AttributeError):
        return "something in it is no integer here: null, a structure, or what a function returned that returns nothing"
    return str(fault) or "it cannot be computed"


def _require_field(node: ast.Attribute) -> None:
    if not isinstance(node.value, ast.Name) or node.value.id not in STRUCTURES or node.attr.startswith("_"):
        raise ExpressionError(f"a field is one of {' or '.join(sorted(STRUCTURES))}, as in `value.address`")


def _parsed(text: str) -> ast.Expression:
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(f"an expression has at most {MOST_CHARACTERS} characters")
    try:
        return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        reason = fault.msg if isinstance(fault, SyntaxError) else str(fault)
        raise ExpressionError(f"it is no expression: {reason}") from None


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    return f"unknown {what} {name}; {listed(name, known)}"
