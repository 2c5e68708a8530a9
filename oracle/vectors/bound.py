"""The functions that vectors call, as a binding says it: written as reproducers write calls, but with any arguments."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from memoracle.diagnostics.divergence import Finding
from memoracle.drive.binding import Binding
from memoracle.drive.library import remembered_of
from memoracle.drive.requests import Request
from memoracle.report.check_report import TraceResult
from memoracle.reproducers import c, rust
from memoracle.reproducers.actions import Action, Remark, made
from memoracle.reproducers.due import RETURNS, Due
from memoracle.reproducers.expressions import CWriting, RustWriting, Writing, bare, rust_type
from memoracle.reproducers.failing_run import FailingRun, ReproducerError
from memoracle.reproducers.helpers import RUST, RUST_MEMORY, used_of
from memoracle.reproducers.program import Program, Start, Step, names_in
from memoracle.reproducers.program_writer import program
from memoracle.reproducers.signatures import POINTER, STRUCTURE
from memoracle.reproducers.substitution import parsed
from memoracle.trace.inputs import InputError
from memoracle.trace.operations import arguments_of
from memoracle.vectors.numbered import Function
from memoracle.vectors.vector import Called

ASKED = "asked_"  # begins the names of arguments
ANSWER = "answer"
NOTHING = Finding("", "", "", "")

C_HEAD = """#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

{declarations}

{helpers}"""
RUST_HEAD = """use std::ffi::c_void;
use std::ptr::null_mut;

