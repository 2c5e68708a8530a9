"""The functions that a library calls of its kernel, as definitions in C."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import cffi

from memoracle.drive.binding import Binding
from memoracle.drive.expressions import Expression, ExpressionError
from memoracle.drive.native.callbacks import CallbackError, prototype_of
from memoracle.reproducers.signatures import VOID, CType, Signature, type_of
from memoracle.reproducers.substitution import name_of, substituted

# Panics of the C library, which end a test by themselves, and their parameters.
ENDING = {
    "abort": "void",
    "exit": "int status",
    "_exit": "int status",
    "_Exit": "int status",
    "quick_exit": "int status",
    "__assert_fail": "const char *words, const char *file, unsigned line, const char *function",
}
START = "memory_start"  # what the address of memory is called outside of the test's own function


@dataclass(frozen=True)
class Callback:
    """prototype: as C has it.  parameters: their names; nothing of one that has none.

    body: its value; None of a function by which the library gives up, which ends the test.
    """

    name: str
    prototype: str
    parameters: tuple[str, ...]
    signature: Signature
    body: ast.expr | None


def callbacks_of(
    binding: Binding, constants: Mapping[str, int], helpers: frozenset[str], catches: bool
) -> tuple[Callback, ...]:
    """constants: what its expressions may name.  helpers: the functions that these may call.

    catches: whether a panic may be a refusal, so that those of the C library are replaced, too. Raises InputError.
    """
    ffi, found = cffi.FFI(), list[Callback]()
    with warnings.catch_warnings(action="ignore"):  # of variables without `extern`
        ffi.cdef(binding.says.declarations)
    for key, text in binding.says.callbacks.items():
        name = f"callbacks.{key}"
        try:
            prototype = prototype_of(key, binding.says.declarations)
            kind = ffi.typeof(f"{prototype.returns}(*)({prototype.declared})")
            known = {*constants, *prototype.parameters, "memory"}
            tree = Expression(str(text), known, helpers).tree.body
        except (CallbackError, ExpressionError, cffi.CDefError, cffi.FFIError) as fault:
            raise binding.fault(name, str(fault)) from None
        own: dict[str, ast.expr | None] = {each: name_of(each) for each in prototype.parameters if each}
        body = substituted(tree, constants, {"memory": name_of(START), **own})
        signature = Signature(type_of(ffi, kind.result), tuple(type_of(ffi, each) for each in kind.args))
        declared = f"{prototype.returns} {prototype.name}({prototype.declared})"
        found.append(Callback(prototype.name, declared, prototype.parameters, signature, body))
    return (*found, *(_panic(each, binding) for each in binding.says.panics if catches or each not in ENDING))


def _panic(name: str, binding: Binding) -> Callback:
    declared = ENDING.get(name) or prototype_of(name, binding.says.declarations).declared
    return Callback(name, f"void {name}({declared})", (), Signature(CType("void", VOID), ()), None)
