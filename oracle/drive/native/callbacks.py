"""Functions that a library calls, each made of an expression of the binding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PROTOTYPE = re.compile(r"\s*(?P<returns>[^()]*[\s*])(?P<name>\w+)\s*\((?P<parameters>.*)\)\s*;?\s*", re.DOTALL)
POINTED = re.compile(r"\(\s*\*\s*(\w+)\s*\)")
NAME = re.compile(r"(\w+)\s*(?:\[[^]]*\])?\s*$")
LAST_OF_TYPES = {"int", "char", "long", "short", "unsigned", "signed", "void", "float", "double"}


class CallbackError(ValueError):
    """A callback that cannot be read; the text says why."""


@dataclass(frozen=True)
class Prototype:
    """A function in C. name: of it.  returns: its type.  parameters: their names."""

    name: str
    returns: str
    declared: str
    parameters: tuple[str, ...]


def prototype_of(key: str, declarations: str) -> Prototype:
    """What a callback's key says: a prototype, or the name of a function that is declared, or of any."""
    text = key
    if key.isidentifier():
        found = re.search(
            rf"[^;{{}}]*\b{key}\s*\([^;{{}}]*\)\s*;", re.sub(r"/\*.*?\*/|//[^\n]*", " ", declarations, flags=re.S)
        )
        if found is None:
            return Prototype(key, "uintptr_t", "void", ())
        text = found[0]
    read = PROTOTYPE.fullmatch(text)
    if read is None:
        raise CallbackError("a function's name or its prototype was expected, as `void *take(size_t pages)`")
    declared = [each for each in _split(read["parameters"]) if each not in ("", "void", "...")]
    returns = re.sub(r"\b(extern|static|inline|_Noreturn)\b", "", read["returns"]).strip()
    return Prototype(read["name"], returns, ", ".join(declared) or "void", tuple(map(_name_in, declared)))


def _split(parameters: str) -> list[str]:
    """Parameters, which commas tell apart where these are in no parentheses."""
    found, depth = [""], 0
    for character in parameters:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            found.append("")
        else:
            found[-1] += character
    return [each.strip() for each in found]


def _name_in(parameter: str) -> str:
    found = POINTED.search(parameter) or NAME.search(parameter)
    name = found[1] if found is not None else ""
    return "" if name in LAST_OF_TYPES or name == parameter else name


class Callbacks:
    """The functions of one binding. They are made by `make`, in the process that the library is in.

    addresses: by name.  fault: what went wrong in one, which C does not see.
    """

    def __init__(self, ffi: Any) -> None:
        self.ffi = ffi
        self.kinds: dict[str, Any] = {}
        self.addresses: dict[str, int] = {}
        self.kept: list[Any] = []
        self.fault: BaseException | None = None

    def declare(self, prototype: Prototype) -> None:
        name = f"memoracle_callback_{prototype.name}"
        try:
            self.ffi.cdef(f"typedef {prototype.returns} (*{name})({prototype.declared});")
            self.kinds[prototype.name] = self.ffi.typeof(name)
        except Exception as fault:  # cffi has no common class for what is wrong with a declaration
            raise CallbackError(str(fault).partition("\n")[0]) from None

    def make(self, name: str, compute: Callable[..., Any]) -> None:
        """compute: of its arguments, as numbers."""
        kind = self.kinds[name]
        made = self.ffi.callback(kind, self._of_numbers(kind, compute), onerror=self._failed)
        self.kept.append(made)
        self.addresses[name] = int(self.ffi.cast("uintptr_t", made))

    def _of_numbers(self, kind: Any, compute: Callable[..., Any]) -> Callable[..., Any]:
        cast, data, result = self.ffi.cast, self.ffi.CData, kind.result

        def called(*given: Any) -> Any:
            value = compute(*(int(cast("uintptr_t", each)) if isinstance(each, data) else each for each in given))
            if result.kind == "void":
                return None
            return cast(result, value) if result.kind == "pointer" else int(cast(result, value))

        return called

    def _failed(self, kind: Any, fault: BaseException, traceback: Any) -> None:
        self.fault = fault.with_traceback(traceback)

    def taken_fault(self) -> BaseException | None:
        """What went wrong since it was asked last."""
        fault, self.fault = self.fault, None
        return fault
