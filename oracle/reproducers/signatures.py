"""The types of what a binding declares, for languages that have to be told them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cffi

from memoracle.drive.binding import Binding
from memoracle.reproducers.failing_run import ReproducerError

NO_LETTER = re.compile(r"\W+")
VOID, NUMBER, BOOLEAN, ENUM, POINTER, STRUCTURE, ARRAY, FLOATING, OTHER = (
    *("void", "number", "boolean", "enum", "pointer", "structure", "array", "floating", "other"),
)
PLACES = (STRUCTURE, ARRAY, OTHER)  # variables of the library that stand for their address
FLOATS = ("float", "double")  # which every language has
WHOLE = (NUMBER, BOOLEAN, ENUM, POINTER)
UNITS = (1, 2, 4, 8)  # bytes, of numbers that every language has
ADDRESSES = {"pointer", "function", "array"}  # what cffi calls types of which a function is passed the address


@dataclass(frozen=True)
class CType:
    """name: as C has it.  kind: one of those above.  bytes, signed: of a number.

    target: of a pointer; of an array, which only a field is, what it is an array of.  count: how many of these.
    fields: of a structure.  is_plain: it has no bits, and no unions but those whose room is numbers, which `target` and
    `count` say: so every language lays it out alike.
    """

    name: str
    kind: str
    bytes: int = 0
    signed: bool = False
    target: CType | None = None
    count: int = 0
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
        {name: _type_of_variable(ffi, kind) for name, kind in variables.items()},
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
    if kind.kind == "primitive" and name in FLOATS:
        return CType(name, FLOATING, ffi.sizeof(kind))
    if kind.kind == "primitive" and name != "long double":
        signed = int(ffi.cast(kind, -1)) < 0
        return CType(name, BOOLEAN if name == "_Bool" else NUMBER, ffi.sizeof(kind), signed)
    if kind.kind == "enum":
        return CType(name, ENUM, ffi.sizeof(kind), int(ffi.cast(kind, -1)) < 0)
    if kind.kind == "struct" and kind.fields is not None and depth:
        fields = {key: _type_of_field(ffi, each.type) for key, each in kind.fields}
        plain = (bool(key) and each.bitsize < 0 and _is_plain(fields[key]) for key, each in kind.fields)
        # Of a union without a name cffi lists the members as fields of the structure.
        is_row = all(
            before.offset + ffi.sizeof(before.type) <= after.offset
            for (_, before), (_, after) in pairwise(kind.fields)
            if before.type.kind != "array" or before.type.length is not None
        )
        return CType(name, STRUCTURE, fields=fields, is_plain=is_row and all(plain))
    return CType(name, OTHER)


def _type_of_variable(ffi: cffi.FFI, kind: Any) -> CType:
    """Of an array, and of what is no number, an expression has the address."""
    return CType(kind.cname, ARRAY) if kind.kind == "array" else type_of(ffi, kind)


def _type_of_field(ffi: cffi.FFI, kind: Any) -> CType:
    if kind.kind == "array" and kind.length is not None:
        return CType(kind.cname, ARRAY, target=_type_of_field(ffi, kind.item), count=kind.length)
    if kind.kind == "union" and kind.fields is not None:
        return _type_of_union(ffi, kind)
    return type_of(ffi, kind, 0 if kind.kind in ADDRESSES else 1)


def _type_of_union(ffi: cffi.FFI, kind: Any) -> CType:
    """A union within a structure is as large as its room, and is passed as that is if it has no floating point."""
    members = [_type_of_field(ffi, each.type) for _, each in kind.fields]
    unit = ffi.alignof(kind)
    is_plain = unit in UNITS and bool(members) and all(each.kind in WHOLE for each in members)
    return CType(kind.cname, OTHER, target=CType("", NUMBER, unit), count=ffi.sizeof(kind) // unit, is_plain=is_plain)


def _is_plain(field: CType) -> bool:
    if field.kind == ARRAY and field.target is not None:
        return _is_plain(field.target)
    return field.is_plain if field.kind in (STRUCTURE, OTHER) else True


def structures_of(declared: Declared, used: Collection[str], more: Iterable[CType] = ()) -> dict[str, CType]:
    """By name, the structures that functions return or are given the address of, and those that these are made of.

    more: other types that are used. Each comes after those that it is made of.

    Raises ReproducerError for one that only C and C++ can write.
    """
    signatures = [declared.functions[name] for name in used if name in declared.functions]
    results = [each.result for each in signatures]
    targets = [kind.target for each in signatures for kind in each.parameters if kind.target and kind.target.is_plain]
    found = dict[str, CType]()
    for kind in (*results, *targets, *more):
        if kind.kind == STRUCTURE:
            _add(found, kind)
    return found


def _add(found: dict[str, CType], kind: CType) -> None:
    """Adds a structure after those that it is made of."""
    if not kind.is_plain:
        words = "bits, arrays without a length, and unions without a name or of other than numbers and pointers can be"
        words += " written in C and C++ alone"
        raise ReproducerError(f"`{kind.name}`: {words}")
    for each in kind.fields.values():
        inner: CType | None = each
        while inner is not None and inner.kind == ARRAY:
            inner = inner.target
        if inner is not None and inner.kind == STRUCTURE:
            _add(found, inner)
    found[kind.name] = kind


def plain_name(kind: CType) -> str:
    """The name of a structure where there is no `struct` before it."""
    return NO_LETTER.sub("_", kind.name)
