"""A change of a syntax tree, and the operator that makes it."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TypeVar

N = TypeVar("N", bound=ast.AST)
Function = ast.FunctionDef


@dataclass(frozen=True)
class Change:
    """A node, and what stands in its place.

    operator: the kind of fault, as the score counts them.  shown: the text before and after it; None: that of the
    statement, condition or part of an effect that the change is in.
    """

    operator: str
    old: ast.AST
    new: ast.AST
    shown: tuple[str, str] | None = None


def applied(node: N, change: Change) -> N:
    """A copy of a tree with the change."""
    return copy.deepcopy(node, {id(change.old): change.new})


def with_parts(node: N, **parts: object) -> N:
    """A node with other parts; those that stay are shared."""
    new = copy.copy(node)
    for name, part in parts.items():
        setattr(new, name, part)
    return new


def first_line(function: Function) -> int:
    """The line that the function's code names as its first."""
    return min([function.lineno, *(each.lineno for each in function.decorator_list)])


def without_docstring(function: Function) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def head(statement: ast.stmt) -> str:
    """A statement's text; of one that has others within, the first line."""
    text = ast.unparse(statement)
    return text.split("\n", 1)[0] + " ..." if isinstance(statement, ast.If | ast.While | ast.For) else text
