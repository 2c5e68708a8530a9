"""The addresses that a library needs from a linker script, as numbers: so a test can give them itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace

from memoracle.drive.binding import Binding, Given
from memoracle.drive.expressions import Expression, ExpressionError
from memoracle.reproducers.failing_run import ReproducerError
from memoracle.reproducers.substitution import substituted

MEMORY = re.compile(r"\bmemory\b")
PLACE = (
    1 << 36
)  # bytes: where memory lies that a symbol names; nothing else does in a process of Linux on x86-64 or ARM


def needs_a_place(binding: Binding) -> bool:
    """Whether an address that the library is given is one of memory, so that this must be known beforehand."""
    return any(isinstance(text, str) and MEMORY.search(text) for text in binding.says.symbols.values())


def placed(memory: Given) -> Given:
    """The same memory, at an address that is known."""
    return memory if memory.at else replace(memory, at=max(PLACE, memory.alignment))


def symbols_of(binding: Binding, constants: Mapping[str, int], memory: Given | None) -> dict[str, int]:
    """By name; raises ReproducerError for what is no number."""
    known = {**constants, **({} if memory is None else {"memory": memory.at})}
    found = dict[str, int]()
    for name, text in binding.says.symbols.items():
        key = f"symbols.{name}"
        try:
            value = substituted(Expression(str(text), known, (), key).tree.body, known, {})
        except ExpressionError as fault:
            raise binding.fault(key, str(fault)) from None
        if not isinstance(value, ast.Constant) or not isinstance(value.value, int):
            raise ReproducerError(f"{binding.path}: {key}: this is no number")
        found[name] = value.value & (1 << 64) - 1
    return found
