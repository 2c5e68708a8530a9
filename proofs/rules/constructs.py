"""The constructs of Python that the reference may use; every other one is refused.

Proofs run the code on terms and on stand-ins for containers, so it may not ask what its arguments are: then a proof
would say nothing of a run. Nor may a module or a class keep state, which all objects would share. A construct that the
reference needs, and that allows neither, is added to the list here.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from memoracle.proofs.parts import parts_of

PACKAGE = "memoracle.impl"
FOLDER = Path(__file__).parents[2] / "impl"

BUILTINS = frozenset({"all", "iter", "len", "list", "max", "min", "next", "range", "set", "sorted"})
CONSUMERS = BUILTINS - {"iter", "next", "len", "range"}
IMPORTS = {
    "__future__": {"annotations"},
    "array": {"array"},
    "bisect": {"bisect_left"},
    "collections.abc": {"MutableSequence", "Sequence"},
    "itertools": {"pairwise"},
    "sortedcontainers": {"SortedSet"},
    "typing": {"Final", "NamedTuple", "Protocol"},
}
TYPING = ("__future__", "collections.abc", "typing")  # their names stand in annotations, or are a class's base
BASES = frozenset({"NamedTuple", "Protocol"})
# Of the containers, of whole numbers, and of NamedTuple; attributes that impl/ defines are found in its text.
METHODS = frozenset(
    {"add", "append", "bit_length", "copy", "discard", "get", "items", "keys", "pop", "remove", "values"}
)
STATEMENTS = (
    *(ast.AnnAssign, ast.Assert, ast.Assign, ast.AugAssign, ast.Break, ast.Continue, ast.Delete, ast.Expr),
    *(ast.For, ast.If, ast.Return, ast.While),
)
EXPRESSIONS = (
    *(ast.Attribute, ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.Dict, ast.DictComp),
    *(ast.GeneratorExp, ast.IfExp, ast.List, ast.ListComp, ast.Name, ast.Set, ast.Slice, ast.Subscript, ast.Tuple),
    ast.UnaryOp,
)
OPERATORS = (
    *(ast.Add, ast.And, ast.BitAnd, ast.BitOr, ast.BitXor, ast.Eq, ast.FloorDiv, ast.Gt, ast.GtE, ast.In),
    *(ast.Invert, ast.Is, ast.IsNot, ast.LShift, ast.Lt, ast.LtE, ast.Mod, ast.Mult, ast.Not, ast.NotEq),
    *(ast.NotIn, ast.Or, ast.RShift, ast.Sub, ast.USub),
)
LISTED = (*STATEMENTS, *EXPRESSIONS, *OPERATORS, ast.comprehension, ast.expr_context, ast.keyword)


def complaints(component: str) -> list[str]:
    """The constructs in a component's modules that are not listed, as `impl/bitmap.py:12: a global statement`."""
    found = []
    for module in parts_of(component):
        if (FOLDER / f"{module}.py").exists():
            found += [f"impl/{module}.py:{line}: {what}" for line, what in Reading(tree_of(module)).complaints()]
    return found


def tree_of(module: str) -> ast.Module:
    """A module of impl/ as it is imported."""
    return ast.parse(text_of(importlib.import_module(f"{PACKAGE}.{module}")))


def text_of(module: ModuleType) -> str:
    """The source text of a module."""
    loader: Any = module.__spec__ and module.__spec__.loader
    # pytest's loader, which rewrites asserts, has the file alone.
    told = getattr(loader, "get_source", None)
    text: str | None = told(module.__name__) if told else Path(str(module.__file__)).read_text(encoding="utf-8")
    if text is None:
        raise RuntimeError(f"the text of {module.__name__} is not known")
    return text