extern "C" {{
    fn mmap(at: *mut c_void, bytes: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(at: *mut c_void, bytes: usize, protection: i32) -> i32;
    fn memset(at: *mut c_void, byte: i32, bytes: usize) -> *mut c_void;
    fn __errno_location() -> *mut i32;
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn alarm(seconds: u32) -> u32;
    fn write(file: i32, bytes: *const c_void, count: usize) -> isize;
    fn _exit(status: i32) -> !;
{declarations}
}}

{helpers}"""


def called(binding: Binding, left_out: Collection[str]) -> Called:
    """What a library can be asked as a binding says it. left_out: operations that are not."""
    operations = {name: keys for name, keys in told(binding).items() if name not in left_out}
    return Called(operations, binding.refusing, divided(binding))


def told(binding: Binding) -> dict[str, frozenset[str]]:
    """By operation, the arguments that its call names."""
    found: dict[str, frozenset[str]] = {}
    for operation, bound in binding.says.operations.items():
        keys = arguments_of(operation)
        try:
            named = names_in([parsed(bound.call)])
        except (SyntaxError, ValueError):  # what is wrong with it is said when it is written
            named = set()
        found[operation] = frozenset(key for key in keys if ("from_" if key == "from" else key) in named)
    return found


def divided(binding: Binding) -> dict[str, frozenset[str]]:
    """By operation, the arguments that its call divides by `/`: what begins no page cannot be asked so."""
    found: dict[str, frozenset[str]] = {}
    for operation, bound in binding.says.operations.items():
        try:
            nodes = ast.walk(parsed(bound.call))
        except (SyntaxError, ValueError):
            continue  # what is wrong with it is said when it is written
        lefts = [node.left for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
        found[operation] = frozenset(names_in(lefts))
    return found


class AnyArguments(FailingRun):
    """One call of each operation, whose arguments are variables."""

    def argument(self, place: int, name: str) -> str:
        return f"{ASKED}{name}"

    def variable(self, place: int) -> str:
        return ANSWER

    def said(self, place: int) -> str:
        return self.requests[place].operation


class Bound:
    """What a binding says of some operations. Raises InputError for what cannot be written."""

    def __init__(self, binding: Binding, functions: Sequence[Function]) -> None:
        self.binding, self.functions = binding, functions
        for each in functions:
            self._refuse_remembered(each.operation)
        events = tuple({"op": each.operation, **dict.fromkeys(each.arguments, 0), "result": 0} for each in functions)
        requests = tuple(Request(each.operation, dict.fromkeys(each.arguments, 0), {}) for each in functions)
        run = AnyArguments((), events, requests, NOTHING, lambda events: TraceResult("", ""))
        try:
            self.program: Program = program(binding, run, Due(RETURNS, ""))
        except ReproducerError as fault:
            raise InputError(binding.path, None, str(fault)) from None
        used = names_in([each for step in self.program.calls for each in _expressions(step)])
        self.used = used | {start.name for start in self.program.start if start.name in used}

    def _refuse_remembered(self, operation: str) -> None:
        bound = self.binding.says.operations[operation]
        texts = [text for text in (bound.call, bound.fails, bound.result) if text is not None]
        try:
            remembered = sorted(names_in([parsed(text) for text in texts]) & remembered_of(operation))
        except (SyntaxError, ValueError):
            return  # what is wrong with it is said when it is written
        if remembered:
            words = f"`{remembered[0]}` is remembered of an allocation, which vectors do not"
            raise self.binding.fault(f"operations.{operation}", words)

    def kept(self) -> Iterator[Start]:
        """The statements of the start whose values are read later."""
        declared = self.program.declared.variables
        yield from (each for each in self.program.start if each.name in self.used and each.name not in declared)


def _expressions(step: Step) -> list[ast.expr]:
    return [each for each in (step.call, step.fails, step.result) if each is not None]


def _actions(step: Step) -> list[Action]:
    used = names_in(_expressions(step))
    return [each for each in made(step, used) if not isinstance(each, Remark)]


def in_c(binding: Binding, functions: Sequence[Function]) -> str:
    """The functions in C, each before it is called."""
    bound = Bound(binding, functions)
    found = bound.program
    writing = CWriting(found.declared)
    head = C_HEAD.format(
        declarations=binding.says.declarations.strip(), helpers=f"{c.NUMBERS}\n{c.helpers_of(found)}".rstrip()
    )
    memory = found.memory
    static = ["static number memory;"] if memory is not None else []
    static += [f"static number {each.name};" for each in bound.kept()]
    body = []
    if memory is not None:
        given = f"{memory.bytes:#x}, {memory.at:#x}, {memory.alignment:#x}, {memory.fill:#x}"
        body.append("    if (memory == 0)")
        body.append(f"        memory = memory_given({given});")
        body.append(f"    memset((void *)(uintptr_t)memory, {memory.fill:#x}, {memory.bytes:#x});")
    for start in found.start:
        value = writing.number(start.call)
        body.append(f"    {_assigned_in_c(start, value, bound, writing)};")
        if start.fails is not None:
            body.append(f"    if ({bare(writing.truth(start.fails))}) {{")
            body += ['        fprintf(stderr, "it does not start\\n");', "        exit(77);", "    }"]
    parts = [head, "\n".join(static), "static void memoracle_start(void)\n{\n" + "\n".join(body) + "\n}"]
    parts += [_function_in_c(*each, found, writing) for each in zip(functions, found.calls, strict=True)]
    return "\n\n".join(part for part in parts if part)


def _assigned_in_c(start: Start, value: str, bound: Bound, writing: CWriting) -> str:
    variable = bound.program.declared.variables.get(start.name or "")
    if start.name is not None and variable is not None:
        cast = "(uintptr_t)" if variable.kind == POINTER else ""
        return f"{start.name} = ({variable.name}){cast}({bare(value)})"
    if start.name is None or (start.name not in bound.used and start.fails is None):
        return writing.statement(start.call)
    return f"{'' if start.name in bound.used else 'number '}{start.name} = {bare(value)}"


def _function_in_c(function: Function, step: Step, found: Program, writing: CWriting) -> str:
    arguments = [f"uint64_t {name}" for name in function.arguments]
    arguments += ["uint64_t *result"] if function.results else []
    lines = [f"static int {function.name}({', '.join(arguments) or 'void'})", "{"]
    read = names_in(_expressions(step))
    lines += [
        f"    number {ASKED}{name} = {name};" if f"{ASKED}{name}" in read else f"    (void){name};"
        for name in function.arguments
    ]
    for action in _actions(step):
        lines += c.action_lines(action, found, writing, {})
    if step.fails is not None:
        lines += [f"    if ({bare(writing.truth(step.fails))})", "        return 1;"]
    if function.results:
        lines.append(f"    *result = (uint64_t){_answer(function, step, found, writing)};")
    return "\n".join([*lines, "    return 0;", "}"])


def _answer(function: Function, step: Step, found: Program, writing: Writing) -> str:
    if step.result is None or function.results != 1:
        words = f"the binding does not say what `{function.operation}` answers, as one number"
        raise InputError(found.binding.path, None, words)
    text = writing.number(step.result)
    return text if text.startswith("(") else f"({text})"


def in_rust(binding: Binding, functions: Sequence[Function]) -> str:
    """The functions in Rust."""
    bound = Bound(binding, functions)
    found = bound.program
    memory = found.memory
    if any(kind.kind == STRUCTURE for kind in found.declared.variables.values()):
        raise InputError(binding.path, None, "structures can be written in C alone")
    try:
        return _in_rust(bound, RustWriting(found.declared), functions, memory is not None)
    except ReproducerError as fault:
        raise InputError(binding.path, None, str(fault)) from None


def _in_rust(bound: Bound, writing: RustWriting, functions: Sequence[Function], has_memory: bool) -> str:
    found, memory = bound.program, bound.program.memory
    helpers = used_of(RUST, found.used, RUST_MEMORY if has_memory else None)
    head = RUST_HEAD.format(
        declarations="\n".join(f"    {each}" for each in rust.declarations(found)),
        helpers=f"{rust.NUMBERS}\n{helpers}".rstrip(),
    )
    static = ["static mut memory: Number = 0;"] if has_memory else []
    static += [f"static mut {each.name}: Number = 0;" for each in bound.kept()]
    body = []
    if memory is not None:
        given = f"{memory.bytes:#x}, {memory.at:#x}, {memory.alignment:#x}, {memory.fill:#x}"
        body += ["    if memory == 0 {", f"        memory = memory_given({given});", "    }"]
        body.append(f"    memset(memory as usize as *mut c_void, {memory.fill:#x}, {memory.bytes:#x});")
    for start in found.start:
        body.append(f"    {_assigned_in_rust(start, bound, writing)};")
        if start.fails is not None:
            body += [f"    if {bare(writing.truth(start.fails))} {{", '        panic!("it does not start");', "    }"]
    parts = [head, "\n".join(static), "unsafe fn memoracle_start() {\n" + "\n".join(body) + "\n}"]
    parts += [_function_in_rust(*each, found, writing) for each in zip(functions, found.calls, strict=True)]
    return "\n\n".join(part for part in parts if part)


def _assigned_in_rust(start: Start, bound: Bound, writing: RustWriting) -> str:
    value, variable = bare(writing.number(start.call)), bound.program.declared.variables.get(start.name or "")
    if start.name is not None and variable is not None:
        cast = "usize as " if variable.kind == POINTER else ""
        return f"{start.name} = ({value}) as {cast}{rust_type(variable)}"
    if start.name is None or (start.name not in bound.used and start.fails is None):
        return value
    return f"{'' if start.name in bound.used else 'let '}{start.name} = {value}"


def _function_in_rust(function: Function, step: Step, found: Program, writing: RustWriting) -> str:
    arguments = [f"{name}: u64" for name in function.arguments]
    arguments += ["result: *mut u64"] if function.results else []
    lines = [f"unsafe fn {function.name}({', '.join(arguments)}) -> i32 {{"]
    lines += [f"    let {ASKED}{name} = {name} as Number;" for name in function.arguments]
    for action in _actions(step):
        lines += [f"    {line}" for line in rust.action_lines(action, found, writing)]
    if step.fails is not None:
        lines += [f"    if {bare(writing.truth(step.fails))} {{", "        return 1;", "    }"]
    if function.results:
        lines.append(f"    *result = {_answer(function, step, found, writing)} as u64;")
    return "\n".join([*lines, "    0", "}"])
