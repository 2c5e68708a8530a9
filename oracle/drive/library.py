"""A shared library as a target, called as its binding says, without a compiler (cffi's ABI mode)."""

from __future__ import annotations

import ast
import mmap
from collections.abc import Callable, Mapping
from typing import Any

import cffi
from msgspec.structs import fields

from memoracle.drive.binding import Binding
from memoracle.drive.expressions import Expression, ExpressionError
from memoracle.drive.target import Answer
from memoracle.trace import events
from memoracle.trace.events import AnyEvent, operation_of_kind
from memoracle.trace.inputs import InputError

KINDS = {operation_of_kind(kind): kind for kind in AnyEvent.__args__}
VALUE, OUT = "value", "out"
REFUSED = Answer(error="refused")
NO_ARGUMENTS = frozenset({"result", "error"})


def arguments_of(operation: str) -> dict[str, bool]:
    """The names of an operation's arguments, as a trace has them; whether each is due."""
    return {
        each.encode_name: each.required for each in fields(KINDS[operation]) if each.encode_name not in NO_ARGUMENTS
    }


class Library:
    """A library, which is loaded and started by `start`.

    operations: that it has; of each, the arguments that a call may name.
    refusing: those that can say that they refuse.
    """

    def __init__(self, binding: Binding) -> None:
        """Raises InputError for a binding that does not fit the library."""
        self.binding = binding
        self.ffi = cffi.FFI()
        self.names: dict[str, Any] = {"NULL": 0, "page_size": binding.geometry.page_size, **binding.constants}
        self.functions: dict[str, Any] = {}
        try:
            self.ffi.cdef(binding.says.declarations)
        except Exception as fault:  # cffi has no common class for what is wrong with a declaration
            raise binding.fault("declarations", str(fault).partition("\n")[0]) from None

    def start(self) -> Library:
        """Loads it and starts it; raises InputError."""
        binding = self.binding
        self._load()
        self._give_memory()
        for place, statement in enumerate(binding.says.start):
            self._run(f"start[{place}]", statement)
        self.operations: dict[str, frozenset[str]] = {}
        self.refusing = frozenset(name for name, bound in binding.says.operations.items() if bound.fails is not None)
        self.calls: dict[str, Callable[[Mapping[str, Any]], Answer]] = {}
        for operation in binding.says.operations:
            self.calls[operation] = self._bound(operation)
        return self

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        return self.calls[operation](arguments)

    def _load(self) -> None:
        says, binding = self.binding.says, self.binding
        if says.library is None and not binding.library.is_file():
            raise binding.fault("library", "missing")
        try:
            self.library = self.ffi.dlopen(str(binding.library.resolve()))
        except OSError as fault:
            raise binding.fault("library", str(fault)) from None
        for name in dir(self.library):
            try:
                found = getattr(self.library, name)
            except AttributeError as fault:
                raise binding.fault("declarations", str(fault)) from None
            if isinstance(found, int):
                self.names[name] = found
            else:
                self.functions[name] = self._of_numbers(found)

    def _of_numbers(self, function: Any) -> Callable[..., Any]:
        """The same function of numbers, with pointers as their addresses."""
        kind, ffi = self.ffi.typeof(function), self.ffi
        casts = [each.cname if each.kind == "pointer" else None for each in kind.args]
        returns_address = kind.result.kind == "pointer"
        if not returns_address and not any(casts):
            plain: Callable[..., Any] = function
            return plain

        def call(*arguments: Any) -> Any:
            given = [
                ffi.cast(cast, argument) if cast is not None and isinstance(argument, int) else argument
                for cast, argument in zip(casts, arguments, strict=True)
            ]
            value = function(*given)
            return int(ffi.cast("uintptr_t", value)) if returns_address else value

        return call

    def _give_memory(self) -> None:
        memory = self.binding.says.memory
        if memory is None:
            return
        self.memory = mmap.mmap(-1, events.number(memory.bytes))
        address = int(self.ffi.cast("uintptr_t", self.ffi.from_buffer(self.memory)))
        self.names |= {"memory": address, "memory_bytes": events.number(memory.bytes)}

    def _run(self, name: str, statement: str) -> None:
        """Runs one statement of the start: a call, whose value may be given a name."""
        left, equals, right = statement.partition(" = ")
        call, given = (right, left.strip()) if equals else (left, None)
        value = self._expression(name, call).compiled((), {**self.names, **self.functions})()
        if given is not None:
            self.names[given] = value

    def _expression(self, name: str, text: str, *known: str, calls: bool = True) -> Expression:
        try:
            return Expression(text, {*self.names, *known}, self.functions if calls else ())
        except ExpressionError as fault:
            raise self.binding.fault(name, str(fault)) from None

    def _bound(self, operation: str) -> Callable[[Mapping[str, Any]], Answer]:
        bound, name = self.binding.says.operations[operation], f"operations.{operation}"
        known = arguments_of(operation)
        of_call = self._expression(f"{name}.call", bound.call, *known, OUT)
        asked = sorted(of_call.names & known.keys())
        missing = [each for each, due in known.items() if due and each not in asked]
        self.operations[operation] = frozenset(asked) | frozenset(missing)
        out = self._out(of_call) if OUT in of_call.names else None
        values = {**self.names, **self.functions}
        call = of_call.compiled(asked, {**values, OUT: out})
        fails, result = (
            None
            if text is None
            else self._expression(f"{name}.{key}", text, VALUE, OUT, *asked, calls=False).compiled(
                (VALUE, OUT, *asked), values
            )
            for key, text in (("fails", bound.fails), ("result", bound.result))
        )

        def run(arguments: Mapping[str, Any]) -> Answer:
            given = [arguments[each] for each in asked]
            value = call(*given)
            stored = None if out is None else out[0]
            if isinstance(stored, self.ffi.CData):
                stored = int(self.ffi.cast("uintptr_t", stored))
            if fails is not None and fails(value, stored, *given):
                return REFUSED
            return Answer(None if result is None else result(value, stored, *given))

        return run

    def _out(self, call: Expression) -> Any:
        """Room for what the function stores through the pointer that the binding calls `out`."""
        for node in ast.walk(call.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                for place, argument in enumerate(node.args):
                    if isinstance(argument, ast.Name) and argument.id == OUT:
                        kind = self.ffi.typeof(getattr(self.library, node.func.id)).args[place]
                        return self.ffi.new(kind)
        raise InputError(self.binding.path, None, f"{call.text}: `out` is no argument of a function")
