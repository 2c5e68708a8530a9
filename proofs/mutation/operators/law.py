"""Which functions of a law's module say what its operations do."""

from __future__ import annotations

import ast

from memoracle.proofs.mutation.operators.change import Function


def operative(tree: ast.Module) -> list[str]:
    """The functions that say what a law's operations do: effects, guards, and what is used by no other clause."""
    functions = {each.name: each for each in tree.body if isinstance(each, Function)}
    effects = {name for name, each in functions.items() if decorator(each, "operation") or _changes_a_state(each)}
    named = {entry.id for each in functions.values() for entry in guard_of(each) if isinstance(entry, ast.Name)}
    guards = named & functions.keys()  # other clauses are another component's
    claims = {name for name, each in functions.items() if decorator(each, "clause") and name not in guards}
    others = {name for name, each in functions.items() if not each.args.args or _starts(each)}
    shared = reached(functions, claims | others) - effects - guards
    return [name for name in functions if name in reached(functions, effects | guards) - shared]


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


def reached(functions: dict[str, Function], names: set[str]) -> set[str]:
    """These functions, and those that they are made of."""
    reached: set[str] = set()
    ahead = set(names)
    while ahead:
        name = ahead.pop()
        reached.add(name)
        named = (each.id for each in ast.walk(functions[name]) if isinstance(each, ast.Name))
        ahead |= {each for each in named if each in functions and each not in reached}
    return reached


def decorator(function: Function, name: str) -> ast.Call | None:
    for each in function.decorator_list:
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name:
            return each
    return None


def guard_of(function: Function) -> list[ast.expr]:
    declared = decorator(function, "operation")
    lists = [each.value for each in declared.keywords if each.arg == "guard"] if declared else []
    return [entry for each in lists if isinstance(each, ast.List) for entry in each.elts]
