"""What a turn of a loop changes: the parts of what its frame can reach, by their identities.

A loop's invariant describes some of the state; the rest must be as it was before the loop, on each turn. So the parts
that putting an unknown state in place did not replace are compared before and after a turn, part by part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, MutableSequence
from collections.abc import Set as AbstractSet

from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool
from memoracle.proofs.symbolic.numbers import Symbolic, SymbolicBool
from memoracle.proofs.symbolic.withheld import Withheld

OURS = ("memoracle.impl.", "memoracle.proofs.")
Footprint = dict[str, tuple[object, ...]]  # by the path to a part, what it is
UNSEEN = object()  # an iterator: how far it has come cannot be seen, so it is never the same


def footprint(roots: Mapping[str, object]) -> Footprint:
    """The parts that can be reached from these."""
    found: Footprint = {}
    seen: dict[int, object] = {}
    for name, value in roots.items():
        found.update(_parts(name, value, seen))
    return found


def changed(before: Footprint, after: Footprint) -> list[str]:
    """The paths to what is not the same in both, or is in one of them only."""
    return [path for path in before.keys() | after.keys() if not _same(before.get(path), after.get(path))]


def replaced(before: Footprint, after: Footprint) -> set[str]:
    """The paths to what was put in the place of something else."""
    return {path for path in changed(before, after) if not any(each is UNSEEN for each in after.get(path, ()))}


def withhold(roots: Mapping[str, object], paths: Collection[str]) -> Withheld:
    """Takes away these parts, as far as they are attributes that hold a number, a function or a law's state."""
    withheld = Withheld()
    for path in paths:
        place, _, name = path.rpartition(".")
        holder = _found(roots, place) if place else None
        held = getattr(holder, "__dict__", {})
        if (name in held and not type(held[name]).__module__.startswith(OURS)) or isinstance(held.get(name), Symbolic):
            withheld.take(holder, name)
    return withheld


def _found(roots: Mapping[str, object], path: str) -> object:
    """The part at a path of attributes; None if there is none, or an item of a container is on the way."""
    name, *names = path.split(".")
    found = roots.get(name)
    for each in names:
        found = getattr(found, "__dict__", {}).get(each)
    return found


def _same(one: tuple[object, ...] | None, other: tuple[object, ...] | None) -> bool:
    if one is None or other is None or len(one) != len(other):
        return False
    return all(_is(*both) for both in zip(one, other, strict=True))


def _is(one: object, other: object) -> bool:
    if isinstance(one, Symbolic | SymbolicBool) and type(one) is type(other):
        return bool(one.z.eq(other.z))
    if isinstance(one, int | str) and type(one) is type(other):
        return bool(one == other)
    return one is other and one is not UNSEEN


def _parts(path: str, value: object, seen: dict[int, object]) -> Iterator[tuple[str, tuple[object, ...]]]:
    if isinstance(value, HypothesisPool) or id(value) in seen:
        return
    if isinstance(value, Iterator):
        yield path, (UNSEEN,)
    elif isinstance(value, tuple | MutableSequence):
        seen[id(value)] = value
        yield path, (len(value),) if isinstance(value, tuple) else (value, len(value))
        for place, item in enumerate(value):
            yield from _parts(f"{path}[{place}]", item, seen)
    elif isinstance(value, dict):
        seen[id(value)] = value
        yield path, (value, len(value))
        for key, item in value.items():
            yield from _parts(f"{path}[{key!r}]", item, seen)
    elif isinstance(value, AbstractSet):
        seen[id(value)] = value
        yield path, (value, *sorted(value, key=repr))
    elif type(value).__module__.startswith(OURS) and not isinstance(value, Symbolic | SymbolicBool):
        seen[id(value)] = value
        yield path, (value,)
        for name, item in getattr(value, "__dict__", {}).items():
            if not _is_note(value, name, item):
                yield from _parts(f"{path}.{name}", item, seen)
    else:
        yield path, (value,)


def _is_note(owner: object, name: str, item: object) -> bool:
    """Whether a stand-in keeps this for the proof's own use, so that it is no part of the container."""
    if not type(owner).__module__.startswith("memoracle.proofs."):
        return False
    return name in getattr(owner, "NOTES", ()) or item is None or isinstance(item, list | dict | bool)
