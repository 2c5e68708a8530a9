"""A module of the law as its author ordered it: sections, clauses, operations, and the definitions between them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from memoracle.spec.clauses import Clause, Operation

SECTION, DEFINITIONS = "section", "definitions"
LEFT_OUT = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Piece:
    """A part of a module.

    kind: `section`, `definitions`, or what a name in the law is.  text: a section's title, or code.  named: the clause
    or operation whose code it is; that is without its decorator and its docstring, which say what it is called.
    """

    kind: str
    text: str
    named: Clause | Operation | None = None


def pieces(module: ModuleType) -> Iterator[Piece]:
    """All of a module but its own docstring and its imports. Definitions that follow one another are one piece."""
    waiting: list[str] = []
    for each in single_pieces(module):
        if each.kind == DEFINITIONS:
            waiting.append(each.text)
            continue
        if waiting:
            yield Piece(DEFINITIONS, "\n".join(waiting).strip("\n"))
            waiting = []
        yield each
    if waiting:
        yield Piece(DEFINITIONS, "\n".join(waiting).strip("\n"))


def single_pieces(module: ModuleType) -> Iterator[Piece]:
    """Each statement by itself; definitions with the empty lines that stand before them."""
    assert module.__file__ is not None
    text = Path(module.__file__).read_text(encoding="utf-8")
    lines, body = text.splitlines(), ast.parse(text).body
    ends = [0, *(each.end_lineno or 0 for each in body)]
    for before, node in zip(ends, body, strict=False):
        first = first_line(node)
        comment: list[str] = []
        space: list[str] = []
        for line in lines[before : first - 1]:
            if line.startswith("#"):
                comment.append(line)
            elif comment:
                yield Piece(SECTION, title_of(comment))
                comment, space = [], []
            else:
                space.append("")
        if isinstance(node, LEFT_OUT) or is_docstring(node):
            continue
        value = vars(module).get(getattr(node, "name", ""))
        if isinstance(value, Clause | Operation):
            yield Piece(type(value).__name__.lower(), "\n".join([*comment, *formula(node, lines)]), value)
        else:
            yield Piece(DEFINITIONS, "\n".join([*space, *comment, *lines[first - 1 : node.end_lineno]]))


def first_line(node: ast.stmt) -> int:
    """The line that a statement begins in, its decorators included."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    return min([node.lineno, *(each.lineno for each in decorators)])


def formula(node: ast.stmt, lines: list[str]) -> list[str]:
    """The lines of a function without its decorators and its docstring."""
    assert isinstance(node, ast.FunctionDef)
    end = node.body[0]
    if not is_docstring(end):
        return lines[node.lineno - 1 : node.end_lineno]
    return [*lines[node.lineno - 1 : end.lineno - 1], *lines[end.end_lineno or 0 : node.end_lineno]]


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def title_of(comment: list[str]) -> str:
    return " ".join(each.removeprefix("#").strip() for each in comment)