@cache
def attributes() -> frozenset[str]:
    """Every name that impl/ gives to an attribute: of an object, a class or a module."""
    found = set(METHODS)
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(tree_of(path.stem)):
            if isinstance(node, ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return frozenset(found)


@cache
def _callables_of(module: str) -> frozenset[str]:
    """The functions and classes of a module of impl/."""
    return frozenset(each.name for each in tree_of(module).body if isinstance(each, ast.FunctionDef | ast.ClassDef))


Complaint = tuple[int, str]


class Reading:
    """One module, read from its beginning to its end."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.typing: set[str] = set()  # names that say what something is
        self.callables: set[str] = set(BUILTINS)  # names that are there to be called
        self.modules: set[str] = set()
        self.constants: set[str] = set()

    def complaints(self) -> Iterator[Complaint]:
        for statement in self.tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                self.callables.add(statement.name)
        for place, statement in enumerate(self.tree.body):
            if isinstance(statement, ast.ImportFrom):
                yield from self._imports(statement)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                yield from self._constant(statement)
            elif isinstance(statement, ast.FunctionDef):
                yield from self._function(statement, set())
            elif isinstance(statement, ast.ClassDef):
                yield from self._class(statement)
            elif place or not is_docstring(statement):
                yield statement.lineno, f"{said(statement)} outside functions and classes"

    def _imports(self, statement: ast.ImportFrom) -> Iterator[Complaint]:
        source = statement.module or ""
        for each in statement.names:
            name = each.asname or each.name
            if source == PACKAGE and (FOLDER / f"{each.name}.py").exists():
                self.modules.add(name)
            elif source.startswith(f"{PACKAGE}."):
                is_callable = each.name in _callables_of(source.rpartition(".")[2])
                (self.callables if is_callable else self.constants).add(name)
            elif each.name in IMPORTS.get(source, ()):
                (self.typing if source in TYPING else self.callables).add(name)
            else:
                yield statement.lineno, f"{source}.{each.name} is imported"

    def _constant(self, statement: ast.Assign | ast.AnnAssign) -> Iterator[Complaint]:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if not all(isinstance(target, ast.Name) for target in targets) or statement.value is None:
            yield statement.lineno, f"{said(statement)} is no constant"
            return
        self.constants.update(target.id for target in targets if isinstance(target, ast.Name))
        if not self._is_immutable(statement.value):
            yield statement.lineno, f"{ast.unparse(targets[0])} is no constant of numbers and tuples"

    def _is_immutable(self, value: ast.expr) -> bool:
        """Whether this is made of numbers, of other constants and of tuples alone."""
        if isinstance(value, ast.Name):
            return value.id in self.constants
        if isinstance(value, ast.Constant):
            return is_number(value.value)
        parts = [each for each in ast.iter_child_nodes(value) if isinstance(each, ast.expr)]
        return isinstance(value, ast.BinOp | ast.UnaryOp | ast.Tuple) and all(map(self._is_immutable, parts))

    def _class(self, owner: ast.ClassDef) -> Iterator[Complaint]:
        bases = [ast.unparse(base) for base in owner.bases]
        if len(bases) > 1 or not BASES.issuperset(bases) or owner.keywords or owner.decorator_list:
            yield owner.lineno, f"class {owner.name} has a base, a keyword or a decorator that is not listed"
        started = [each for each in owner.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        kept = {name for start in started for each in ast.walk(start) for name in stored(each)}
        for place, statement in enumerate(owner.body):
            if isinstance(statement, ast.FunctionDef):
                if bases == ["Protocol"]:
                    if not all(map(is_docstring_or_dots, statement.body)):
                        yield statement.lineno, f"{owner.name}.{statement.name} does something in an interface"
                else:
                    yield from self._function(statement, kept)
            elif isinstance(statement, ast.AnnAssign) and bases == ["NamedTuple"]:
                if statement.value is not None and not self._is_default(statement.value):
                    yield statement.lineno, f"{ast.unparse(statement.target)} has a default that is no constant"
            elif place or not is_docstring(statement):
                yield statement.lineno, f"{said(statement)} in class {owner.name}, outside its methods"

    def _is_default(self, value: ast.expr) -> bool:
        return self._is_immutable(value) or ast.unparse(value) == "None"

    def _function(self, function: ast.FunctionDef, kept: set[str]) -> Iterator[Complaint]:
        """kept: the attributes that the constructor of the function's class sets."""
        name, given = function.name, function.args
        if name.startswith("__") and name != "__init__":
            yield function.lineno, f"{name} is defined"
        if function.decorator_list:
            yield function.lineno, f"{name} has a decorator"
        if given.vararg or given.kwarg:
            yield function.lineno, f"{name} takes any number of arguments"
        for default in (*given.defaults, *(each for each in given.kw_defaults if each is not None)):
            if not self._is_default(default):
                yield function.lineno, f"a default of {name} is no constant"
        body = function.body[1:] if is_docstring(function.body[0]) else function.body
        parameters = {each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
        nodes = [node for statement in body for node in walk(statement)]
        local = parameters | {each.id for each in nodes if isinstance(each, ast.Name) and not is_load(each)}
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        strings = {id(each) for node in nodes for each in strings_of(node)}
        consumed = {id(node.args[0]) for node in nodes if isinstance(node, ast.Call) and consumes(node)}
        for node in nodes:
            line = getattr(node, "lineno", function.lineno)
            if not isinstance(node, LISTED):
                yield line, said(node)
            elif isinstance(node, ast.GeneratorExp) and id(node) not in consumed:
                yield line, f"a generator that is not used up at once: {ast.unparse(node)}"
            elif isinstance(node, ast.Name) and is_load(node) and node.id not in local:
                yield from ((line, what) for what in self._name(node.id, id(node) in called))
            elif isinstance(node, ast.Attribute):
                yield from ((line, what) for what in self._attribute(node, name, kept, local))
            elif isinstance(node, ast.Call) and not isinstance(node.func, ast.Name | ast.Attribute):
                yield line, f"a call of {ast.unparse(node.func)}"
            elif isinstance(node, ast.Constant):
                if not (node.value is None or is_number(node.value) or id(node) in strings):
                    yield line, f"the constant {node.value!r}"
            elif isinstance(node, ast.Compare):
                for operator, compared in zip(node.ops, node.comparators, strict=True):
                    if isinstance(operator, ast.Is | ast.IsNot) and ast.unparse(compared) != "None":
                        yield line, f"identity with {ast.unparse(compared)}"

    def _name(self, name: str, is_called: bool) -> Iterator[str]:
        if name in self.callables:
            if not is_called:
                yield f"{name} is used without a call"
        elif name not in self.constants | self.modules:
            yield (
                f"{name} is used in code"
                if name in self.typing
                else f"{name} is not among the builtins that are listed"
            )

    def _attribute(self, node: ast.Attribute, function: str, kept: set[str], local: set[str]) -> Iterator[str]:
        of = ast.unparse(node.value)
        if is_load(node):
            if node.attr not in attributes() or node.attr.startswith("__"):
                yield f"the attribute {node.attr}"
        elif of != "self" or isinstance(node.ctx, ast.Del):
            yield f"{of}.{node.attr} is set or deleted"
        elif node.attr not in kept:
            yield f"{function} sets self.{node.attr}, which the constructor does not"


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, but for annotations, which are never evaluated."""
    yield node
    for field, value in ast.iter_fields(node):
        if field == "annotation":
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from walk(child)


def strings_of(node: ast.AST) -> list[ast.expr]:
    """The constant strings that a node may have: an assertion's message, or the type code of an array."""
    if isinstance(node, ast.Assert) and node.msg is not None:
        return [node.msg]
    return node.args[:1] if isinstance(node, ast.Call) and ast.unparse(node.func) == "array" else []


def consumes(node: ast.Call) -> bool:
    """Whether a call uses up its first argument at once, so that nothing changes what a generator of it yields."""
    return bool(node.args) and ast.unparse(node.func) in CONSUMERS


def is_load(node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load)


def stored(node: ast.AST) -> list[str]:
    """The attribute of `self` that is set here."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
        return []
    return [node.attr] if ast.unparse(node.value) == "self" else []


def is_number(value: object) -> bool:
    return isinstance(value, int)


def is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def is_docstring_or_dots(statement: ast.stmt) -> bool:
    return is_docstring(statement) or ast.unparse(statement) == "..."


def said(node: ast.AST) -> str:
    """A node in a few words: its kind, and its text."""
    text = ast.unparse(node).partition("\n")[0]
    return f"{type(node).__name__}: {text}" if text else type(node).__name__
