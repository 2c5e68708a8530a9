"""A failure as a program in C, which exits with 0 if the target is right."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator, Mapping

from memoracle.drive.binding import Binding
from memoracle.reproducers.actions import FAILS, OTHER_COURSE, PASSES, Action, If, Let, Remark, Room, actions
from memoracle.reproducers.callbacks import Callback
from memoracle.reproducers.expressions import CWriting, bare
from memoracle.reproducers.failing_run import FailingRun
from memoracle.reproducers.helpers import C_MEMORY, C_PANICS, C_STATE, C, used_of
from memoracle.reproducers.program import Program
from memoracle.reproducers.signatures import POINTER, STRUCTURE, VOID
from memoracle.reproducers.words import harmless, head, literal, remarks
from memoracle.trace.files import is_file

OTHER_COURSE_STATUS = 77  # what test drivers take for a test that was skipped
SECONDS = 5  # after which a test that hangs ends
NUMBERS = """\
typedef __int128 number; /* holds every address, and what is computed of one, with its sign */

static inline number floor_div(number a, number b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static inline number floor_mod(number a, number b)
{
    return a - b * floor_div(a, b);
}
"""
ENDS = {
    FAILS: "return ends(1, {words});",
    OTHER_COURSE: f"return ends({OTHER_COURSE_STATUS}, {{words}});",
    PASSES: "return 0;",
}
TEXT = """\
{head}
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

{declarations}

{numbers}
static int ends(int status, const char *words)
{{
    fprintf(stderr, "%s\\n", words);
    return status;
}}

static int run(void)
{{
{body}
    return 0;
}}

int main(void)
{{
    alarm({seconds});
    return run();
}}
"""


def text(program: Program, run: FailingRun) -> str:
    how = ["Build and run it:", f"  {build(program.binding, 'cc', 'reproducer.c')} && ./reproducer"]
    how.append(f"It exits with 0 if the target is right, with 1 if not, with {OTHER_COURSE_STATUS} if its calls take")
    how.append("another course than those that failed.")
    return TEXT.format(
        head="\n".join(remarks(head(run, how))),
        declarations=program.binding.says.declarations.strip(),
        numbers=f"{NUMBERS}\n{helpers_of(program)}{callbacks_in(program)}",
        body=body(program, ENDS),
        seconds=SECONDS,
    )


def build(binding: Binding, compiler: str, file: str) -> str:
    """The command that builds a test with its library."""
    return f"{compiler} {file} {shlex.join(linked(binding))} -o reproducer"


def linked(binding: Binding) -> list[str]:
    """How the library is named to a linker: by its path, or as one that is installed."""
    library = binding.library
    if not is_file(library):
        return [f"-l:{library.name}"]
    folder = library.parent.resolve()
    return [str(library), f"-Wl,-rpath,{folder}"]


def helpers_of(program: Program) -> str:
    memory, state = (None, "") if program.memory is None else (C_MEMORY, C_STATE)
    page = f"enum {{ memory_page = {program.binding.geometry.page_size} }};\n" if "take_pages" in program.used else ""
    panics = C_PANICS if program.can_refuse_by_panic else ""
    return f"{panics}{state}{page}{_symbols(program)}{used_of(C, program.used, memory)}"


def _symbols(program: Program) -> str:
    """Absolute symbols, which the linker shows to the library."""
    if not program.symbols:
        return ""
    lines = (f'__asm__(".globl {name}\\n.set {name}, {value:#x}");\n' for name, value in program.symbols.items())
    return f"/* What a linker script gives. */\n{''.join(lines)}\n"


def callbacks_in(program: Program) -> str:
    """The definitions of what the library calls."""
    return "\n".join(_callback(each, program) for each in program.callbacks)


def _callback(callback: Callback, program: Program) -> str:
    if callback.body is None:
        back = "    if (may_refuse)\n        longjmp(entry, 1);\n" if program.can_refuse_by_panic else ""
        return f"{callback.prototype}\n{{\n{back}    __builtin_trap();\n}}\n"
    writing, result = CWriting(program.declared), callback.signature.result
    named = zip(callback.parameters, callback.signature.parameters, strict=True)
    writing.rooms |= {name: kind for name, kind in named if name}
    value = bare(writing.number(callback.body))
    if result.kind != VOID:
        value = f"return ({result.name}){'(uintptr_t)' if result.kind == POINTER else ''}({value})"
    return f"{callback.prototype}\n{{\n    {value};\n}}\n"


def body(program: Program, ends: Mapping[str, str]) -> str:
    """The statements of a test."""
    writing = CWriting(program.declared)
    given = [f"    number {name} = memory_given({numbers});" for name, numbers in program.given_memory()]
    return "\n".join(
        [*given, *(line for action in actions(program) for line in action_lines(action, program, writing, ends))]
    )


def action_lines(action: Action, program: Program, writing: CWriting, ends: Mapping[str, str]) -> Iterator[str]:
    if isinstance(action, Remark):
        yield f"\n    // {harmless(action.text)}"
    elif isinstance(action, Room):
        writing.rooms[action.name] = action.kind
        is_structure = action.kind.kind == STRUCTURE
        yield f"    {action.kind.name} {action.name}{';' if is_structure else ' = 0;'}"
        if is_structure:
            yield f"    memset(&{action.name}, 0, sizeof {action.name});"
    elif isinstance(action, Let):
        if action.errno is not None:
            yield "    errno = 0;"
        if action.panicked is None:
            yield f"    {_let(action, program, writing)};"
        else:
            yield from _let_unless_it_panics(action, action.panicked, program, writing)
        if action.errno is not None:
            yield f"    number {action.errno} = errno;"
    elif isinstance(action, If):
        yield f"    if ({bare(writing.truth(action.test))}) {{"
        yield f"        {ends[action.what].format(words=literal(action.words))}"
        yield "    }"


def _let_unless_it_panics(action: Let, panicked: str, program: Program, writing: CWriting) -> Iterator[str]:
    text = _let(action, program, writing)
    if action.name is not None and text.startswith(prefix := text.partition(f"{action.name} = ")[0]) and prefix:
        yield f"    {prefix}{action.name};"
        text = text.removeprefix(prefix)
    yield f"    number {panicked} = 1;"
    yield "    may_refuse = 1;"
    yield "    if (!setjmp(entry)) {"
    yield f"        {text};"
    yield f"        {panicked} = 0;"
    yield "    }"
    yield "    may_refuse = 0;"


def _let(action: Let, program: Program, writing: CWriting) -> str:
    name, value, kind = action.name, action.value, program.type_of(action.value)
    if name is None or (kind is not None and kind.kind == VOID):
        return writing.statement(value)
    text = bare(writing.number(value))
    text = text.removeprefix("(number)") if isinstance(value, ast.Call) else text
    variable = program.declared.variables.get(name)
    if variable is not None:
        return f"{name} = ({variable.name}){'(uintptr_t)' if variable.kind == POINTER else ''}({text})"
    if kind is not None and kind.kind == STRUCTURE:
        writing.rooms[name] = kind
        return f"{kind.name} {name} = {text}"
    return f"number {name} = {text}"
