"""A failure as a test of pytest, which calls the library's functions through ctypes."""

from __future__ import annotations

import ast
import ctypes
from collections.abc import Iterator

from memoracle.drive.native.given_symbols import library_of
from memoracle.reproducers.actions import FAILS, OTHER_COURSE, PASSES, Action, If, Let, Remark, Room, actions
from memoracle.reproducers.c import SECONDS
from memoracle.reproducers.due import RETURNS
from memoracle.reproducers.expressions import NO_NUMBERS
from memoracle.reproducers.failing_run import FailingRun, ReproducerError
from memoracle.reproducers.helpers import PYTHON, PYTHON_MEMORY, PYTHON_SYMBOLS, RENAMED, used_of
from memoracle.reproducers.program import Program
from memoracle.reproducers.signatures import (
    ARRAY,
    BOOLEAN,
    FLOATING,
    OTHER,
    PLACES,
    POINTER,
    STRUCTURE,
    VOID,
    CType,
    plain_name,
    structures_of,
)
from memoracle.reproducers.words import harmless, head, literal, remarks

HEAD = 64  # bytes of an ELF file that say for which machine it is
ENDS = {FAILS: "pytest.fail({words})", OTHER_COURSE: "pytest.skip({words})", PASSES: "return"}
TEXT = """\
{head}
import ctypes
import multiprocessing
import os
from pathlib import Path

import pytest

LIBRARY = {library}
{symbols}

{helpers}

def calls():
{given}    library = ctypes.CDLL(str(Path(LIBRARY).resolve()) if Path(LIBRARY).is_file() else LIBRARY, use_errno=True)
{functions}
{body}


{test}
"""
TEST = """\
def test_{name}():
    calls()"""
# What dies or hangs does so in a process of its own.
TEST_OF_A_CRASH = """\
def test_{name}():
    process = multiprocessing.get_context("fork").Process(target=calls)
    process.start()
    process.join({seconds})
    status = process.exitcode
    process.kill()
    assert status == 0, {words}"""


def text(program: Program, run: FailingRun) -> str:
    apart = program.due.kind == RETURNS
    where = program.binding.library
    helpers = used_of(PYTHON, program.used, None if program.memory is None else PYTHON_MEMORY)
    return TEXT.format(
        head="\n".join(remarks(head(run, ["Run it:", "  pytest test_reproducer.py"]), "#")),
        library=ascii(str(where) if where.is_file() else where.name),
        symbols=_symbols(program),
        helpers="\n\n".join(
            [*_structures(program), *([PYTHON_SYMBOLS] if program.symbols else []), *([helpers] if helpers else [])]
        ),
        given="    given = give_symbols()  # as long as it lives\n" if program.symbols else "",
        functions="\n".join(
            line for name in program.used if name in program.declared.functions for line in _declared(program, name)
        ),
        body="\n".join(_body(program, apart)),
        test=test_of(run, apart),
    )


def _symbols(program: Program) -> str:
    """The bytes of a library that has the symbols, for the same machine as the one that needs them."""
    if not program.symbols:
        return ""
    with program.binding.library.open("rb") as file:
        text = library_of(program.symbols, file.read(HEAD)).hex()
    lines = "".join(f'    "{text[start : start + 96]}"\n' for start in range(0, len(text), 96))
    return f"# As bytes: a library of {', '.join(program.symbols)}.\nSYMBOLS = (\n{lines})\n"


def _structures(program: Program) -> Iterator[str]:
    """Each as a class of ctypes."""
    rooms = [step.out[1] for step in program.calls if step.out is not None]
    for kind in structures_of(program.declared, program.used, rooms).values():
        fields = "".join(f"        ({literal(name)}, {_type(each)}),\n" for name, each in kind.fields.items())
        yield f"class {plain_name(kind)}(ctypes.Structure):\n    _fields_ = [\n{fields}    ]\n\n"


def test_of(run: FailingRun, apart: bool) -> str:
    """The test itself. apart: whether the calls are made in another process, which the target may end."""
    return (TEST_OF_A_CRASH if apart else TEST).format(
        name=run.finding.clause.replace(".", "_").replace("-", "_"),
        seconds=SECONDS,
        words=literal(run.finding.says),
    )


def ends_of(apart: bool) -> dict[str, str]:
    """How a test ends; in another process nobody would see that it was skipped."""
    return {**ENDS, OTHER_COURSE: "return"} if apart else ENDS


def _declared(program: Program, name: str) -> Iterator[str]:
    signature = program.declared.functions[name]
    if any(kind.kind == STRUCTURE for kind in signature.parameters):
        raise ReproducerError(f"{name}: it takes a structure, which is no number and no pointer")
    parameters = ", ".join(_type(kind) for kind in signature.parameters)
    yield f"    library.{name}.argtypes = [{parameters}]"
    yield f"    library.{name}.restype = {_type(signature.result)}"


