"""Finds the containers that can be reached from an object or a module, to see whether two of these share one."""

from __future__ import annotations

import gc
import inspect
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import FunctionType, ModuleType

from memoracle.proofs.exhaustive.snapshots import PLAIN, STOPS, changing

Found = dict[int, object]  # by its identity


def containers(*roots: object) -> Found:
    """Everything mutable that can be reached from these, directly or not."""
    found: Found = {}
    seen: set[int] = set()
    left = changing(roots)
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if not isinstance(value, tuple | frozenset):
            found[id(value)] = value
        left += changing(gc.get_referents(value))
    return found


def of_modules(modules: Iterable[ModuleType]) -> Found:
    """The containers that modules, their classes and the defaults of their functions hold."""
    return containers(*(each for module in modules for each in _held(vars(module), module.__name__)))


def _held(names: Mapping[str, object], module: str) -> Iterator[object]:
    for name, value in names.items():
        if isinstance(value, type) and value.__module__ == module:
            yield from _held(vars(value), module)
        elif isinstance(value, FunctionType):
            cells = inspect.getclosurevars(value).nonlocals if value.__closure__ else {}
            yield from (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *cells.values())
        elif not name.startswith("__"):
            yield value


def doubled(instance: object, name: str, borrowed: Callable[[object], AbstractSet[str]]) -> str | None:
    """Two places in an object that have the same container, in words; None if each has its own.

    borrowed: the attributes of an object, part of this one or this one itself, that are another's.
    """
    places: dict[int, str] = {}
    alive: list[object] = []  # so that no identity is used twice
    left = [(name, each) for each in changing([instance])]
    while left:
        place, value = left.pop()
        if isinstance(value, STOPS):
            continue
        if not isinstance(value, tuple | frozenset):
            if id(value) in places:
                return f"{places[id(value)]} and {place} are one {type(value).__name__}"
            places[id(value)] = place
            alive.append(value)
        if isinstance(value, Mapping):
            left += [(f"{place}[{key!r}]", item) for key, item in value.items() if type(item) not in PLAIN]
        elif isinstance(value, list | tuple):
            left += [(f"{place}[{index}]", item) for index, item in enumerate(value) if type(item) not in PLAIN]
        elif not isinstance(value, AbstractSet | array):
            parts = ((key, item) for key, item in vars(value).items() if type(item) not in PLAIN)
            left += [(f"{place}.{key}", item) for key, item in parts if key not in borrowed(value)]
    return None
