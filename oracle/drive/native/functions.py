"""Functions of a library as functions of numbers: a pointer is its address."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

ADDRESS = "uintptr_t"
POINTERS = ("pointer", "function", "array")  # kinds of types that are addresses where they are passed


class Fields:
    """A structure that a function returned or stored; its fields are numbers."""

    def __init__(self, ffi: Any, data: Any) -> None:
        self._ffi, self._data = ffi, data

    @property
    def names_of_fields(self) -> list[str]:
        return [name for name, _ in self._ffi.typeof(self._data).fields or ()]

    def __getattr__(self, name: str) -> Any:
        return number_of(self._ffi, getattr(self._data, name))


def number_of(ffi: Any, value: Any) -> Any:
    """A value of the library as expressions have it."""
    if not isinstance(value, ffi.CData):
        return value
    if ffi.typeof(value).kind in ("struct", "union"):
        return Fields(ffi, value)
    return int(ffi.cast(ADDRESS, value))


def arity_of(function: Callable[..., Any]) -> tuple[int, int]:
    """How many arguments one of our own functions takes, at least and at most."""
    count = len(inspect.signature(function).parameters)
    return count, count


def function_of_numbers(ffi: Any, function: Any, entry: Callable[[int], int] | None) -> Callable[..., Any]:
    """The same function of numbers. entry: what is called in its place, by its address.

    Numbers and pointers are passed alike, so it is called as a function of numbers that are as large as pointers.
    """
    kind = ffi.typeof(function)
    returns, *takes = (ADDRESS if each.kind in POINTERS else each.cname for each in (kind.result, *kind.args))
    address = int(ffi.cast(ADDRESS, function))
    called: Callable[..., Any] = ffi.cast(
        f"{returns}(*)({', '.join(takes) or 'void'})", address if entry is None else entry(address)
    )
    if kind.result.kind in ("struct", "union"):
        return lambda *given: Fields(ffi, called(*given))
    return called


class Variables:
    """The library's variables that are numbers or pointers. names: of these."""

    def __init__(self, ffi: Any, library: Any) -> None:
        self.ffi, self.library = ffi, library
        self.names = set[str]()

    def read(self, name: str) -> Any:
        return number_of(self.ffi, getattr(self.library, name))

    def write(self, name: str, value: Any) -> None:
        kind = self.ffi.typeof(self.ffi.addressof(self.library, name)).item
        setattr(self.library, name, value if kind.kind == "primitive" else self.ffi.cast(kind, value))


class Stored:
    """Room for what a function stores through a pointer. address: of it."""

    def __init__(self, ffi: Any, kind: Any) -> None:
        """kind: the type of the pointer."""
        self.ffi = ffi
        item = kind.item
        self.room = ffi.new(f"{ADDRESS} *" if item.kind in (*POINTERS, "void") else kind)
        self.address = int(ffi.cast(ADDRESS, self.room))
        self.bytes = ffi.buffer(self.room)
        self.nothing = bytes(len(self.bytes))

    def clear(self) -> None:
        self.bytes[:] = self.nothing

    def read(self) -> Any:
        return number_of(self.ffi, self.room[0])
