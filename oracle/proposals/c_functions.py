"""The functions that a header declares, and the types that they need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pycparser import c_ast
from pycparser.c_generator import CGenerator
from pycparser.c_parser import CParser

from memoracle.proposals.c_text import constant, declarations_in

NUMBERS = {  # types that need no declaration, by name: bits and sign
    **{f"{sign}int{bits}_t": (bits, sign == "") for bits in (8, 16, 32, 64) for sign in ("u", "")},
    "size_t": (64, False),
    "ssize_t": (64, True),
    "uintptr_t": (64, False),
    "intptr_t": (64, True),
    "ptrdiff_t": (64, True),
    "off_t": (64, True),
}
KERNEL = {  # types that headers take from elsewhere; what they are if nothing says so
    **{
        f"{sign}{bits}": f"{'u' if sign == 'u' else ''}int{bits}_t"
        for bits in (8, 16, 32, 64)
        for sign in ("u", "s", "i")
    },
    **{
        f"__{sign}{bits}": f"{'u' if sign == 'u' else ''}int{bits}_t" for bits in (8, 16, 32, 64) for sign in ("u", "s")
    },
    **dict.fromkeys(("phys_addr_t", "paddr_t", "pa_t", "physaddr_t", "phys_t"), "uint64_t"),
    **dict.fromkeys(("virt_addr_t", "vaddr_t", "va_t", "addr_t", "vm_offset_t", "pfn_t", "usize", "ulong"), "uint64_t"),
    "uint": "uint32_t",
    "uchar": "uint8_t",
    "gfp_t": "uint32_t",
}
BASIC = {"char": 8, "short": 16, "int": 32, "long": 64, "float": 32, "double": 64}


@dataclass(frozen=True)
class Type:
    """A type in C. kind: void, integer, bool, enum, pointer, function, struct or other.

    names: its own and those that it stands for.  to: of a pointer, what it points to.  constants: of an enumeration.
    """

    kind: str
    names: tuple[str, ...] = ()
    bits: int = 0
    signed: bool = False
    to: Type | None = None
    constants: tuple[str, ...] = ()
    is_constant: bool = False


@dataclass(frozen=True)
class Parameter:
    name: str
    type: Type


@dataclass(frozen=True)
class Function:
    """A function. text: its declaration.  returns_never: whether it says so."""

    name: str
    returns: Type
    parameters: tuple[Parameter, ...]
    text: str
    returns_never: bool = False
    is_static: bool = False


@dataclass
class Header:
    """What a header declares. types: the text of each type that has a name.  unread: what could not be read."""

    functions: dict[str, Function] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    types: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def read_header(text: str) -> Header:
    """text: without directives and comments."""
    reading = Reading(text)
    for each in declarations_in(text):
        reading.read(each)
    return reading.header


class Reading:
    """Reads one declaration after another, so that one which cannot be read costs no others."""

    def __init__(self, text: str) -> None:
        self.header = Header()
        words = set(re.findall(r"\b[A-Za-z_]\w*\b", text))
        own = set(re.findall(r"\btypedef\b[^;{]*?\b(\w+)\s*;", text)) | set(re.findall(r"}\s*(\w+)\s*;", text))
        known = {name: name for name in NUMBERS} | {name: base for name, base in KERNEL.items() if name in words - own}
        self.known = [f"typedef {_spelled(base)} {name};" for name, base in known.items()]
        self.known += ["typedef _Bool bool;"] if "bool" in words - own else []
        self.borrowed = {name: base for name, base in KERNEL.items() if name in words - own}
        self.generator = CGenerator()

    def read(self, declaration: str) -> None:
        if declaration == ";" or re.match(r"(extern\s+\"C|_Static_assert|static_assert|asm|__asm)", declaration):
            return
        try:
            found = CParser().parse("\n".join([*self.known, declaration]))
        except Exception as fault:  # of what is no C, pycparser raises what it likes
            self.header.unread.append(f"{declaration[:80]}: {fault}")
            return
        nodes = found.ext[len(self.known) :]
        for node in nodes:
            self._add(node)
        if any(isinstance(node, c_ast.Typedef) or _tag_of(node) for node in nodes):
            self.known.append(declaration)

    def _add(self, node: Any) -> None:
        header = self.header
        for each in _enumerations(node):
            value = 0
            for one in each.values.enumerators if each.values else ():
                value = _number(one.value, value, header.constants)
                header.constants[one.name] = value
                value += 1
        if isinstance(node, c_ast.Typedef):
            header.types[node.name] = node.type
        elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            self._add_function(node)
        elif isinstance(node, c_ast.Decl) and node.name and "static" not in node.storage:
            node.init = None
            header.variables[node.name] = self.generator.visit(node).removeprefix("extern ")
        tag = _tag_of(node)
        if tag:
            header.types[tag] = node.type

    def _add_function(self, node: Any) -> None:
        if any(isinstance(each, c_ast.ID) for each in (node.type.args.params if node.type.args else ())):
            self.header.unread.append(f"{node.name}: its parameters have no types")
            return
        parameters = [
            Parameter(each.name or "", self.type_of(each.type))
            for each in (node.type.args.params if node.type.args else ())
            if not isinstance(each, c_ast.EllipsisParam)
        ]
        if len(parameters) == 1 and parameters[0].type.kind == "void":
            parameters = []
        never = "_Noreturn" in (node.funcspec or [])
        is_static = "static" in node.storage or ("inline" in (node.funcspec or []) and "extern" not in node.storage)
        node.storage, node.funcspec = [], []
        text = self.generator.visit(node)
        self.header.functions[node.name] = Function(
            node.name, self.type_of(node.type.type), tuple(parameters), text, never, is_static
        )

    def type_of(self, node: Any, names: tuple[str, ...] = (), depth: int = 0) -> Type:
        if depth > 50:
            return Type("other", names)
        if isinstance(node, c_ast.TypeDecl):
            found = self.type_of(node.type, names, depth + 1)
            return Type(**{**found.__dict__, "is_constant": "const" in (node.quals or [])})
        if isinstance(node, c_ast.PtrDecl | c_ast.ArrayDecl):
            return Type("pointer", names, 64, to=self.type_of(node.type, (), depth + 1))
        if isinstance(node, c_ast.FuncDecl):
            return Type("function", names, 64)
        if isinstance(node, c_ast.Struct | c_ast.Union):
            return Type("struct", (*names, node.name or ""))
        if isinstance(node, c_ast.Enum):
            values = node.values or getattr(self.header.types.get(f"enum {node.name}"), "values", None)
            constants = tuple(each.name for each in values.enumerators) if values else ()
            return Type("enum", (*names, node.name or ""), 32, constants=constants)
        if isinstance(node, c_ast.IdentifierType):
            return self._named(node.names, names, depth)
        return Type("other", names)

    def _named(self, words: list[str], names: tuple[str, ...], depth: int) -> Type:
        if len(words) == 1 and words[0] in self.header.types:
            return self.type_of(self.header.types[words[0]], (*names, words[0]), depth + 1)
        name = self.borrowed.get(words[0], words[0])
        if name in NUMBERS:
            bits, signed = NUMBERS[name]
            return Type("integer", (*names, *words), bits, signed)
        if "void" in words:
            return Type("void", names)
        if "_Bool" in words or "bool" in words:
            return Type("bool", names, 8)
        bits = next((BASIC[each] for each in ("char", "short", "double", "float", "long") if each in words), 32)
        kind = "other" if {"double", "float"} & set(words) else "integer"
        return Type(kind, (*names, " ".join(words)), bits, "unsigned" not in words)


def _spelled(name: str) -> str:
    bits, signed = NUMBERS[name]
    return f"{'' if signed else 'unsigned '}{ {8: 'char', 16: 'short', 32: 'int', 64: 'long'}[bits] }"


def _tag_of(node: Any) -> str:
    """What a declaration calls a structure or an enumeration: `struct heap`."""
    kind = getattr(node, "type", None)
    if isinstance(node, c_ast.Decl) and isinstance(kind, c_ast.Struct | c_ast.Union | c_ast.Enum) and kind.name:
        return f"{type(kind).__name__.lower()} {kind.name}"
    return ""


def _enumerations(node: Any) -> list[Any]:
    found: list[Any] = [node] if isinstance(node, c_ast.Enum) else []
    if isinstance(node, c_ast.FuncDecl):
        return found
    for _, each in node.children():
        found += _enumerations(each)
    return found


def _number(node: Any, default: int, constants: Mapping[str, int]) -> int:
    """The value of a constant expression, as far as it is plain."""
    if isinstance(node, c_ast.Constant):
        value = constant(node.value.rstrip("uUlL"))
        return default if value is None else value
    if isinstance(node, c_ast.ID):
        return constants.get(node.name, default)
    if isinstance(node, c_ast.UnaryOp) and node.op == "-":
        return -_number(node.expr, 0, constants)
    if isinstance(node, c_ast.BinaryOp):
        left, right = _number(node.left, 0, constants), _number(node.right, 0, constants)
        if node.op == "<<":
            return left << right if 0 <= right < 64 else default
        if node.op == "/":  # towards 0, as C does
            return (abs(left) // abs(right)) * (1 if (left < 0) == (right < 0) else -1) if right else default
        return {"+": left + right, "-": left - right, "*": left * right}.get(node.op, default)
    return default
