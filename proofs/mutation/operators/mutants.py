"""Faults to seed: each a module of the reference or of the law with one thing in it changed.

In the reference every function is changed that code calls, how objects are made, and every constant of the module. In
the law only what operations say: their guards and effects, and what these alone are made of. To weaken a claim is no
fault in an operation, so whatever an invariant, a theorem or an answer is made of stays.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from memoracle.proofs.mutation.operators import statements as operators
from memoracle.proofs.mutation.operators.change import (
    Change,
    Function,
    applied,
    first_line,
    with_parts,
    without_docstring,
)
from memoracle.proofs.mutation.operators.classes import field_defaults, shared_attributes
from memoracle.proofs.mutation.operators.expressions import CONNECTIVE, changes_of_expression
from memoracle.proofs.mutation.operators.law import decorator, operative, reached

Key: TypeAlias = tuple[str, str, str, str, int]
Seeds: TypeAlias = Iterator[tuple["_Place", Change]]

GUARD = "clause of a guard dropped"
EFFECT = "effect dropped"


@dataclass(frozen=True)
class Mutant:
    """One fault.

    function: what it is in, as `Buddy.free`; empty for the module itself.  line: in the file.
    original, mutated: the statement, condition or part of an effect that is changed.
    occurrence: which of those in the function that read the same, from 0.
    code: the first line of the innermost function or lambda that runs what is changed; None if the import does.
    """

    module: str
    function: str
    line: int
    original: str
    mutated: str
    occurrence: int
    code: int | None
    change: Change
    tree: ast.Module  # the sound module

    @property
    def operator(self) -> str:
        """The kind of fault."""
        return self.change.operator

    @property
    def key(self) -> Key:
        """What stays the same while the rest of the file changes."""
        return self.module, self.function, self.original, self.mutated, self.occurrence

    def applied(self) -> ast.Module:
        """The whole module with the fault."""
        return ast.fix_missing_locations(applied(self.tree, self.change))


@dataclass(frozen=True)
class _Place:
    function: str
    code: int | None
    within: ast.AST  # the function or class that is changed
    unit: ast.AST | None = None  # what is shown of the change
    known: frozenset[str] = frozenset()  # the names that have a value


def mutants(module: str, tree: ast.Module, law: bool) -> list[Mutant]:
    """All faults of a module, in the order of its text.

    law: it is a module of the law, of which only operations are changed.
    """
    found: list[Mutant] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    known: dict[int, set[str]] = {}
    for place, change in _law_changes(tree) if law else _changes_of_module(tree):
        assert place.unit is not None
        original, mutated = change.shown or (ast.unparse(place.unit), ast.unparse(applied(place.unit, change)))
        texts = known.setdefault(id(place.within), {ast.dump(place.within)})
        text = ast.dump(applied(place.within, change))
        if text in texts:
            continue  # two ways to the same fault, or none
        texts.add(text)
        nth = seen[place.function, original, mutated]
        seen[place.function, original, mutated] += 1
        line = getattr(change.old, "lineno", 0)
        found.append(Mutant(module, place.function, line, original, mutated, nth, place.code, change, tree))
    return found


# Where faults are seeded


def _changes_of_module(tree: ast.Module) -> Seeds:
    words = _words_of_contracts(tree)
    for statement in tree.body:
        if isinstance(statement, Function) and statement.name in words:
            continue
        if isinstance(statement, ast.ClassDef):
            yield from _changes_of_class(statement)
        elif isinstance(statement, Function):
            yield from _changes_of_function(statement, statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            yield from _changes_within(statement.value, _Place("", None, statement, statement))


def _changes_of_class(made: ast.ClassDef) -> Seeds:
    for field, change in field_defaults(made):
        yield _Place(made.name, None, field, field), change
    for member in made.body:
        if isinstance(member, Function):
            name = f"{made.name}.{member.name}"
            yield from _changes_of_function(member, name)
            if member.name == "__init__":
                for change in shared_attributes(made, member):
                    yield _Place(name, first_line(member), made, member), change


def _words_of_contracts(tree: ast.Module) -> set[str]:
    """The private functions that no code calls: only contracts speak in them."""
    functions = {each.name: each for each in tree.body if isinstance(each, Function)}
    private = {name for name in functions if name.startswith("_")}
    rest = [each for each in tree.body if not isinstance(each, Function) or each.name not in private]
    called = {each.id for part in rest for each in ast.walk(part) if isinstance(each, ast.Name)}
    return private - reached(functions, called & functions.keys())


def _law_changes(tree: ast.Module) -> Seeds:
    functions = {each.name: each for each in tree.body if isinstance(each, Function)}
    for name in operative(tree):
        function = functions[name]
        yield from _changes_of_guard(function, functions)
        yield from _changes_of_function(function, name)


def _changes_of_guard(function: Function, functions: dict[str, Function]) -> Seeds:
    """To leave out one clause of an operation's guard: which matters where that clause is asked.

    Where another component's clause is asked is not known, so that may matter anywhere.
    """
    declared = decorator(function, "operation")
    for keyword in declared.keywords if declared else ():
        if keyword.arg == "guard" and isinstance(keyword.value, ast.List):
            for entry in keyword.value.elts:
                own = functions.get(entry.id) if isinstance(entry, ast.Name) else None
                place = _Place(function.name, first_line(own) if own else None, function, keyword)
                rest = [each for each in keyword.value.elts if each is not entry]
                yield place, Change(GUARD, keyword.value, with_parts(keyword.value, elts=rest))


def _changes_of_function(function: Function, name: str, within: ast.AST | None = None) -> Seeds:
    place = _Place(name, first_line(function), within or function, None, frozenset(operators.arguments(function)))
    body = without_docstring(function)
    yield from _changes_of_block(function, body, place)
    for change in operators.early_returns(function) if body else ():
        yield replace(place, unit=function), change
    for change in operators.defaults(function):
        yield replace(place, unit=change.old), change


def _changes_of_block(owner: ast.AST, block: list[ast.stmt], place: _Place) -> Seeds:
    for statement in block:
        yield from _changes_of_statement(statement, place)
        place = replace(place, known=place.known | operators.assigned(statement))
    for change in operators.swaps(owner, block):
        yield replace(place, unit=owner), change


def _changes_of_statement(statement: ast.stmt, place: _Place) -> Seeds:
    if isinstance(statement, Function):  # within another
        yield from _changes_of_function(statement, f"{place.function}.{statement.name}", place.within)
        return
    if isinstance(statement, ast.If | ast.While):
        here = replace(place, unit=statement.test)
        if not isinstance(statement.test, ast.Compare | ast.UnaryOp):  # which are turned round anyway
            yield here, Change(CONNECTIVE, statement.test, ast.UnaryOp(ast.Not(), statement.test))
        yield here, Change(CONNECTIVE, statement.test, ast.Constant(False))
        yield from _changes_within(statement.test, here)
    elif isinstance(statement, ast.For):
        here = replace(place, unit=statement.iter)
        yield from _changes_within(statement.iter, here)
    if isinstance(statement, ast.If | ast.While | ast.For):
        for change in [*operators.changes_of_compound(statement), *operators.roll_backs(statement)]:
            yield replace(here, unit=here.unit if change.shown is None else statement), change
        for block in filter(None, (statement.body, statement.orelse)):
            yield from _changes_of_block(statement, block, place)
    elif not isinstance(statement, ast.Assert):
        here = replace(place, unit=statement)
        for change in [*operators.deletions(statement, place.known), *operators.changes_of_simple(statement)]:
            yield here, change
        yield from _changes_within(statement, here)


def _changes_within(node: ast.AST, place: _Place) -> Seeds:
    """Those of all expressions in a node."""
    if isinstance(node, ast.expr):
        for change in changes_of_expression(node):
            yield place, change
    if isinstance(node, ast.Lambda):
        yield from _changes_within(node.body, replace(place, code=node.lineno))
        return
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "replace"
    for child in ast.iter_child_nodes(node):
        if named and isinstance(child, ast.keyword):
            assert isinstance(node, ast.Call)
            here = replace(place, unit=child)
            kept = ast.Attribute(node.args[0], child.arg or "", ast.Load())  # as it is before
            yield here, Change(EFFECT, child.value, kept)
            yield from _changes_within(child.value, here)
        elif isinstance(child, ast.expr | ast.keyword | ast.comprehension | ast.slice):
            yield from _changes_within(child, place)
