"""The declarations that a binding needs of a header: of the functions that it calls, and of their types."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import cffi
from pycparser import c_ast
from pycparser.c_generator import CGenerator

from memoracle.proposals.c_functions import KERNEL, NUMBERS, Function, Header

WORD = re.compile(r"\b(?:(?:struct|union|enum)\s+)?[A-Za-z_]\w*")


class Declarations:
    """The text for some functions of a header. Structures that are only pointed to have no content."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.lines: list[str] = []
        self.known = set[str]()
        self.generator = CGenerator()

    def add(self, functions: Iterable[Function]) -> list[str]:
        """Adds functions; returns the names of those that cannot be declared."""
        refused = []
        for each in functions:
            before = len(self.lines)
            self._need(each.text, self._by_value(each))
            self.lines.append(f"{each.text};")
            if not self.is_read:
                del self.lines[before:]
                refused.append(each.name)
        return refused

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_read(self) -> bool:
        try:
            cffi.FFI().cdef(self.text)
        except Exception:  # cffi has no common class for what is wrong with a declaration
            return False
        return True

    def structures(self) -> dict[str, str]:
        """Of each structure that has content, its declaration with all that it needs."""
        found = {}
        for name, node in self.header.types.items():
            content = node.type if isinstance(node, c_ast.TypeDecl) else node
            if isinstance(content, c_ast.Struct) and content.decls:
                whole = Declarations(self.header)
                whole._need(name, True)
                found[name] = whole.text
        return found

    def _by_value(self, function: Function) -> bool:
        kinds = [function.returns, *(each.type for each in function.parameters)]
        pointed = [each.type.to for each in function.parameters if each.name in ("out", "result", "found", "at")]
        return any(each.kind == "struct" for each in [*kinds, *(each for each in pointed if each is not None)])

    def _need(self, text: str, whole: bool) -> None:
        """Adds the types that a text names. whole: structures with their content."""
        for word in WORD.findall(text):
            name = re.sub(r"\s+", " ", word)
            if name in self.known or name in NUMBERS or name in ("void", "char", "bool"):
                continue
            if name in self.header.types:
                self.known.add(name)
                self._add_type(name, self.header.types[name], whole)
            elif name in self.header.constants:
                self.known.add(name)
                self.lines.append(f"#define {name} {self.header.constants[name]}")
            elif name in KERNEL:
                self.known.add(name)
                self.lines.append(f"typedef {KERNEL[name]} {name};")

    def _add_type(self, name: str, node: Any, whole: bool) -> None:
        content = node.type if isinstance(node, c_ast.TypeDecl) else node
        is_tag = " " in name
        if isinstance(content, c_ast.Struct | c_ast.Union) and not whole:
            kind = "union" if isinstance(content, c_ast.Union) else "struct"
            tag = content.name or f"{name}_content"
            self.lines.append(f"{name};" if is_tag else f"typedef {kind} {tag} {name};")
            return
        text = self.generator.visit(content if is_tag else c_ast.Typedef(name, [], ["typedef"], node))
        if isinstance(content, c_ast.Enum) and content.values:
            self.known |= {each.name for each in content.values.enumerators}
        self._need(re.sub(rf"\b{re.escape(name)}\b", " ", text), whole)
        self.lines.append(f"{text};")
