"""Loads a library as its binding says: with what it calls of ours, and the memory that it is given."""

from __future__ import annotations

import re
from collections.abc import Collection
from copy import copy
from typing import Any

from memoracle.console.counted import counted
from memoracle.drive.binding import Binding
from memoracle.drive.binding_numbers import LEAST, MOST
from memoracle.drive.binding_tables import listed
from memoracle.drive.expressions import Expression, ExpressionError, key_of, words_of
from memoracle.drive.native import given_symbols
from memoracle.drive.native.callbacks import CallbackError, Callbacks, Prototype, prototype_of
from memoracle.drive.native.elf import Elf, read_elf
from memoracle.drive.native.functions import ADDRESS, Variables, arity_of, function_of_numbers
from memoracle.drive.native.memory import Arena, functions_of_memory
from memoracle.drive.native.panics import Panics, ending, why_not_caught
from memoracle.trace.files import is_file
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

WORD = re.compile(r"\w+")
# What the C library has that does not return, of which a library may call some or others (glibc 2.36).
ENDS = frozenset(
    {"abort", "exit", "_exit", "_Exit", "quick_exit", "err", "errx", "verr", "verrx", "error", "longjmp", "siglongjmp"}
    | {"__assert", "__assert_fail", "__assert_perror_fail", "__assert_rtn", "__stack_chk_fail", "__chk_fail"}
    | {"__fortify_fail", "__longjmp_chk", "pthread_exit", "thrd_exit"}
)
MOST_ARGUMENTS = 64
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
        if says.library is None and not is_file(binding.library):
            raise binding.fault("library", "missing")
        if not is_file(binding.library):
            raise binding.fault("library", f"there is no file {quoted(str(binding.library))}")
        given = {*says.symbols, *(each.name for each in self.prototypes.values()), *says.panics}
        self.elf = self._elf(given) if given else None
        if self.elf is not None:
            self._refuse_unneeded(self.elf)

    def _refuse_unneeded(self, elf: Elf) -> None:
        """Raises InputError for what is given under a name that the library neither needs nor has.

        It need not call those panics that the C library has: which of them it does may depend on how it is compiled.
        """
        says, needed = self.binding.says, {*elf.undefined, *elf.functions, *elf.variables, *elf.places}
        spoken = {word for text in self.binding.texts for word in WORD.findall(text)}
        callbacks = {f"callbacks.{key}": each.name for key, each in self.prototypes.items() if each.name not in spoken}
        panics = {f"panics[{place}]": name for place, name in enumerate(says.panics)}
        for key, name in {**callbacks, **panics, **{f"symbols.{name}": name for name in says.symbols}}.items():
            if name not in needed and not (key in panics and name in ENDS):
                words = f"the library needs no symbol {quoted(name)}; {listed(name, needed - elf.weak)}"
                raise self.binding.fault(key, words)

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
                panics = self.binding.says.panics
                key = f"panics[{panics.index(name)}]" if name in panics else f"callbacks.{name}"
                raise self.binding.fault(key, words)
        return elf


