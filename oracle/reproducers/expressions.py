"""Expressions of a binding, which are Python's, written as C and Rust write them.

Numbers are integers of 128 bits with a sign, which hold whatever a 64-bit machine computes of addresses: so that
nothing wraps round that does not in Python. `//` and `%` round down, as Python's do.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from typing import ClassVar

from memoracle.reproducers.failing_run import ReproducerError
from memoracle.reproducers.helpers import RENAMED, C
from memoracle.reproducers.signatures import (
    ARRAY,
    BOOLEAN,
    ENUM,
    FLOATING,
    OTHER,
    PLACES,
    POINTER,
    STRUCTURE,
    VOID,
    CType,
    Declared,
    plain_name,
)

SIGNED, UNSIGNED = 1 << 63, 1 << 64
SMALL = 1 << 31  # below it, a literal is a number of any type
# Keywords, of those that C does not have, too (The Rust Reference, 2.1).
OF_RUST = frozenset(
    {"abstract", "as", "async", "await", "become", "box", "crate", "dyn", "final", "fn", "gen", "impl", "in", "let"}
    | {"loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "self", "super", "trait"}
    | {"try", "type", "unsafe", "unsized", "use", "virtual", "where", "yield"}
)
DECIMAL = 10_000  # below it, a number is written in decimal
COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
COMPUTED: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
NO_NUMBERS = {STRUCTURE, FLOATING, OTHER}  # fields that expressions cannot name
HELPERS: dict[type[ast.operator], str] = {ast.FloorDiv: "floor_div", ast.Mod: "floor_mod"}


class Writing(ABC):
    """What languages like C have in common."""

    number_of_truth: ClassVar[str]
    inverted: ClassVar[str]

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        # Variables that are no numbers: in which functions store something, or the library's own.
        self.rooms: dict[str, CType] = dict(declared.variables)

    def number(self, node: ast.expr) -> str:
        """An expression as a number."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return self.literal(int(node.value))
        if isinstance(node, ast.Name) and node.id in self.declared.functions:
            return self.address_of(node.id)
        if isinstance(node, ast.Name):
            return self.stored(node.id, self.rooms[node.id]) if node.id in self.rooms else node.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return self.field(node.value.id, node.attr)
        if isinstance(node, ast.BinOp):
            return self.computed(node)
        if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
            sign = {ast.USub: "-", ast.UAdd: "", ast.Invert: self.inverted}[type(node.op)]
            return f"({sign}{self.number(node.operand)})"
        if isinstance(node, ast.IfExp):
            return self.chosen(self.truth(node.test), self.number(node.body), self.number(node.orelse))
        if isinstance(node, ast.Call):
            return self.called(node)
        if isinstance(node, ast.BoolOp):
            return self.last_of(node)
        if isinstance(node, ast.Compare | ast.UnaryOp):
            return self.number_of_truth.format(self.truth(node))
        raise ReproducerError(f"this cannot be written in this language: {ast.unparse(node)}")

    def truth(self, node: ast.expr) -> str:
        """An expression as a condition."""
        if isinstance(node, ast.Compare):
            return self.compared(node)
        if isinstance(node, ast.BoolOp):
            sign = " && " if isinstance(node.op, ast.And) else " || "
            return f"({sign.join(self.truth(each) for each in node.values)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"!{self.truth(node.operand)}"
        return f"({self.number(node)} != 0)"

    def compared(self, node: ast.Compare) -> str:
        operands = [node.left, *node.comparators]
        if any(has_calls(each) for each in operands[1:-1]):
            raise ReproducerError(f"a call in the middle of comparisons: {ast.unparse(node)}")
        pairs = zip(operands, node.ops, operands[1:], strict=False)
        parts = [
            f"{self.compared_number(left)} {COMPARED[type(op)]} {self.compared_number(right)}"
            for left, op, right in pairs
        ]
        return f"({parts[0]})" if len(parts) == 1 else f"({' && '.join(f'({part})' for part in parts)})"

    def compared_number(self, node: ast.expr) -> str:
        """A number beside a comparison, which binds less than sums do."""
        text = self.number(node)
        return bare(text) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult) else text

    def computed(self, node: ast.BinOp) -> str:
        left, right = self.number(node.left), self.number(node.right)
        if type(node.op) in HELPERS:
            return f"{HELPERS[type(node.op)]}({bare(left)}, {bare(right)})"
        return f"({left} {COMPUTED[type(node.op)]} {right})"

    def last_of(self, node: ast.BoolOp) -> str:
        """Of `a and b`, or of `a or b`, the one that Python takes."""
        *before, last = node.values
        found = self.number(last)
        for each in reversed(before):
            if has_calls(each):
                raise ReproducerError(f"a call before `and` or `or`, as a number: {ast.unparse(node)}")
            here = self.number(each)
            both = (found, here) if isinstance(node.op, ast.And) else (here, found)
            found = self.chosen(self.truth(each), *both)
        return found

    @abstractmethod
    def literal(self, value: int) -> str: ...

    @abstractmethod
    def stored(self, name: str, kind: CType) -> str: ...

    @abstractmethod
    def address_of(self, function: str) -> str: ...

    def field(self, name: str, field: str) -> str:
        kind = self.rooms[name].fields.get(field) if name in self.rooms else None
        if kind is None or kind.kind in NO_NUMBERS:
            raise ReproducerError(f"`{name}.{field}` is no number and no pointer")
        return self.stored(f"{name}.{self.field_name(field)}", kind)

    def field_name(self, field: str) -> str:
        """As the language has it."""
        return field

    @abstractmethod
    def chosen(self, test: str, yes: str, no: str) -> str: ...

    @abstractmethod
    def called(self, node: ast.Call) -> str: ...

    def function(self, node: ast.Call) -> tuple[str, CType, list[tuple[ast.expr, CType]]]:
        """Of a call, the function, what it returns, and each argument with its type."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in C:
            number = CType("number", OTHER)
            return RENAMED.get(name, name), number, [(each, number) for each in node.args]
        found = self.declared.functions[name]
        if len(found.parameters) != len(node.args):
            raise ReproducerError(f"{name}: it has {len(found.parameters)} parameters, not {len(node.args)}")
        for kind in (found.result, *found.parameters):
            if kind.kind in (OTHER, FLOATING) or (kind.kind == STRUCTURE and kind is not found.result):
                raise ReproducerError(f"{name}: `{kind.name}` is no number and no pointer")
        return name, found.result, list(zip(node.args, found.parameters, strict=True))


class CWriting(Writing):
    """C and C++."""

    number_of_truth, inverted = "(number)({})", "~"

    def literal(self, value: int) -> str:
        size = abs(value)
        if size >= UNSIGNED:
            raise ReproducerError(f"{value:#x} has more than 64 bits")
        text = str(size) if size < DECIMAL else f"{size:#x}"
        text += "" if size < SMALL else "LL" if size < SIGNED else "ULL"
        return f"(-(number){text})" if value < 0 else f"(number){text}" if size >= SMALL else text

    def stored(self, name: str, kind: CType) -> str:
        if kind.kind == STRUCTURE:
            return f"(number)(uintptr_t)&{name}"
        return f"(number){'(uintptr_t)' if kind.kind in (POINTER, ARRAY) else ''}{name}"

    def address_of(self, function: str) -> str:
        return f"(number)(uintptr_t){function}"

    def chosen(self, test: str, yes: str, no: str) -> str:
        yes, no = (each if each.startswith("(number)") else f"(number){each}" for each in (yes, no))
        return f"({test} ? {yes} : {no})"

    def called(self, node: ast.Call) -> str:
        name, result, arguments = self.function(node)
        text = f"{name}({', '.join(self.argument(each, kind) for each, kind in arguments)})"
        if result.kind == POINTER:
            return f"(number)(uintptr_t){text}"
        return text if result.kind in (VOID, STRUCTURE, OTHER) else f"(number){text}"

    def argument(self, node: ast.expr, kind: CType) -> str:
        if isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
            return f"&{node.value.id}"
        text = self.number(node)
        if kind.kind == POINTER:
            return "NULL" if text == "0" else f"({kind.name})(uintptr_t){text}"
        return f"({kind.name}){text}" if kind.kind == ENUM else bare(text)

    def statement(self, node: ast.expr) -> str:
        """A call of which nothing is used."""
        text = self.number(node)
        return text.removeprefix("(number)").removeprefix("(uintptr_t)")


class RustWriting(Writing):
    number_of_truth, inverted = "({} as Number)", "!"

    def literal(self, value: int) -> str:
        text = str(abs(value)) if abs(value) < DECIMAL else f"{abs(value):#x}"
        return f"(-{text})" if value < 0 else text

    def stored(self, name: str, kind: CType) -> str:
        if kind.kind in PLACES:
            return f"(&raw const {name} as usize as Number)"
        return f"({name} as {'usize as ' if kind.kind == POINTER else ''}Number)"

    def address_of(self, function: str) -> str:
        return f"({function} as usize as Number)"

    def field_name(self, field: str) -> str:
        return rust_field(field)

    def truth(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            return str(bool(node.value)).lower()
        return super().truth(node)

    def chosen(self, test: str, yes: str, no: str) -> str:
        return f"(if {bare(test)} {{ {bare(yes)} }} else {{ {bare(no)} }})"

    def called(self, node: ast.Call) -> str:
        name, result, arguments = self.function(node)
        text = f"{name}({', '.join(self.argument(each, kind) for each, kind in arguments)})"
        if result.kind == POINTER:
            return f"({text} as usize as Number)"
        return text if result.kind in (VOID, OTHER, STRUCTURE) else f"({text} as Number)"

    def argument(self, node: ast.expr, kind: CType) -> str:
        if isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
            return f"&mut {node.value.id}"
        if kind.kind == BOOLEAN:
            return bare(self.truth(node))
        text = self.number(node)
        if kind.kind == OTHER:
            return bare(text)
        if kind.kind == POINTER:
            return "null_mut()" if text == "0" else f"{text} as usize as {rust_type(kind)}"
        value = node.value if isinstance(node, ast.Constant) else None
        fits = isinstance(value, int) and 0 <= value < 1 << 8 * kind.bytes - kind.signed
        return text if fits else f"{text} as {rust_type(kind)}"


def rust_type(kind: CType) -> str:
    if kind.kind == POINTER:
        target = kind.target
        is_number = target is not None and (target.kind not in (VOID, OTHER, POINTER, STRUCTURE) or target.is_plain)
        return f"*mut {rust_type(target) if is_number and target is not None else 'c_void'}"
    if kind.kind == STRUCTURE:
        return plain_name(kind)
    if kind.kind in (ARRAY, OTHER) and kind.target is not None:
        return f"[{rust_type(kind.target)}; {kind.count}]"
    if kind.kind == FLOATING:
        return f"f{8 * kind.bytes}"
    return "bool" if kind.kind == BOOLEAN else f"{'i' if kind.signed else 'u'}{8 * kind.bytes}"


def rust_field(name: str) -> str:
    """A field may have a name that Rust has for itself."""
    return f"{name}_" if name in OF_RUST else name


def has_calls(node: ast.expr) -> bool:
    return any(isinstance(each, ast.Call) for each in ast.walk(node))


def bare(text: str) -> str:
    """A text without the parentheses that enclose all of it."""
    if not text.startswith("(") or not text.endswith(")"):
        return text
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text
