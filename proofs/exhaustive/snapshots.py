"""Copies objects of the reference, compares them, and puts them back as they were."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from operator import eq, is_
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from sortedcontainers import SortedSet

Copies = dict[int, object]  # those made so far, by the identity of what they are of
CONTAINERS = (set, SortedSet, array, dict, list)
PLAIN = {int, bool, str, bytes, float, type(None), type(Ellipsis), range}  # nothing of these changes
STOPS = (type, ModuleType, FunctionType, BuiltinFunctionType)  # and these are no object's own


class Trial:
    """A copy of an object, to try calls on: it says whether a call changed the copy, and puts it back as it was.

    parts: each container and object that the copy is made of, and a copy of that, one level deep.
    """

    def __init__(self, instance: object) -> None:
        copies: Copies = {}
        self.object = duplicate(instance, copies)
        parts: list[Any] = [copy if isinstance(copy, CONTAINERS) else vars(copy) for copy in copies.values()]
        self.parts: list[tuple[Any, Any]] = [(part, part[:] if _in_order(part) else part.copy()) for part in parts]

    def is_unchanged(self) -> bool:
        """Whether the object is equal to what it was. It may be so, too, where this says no: see `frozen`."""
        return all(part == kept for part, kept in self.parts)

    def put_back(self) -> None:
        for part, kept in self.parts:
            if _in_order(part):
                part[:] = kept
            elif isinstance(part, dict) or part != kept:  # equal dictionaries may hold other containers
                part.clear()
                part.update(kept)


def _in_order(part: object) -> bool:
    return isinstance(part, list | array)


class Original:
    """What an object of the reference is made of, to see whether it was left alone.

    It was if each part is the same container or object, and has the same in it, in the same order. Of some kinds of
    parts that cannot be seen: an object that has one is never known to be whole.

    parts: each with what it has, and how to see whether it has that still.
    """

    def __init__(self, instance: object) -> None:
        self.parts: list[tuple[Callable[[Any, Any], bool], Any, Any]] = []
        met: set[int] = set()
        left: list[Any] = [instance]
        while left:
            value = left.pop()
            if id(value) not in met:
                met.add(id(value))
                left += self._parts_within(value)

    def _parts_within(self, value: Any) -> Iterable[object]:
        """Notes what a part has, and what is to be noted besides."""
        if isinstance(value, tuple | frozenset):
            return changing(value)
        if isinstance(value, set | SortedSet):
            self.parts.append((eq, value, set(value)))
            return changing(value)
        if isinstance(value, array):
            self.parts.append((eq, value, value[:]))
            return ()
        if isinstance(value, list):
            found = changing(value)
            self.parts.append((_is_each if found else eq, value, value[:]))
            return found
        if not isinstance(value, dict) and not _has_attributes(type(value)):
            self.parts.append((_never, value, None))
            return ()
        part = value if isinstance(value, dict) else vars(value)
        found = changing(part.values())
        self.parts.append((_has_each if found else _has_equal, part, part.copy()))
        return found

    def is_whole(self) -> bool:
        return all(holds(part, kept) for holds, part, kept in self.parts)


def changing(values: Iterable[object]) -> list[object]:
    """Those that may change, or have what may."""
    found = [value for value in values if type(value) not in PLAIN]
    return [value for value in found if not isinstance(value, STOPS)] if found else found


def _is_each(values: list[object], kept: list[object]) -> bool:
    return len(values) == len(kept) and all(map(is_, values, kept))


def _has_each(mapping: dict[object, object], kept: dict[object, object]) -> bool:
    """Whether two dictionaries have the same objects at the same keys, in the same order."""
    return list(mapping) == list(kept) and all(map(is_, mapping.values(), kept.values()))


def _has_equal(mapping: dict[object, object], kept: dict[object, object]) -> bool:
    return mapping == kept and list(mapping) == list(kept)


def _never(part: object, kept: object) -> bool:
    return False


def duplicate(value: object, copies: Copies | None = None) -> Any:
    """A copy of an object of the reference, or of a part. What two places of it share, those of the copy share too."""
    copies = {} if copies is None else copies
    kind: object = type(value)
    copy_of = _copier(kind)
    if copy_of is None:
        return value
    return copies[id(value)] if id(value) in copies else copy_of(value, copies)


@cache
def _copier(kind: type) -> Callable[[Any, Copies], object] | None:
    """How values of a type are copied and noted, or None if they are not: a run asks it of very many."""
    if issubclass(kind, set | SortedSet):
        return lambda value, copies: copies.setdefault(id(value), value.copy())
    if issubclass(kind, array):
        return lambda value, copies: copies.setdefault(id(value), value[:])
    if issubclass(kind, dict):
        return _copy_mapping
    if issubclass(kind, list):
        return _copy_list
    return _copy_object if _has_attributes(kind) else None


def _copy_mapping(value: Any, copies: Copies) -> object:
    copy: Any = copies.setdefault(id(value), {})
    copy.update([(key, duplicate(item, copies)) for key, item in value.items()])
    return copy


def _copy_list(value: Any, copies: Copies) -> object:
    if _is_plain(value):
        return copies.setdefault(id(value), value[:])
    copy: Any = copies.setdefault(id(value), [])
    copy.extend([duplicate(item, copies) for item in value])
    return copy


def _copy_object(value: object, copies: Copies) -> object:
    copy: object = copies.setdefault(id(value), object.__new__(type(value)))
    vars(copy).update([(name, duplicate(item, copies)) for name, item in vars(value).items()])
    return copy


def frozen(value: object) -> object:
    """An object's value, by which it is compared: everything that it keeps, in whatever order that was put in."""
    kind: object = type(value)
    freeze = _freezer(kind)
    return value if freeze is None else freeze(value)


@cache
def _freezer(kind: type) -> Callable[[Any], object] | None:
    """What values of a type are compared by, or None if by themselves."""
    if issubclass(kind, int):
        return None
    if issubclass(kind, AbstractSet):
        return frozenset
    if issubclass(kind, Mapping):
        return _freeze_mapping
    if issubclass(kind, array):
        return tuple
    if issubclass(kind, list):
        return lambda value: tuple(value if _is_plain(value) else [frozen(item) for item in value])
    return (lambda value: _freeze_mapping(vars(value))) if _has_attributes(kind) else None


def _freeze_mapping(value: Mapping[object, object]) -> object:
    return frozenset([(key, frozen(item)) for key, item in value.items()])


def _is_plain(value: list[object]) -> bool:
    return bool(value) and isinstance(value[0], int)


def _has_attributes(kind: type) -> bool:
    """Whether values of a type keep attributes of any name."""
    return bool(kind.__dictoffset__)
