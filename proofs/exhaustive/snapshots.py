"""Objects of the reference copied, and distinguished."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from sortedcontainers import SortedSet


def duplicate(value: Any, copies: dict[int, Any] | None = None) -> Any:
    """An object of the reference, or what it is made of, once more. What is in two places of it stays one.

    copies: those made so far, by the identity of what they are of.
    """
    copies = {} if copies is None else copies
    if id(value) in copies:
        return copies[id(value)]
    if isinstance(value, set | SortedSet | array) or _is_plain(value):
        return copies.setdefault(id(value), value[:] if isinstance(value, list | array) else value.copy())
    if isinstance(value, dict):
        copy: Any = copies.setdefault(id(value), {})
        copy.update((key, duplicate(item, copies)) for key, item in value.items())
        return copy
    if isinstance(value, list):
        copy = copies.setdefault(id(value), [])
        copy.extend(duplicate(item, copies) for item in value)
        return copy
    if hasattr(value, "__dict__"):
        copy = copies.setdefault(id(value), object.__new__(type(value)))
        vars(copy).update((name, duplicate(item, copies)) for name, item in vars(value).items())
        return copy
    return value


def frozen(value: Any) -> Any:
    """What an object is, to be distinguished from others: everything that it keeps, whatever order it came in."""
    if isinstance(value, int):
        return value
    if isinstance(value, AbstractSet):
        return frozenset(value)
    if isinstance(value, Mapping):
        return frozenset((key, frozen(item)) for key, item in value.items())
    if isinstance(value, array) or _is_plain(value):
        return tuple(value)
    if isinstance(value, list):
        return tuple(map(frozen, value))
    return frozen(vars(value)) if hasattr(value, "__dict__") else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], int)
