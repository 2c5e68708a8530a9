"""Whether two statements may be exchanged: neither writes what the other reads or writes.

Containers that different attributes hold are different objects: that is proved of every constructor.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain

PURE = {
    "array",
    "dict",
    "len",
    "list",
    "max",
    "min",
    "range",
    "set",
    "Buddy",
    "Interval",
    "Layout",
    "Leaf",
    "Record",
    "SortedSet",
}
READS = {"bit_length", "copy", "get", "items", "keys", "values"}
WRITES = {"add", "append", "discard", "pop", "remove"}
ANYTHING = "*"  # what a call may read and write of which nothing is known


def commute(first: ast.stmt, second: ast.stmt) -> bool:
    """Whether it cannot matter which of two statements comes first."""
    if not all(isinstance(each, SIMPLE) or _only_returns(each) for each in (first, second)):
        return False
    if (_only_returns(first) and not _is_local(second)) or _only_returns(second):
        return False
    one, other = _Footprint(first), _Footprint(second)
    return not (_meet(one.written, other.touched) or _meet(other.written, one.touched))


SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Delete)


def _only_returns(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and isinstance(statement.body[0], ast.Return) and not statement.orelse


def _is_local(statement: ast.stmt) -> bool:
    """Whether it computes a number from numbers, and gives it to a variable."""
    computes = ast.Name | ast.Attribute | ast.BinOp | ast.Constant | ast.operator | ast.expr_context
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    return all(isinstance(node, computes) for node in ast.walk(statement.value))


def _meet(some: set[str], others: set[str]) -> bool:
    return bool(some and others and (some & others or ANYTHING in some | others))


class _Footprint:
    """What a statement reads and writes: names of variables, and attributes of the instance as `self.words`."""

    def __init__(self, statement: ast.stmt) -> None:
        self.written: set[str] = set()
        read: set[str] = set()
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                self.written |= set(_written_by(node))
            elif isinstance(node, ast.Attribute | ast.Name | ast.Subscript):
                (self.written if isinstance(node.ctx, ast.Store | ast.Del) else read).add(_root(node))
        self.touched = self.written | read - {"self"}


def _written_by(call: ast.Call) -> Iterator[str]:
    if isinstance(call.func, ast.Name):
        return iter(() if call.func.id in PURE else (ANYTHING,))
    if isinstance(call.func, ast.Attribute) and call.func.attr in READS:
        return iter(())
    if isinstance(call.func, ast.Attribute) and call.func.attr in WRITES:
        held = (_root(each) for each in call.args if isinstance(each, ast.Attribute))
        return chain((_root(call.func.value),), held)
    return iter((ANYTHING,))


def _root(node: ast.AST) -> str:
    """The variable or attribute that a place lies in, as `self.words` of `self.words[word]`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            return f"self.{node.attr}"
        if not isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            return ANYTHING
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id
