"""Objects of the reference copied, and told apart."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from sortedcontainers import SortedSet


def duplicate(value: Any, copies: dict[int, Any] | None = None) -> Any:
    """An object of the reference, or what it is made of, once more. An object that is part of others stays one.

    copies: those made so far, by the identity of what they are of.
    """
    copies = {} if copies is None else copies
    if isinstance(value, SortedSet):
        return SortedSet(value)
    if isinstance(value, dict):
        return {key: duplicate(item, copies) for key, item in value.items()}
    if isinstance(value, set):
        return value.copy()
    if isinstance(value, array) or _is_plain(value):
        return value[:]
    if isinstance(value, list):
        return [duplicate(item, copies) for item in value]
    if hasattr(value, "__dict__"):
        if id(value) not in copies:
            copy = copies[id(value)] = object.__new__(type(value))
            vars(copy).update(duplicate(vars(value), copies))
        return copies[id(value)]
    return value


def frozen(value: Any) -> Any:
    """What an object is, to be told apart from others: everything that it keeps, whatever order it came in."""
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