class Loaded:
    """A library that is loaded.

    names: numbers that expressions may name.  functions: that they may call.
    """

    def __init__(self, binding: Binding, ffi: Any, prepared: Prepared, threads: bool = False) -> None:
        """threads: whether several call it at once. Raises InputError for a binding that does not fit the library."""
        self.binding, self.ffi, self.threads = binding, ffi, threads
        self.names: dict[str, Any] = {"NULL": 0, "null": None, **binding.sizes, **binding.constants}
        self.arena = self._arena()
        self.functions: dict[str, Any] = functions_of_memory(self.arena, binding.geometry.page_size)
        self.variables, self.types, self.absent = Variables(ffi, None), dict[str, Any](), list[str]()
        self.arity = dict[str, tuple[int, int]]()
        self.common = dict[str, Any]()  # names that statements gave which are made once
        self.callbacks = prepared.callbacks
        for key, body in binding.says.callbacks.items():
            self._make(f"callbacks.{key}", prepared.prototypes[key], str(body))
        self.panics = self._panics()
        self._load(prepared.elf)

    def another(self, instance: int) -> Loaded:
        """The same library for another instance, which has names and memory of its own. Callbacks are the first's."""
        other = copy(self)
        other.names = {**self.names, "instance": instance}
        other.arena = other._arena()
        other.functions = {**self.functions, **functions_of_memory(other.arena, self.binding.geometry.page_size)}
        return other

    def expression(self, name: str, text: str, *known: str) -> Expression:
        """name: what messages call it.  known: names besides the binding's; raises InputError."""
        try:
            found = Expression(text, {*self.names, *self.variables.names, *known}, self.functions, name)
        except ExpressionError as fault:
            absent = next((each for each in self.absent if each in WORD.findall(text)), None)
            words = str(fault) if absent is None else f"the library has no {absent}, which `declarations` declares"
            raise self.binding.fault(name, words) from None
        for function, count in found.calls:
            least, most = self.arity[function] if function in self.arity else arity_of(self.functions[function])
            if not least <= count <= most:
                words = (
                    f"{function} takes {counted(least, 'argument')}, and is called with {counted(count, 'argument')}"
                )
                raise self.binding.fault(name, words)
        return found

    def value(self, name: str, text: str, known: dict[str, Any] | None = None) -> Any:
        """Computes an expression once; raises InputError if the library panics."""
        given = known or {}
        expression = self.expression(name, text, *given)
        variables = {each: self.variables.read(each) for each in expression.names & self.variables.names}
        try:
            found = expression.compiled((), {**self.names, **variables, **given}, self.functions)()
        except Exception as fault:  # of what it calls: an argument that does not fit, say
            raise self.blamed(name, fault) from None
        panic = self.panic()
        if panic is not None:
            raise self.binding.fault(name, f"it called {panic}")
        return found

    def panic(self) -> str | None:
        """Which panic ended the last call; None if it returned. Raises InputError where a callback failed."""
        fault = self.callbacks.taken_fault()
        if fault is not None:
            raise self.blamed("callbacks", fault)
        return None if self.panics is None else self.panics.said()

    def blamed(self, name: str, fault: BaseException) -> InputError:
        """The same fault as one of the expression in which it came up. name: of the key, where it came up in none."""
        return self.binding.fault(key_of(fault) or name, words_of(fault))

    def type_of_argument(self, function: str, place: int) -> Any:
        """The type in C of a function's argument; None if it has none there."""
        found = self.types.get(function)
        return found.args[place] if found is not None and place < len(found.args) else None

    def _arena(self) -> Arena | None:
        memory = self.binding.memory
        if memory is None:
            return None
        try:
            arena = Arena(memory.bytes, memory.at or None, memory.alignment, memory.fill)
        except OSError as fault:
            key = "memory.at" if memory.at else "memory.bytes"
            raise self.binding.fault(key, fault.strerror or str(fault)) from None
        self.names |= {"memory": arena.start, "memory_bytes": memory.bytes}
        return arena

    def _make(self, name: str, prototype: Prototype, body: str) -> None:
        """Makes one callback."""
        parameters = [each or f"_{place}" for place, each in enumerate(prototype.parameters)]
        try:
            expression = Expression(body, {*self.names, *parameters}, self.functions, name)
        except ExpressionError as fault:
            raise self.binding.fault(name, str(fault)) from None
        self.callbacks.make(prototype.name, expression.compiled(parameters, self.names, self.functions))

    def _panics(self) -> Panics | None:
        """What catches them, if that can be done here; otherwise they end the process, which is a crash, too."""
        names, why = self.binding.says.panics, why_not_caught(self.threads)
        if why is not None:
            for operation, bound in self.binding.says.operations.items():
                if bound.panic == "refuse":
                    words = f"a panic cannot be caught: {why}; as a crash it is found, without this key"
                    raise self.binding.fault(f"operations.{operation}.panic", words)
            return None
        try:
            return Panics(names) if names else None
        except OSError as fault:
            raise self.binding.fault("panics", str(fault)) from None

    def _symbols(self) -> dict[str, int]:
        """What the library is given, by name."""
        found = dict(self.callbacks.addresses)
        for name, text in self.binding.says.symbols.items():
            key = f"symbols.{name}"
            try:
                value = Expression(str(text), self.names, (), key).compiled((), self.names, {})()
            except Exception as fault:  # of whatever it computes
                raise self.blamed(key, fault) from None
            if not isinstance(value, int) or not LEAST <= value <= MOST:
                raise self.binding.fault(key, "this is no address")
            found[name] = int(value)
        return found | (ending(self.binding.says.panics) if self.panics is None else self.panics.addresses)

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
            words = str(fault).partition("  Additionally")[0].rstrip(".")
            raise binding.fault("library", f"{words}{hint}") from None
        self.names |= self.callbacks.addresses
        self.variables.library = self.library
        for name in dir(self.library):
            if name in symbols:
                continue
            try:
                self._add(name)
            except TypeError:
                words = f"{name} takes or returns a structure whose fields are not declared"
                raise self.binding.fault("declarations", words) from None

    def _add(self, name: str) -> None:
        """Adds what is declared under a name, and the library has."""
        ffi = self.ffi
        try:
            found = getattr(self.library, name)
        except AttributeError:
            self.absent.append(name)  # a header may declare more than a library has
            return
        if not isinstance(address := ffi.addressof(self.library, name), ffi.CData):
            self.names[name] = found  # a constant
        elif ffi.typeof(address).kind == "function":
            kind = self.types[name] = ffi.typeof(found)
            self.arity[name] = (len(kind.args), MOST_ARGUMENTS if kind.ellipsis else len(kind.args))
            entry = None if self.panics is None else self.panics.entry
            self.functions[name] = function_of_numbers(ffi, found, entry)
            self.names[name] = int(ffi.cast(ADDRESS, found))
        elif isinstance(found, ffi.CData) and ffi.typeof(found).kind in ("array", "struct", "union"):
            self.names[name] = int(ffi.cast(ADDRESS, address))
        else:
            self.variables.names.add(name)
