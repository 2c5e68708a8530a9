"""Faults in how an object is made: what is its own becomes one for all objects of the class; a field's default."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from memoracle.proofs.mutation.operators.change import Change, Function, with_parts
from memoracle.proofs.mutation.operators.expressions import other_constants
from memoracle.proofs.mutation.operators.statements import DEFAULT, arguments

SHARED = "attribute of the class"


def shared_attributes(made: ast.ClassDef, constructor: Function) -> Iterator[Change]:
    """A container that all objects of the class share: that of the first object, where arguments decide on it."""
    for statement in constructor.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        target = statement.target if isinstance(statement, ast.AnnAssign) else target
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if not isinstance(target, ast.Attribute) or not _makes_a_container(value):
            continue
        assert value is not None
        names = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
        shown = ast.unparse(statement), f"{made.name}.{target.attr} = {ast.unparse(value)}"
        if names & arguments(constructor):
            [kept] = ast.parse(f"if '{target.attr}' not in vars({made.name}):\n    {shown[1]}").body
            body = [ast.copy_location(kept, statement) if each is statement else each for each in constructor.body]
            yield Change(SHARED, constructor, with_parts(constructor, body=body), shown)
        else:
            body = [each for each in constructor.body if each is not statement]
            init = with_parts(constructor, body=body or [ast.Pass()])
            one = ast.copy_location(ast.Assign([ast.Name(target.attr, ast.Store())], value), statement)
            members = [init if each is constructor else each for each in made.body]
            yield Change(SHARED, made, with_parts(made, body=[*members, one]), shown)


def _makes_a_container(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in {
            "SortedSet",
            "array",
            "dict",
            "list",
            "set",
            "Bitmap",
        }
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.Mult) and (isinstance(value.left, ast.List) or _makes_a_container(value.left))
    return isinstance(value, ast.Dict | ast.List | ast.ListComp | ast.Set | ast.DictComp)


def field_defaults(made: ast.ClassDef) -> Iterator[tuple[ast.AnnAssign, Change]]:
    """Changes of the default of a field of a tuple."""
    for member in made.body:
        if isinstance(member, ast.AnnAssign) and isinstance(member.value, ast.Constant):
            for value in other_constants(member.value):
                yield member, Change(DEFAULT, member.value, ast.Constant(value))
