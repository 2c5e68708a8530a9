"""Faults to seed: each a module of the reference or of the law with one guard, effect, bound or conjunct changed.

In the reference every function is changed that code calls, and every constant of the module. In the law only what
operations say: their guards and effects, and what these alone are made of. To weaken a claim is no fault in an
operation, so whatever an invariant, a theorem or an answer is made of stays.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

N = TypeVar("N", bound=ast.AST)
Function = ast.FunctionDef
Key: TypeAlias = tuple[str, str, str, str, int]
Change: TypeAlias = tuple[ast.AST, ast.AST]  # a node, and what stands in its place

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
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
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
# Words of the law and of Python whose value may be that of one argument alone.
BOUNDS = {"min", "max", "at_least", "at_most"}


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
    def key(self) -> Key:
        """What stays the same while the rest of the file changes."""
        return self.module, self.function, self.original, self.mutated, self.occurrence

    def applied(self) -> ast.Module:
        """The whole module with the fault."""
        return ast.fix_missing_locations(_with(self.tree, self.change))


@dataclass(frozen=True)
class _Place:
    function: str
    code: int | None
    unit: ast.AST | None = None  # what is shown of the change


def mutants(module: str, tree: ast.Module, law: bool) -> list[Mutant]:
    """All faults of a module, in the order of its text.

    law: it is a module of the law, of which only operations are changed.
    """
    found: list[Mutant] = []
    seen: dict[tuple[str, str, str], dict[int, int]] = {}
    for place, change in _law_changes(tree) if law else _changes_of_module(tree):
        assert place.unit is not None
        original, mutated = ast.unparse(place.unit), ast.unparse(_with(place.unit, change))
        units = seen.setdefault((place.function, original, mutated), {})
        if id(place.unit) in units or original == mutated:
            continue  # two ways to the same fault
        units[id(place.unit)] = len(units)
        line = getattr(change[0], "lineno", 0)
        nth = len(units) - 1
        found.append(Mutant(module, place.function, line, original, mutated, nth, place.code, change, tree))
    return found


def _with(node: N, change: Change) -> N:
    old, new = change
    return copy.deepcopy(node, {id(old): new})


# Where faults are seeded


def _changes_of_module(tree: ast.Module) -> Iterator[tuple[_Place, Change]]:
    words = _words_of_contracts(tree)
    for statement in tree.body:
        if isinstance(statement, Function) and statement.name in words:
            continue
        if isinstance(statement, ast.ClassDef):
            for member in statement.body:
                if isinstance(member, Function):
                    yield from _changes_of_function(member, f"{statement.name}.{member.name}")
        elif isinstance(statement, Function):
            yield from _changes_of_function(statement, statement.name)
        elif isinstance(statement, ast.Assign):
            yield from _changes_within(statement.value, _Place("", None, statement))


def _words_of_contracts(tree: ast.Module) -> set[str]:
    """The private functions that no code calls: only contracts speak in them."""
    functions = {each.name: each for each in tree.body if isinstance(each, Function)}
    private = {name for name in functions if name.startswith("_")}
    rest = [each for each in tree.body if not isinstance(each, Function) or each.name not in private]
    called = {each.id for part in rest for each in ast.walk(part) if isinstance(each, ast.Name)}
    return private - _reached(functions, called & functions.keys())


def _law_changes(tree: ast.Module) -> Iterator[tuple[_Place, Change]]:
    functions = {each.name: each for each in tree.body if isinstance(each, Function)}
    for name in operative(tree):
        function = functions[name]
        yield from _changes_of_guard(function, functions)
        yield from _changes_of_function(function, name)


def operative(tree: ast.Module) -> list[str]:
    """The functions that say what a law's operations do: effects, guards, and what is used by no other clause."""
    functions = {each.name: each for each in tree.body if isinstance(each, Function)}
    effects = {name for name, each in functions.items() if _decorator(each, "operation") or _changes_a_state(each)}
    named = {entry.id for each in functions.values() for entry in _guard(each) if isinstance(entry, ast.Name)}
    guards = named & functions.keys()  # other clauses are another component's
    claims = {name for name, each in functions.items() if _decorator(each, "clause") and name not in guards}
    others = {name for name, each in functions.items() if not each.args.args or _starts(each)}
    shared = _reached(functions, claims | others) - effects - guards
    return [name for name in functions if name in _reached(functions, effects | guards) - shared]


def _changes_a_state(function: Function) -> bool:
    """Whether a function takes a state and gives the one after it."""
    first = function.args.args[0].annotation if function.args.args else None
    if not isinstance(first, ast.Name) or not isinstance(function.returns, ast.Name):
        return False
    return first.id == function.returns.id and first.id not in ("Number", "Truth")


def _starts(function: Function) -> bool:
    """Whether a function gives an initial state."""
    named = function.returns.id if isinstance(function.returns, ast.Name) else ""
    return named not in ("Number", "Truth") and not _changes_a_state(function)


def _reached(functions: dict[str, Function], names: set[str]) -> set[str]:
    """These functions, and those that they are made of."""
    reached: set[str] = set()
    ahead = set(names)
    while ahead:
        name = ahead.pop()
        reached.add(name)
        named = (each.id for each in ast.walk(functions[name]) if isinstance(each, ast.Name))
        ahead |= {each for each in named if each in functions and each not in reached}
    return reached


def _decorator(function: Function, name: str) -> ast.Call | None:
    for each in function.decorator_list:
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name:
            return each
    return None


def _guard(function: Function) -> list[ast.expr]:
    declared = _decorator(function, "operation")
    lists = [each.value for each in declared.keywords if each.arg == "guard"] if declared else []
    return [entry for each in lists if isinstance(each, ast.List) for entry in each.elts]


