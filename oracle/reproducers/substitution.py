"""Expressions with values in the place of names, computed as far as they have no variables."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from memoracle.drive.native.memory import functions_of_memory
from memoracle.reproducers.failing_run import ReproducerError
from memoracle.reproducers.signatures import NUMBER, Declared

MOST_BITS = 128
COMPUTED = ("log2", "order_of")  # functions of numbers alone
PURE: dict[str, Callable[..., int]] = {name: functions_of_memory(None, 1)[name] for name in COMPUTED}


def substituted(tree: ast.expr, constants: Mapping[str, int], values: Mapping[str, ast.expr | None]) -> ast.expr:
    """constants: names of numbers.  values: of other names; None of those that have none. Raises ReproducerError."""
    found: ast.expr = _Substituted(constants, values).visit(tree)
    return found


def name_of(name: str) -> ast.expr:
    return ast.Name(id=name, ctx=ast.Load())


def parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def fits(tree: ast.expr, declared: Declared) -> bool:
    """Whether the types of functions' arguments hold the numbers that they are given, as far as these are known."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in declared.functions:
            for argument, kind in zip(node.args, declared.functions[node.func.id].parameters, strict=False):
                value = argument.value if isinstance(argument, ast.Constant) else None
                if isinstance(value, int) and kind.kind == NUMBER:
                    low, bits = (-(1 << 8 * kind.bytes - 1), 8 * kind.bytes - 1) if kind.signed else (0, 8 * kind.bytes)
                    if not low <= value < 1 << bits:
                        return False
    return True


class _Substituted(ast.NodeTransformer):
    def __init__(self, constants: Mapping[str, int], values: Mapping[str, ast.expr | None]) -> None:
        self.constants, self.values = constants, values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.values:
            value = self.values[node.id]
            if value is None:
                raise ReproducerError(f"`{node.id}` has no value here")
            return value
        return ast.Constant(self.constants[node.id]) if node.id in self.constants else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        arguments = [self.visit(each) for each in node.args]
        if isinstance(node.func, ast.Name) and node.func.id in PURE and isinstance(arguments[0], ast.Constant):
            return ast.Constant(PURE[node.func.id](*(each.value for each in arguments)))
        return ast.Call(node.func, arguments, [])

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = self.visit(node.test)
        if isinstance(test, ast.Constant):
            chosen: ast.expr = self.visit(node.body if test.value else node.orelse)
            return chosen
        return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))

    def generic_visit(self, node: ast.AST) -> ast.AST:
        found = super().generic_visit(node)
        if isinstance(found, ast.BinOp) and isinstance(found.op, ast.Div):
            found.op = ast.FloorDiv()  # `/` left no rest in a call that was made
        is_computed = isinstance(found, ast.BinOp | ast.UnaryOp | ast.Compare | ast.BoolOp)
        return _computed(found) if is_computed and isinstance(found, ast.expr) else found


def _computed(node: ast.expr) -> ast.expr:
    """The number that an expression of numbers alone is; the expression itself where it has variables."""
    if not all(isinstance(each, ast.Constant) for each in _operands(node)):
        return node
    try:
        value = eval(
            compile(ast.fix_missing_locations(ast.Expression(node)), "<binding>", "eval"), {"__builtins__": {}}
        )
    except (ArithmeticError, ValueError, MemoryError) as fault:
        raise ReproducerError(f"{ast.unparse(node)}: {fault}") from None
    if not isinstance(value, int) or value.bit_length() > MOST_BITS:
        raise ReproducerError(f"{ast.unparse(node)}: this is no number of {MOST_BITS} bits")
    return ast.Constant(int(value))


def _operands(node: ast.expr) -> Sequence[ast.expr]:
    if isinstance(node, ast.BinOp):
        return node.left, node.right
    if isinstance(node, ast.UnaryOp):
        return (node.operand,)
    if isinstance(node, ast.Compare):
        return node.left, *node.comparators
    return node.values if isinstance(node, ast.BoolOp) else ()
