"""Loads a library as its binding says: with what it calls of ours, and the memory that it is given."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from memoracle.drive.binding import Binding
from memoracle.drive.expressions import Expression, ExpressionError
from memoracle.drive.native import given_symbols
from memoracle.drive.native.callbacks import CallbackError, Callbacks, Prototype, prototype_of
from memoracle.drive.native.elf import Elf, read_elf
from memoracle.drive.native.functions import ADDRESS, Variables, function_of_numbers
from memoracle.drive.native.memory import Arena, functions_of_memory
from memoracle.drive.native.panics import Panics
from memoracle.trace import events
from memoracle.trace.quoting import quoted

UNDEFINED = re.compile(r"undefined symbol: (\w+)")


class Prepared:
    """What is read once, before a library is loaded in one process after another: its symbols, types of callbacks."""

    def __init__(self, binding: Binding, ffi: Any) -> None:
        """Raises InputError."""
        self.binding = binding
        self.prototypes: dict[str, Prototype] = {}
        self.callbacks = Callbacks(ffi)
        says = binding.says
        for key in says.callbacks:
            try:
                self.prototypes[key] = prototype_of(key, says.declarations)
                self.callbacks.declare(self.prototypes[key])
            except CallbackError as fault:
                raise binding.fault(f"callbacks.{key}", str(fault)) from None
        if says.library is None and not binding.library.is_file():
            raise binding.fault("library", "missing")
        if not binding.library.is_file():
            raise binding.fault("library", f"there is no file {quoted(str(binding.library))}")
        given = {*says.symbols, *(each.name for each in self.prototypes.values()), *says.panics}
        self.elf = self._elf(given) if given else None

    def _elf(self, symbols: Collection[str]) -> Elf:
        try:
            elf = read_elf(self.binding.library)
        except OSError as fault:
            raise self.binding.fault("library", fault.strerror or str(fault)) from None
        if elf is None:
            words = "symbols can be given to an ELF library of 64 bits only, and this is none"
            raise self.binding.fault("library", words)
        for name in symbols:
            if name in elf.functions and not elf.places.get(name):
                words = f"the library calls its own {name} where it cannot be replaced; link without -Bsymbolic"
                raise self.binding.fault("panics" if name in self.binding.says.panics else f"callbacks.{name}", words)
        return elf


class Loaded:
    """A library that is loaded.

    names: numbers that expressions may name.  functions: that they may call.
    """

    def __init__(self, binding: Binding, ffi: Any, prepared: Prepared) -> None:
        """Raises InputError for a binding that does not fit the library."""
        self.binding, self.ffi = binding, ffi
        self.names: dict[str, Any] = {"NULL": 0, "null": None, **binding.sizes, **binding.constants}
        self.arena = self._arena()
        self.functions: dict[str, Any] = functions_of_memory(self.arena, binding.geometry.page_size)
        self.callbacks = prepared.callbacks
        for key, body in binding.says.callbacks.items():
            self._make(f"callbacks.{key}", prepared.prototypes[key], str(body))
        self.panics = self._panics()
        self._load(prepared.elf)

    def expression(self, name: str, text: str, *known: str) -> Expression:
        """name: what messages call it.  known: names besides the binding's; raises InputError."""
        try:
            return Expression(text, {*self.names, *self.variables.names, *known}, self.functions)
        except ExpressionError as fault:
            raise self.binding.fault(name, str(fault)) from None

    def value(self, name: str, text: str, known: dict[str, Any] | None = None) -> Any:
        """Computes an expression once; raises InputError if the library panics."""
        given = known or {}
        expression = self.expression(name, text, *given)
        variables = {each: self.variables.read(each) for each in expression.names & self.variables.names}
        try:
            found = expression.compiled((), {**self.names, **variables, **given}, self.functions)()
        except Exception as fault:  # of what it calls: an argument that does not fit, say
            raise self.binding.fault(name, f"{type(fault).__name__}: {fault}") from None
        panic = self.panic()
        if panic is not None:
            raise self.binding.fault(name, f"it called {panic}")
        return found

    def panic(self) -> str | None:
        """Which panic ended the last call; None if it returned. Raises InputError where a callback failed."""
        try:
            self.callbacks.raise_fault()
        except CallbackError as fault:
            raise self.binding.fault("callbacks", str(fault)) from None
        return None if self.panics is None else self.panics.said()

    def type_of_argument(self, function: str, place: int) -> Any:
        """The type in C of a function's argument; None if it has none there."""
        found = self.types.get(function)
        return found.args[place] if found is not None and place < len(found.args) else None

    def _arena(self) -> Arena | None:
        memory, names = self.binding.says.memory, {}
        if memory is None:
            return None
        for key in ("bytes", "at", "alignment", "fill"):
            value = getattr(memory, key)
            try:
                names[key] = None if value is None else events.number(value)
            except events.BadNumber:
                raise self.binding.fault(f"memory.{key}", "neither an integer nor a string `0x...`") from None
        size, at, alignment = names["bytes"], names["at"], names["alignment"] or self.binding.geometry.page_size
        if not size or size >= 1 << 47:
            raise self.binding.fault("memory.bytes", "from 1 to 2^47 bytes")
        if alignment & alignment - 1 or alignment >= 1 << 47:
            raise self.binding.fault("memory.alignment", "it is no power of two below 2^47")
        if at is not None and (at % 4096 or not 4096 <= at < 1 << 47):
            raise self.binding.fault("memory.at", "it is no multiple of 4096 below 2^47")
        try:
            arena = Arena(size, at, max(4096, alignment), (names["fill"] or 0) & 0xFF)
        except OSError as fault:
            raise self.binding.fault(
                "memory.bytes" if at is None else "memory.at", fault.strerror or str(fault)
            ) from None
        self.names |= {"memory": arena.start, "memory_bytes": size}
        return arena

    def _make(self, name: str, prototype: Prototype, body: str) -> None:
        """Makes one callback."""
        parameters = [each or f"_{place}" for place, each in enumerate(prototype.parameters)]
        try:
            expression = Expression(body, {*self.names, *parameters}, self.functions)
        except ExpressionError as fault:
            raise self.binding.fault(name, str(fault)) from None
        self.callbacks.make(prototype.name, expression.compiled(parameters, self.names, self.functions))

    def _panics(self) -> Panics | None:
        names = self.binding.says.panics
        try:
            return Panics(names) if names else None
        except OSError as fault:
            raise self.binding.fault("panics", str(fault)) from None

    def _symbols(self) -> dict[str, int]:
        """What the library is given, by name."""
        found = dict(self.callbacks.addresses)
        for name, text in self.binding.says.symbols.items():
            try:
                value = Expression(str(text), self.names, ()).compiled((), self.names, {})()
            except (ExpressionError, ArithmeticError, TypeError) as fault:
                raise self.binding.fault(f"symbols.{name}", str(fault)) from None
            found[name] = int(value)
        return found | (self.panics.addresses if self.panics is not None else {})

    def _load(self, elf: Elf | None) -> None:
        binding, ffi, path = self.binding, self.ffi, self.binding.library.resolve()
        symbols = self._symbols()
        try:
            if elf is not None:
                self.given = given_symbols.give(ffi, symbols, elf.head)
            self.library = ffi.dlopen(str(path))
            if elf is not None:
                given_symbols.replace(str(path), elf, symbols)
        except OSError as fault:
            found = UNDEFINED.search(str(fault))
            hint = f"; `callbacks.{found[1]}` or `symbols.{found[1]}` gives it one" if found is not None else ""
            raise binding.fault("library", f"{fault}{hint}") from None
        self.names |= self.callbacks.addresses
        self.variables, self.types = Variables(ffi, self.library), dict[str, Any]()
        for name in dir(self.library):
            if name not in symbols:
                self._add(name)

    def _add(self, name: str) -> None:
        """Adds what is declared under a name, and the library has."""
        ffi = self.ffi
        try:
            found = getattr(self.library, name)
        except AttributeError:
            return  # a header may declare more than a library has
        if not isinstance(address := ffi.addressof(self.library, name), ffi.CData):
            self.names[name] = found  # a constant
        elif ffi.typeof(address).kind == "function":
            self.types[name] = ffi.typeof(found)
            entry = None if self.panics is None else self.panics.entry
            self.functions[name] = function_of_numbers(ffi, found, entry)
            self.names[name] = int(ffi.cast(ADDRESS, found))
        elif isinstance(found, ffi.CData) and ffi.typeof(found).kind in ("array", "struct", "union"):
            self.names[name] = int(ffi.cast(ADDRESS, address))
        else:
            self.variables.names.add(name)
