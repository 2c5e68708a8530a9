"""Faults in an expression: what is compared, computed, called or collected."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from memoracle.proofs.mutation.operators.change import Change, with_parts

COMPARISON = "comparison turned or moved by one"
CONNECTIVE = "condition changed"
ARITHMETIC = "arithmetic changed"
CONSTANT = "constant changed"
WORD = "word of the law changed"
FILTER = "filter dropped"
COPY = "copy dropped"
SHARED = "one object for all elements"
ARGUMENTS = "arguments swapped"

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
# Words of the law and of Python whose value may be that of one argument alone, whatever their order.
BOUNDS = {"min", "max", "at_least", "at_most"}
ORDERLESS = BOUNDS | {"when"}  # `when` has a fault of its own


def changes_of_expression(node: ast.expr) -> Iterator[Change]:
    """What is done to an expression, but not to those within it."""
    if isinstance(node, ast.Compare):
        yield from _comparison(node)
    elif isinstance(node, ast.BoolOp):
        yield from _connective(node)
    elif isinstance(node, ast.BinOp):
        yield from _arithmetic(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield Change(CONNECTIVE, node, node.operand)
    elif isinstance(node, ast.IfExp):
        yield Change(CONNECTIVE, node, with_parts(node, body=node.orelse, orelse=node.body))
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.ListComp):
        yield from _comprehension(node)


def _comparison(node: ast.Compare) -> Iterator[Change]:
    for place, kind in enumerate(node.ops):
        other = COMPARISONS[type(kind)]()
        yield Change(COMPARISON, node, with_parts(node, ops=[*node.ops[:place], other, *node.ops[place + 1 :]]))
    if len(node.ops) == 2:  # 0 <= page < pages
        yield Change(COMPARISON, node, with_parts(node, ops=node.ops[:1], comparators=node.comparators[:1]))
        right = with_parts(node, left=node.comparators[0], ops=node.ops[1:], comparators=node.comparators[1:])
        yield Change(COMPARISON, node, right)


def _connective(node: ast.BoolOp) -> Iterator[Change]:
    yield Change(CONNECTIVE, node, with_parts(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And()))
    for operand in node.values:
        left = [each for each in node.values if each is not operand]
        yield Change(CONNECTIVE, node, with_parts(node, values=left) if len(left) > 1 else left[0])


def _arithmetic(node: ast.BinOp) -> Iterator[Change]:
    if type(node.op) in OPERATIONS:
        yield Change(ARITHMETIC, node, with_parts(node, op=OPERATIONS[type(node.op)]()))
    if isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor):
        yield Change(ARITHMETIC, node, node.left)
        yield Change(ARITHMETIC, node, node.right)


def _constant(node: ast.Constant) -> Iterator[Change]:
    for value in other_constants(node):
        yield Change(CONSTANT, node, ast.Constant(value))


def other_constants(node: ast.Constant) -> list[int]:
    """What may stand in a constant's place."""
    if isinstance(node.value, bool):
        return [not node.value]
    if isinstance(node.value, int):
        return [node.value + 1, node.value - 1] if node.value > 0 else [node.value + 1]
    return []


def _call(node: ast.Call) -> Iterator[Change]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "neg":
        yield Change(WORD, node, node.args[0])
    elif name == "implies":
        yield Change(WORD, node, node.args[1])
    elif name == "when":
        yield Change(WORD, node, with_parts(node, args=[node.args[0], node.args[2], node.args[1]]))
    elif name in BOUNDS:
        for argument in node.args:
            yield Change(WORD, node, argument)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "copy" and not node.args:
        yield Change(COPY, node, node.func.value)
    if name not in ORDERLESS:
        for place in range(len(node.args) - 1):
            first, second = node.args[place : place + 2]
            swapped = [*node.args[:place], second, first, *node.args[place + 2 :]]
            yield Change(ARGUMENTS, node, with_parts(node, args=swapped))


def _comprehension(node: ast.ListComp) -> Iterator[Change]:
    for part in node.generators:
        if part.ifs:
            yield Change(
                FILTER, node, with_parts(node, generators=[_unfiltered(each, part) for each in node.generators])
            )
    made = node.generators[0]
    if isinstance(node.elt, ast.Call) and len(node.generators) == 1 and not made.ifs:
        shown = {each.id for each in ast.walk(node.elt) if isinstance(each, ast.Name)}
        counted = made.iter.args if isinstance(made.iter, ast.Call) and _called(made.iter) == "range" else []
        if len(counted) == 1 and isinstance(made.target, ast.Name) and made.target.id not in shown:
            one = ast.List([node.elt], ast.Load())
            yield Change(SHARED, node, ast.BinOp(one, ast.Mult(), counted[0]))


def _unfiltered(generator: ast.comprehension, which: ast.comprehension) -> ast.comprehension:
    return with_parts(generator, ifs=[]) if generator is which else generator


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""
