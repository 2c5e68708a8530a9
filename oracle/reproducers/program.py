"""A run as calls of a library's own functions, in expressions that every language can write."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from memoracle.drive.binding import Binding, Given
from memoracle.reproducers.callbacks import Callback
from memoracle.reproducers.due import Due
from memoracle.reproducers.signatures import CType, Declared


@dataclass(frozen=True)
class Start:
    """A statement of the start or of a reset. name: of what has its value.  fails: whether it failed, of this value."""

    name: str | None
    call: ast.expr
    fails: ast.expr | None


@dataclass(frozen=True)
class Step:
    """One call.  number: which it is, for a reader.  said: in the words of a trace.

    call: the expression that makes it.  value: the variable that has what the function returned, None if it returns
    nothing.  out: the variable in which it stores something, and its type.  errno: the variable that has this.
    panicked: the one that is 1 where the call ended in a panic that is a refusal, None where none is.
    fails, result: expressions of these.  gives: the variable that has the result.  refused: what came of it in the run.
    """

    number: str
    said: str
    call: ast.expr
    value: str | None
    out: tuple[str, CType] | None
    errno: str | None
    panicked: str | None
    fails: ast.expr | None
    result: ast.expr | None
    gives: str
    refused: bool


@dataclass(frozen=True)
class Program:
    """used: functions that are called or named.  callbacks: those that the library calls.

    memories: the variables that have the addresses of memory, one of each instance.  symbols: addresses that the
    library needs, by name.  steps: the calls, the last of which failed, and what resets an instance between them.
    conditions, given: those of what is due.
    """

    binding: Binding
    declared: Declared
    used: tuple[str, ...]
    memory: Given | None
    start: tuple[Start, ...]
    steps: tuple[Step | Start, ...]
    due: Due
    conditions: tuple[ast.expr, ...]
    given: tuple[ast.expr, ...]
    callbacks: tuple[Callback, ...] = ()
    memories: tuple[str, ...] = ()
    symbols: Mapping[str, int] = field(default_factory=dict)

    @property
    def calls(self) -> list[Step]:
        """The steps that are calls."""
        return [each for each in self.steps if isinstance(each, Step)]

    def given_memory(self) -> Iterator[tuple[str, str]]:
        """Each variable that has the address of memory, and what that is asked for: bytes, address, alignment, fill."""
        if self.memory is not None:
            for place, name in enumerate(self.memories):
                at = 0 if place else self.memory.at
                yield name, f"{self.memory.bytes:#x}, {at:#x}, {self.memory.alignment:#x}, {self.memory.fill:#x}"

    @property
    def can_refuse_by_panic(self) -> bool:
        return any(each.panicked is not None for each in self.calls)

    def type_of(self, call: ast.expr) -> CType | None:
        """What a call of a function returns; None of any other expression."""
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            found = self.declared.functions.get(call.func.id)
            return None if found is None else found.result
        return None


def names_in(trees: list[ast.expr]) -> set[str]:
    """The variables that expressions have."""
    found = (node for tree in trees for node in ast.walk(tree))
    return {node.id for node in found if isinstance(node, ast.Name)}
