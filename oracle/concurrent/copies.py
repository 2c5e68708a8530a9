"""A copy of a replay, which from then on goes its own way: what a search does to undo operations that it has tried.

A replay is a web of objects that know one another, also through functions that were made inside of others. All that
may change is copied, once each, so that the copies know one another as the originals do. An object of a kind that is
not known here is refused with TypeError: a copy that shared state unnoticed would be worse than none. What is shared is
what never changes, what is only remembered and could be found again, and what only words are made of: which line spoke
last of what, where that is much (of each frame of a large machine), and what was exercised. What is reported is found
by a replay that was never copied.
"""

from __future__ import annotations

import enum
import re
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from types import (
    BuiltinMethodType,
    CellType,
    FunctionType,
    GenericAlias,
    MappingProxyType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any, TypeVar

from msgspec import Struct, UnsetType

from memoracle.diagnostics.terms import Terms
from memoracle.impl.pte import Layout
from memoracle.replay.containers.known_numbers import KnownNumbers
from memoracle.replay.containers.sparse_lines import SparseLines
from memoracle.replay.coverage import AtStake, Coverage
from memoracle.spec.clauses import Clause, Operation
from memoracle.spec.geometry import Geometry

Copied = TypeVar("Copied")
ATOMS: tuple[type, ...] = (int, str, bytes, float, bool, complex, type(None), type(...), range, UnsetType, slice)
NEVER_CHANGE: tuple[type, ...] = (
    type,
    ModuleType,
    GenericAlias,
    re.Pattern,
    enum.Enum,
    MappingProxyType,
    Struct,
    Clause,
    Operation,
    Geometry,
    AtStake,
    Terms,
    Layout,
)
ONLY_WORDS: tuple[type, ...] = (Coverage, SparseLines, KnownNumbers)
MOST_COPIED = 1 << 22  # bytes of a view
ATOMIC = frozenset(ATOMS)


def copied(original: Copied, still: Iterable[object] = ()) -> Copied:
    """A copy of it and of all that it reaches; raises TypeError for what cannot be copied.

    still: what will not change, neither here nor there, and is shared.
    """
    copies = Copies()
    for each in still:
        copies.shared(each)
    copy: Copied = copies.of(original)
    return copy


class Copies:
    """The copies of one web. made: by the original's identity, the original, which is kept, and its copy."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[Any, Any]] = {}

    def of(self, original: Any) -> Any:
        kind = type(original)
        if kind in ATOMIC:
            return original
        made = self.made.get(id(original))
        if made is not None:
            return made[1]
        way = WAYS.get(kind)
        if way is None:
            way = WAYS[kind] = way_of(kind)
        return way(self, original)

    def keep(self, original: Any, copy: Any) -> Any:
        self.made[id(original)] = original, copy
        return copy

    def shared(self, original: Any) -> Any:
        return self.keep(original, original)

    # Containers

    def dictionary(self, original: dict[Any, Any]) -> Any:
        copy = self.keep(original, type(original).__new__(type(original)))
        if isinstance(original, defaultdict):
            copy.default_factory = self.of(original.default_factory)
        if are_atoms(original) and are_atoms(original.values()):
            dict.update(copy, original)
        else:
            of = self.of
            for key, value in dict.items(original):
                dict.__setitem__(copy, of(key), of(value))
        return self.attributes(original, copy)

    def sequence(self, original: list[Any]) -> Any:
        copy = self.keep(original, type(original).__new__(type(original)))
        list.extend(copy, original if are_atoms(original) else map(self.of, list.__iter__(original)))
        return self.attributes(original, copy)

    def some(self, original: set[Any]) -> Any:
        copy = self.keep(original, type(original).__new__(type(original)))
        set.update(copy, original if are_atoms(original) else map(self.of, set.__iter__(original)))
        return self.attributes(original, copy)

    def queue(self, original: deque[Any]) -> Any:
        copy = self.keep(original, deque(maxlen=original.maxlen))
        copy.extend(original if are_atoms(original) else map(self.of, original))
        return copy

    def fixed(self, original: Any) -> Any:
        """A tuple or a frozen set: the same, if nothing in it changes."""
        parts = list(map(self.of, original))
        if all(one is other for one, other in zip(parts, original, strict=True)):
            return self.shared(original)
        kind = type(original)
        return self.keep(original, kind._make(parts) if hasattr(kind, "_make") else kind(parts))

    def view(self, original: memoryview) -> Any:
        """Of numbers, each of which is a line that spoke of something: too many are shared, words as they are."""
        if original.nbytes > MOST_COPIED:
            return self.shared(original)
        form: Any = original.format  # the types of `cast` name each format
        return self.keep(original, memoryview(bytearray(original)).cast("B").cast(form))

    def numbers(self, original: Any) -> Any:
        return self.keep(original, original[:])

    # Functions

    def method(self, original: MethodType) -> Any:
        of = self.of(original.__self__)
        return self.keep(original, original if of is original.__self__ else MethodType(original.__func__, of))

    def method_of_builtin(self, original: Any) -> Any:
        owner = original.__self__
        of = self.of(owner)
        return self.keep(original, original if of is owner else getattr(of, original.__name__))

    def function(self, original: FunctionType) -> Any:
        """One that was made inside of another sees the copies of what it saw there."""
        if original.__closure__ is None:
            return self.shared(original)
        cells = tuple(self.cell(each) for each in original.__closure__)
        made = FunctionType(
            original.__code__, original.__globals__, original.__name__, self.of(original.__defaults__), cells
        )
        made.__kwdefaults__ = self.of(original.__kwdefaults__)
        made.__qualname__ = original.__qualname__
        return self.keep(original, made)

    def cell(self, original: CellType) -> CellType:
        made = self.made.get(id(original))
        if made is not None:
            known: CellType = made[1]
            return known
        copy = CellType()
        self.keep(original, copy)
        copy.cell_contents = self.of(original.cell_contents)
        return copy

    def bound(self, original: partial[Any]) -> Any:
        function, args = self.of(original.func), self.of(original.args)
        return self.keep(original, partial(function, *args, **self.of(original.keywords)))

    # Objects

    def instance(self, original: Any) -> Any:
        return self.attributes(original, self.keep(original, object.__new__(type(original))))

    def attributes(self, original: Any, copy: Any) -> Any:
        """The same object, with copies of the attributes of the original."""
        of = self.of
        values = getattr(original, "__dict__", None)
        if values:
            copy.__dict__.update({name: of(value) for name, value in values.items()})
        for name in slots_of(type(original)):
            if hasattr(original, name):
                object.__setattr__(copy, name, of(getattr(original, name)))
        return copy


def are_atoms(values: Any) -> bool:
    """Whether none of these reaches anything else: all are atoms, or tuples of these."""
    kinds = set(map(type, values))
    return kinds <= ATOMIC or (kinds == {tuple} and set(map(type, chain.from_iterable(values))) <= ATOMIC)


SLOTS: dict[type, tuple[str, ...]] = {}


def slots_of(kind: type) -> tuple[str, ...]:
    if kind not in SLOTS:
        stated = (each.__dict__.get("__slots__", ()) for each in kind.__mro__)
        names = (name for some in stated for name in ((some,) if isinstance(some, str) else some))
        SLOTS[kind] = tuple(name for name in names if name not in ("__dict__", "__weakref__"))
    return SLOTS[kind]


Way = Callable[[Copies, Any], Any]
WAYS: dict[type, Way] = {
    dict: Copies.dictionary,
    defaultdict: Copies.dictionary,
    OrderedDict: Copies.dictionary,
    Counter: Copies.dictionary,
    list: Copies.sequence,
    set: Copies.some,
    deque: Copies.queue,
    tuple: Copies.fixed,
    frozenset: Copies.fixed,
    array: Copies.numbers,
    bytearray: Copies.numbers,
    memoryview: Copies.view,
    MethodType: Copies.method,
    BuiltinMethodType: Copies.method_of_builtin,
    MethodWrapperType: Copies.method_of_builtin,
    FunctionType: Copies.function,
    partial: Copies.bound,
}
HEAP_TYPE = 1 << 9  # of a type that a `class` statement made: Py_TPFLAGS_HEAPTYPE
OURS = ("memoracle", "sortedcontainers")


def way_of(kind: type) -> Way:
    """How objects of a kind are copied that has no entry of its own; raises TypeError."""
    if issubclass(kind, (*NEVER_CHANGE, *ONLY_WORDS)) or kind.__module__ == "typing":
        return Copies.shared
    for base, way in ((dict, Copies.dictionary), (list, Copies.sequence), (set, Copies.some), (tuple, Copies.fixed)):
        if issubclass(kind, base):
            return way
    if kind.__module__.partition(".")[0] in OURS and all(each is object or is_of_python(each) for each in kind.__mro__):
        return Copies.instance
    raise TypeError(f"{kind.__module__}.{kind.__qualname__}: no way to copy it is known")


def is_of_python(kind: type) -> bool:
    """Whether all that it adds to an object are attributes."""
    return bool(kind.__flags__ & HEAP_TYPE)