def _type(kind: CType) -> str:
    if kind.kind == STRUCTURE:
        return plain_name(kind)
    if kind.kind in (ARRAY, OTHER) and kind.target is not None:
        return f"{_type(kind.target)} * {kind.count}"
    if kind.kind == FLOATING:
        return "ctypes.c_float" if kind.bytes == ctypes.sizeof(ctypes.c_float) else "ctypes.c_double"
    if kind.kind == OTHER:
        raise ReproducerError(f"`{kind.name}` is no number and no pointer")
    if kind.kind == VOID:
        return "None"
    if kind.kind == POINTER:
        return "ctypes.c_void_p"
    return "ctypes.c_bool" if kind.kind == BOOLEAN else f"ctypes.c_{'' if kind.signed else 'u'}int{8 * kind.bytes}"


def _body(program: Program, apart: bool) -> Iterator[str]:
    for name, numbers in program.given_memory():
        yield f"    {name} = memory_given({numbers})"
    writing, ends = _Python(program), ends_of(apart)
    for action in actions(program):
        yield from (f"    {line}" if line else "" for line in _lines(action, program, writing, ends))


def _lines(action: Action, program: Program, writing: _Python, ends: dict[str, str]) -> Iterator[str]:
    if isinstance(action, Remark):
        yield ""
        yield f"# {harmless(action.text)}"
    elif isinstance(action, Room):
        writing.rooms[action.name] = action.kind
        yield f"{action.name} = {_type(action.kind)}()"
    elif isinstance(action, Let):
        if action.errno is not None:
            yield "ctypes.set_errno(0)"
        yield _let(action, program, writing)
        if action.errno is not None:
            yield f"{action.errno} = ctypes.get_errno()"
    elif isinstance(action, If):
        yield f"if {writing.text(action.test)}:"
        yield f"    {ends[action.what].format(words=literal(action.words))}"


def _let(action: Let, program: Program, writing: _Python) -> str:
    text, kind = writing.text(action.value), program.type_of(action.value)
    if action.name is None or (kind is not None and kind.kind == VOID):
        return text
    if kind is not None and kind.kind == STRUCTURE:
        writing.rooms[action.name] = kind
    if action.name in program.declared.variables:
        return f"{_in_library(action.name, program.declared.variables[action.name])} = {text}"
    return f"{action.name} = {text}"


def _in_library(name: str, kind: CType) -> str:
    return f"{_type(kind)}.in_dll(library, {literal(name)}).value"


class _Python(ast.NodeTransformer):
    """Expressions as they are, with functions of the library, and what they store."""

    def __init__(self, program: Program) -> None:
        self.functions, self.variables = program.declared.functions, program.declared.variables
        self.rooms: dict[str, CType] = {}

    def text(self, node: ast.expr) -> str:
        copy = ast.parse(ast.unparse(node), mode="eval").body
        return ast.unparse(ast.fix_missing_locations(self.visit(copy)))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.functions:
            return _parsed(f"ctypes.cast(library.{node.id}, ctypes.c_void_p).value")
        if node.id in self.variables:
            kind = self.variables[node.id]
            if kind.kind in PLACES:
                return _parsed(f"ctypes.addressof(ctypes.c_char.in_dll(library, {literal(node.id)}))")
            return self._or_null(_in_library(node.id, kind), kind)
        room = self.rooms.get(node.id)
        if room is not None and room.kind == STRUCTURE:
            return _parsed(f"ctypes.addressof({node.id})")
        return node if room is None else self._or_null(f"{node.id}.value", room)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        room = self.rooms.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if room is None or node.attr not in room.fields or room.fields[node.attr].kind in NO_NUMBERS:
            raise ReproducerError(f"`{ast.unparse(node)}` is no number and no pointer")
        if room.fields[node.attr].kind == ARRAY:
            return _parsed(f"ctypes.addressof({ast.unparse(node)})")
        return self._or_null(ast.unparse(node), room.fields[node.attr])

    def visit_Starred(self, node: ast.Starred) -> ast.expr:
        return _parsed(f"ctypes.byref({ast.unparse(node.value)})")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not isinstance(node.func, ast.Name):
            raise AssertionError
        arguments = ", ".join(ast.unparse(self.visit(each)) for each in node.args)
        if node.func.id in PYTHON:
            return _parsed(f"{RENAMED.get(node.func.id, node.func.id)}({arguments})")
        return self._or_null(f"library.{node.func.id}({arguments})", self.functions[node.func.id].result)

    def _or_null(self, text: str, kind: CType) -> ast.expr:
        """ctypes has None for a null pointer."""
        return _parsed(f"{text} or 0" if kind.kind == POINTER else text)


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
