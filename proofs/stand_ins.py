"""Lists the stand-ins: what takes the place of containers and components while code is run on unknown values.

The list is computed from the text: a class of the proofs is a stand-in if it has a method that the reference calls, or
that Python calls for an operation on a container. A protocol is no stand-in: it is a type, of which nothing is made.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = ("proofs/symbolic/containers.py", "proofs/symbolic/extents.py", "proofs/components")
OPERATIONS = frozenset(
    f"__{name}__"
    for name in ("add", "bool", "contains", "delitem", "eq", "getitem", "iadd", "iter", "len", "radd", "setitem")
)
# Classes with such methods that are no containers: a loop's invariant, and a step that another proof is about.
OF_PROOFS = frozenset({"on_entry", "havoc", "__call__"})


@cache
def stand_ins() -> dict[str, tuple[str, ...]]:
    """The names of the classes, by the file that has them."""
    found: dict[str, tuple[str, ...]] = {}
    for place in PLACES:
        for path in [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py")):
            names = _of(ast.parse(path.read_text(encoding="utf-8")))
            if names:
                found[path.relative_to(ROOT).as_posix()] = names
    return found


def _of(tree: ast.Module) -> tuple[str, ...]:
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    return tuple(name for name, each in classes.items() if _stands_in(each, classes))


def _stands_in(each: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    methods = {part.name for part in each.body if isinstance(part, ast.FunctionDef)}
    names = [base.id for base in each.bases if isinstance(base, ast.Name)]
    if methods & OF_PROOFS or "Protocol" in names:
        return False
    bases = [classes[name] for name in names if name in classes]
    return bool(methods & (OPERATIONS | called())) or any(_stands_in(base, classes) for base in bases)


@cache
def called() -> frozenset[str]:
    """The names of the methods that the code of the reference calls."""
    found = set()
    for path in (ROOT / "impl").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found.add(node.func.attr)
    return frozenset(found)


def said() -> str:
    """The list as a sentence, with the files."""
    return "; ".join(f"{', '.join(names)} ({file})" for file, names in stand_ins().items())
