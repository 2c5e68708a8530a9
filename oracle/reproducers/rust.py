"""A failure as a test in Rust, which calls the library's functions as C does."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from memoracle.reproducers.actions import FAILS, OTHER_COURSE, PASSES, Action, If, Let, Remark, Room, actions
from memoracle.reproducers.c import SECONDS, linked
from memoracle.reproducers.expressions import RustWriting, bare, rust_field, rust_type
from memoracle.reproducers.failing_run import FailingRun, ReproducerError
from memoracle.reproducers.helpers import RUST, RUST_MEMORY, used_of
from memoracle.reproducers.program import Program
from memoracle.reproducers.signatures import (
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

ENDS = {
    FAILS: 'panic!("{{}}", {words});',
    OTHER_COURSE: 'eprintln!("not tested: {{}}", {words});\n            return;',
    PASSES: "return;",
}
OWN = {"mmap", "mprotect", "memset", "alarm"}  # that the test calls itself
NUMBERS = """\
/// Holds every address, and what is computed of one, with its sign.
type Number = i128;

fn floor_div(a: Number, b: Number) -> Number {
    a / b - ((a % b != 0 && (a < 0) != (b < 0)) as Number)
}

fn floor_mod(a: Number, b: Number) -> Number {
    a - b * floor_div(a, b)
}
"""
TEXT = """\
{head}
#![allow(unused, non_camel_case_types, non_upper_case_globals)]
use std::ffi::c_void;
use std::ptr::null_mut;

extern "C" {{
    fn alarm(seconds: u32) -> u32;
    fn mmap(at: *mut c_void, bytes: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(at: *mut c_void, bytes: usize, protection: i32) -> i32;
    fn memset(at: *mut c_void, byte: i32, bytes: usize) -> *mut c_void;
    fn __errno_location() -> *mut i32;
{functions}
}}

{numbers}
#[test]
fn {name}() {{
    unsafe {{
        alarm({seconds});
{body}
    }}
}}
"""


def text(program: Program, run: FailingRun) -> str:
    options = shlex.join(part for each in linked(program.binding) for part in ("-C", f"link-arg={each}"))
    helpers = used_of(RUST, program.used, None if program.memory is None else RUST_MEMORY)
    if "take_pages" in program.used:
        helpers = f"const MEMORY_PAGE: Number = {program.binding.geometry.page_size};\n\n{helpers}"
    how = ["Build and run it:", f"  rustc --edition 2021 --test reproducer.rs {options} && ./reproducer"]
    return TEXT.format(
        head="\n".join(remarks(head(run, how))),
        functions="\n".join(f"    {each}" for each in declarations(program)),
        numbers=f"{_symbols(program)}{_structures(program)}{NUMBERS}\n{helpers}{''.join(_callbacks(program))}",
        name=run.finding.clause.replace(".", "_").replace("-", "_"),
        seconds=SECONDS,
        body="\n".join(_body(program)),
    )


def _symbols(program: Program) -> str:
    """Absolute symbols, which the linker shows to the library."""
    if not program.symbols:
        return ""
    lines = (f'    ".globl {name}",\n    ".set {name}, {value:#x}",\n' for name, value in program.symbols.items())
    return f"// What a linker script gives.\nstd::arch::global_asm!(\n{''.join(lines)});\n\n"


def _callbacks(program: Program) -> Iterator[str]:
    """The definitions of what the library calls."""
    for each in program.callbacks:
        kinds, result = each.signature.parameters, each.signature.result
        for kind in (*kinds, result):
            if kind.kind in (STRUCTURE, FLOATING, OTHER):
                raise ReproducerError(f"{each.name}: `{kind.name}` is no number and no pointer")
        names = [name or f"_{place}" for place, name in enumerate(each.parameters or [""] * len(kinds))]
        given = ", ".join(f"{name}: {rust_type(kind)}" for name, kind in zip(names, kinds, strict=True))
        returns = "" if result.kind == VOID else f" -> {rust_type(result)}"
        writing, body = RustWriting(program.declared), "std::process::abort()"
        writing.rooms |= dict(zip(names, kinds, strict=True))
        if each.body is not None:
            body = bare(writing.number(each.body))
            if result.kind == VOID:
                body = f"{body};"
            elif result.kind == BOOLEAN:
                body = bare(writing.truth(each.body))
            else:
                body = f"({body}) as {'usize as ' if result.kind == POINTER else ''}{rust_type(result)}"
        yield f'\n#[no_mangle]\nunsafe extern "C" fn {each.name}({given}){returns} {{\n    {body}\n}}\n'


def _structures(program: Program) -> str:
    rooms = [step.out[1] for step in program.calls if step.out is not None]
    found = structures_of(program.declared, program.used, rooms).values()
    return "".join(f"#[repr(C)]\nstruct {plain_name(kind)} {{\n{_fields(kind)}}}\n\n" for kind in found)


def _fields(kind: CType) -> str:
    return "".join(f"    {rust_field(name)}: {rust_type(each)},\n" for name, each in kind.fields.items())


def declarations(program: Program) -> Iterator[str]:
    functions, ours = program.declared.functions, OWN.union(each.name for each in program.callbacks)
    yield from (_declared(program, name) for name in program.used if name in functions and name not in ours)
    for name, kind in program.declared.variables.items():
        yield f"static mut {name}: {'[u8; 0]' if kind.kind in PLACES else rust_type(kind)};"


def _declared(program: Program, name: str) -> str:
    signature = program.declared.functions[name]
    parameters = (f"_{place}: {rust_type(kind)}" for place, kind in enumerate(signature.parameters))
    result = "" if signature.result.kind == VOID else f" -> {rust_type(signature.result)}"
    return f"fn {name}({', '.join(parameters)}){result};"


def _body(program: Program) -> Iterator[str]:
    writing = RustWriting(program.declared)
    for name, numbers in program.given_memory():
        yield f"        let {name} = memory_given({numbers});"
    for action in actions(program):
        yield from (f"        {line}" if line else "" for line in action_lines(action, program, writing))


def action_lines(action: Action, program: Program, writing: RustWriting) -> Iterator[str]:
    if isinstance(action, Remark):
        yield ""
        yield f"// {harmless(action.text)}"
    elif isinstance(action, Room):
        writing.rooms[action.name] = action.kind
        value = {POINTER: "null_mut()", BOOLEAN: "false", STRUCTURE: "std::mem::zeroed()"}.get(action.kind.kind, "0")
        yield f"let mut {action.name}: {rust_type(action.kind)} = {value};"
    elif isinstance(action, Let):
        if action.errno is not None:
            yield "*__errno_location() = 0;"
        yield f"{_let(action, program, writing)};"
        if action.errno is not None:
            yield f"let {action.errno} = *__errno_location() as Number;"
    elif isinstance(action, If):
        yield f"if {bare(writing.truth(action.test))} {{"
        yield f"    {ENDS[action.what].format(words=literal(action.words))}"
        yield "}"


def _let(action: Let, program: Program, writing: RustWriting) -> str:
    value, kind = bare(writing.number(action.value)), program.type_of(action.value)
    if action.name is None or (kind is not None and kind.kind == VOID):
        return value
    variable = program.declared.variables.get(action.name)
    if variable is not None:
        return f"{action.name} = ({value}) as {'usize as ' if variable.kind == POINTER else ''}{rust_type(variable)}"
    if kind is not None and kind.kind == STRUCTURE:
        writing.rooms[action.name] = kind
        return f"let {action.name} = {value}"
    return f"let {action.name}: Number = {value}"
