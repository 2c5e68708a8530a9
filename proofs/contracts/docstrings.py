"""Reads contracts: the public functions of a package, and the conditions in their docstrings (PEP 316)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import cache
from types import CodeType, FunctionType, ModuleType

CONDITION_LINE = re.compile(r"\s*:?(pre|post|inv|raises)\b\s*(\[.*?\])?\s*:", re.IGNORECASE)


@dataclass(frozen=True)
class PublicFunction:
    """A function or method without leading underscore, or the constructor of a public class."""

    module: ModuleType
    owner: type | None
    name: str

    @property
    def component(self) -> str:
        return self.module.__name__.rpartition(".")[2]

    @property
    def qualified(self) -> str:
        return self.name if self.owner is None else f"{self.owner.__name__}.{self.name}"

    @property
    def context(self) -> ModuleType | type:
        return self.module if self.owner is None else self.owner

    @property
    def function(self) -> FunctionType:
        function: FunctionType = inspect.unwrap(getattr(self.context, self.name))
        return function

    @property
    def parameters(self) -> list[str]:
        return _parameters(self.function)

    def admits(self, arguments: Mapping[str, object], invariants: bool = True) -> bool:
        """Whether the preconditions hold of these arguments; one that raises an error does not hold.

        invariants: whether those of the class are read too; they hold of an object that its own operations made.
        """
        conditions = _compiled(self.function, "pre")
        if invariants and self.owner is not None and self.name != "__init__":
            conditions = conditions + _compiled(self.owner, "inv")
        return _hold(conditions, self.module, arguments)

    @property
    def excludes(self) -> bool:
        """Whether there are preconditions, those of the class left out."""
        return bool(_compiled(self.function, "pre"))

    def broken(self, arguments: Mapping[str, object], before: object, answer: object) -> str | None:
        """The first `post:` line that does not hold after a call, as it is written.

        before: with the arguments as they were; an error is no condition that holds, and is raised.
        """
        names = {**vars(self.module), **arguments, "__old__": before, "__return__": answer, "_": answer}
        texts = zip(_conditions(self.function, "post"), _compiled(self.function, "post"), strict=True)
        return next((text for text, condition in texts if not eval(condition, names)), None)

    @property
    def source(self) -> str:
        path = "/".join(self.module.__name__.split(".")[1:])
        return f"{path}.py:{self.function.__code__.co_firstlineno}"


def invariants_hold(module: ModuleType, owner: type, instance: object) -> bool:
    """Whether what a class promises of its objects holds of this one; what raises an error does not hold."""
    return _hold(_compiled(owner, "inv"), module, {"self": instance})


def _hold(conditions: list[CodeType], module: ModuleType, arguments: Mapping[str, object]) -> bool:
    if not conditions:
        return True
    names = {**vars(module), **arguments}
    try:
        return all(eval(condition, names) for condition in conditions)
    except Exception:
        return False


@cache
def functions(package: str) -> tuple[PublicFunction, ...]:
    """The public functions of a package, module by module, in the order of the text."""
    found: list[PublicFunction] = []
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        module = importlib.import_module(info.name)
        own = [(n, v) for n, v in vars(module).items() if getattr(v, "__module__", "") == info.name and n[0] != "_"]
        for name, value in own:
            if inspect.isfunction(value):
                found.append(PublicFunction(module, None, name))
            elif inspect.isclass(value) and not _is_record(value):
                members = [member for member in vars(value) if member == "__init__" or member[0] != "_"]
                methods = [member for member in members if callable(getattr(value, member))]
                found.extend(PublicFunction(module, value, method) for method in methods)
    return tuple(found)


def _is_record(owner: type) -> bool:
    """Whether a class runs no code: a NamedTuple, a dataclass, an enumeration, an exception, or an interface."""
    is_interface = getattr(owner, "_is_protocol", False)
    return is_dataclass(owner) or issubclass(owner, tuple | Enum | BaseException) or is_interface


@cache
def _parameters(function: FunctionType) -> list[str]:
    return list(inspect.signature(function).parameters)


@cache
def _compiled(described: FunctionType | type, kind: str) -> list[CodeType]:
    return [compile(text, described.__qualname__, "eval") for text in _conditions(described, kind)]


def _conditions(described: object, kind: str) -> list[str]:
    """The conditions of a kind that a docstring has, as they are written."""
    lines = (getattr(described, "__doc__", None) or "").splitlines()
    found = ((line, CONDITION_LINE.match(line)) for line in lines)
    return [line[match.end() :].strip() for line, match in found if match and match[1].lower() == kind]


def written(function: PublicFunction) -> tuple[int, int]:
    """How many conditions the docstrings have, counted without CrossHair: before the call, and after it."""
    invariants, before, after = (
        len(_conditions(described, kind))
        for described, kind in ((function.owner, "inv"), (function.function, "pre"), (function.function, "post"))
    )
    return before + (0 if function.name == "__init__" else invariants), after + invariants if after else 0


def claim(function: PublicFunction) -> str:
    """The first sentence of the docstring, "" if it opens with a condition or there is none."""
    paragraph = (inspect.getdoc(function.function) or "").partition("\n\n")[0].replace("\n", " ")
    return "" if CONDITION_LINE.match(paragraph) else re.split(r"(?<=\.)\s", paragraph)[0]