def _changes_of_guard(function: Function, functions: dict[str, Function]) -> Iterator[tuple[_Place, Change]]:
    """To leave out one clause of an operation's guard: which matters where that clause is asked.

    Where another component's clause is asked is not known, so that may matter anywhere.
    """
    declared = _decorator(function, "operation")
    for keyword in declared.keywords if declared else ():
        if keyword.arg == "guard" and isinstance(keyword.value, ast.List):
            for entry in keyword.value.elts:
                own = functions.get(entry.id) if isinstance(entry, ast.Name) else None
                place = _Place(function.name, _first_line(own) if own else None, keyword)
                yield place, _changed(keyword.value, elts=[each for each in keyword.value.elts if each is not entry])


def _first_line(function: Function) -> int:
    return min([function.lineno, *(each.lineno for each in function.decorator_list)])


def _changes_of_function(function: Function, name: str) -> Iterator[tuple[_Place, Change]]:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    for statement in body:
        yield from _changes_of_statement(statement, _Place(name, _first_line(function)))


def _changes_of_statement(statement: ast.stmt, place: _Place) -> Iterator[tuple[_Place, Change]]:
    if isinstance(statement, Function):  # within another
        yield from _changes_of_function(statement, f"{place.function}.{statement.name}")
    elif isinstance(statement, ast.If | ast.While):
        here = replace(place, unit=statement.test)
        if not isinstance(statement.test, ast.Compare | ast.UnaryOp):  # which are turned round anyway
            yield here, (statement.test, ast.UnaryOp(ast.Not(), statement.test))
        yield here, (statement.test, ast.Constant(False))
        yield from _changes_within(statement.test, here)
        for each in [*statement.body, *statement.orelse]:
            yield from _changes_of_statement(each, place)
    elif isinstance(statement, ast.For):
        yield from _changes_within(statement.iter, replace(place, unit=statement.iter))
        for each in statement.body:
            yield from _changes_of_statement(each, place)
    elif not isinstance(statement, ast.Assert):
        here = replace(place, unit=statement)
        for change in _changes_of_simple(statement):
            yield here, change
        yield from _changes_within(statement, here)


def _changes_of_simple(statement: ast.stmt) -> Iterator[Change]:
    """To leave out what a statement does, or to return something else."""
    if isinstance(statement, ast.Return):
        value = statement.value
        if isinstance(value, ast.Constant) and value.value is None:
            yield value, ast.Constant(0)
        elif value is not None and not (isinstance(value, ast.Constant) and isinstance(value.value, bool)):
            yield value, ast.Constant(None)
        return
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.Expr | ast.AugAssign | ast.Delete) or not all(
        isinstance(target, ast.Name) for target in targets
    ):
        yield statement, ast.Pass()
    if isinstance(statement, ast.AugAssign) and type(statement.op) in ARITHMETIC:
        yield _changed(statement, op=ARITHMETIC[type(statement.op)]())


def _changes_within(node: ast.AST, place: _Place) -> Iterator[tuple[_Place, Change]]:
    """Those of all expressions in a node."""
    if isinstance(node, ast.expr):
        for change in _changes_of_expression(node):
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
            yield here, (child.value, kept)
            yield from _changes_within(child.value, here)
        elif isinstance(child, ast.expr | ast.keyword | ast.comprehension | ast.slice):
            yield from _changes_within(child, place)


# What is done to an expression


def _changes_of_expression(node: ast.expr) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        yield from _comparison(node)
    elif isinstance(node, ast.BoolOp):
        yield _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for operand in node.values:
            left = [each for each in node.values if each is not operand]
            yield _changed(node, values=left) if len(left) > 1 else (node, left[0])
    elif isinstance(node, ast.BinOp):
        yield from _arithmetic(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, node.operand
    elif isinstance(node, ast.IfExp):
        yield _changed(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield from _word(node, node.func.id)
    elif isinstance(node, ast.ListComp):
        for part in node.generators:
            if part.ifs:
                yield _changed(part, ifs=[])


def _comparison(node: ast.Compare) -> Iterator[Change]:
    for place, kind in enumerate(node.ops):
        other = COMPARISONS[type(kind)]()
        yield _changed(node, ops=[*node.ops[:place], other, *node.ops[place + 1 :]])
    if len(node.ops) == 2:  # 0 <= page < pages
        yield _changed(node, ops=node.ops[:1], comparators=node.comparators[:1])
        yield _changed(node, left=node.comparators[0], ops=node.ops[1:], comparators=node.comparators[1:])


def _arithmetic(node: ast.BinOp) -> Iterator[Change]:
    if type(node.op) in ARITHMETIC:
        yield _changed(node, op=ARITHMETIC[type(node.op)]())
    if isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor):
        yield node, node.left
        yield node, node.right


def _constant(node: ast.Constant) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield node, ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield node, ast.Constant(node.value + 1)
        if node.value > 0:
            yield node, ast.Constant(node.value - 1)


def _word(node: ast.Call, name: str) -> Iterator[Change]:
    if name == "neg":
        yield node, node.args[0]
    elif name == "implies":
        yield node, node.args[1]
    elif name == "when":
        yield _changed(node, args=[node.args[0], node.args[2], node.args[1]])
    elif name in BOUNDS:
        for argument in node.args:
            yield node, argument


def _changed(node: N, **parts: Any) -> tuple[ast.AST, ast.AST]:
    """A node, and the same with other parts; those that stay are shared."""
    new = copy.copy(node)
    for name, part in parts.items():
        setattr(new, name, part)
    return node, new
