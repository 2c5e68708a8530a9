"""Whether the containers of objects are distinct: each is in one place, of one object."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any


def share(*objects: object) -> bool:
    """Whether some container is in two places of these objects."""
    found = [each for one in objects for each in containers(vars(one).values())]
    return any(times > 1 for times in Counter(map(id, found)).values())


def containers(values: Iterable[object]) -> Iterator[object]:
    """The containers among these values, and those in them."""
    for value in values:
        kind: object = type(value)
        is_container, contents = _parts(kind)
        if is_container:
            yield value
        if contents is not None:
            yield from containers(contents(value))


@cache
def _parts(kind: type) -> tuple[bool, Callable[[Any], Iterable[object]] | None]:
    """Whether values of a type are containers, and what may be containers in one: a proof asks it of very many."""
    if issubclass(kind, int | str | bytes):
        return False, None
    if issubclass(kind, Mapping):
        return True, lambda value: value.values()
    if issubclass(kind, AbstractSet | array):
        return True, None
    if issubclass(kind, Sequence):
        return not issubclass(kind, tuple), lambda value: value
    return False, None
