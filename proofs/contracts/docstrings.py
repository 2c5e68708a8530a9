"""The contracts as they are written: the public functions of a package, and what their docstrings promise (PEP 316)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import cache
from types import FunctionType, ModuleType

from crosshair.condition_parser import Conditions, condition_parser
from crosshair.fnutil import FunctionInfo
from crosshair.options import AnalysisKind

KINDS = (AnalysisKind.PEP316,)
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
    def function(self) -> FunctionType:
        function: FunctionType = inspect.unwrap(getattr(self.info.context, self.name))
        return function

    @property
    def info(self) -> FunctionInfo:
        context = self.module if self.owner is None else self.owner
        return FunctionInfo(context, self.name, vars(context)[self.name])

    @property
    def source(self) -> str:
        path = "/".join(self.module.__name__.split(".")[1:])
        return f"{path}.py:{self.function.__code__.co_firstlineno}"


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


def _lines(described: object, *kinds: str) -> int:
    found = map(CONDITION_LINE.match, (getattr(described, "__doc__", None) or "").splitlines())
    return sum(match is not None and match[1].lower() in kinds for match in found)


def written(function: PublicFunction) -> tuple[int, int]:
    """How many conditions the docstrings have, counted without CrossHair: before the call, and after it."""
    invariants = _lines(function.owner, "inv")
    before, after = _lines(function.function, "pre"), _lines(function.function, "post")
    return before + (0 if function.name == "__init__" else invariants), after + invariants if after else 0


def claim(function: PublicFunction) -> str:
    """The first sentence of the docstring, "" if it opens with a condition or there is none."""
    paragraph = (inspect.getdoc(function.function) or "").partition("\n\n")[0].replace("\n", " ")
    return "" if CONDITION_LINE.match(paragraph) else re.split(r"(?<=\.)\s", paragraph)[0]


@cache
def parsed(function: PublicFunction) -> Conditions | None:
    """What CrossHair reads of a contract."""
    with condition_parser(KINDS) as parser:
        if function.owner is None:
            return parser.get_fn_conditions(function.info)
        return parser.get_class_conditions(function.owner).methods.get(function.name)
