"""Whether the containers of objects are distinct: each is in one place, of one object."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet


def share(*objects: object) -> bool:
    """Whether some container is in two places of these objects."""
    found = [each for one in objects for each in containers(vars(one).values())]
    return any(times > 1 for times in Counter(map(id, found)).values())


def containers(values: Iterable[object]) -> Iterator[object]:
    """The containers among these values, and those in them."""
    for value in values:
        if isinstance(value, int | str | bytes):
            continue  # most are numbers, and to ask whether these are containers takes long
        if isinstance(value, Mapping):
            yield value
            yield from containers(value.values())
        elif isinstance(value, AbstractSet | array):
            yield value
        elif isinstance(value, Sequence):
            if not isinstance(value, tuple):
                yield value
            yield from containers(value)
