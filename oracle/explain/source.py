"""What a function names, read from its source: global names, attributes of objects that are known, and strings.

A value is known where it can be found without running the function: a global of its module, a variable of the function
that encloses it, an attribute of a module, and what the object holds whose method it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from inspect import getattr_static
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

from memoracle.proofs.obligations.obligation import WINGS

OWN = "memoracle."
UNKNOWN = object()  # the value of a name that has one only while the code runs
LISTS_ALL = "handlers"  # a method that names all others, and calls none

FunctionNode: TypeAlias = ast.FunctionDef | ast.Lambda


def names_in(function: FunctionType, known: dict[str, Any], owner: object | None) -> list[tuple[Any, str]]:
    """Each name, attribute and string of a function, and its value as far as that is known.

    known: the values of global names and of variables of an enclosing function.  owner: the object whose method it is.
    """
    node = node_of(function.__code__)
    if node is None:
        return []
    reader = Reader(known, owner)
    reader.variables |= {*function.__code__.co_freevars}
    reader.read(node)
    return reader.found


class Reader(ast.NodeVisitor):
    """Collects the names in the order in which the code has them."""

    def __init__(self, known: dict[str, Any], owner: object | None) -> None:
        self.owner = owner
        self.values = dict(known)  # by name: a variable has the value that it was given last
        self.variables = {"self"}  # of the functions that are being read
        self.found: list[tuple[Any, str]] = []
        if owner is not None:
            self.values["self"] = owner

    def read(self, node: FunctionNode) -> None:
        """Reads the body of a function; its parameters and variables have no value yet, but for `self`."""
        bound = {*names_bound_in(node)} - {"self"}
        outside = self.values, self.variables
        self.values, self.variables = self.values | dict.fromkeys(bound, UNKNOWN), self.variables | bound
        for part in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(part)
        self.values, self.variables = outside

    def visit_Name(self, node: ast.Name) -> None:
        word = "" if node.id in self.variables else node.id  # what a function calls its variables says nothing
        self.found.append((self.value_of(node), word))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)
        self.found.append((self.value_of(node), node.attr))

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.append((UNKNOWN, node.value))

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring is none of the code's strings
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.assign(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self.assign(node.target, node.value)

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        """A variable stands for what it is given; of `a, b = x, y` each for its own."""
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and are_paired(target, value):
            for each, given in zip(target.elts, value.elts, strict=True):
                self.assign(each, given)
        elif isinstance(target, ast.Name):
            self.values[target.id] = self.value_of(value)
        else:
            self.visit(target)

    def visit_Compare(self, node: ast.Compare) -> None:
        """What something is compared with by `is` is not asked for anything: its name counts, its value does not."""
        self.visit(node.left)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            start = len(self.found)
            self.visit(right)
            if isinstance(operator, ast.Is | ast.IsNot):
                self.found[start:] = [(UNKNOWN, word) for _, word in self.found[start:]]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.decorator_list, node.args):
            self.visit(part)
        self.read(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self.read(node)

    def visit_arg(self, node: ast.arg) -> None:
        """An annotation is not run."""

    def value_of(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self.values.get(node.id, UNKNOWN)
        if isinstance(node, ast.Attribute):
            of = self.value_of(node.value)
            return UNKNOWN if of is UNKNOWN else attribute(of, node.attr, of is self.owner)
        return UNKNOWN


def are_paired(target: ast.Tuple, value: ast.Tuple) -> bool:
    """Whether each part of a target is given the part of a value that has its place: a `*` gives or takes several."""
    parts = (*target.elts, *value.elts)
    return len(target.elts) == len(value.elts) and not any(isinstance(each, ast.Starred) for each in parts)


def names_bound_in(node: FunctionNode) -> Iterator[str]:
    """The parameters of a function, the variables that it assigns, and the functions within it, but not theirs."""
    waiting: list[ast.AST] = [*ast.iter_child_nodes(node)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.arg):
            yield part.arg
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.FunctionDef):
            yield part.name
        if not isinstance(part, FunctionNode):
            waiting += ast.iter_child_nodes(part)


def attribute(of: Any, name: str, is_owner: bool) -> Any:
    """An attribute of a module, of the object whose method is read, or of another object of the oracle."""
    if isinstance(of, ModuleType):
        return getattr(of, name, UNKNOWN)
    if not (is_owner or is_followed(of)) or name == LISTS_ALL:
        return UNKNOWN
    static = getattr_static(of, name, UNKNOWN)
    return MethodType(static.fget, of) if isinstance(static, property) and static.fget else getattr(of, name, UNKNOWN)


def is_followed(value: Any) -> bool:
    """Whether this is an object of the oracle, whose methods may ask something of the law."""
    module = type(value).__module__
    return module.startswith(OWN) and module.split(".")[1] not in WINGS


def node_of(code: CodeType) -> FunctionNode | None:
    """Where this function stands in its file; None if it was made by other code, as methods of dataclasses are."""
    same_line = functions_by_line(code.co_filename).get(code.co_firstlineno, [])
    here = [node for node in same_line if getattr(node, "name", "<lambda>") == code.co_name]
    if len(here) < 2:
        return here[0] if here else None
    starts = {(line, column) for line, _, column, _ in code.co_positions()}
    return next(node for node in here if isinstance(node, ast.Lambda) and start_of(node.body) in starts)


def start_of(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


@cache
def functions_by_line(path: str) -> dict[int, list[FunctionNode]]:
    """The functions of a file by the line that they begin in, their decorators included."""
    found: dict[int, list[FunctionNode]] = {}
    if not Path(path).is_file():
        return found
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, FunctionNode):
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            found.setdefault(min([node.lineno, *(each.lineno for each in decorators)]), []).append(node)
    return found
