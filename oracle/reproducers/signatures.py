"""The types of what a binding declares, for languages that have to be told them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cffi

from memoracle.drive.binding import Binding
from memoracle.reproducers.failing_run import ReproducerError

NO_LETTER = re.compile(r"\W+")
VOID, NUMBER, BOOLEAN, ENUM, POINTER, STRUCTURE, OTHER = (
    "void",
    "number",
    "boolean",
    "enum",
    "pointer",
    "structure",
    "other",
)
PLAIN = {"primitive", "pointer", "enum"}  # what cffi calls types that are laid out alike in every language
ADDRESSES = {"pointer", "function", "array"}  # what cffi calls types of which a function is passed the address


@dataclass(frozen=True)
class CType:
    """name: as C has it.  kind: one of those above.  bytes, signed: of a number.  target: of a pointer.

    fields: of a structure.  is_plain: its fields are numbers and pointers, one after another.
    """

    name: str
    kind: str
    bytes: int = 0
    signed: bool = False
    target: CType | None = None
    fields: Mapping[str, CType] = field(default_factory=dict)
    is_plain: bool = False


@dataclass(frozen=True)
class Signature:
    result: CType
    parameters: tuple[CType, ...]


@dataclass(frozen=True)
class Declared:
    """What a binding declares. constants: names of numbers, such as those of an enum."""

    functions: Mapping[str, Signature] = field(default_factory=dict)
    variables: Mapping[str, CType] = field(default_factory=dict)
    constants: Mapping[str, int] = field(default_factory=dict)


def declared(binding: Binding) -> Declared:
    """Raises InputError for declarations that cannot be read."""
    ffi = cffi.FFI()
    try:
        with warnings.catch_warnings(action="ignore"):  # of variables without `extern`
            ffi.cdef(binding.says.declarations)
    except Exception as fault:  # cffi has no common class for what is wrong with a declaration
        raise binding.fault("declarations", str(fault).partition("\n")[0]) from None
    # cffi lists types and constants, but a function's type only once a library that has it is loaded.
    read: Any = ffi
    found = {name: kind.get_c_name() for name, (kind, _) in read._parser._declarations.items() if " " in name}
    functions, variables = (
        {name.removeprefix(what): ffi.typeof(text) for name, text in found.items() if name.startswith(what)}
        for what in ("function ", "variable ")
    )
    nothing = ffi.dlopen(None)
    names = set(dir(nothing)) - functions.keys() - variables.keys()
    return Declared(
        {name: _signature(ffi, kind) for name, kind in functions.items()},
        {name: type_of(ffi, kind) for name, kind in variables.items()},
        {name: int(getattr(nothing, name)) for name in names},
    )


def _signature(ffi: cffi.FFI, kind: Any) -> Signature:
    return Signature(type_of(ffi, kind.result), tuple(type_of(ffi, each) for each in kind.args))


def type_of(ffi: cffi.FFI, kind: Any, depth: int = 2) -> CType:
    """A type of cffi's. depth: how many pointers and structures deep it is looked into."""
    name = kind.cname
    if kind.kind == "void":
        return CType(name, VOID)
    if kind.kind in ADDRESSES:
        target = type_of(ffi, kind.item, depth - 1) if depth and kind.kind == "pointer" else None
        return CType(name, POINTER, ffi.sizeof("void *"), target=target)
    if kind.kind == "primitive" and name not in ("float", "double", "long double"):
        signed = int(ffi.cast(kind, -1)) < 0
        return CType(name, BOOLEAN if name == "_Bool" else NUMBER, ffi.sizeof(kind), signed)
    if kind.kind == "enum":
        return CType(name, ENUM, ffi.sizeof(kind), int(ffi.cast(kind, -1)) < 0)
    if kind.kind == "struct" and kind.fields is not None and depth:
        fields = {key: type_of(ffi, each.type, depth - 1) for key, each in kind.fields}
        plain = (
            each.type.kind in PLAIN and each.bitsize < 0 and fields[key].kind != OTHER for key, each in kind.fields
        )
        return CType(name, STRUCTURE, fields=fields, is_plain=all(plain))
    return CType(name, OTHER)


def structures_of(declared: Declared, used: Collection[str], more: Iterable[CType] = ()) -> dict[str, CType]:
    """By name, the structures that functions return or are given the address of. more: other types that are used.

    Raises ReproducerError for one that only C and C++ can write.
    """
    signatures = [declared.functions[name] for name in used if name in declared.functions]
    results = [each.result for each in signatures]
    targets = [kind.target for each in signatures for kind in each.parameters if kind.target and kind.target.is_plain]
    found = {kind.name: kind for kind in (*results, *targets, *more) if kind.kind == STRUCTURE}
    for kind in found.values():
        if not kind.is_plain:
            words = "fields that are no numbers and no pointers can be written in C and C++ alone"
            raise ReproducerError(f"`{kind.name}`: {words}")
    return found


def plain_name(kind: CType) -> str:
    """The name of a structure where there is no `struct` before it."""
    return NO_LETTER.sub("_", kind.name)
