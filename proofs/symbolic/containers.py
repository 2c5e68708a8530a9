"""What stands in for the containers of the reference while its code is run on symbolic values.

Each behaves as the container that it stands in for, for unknown contents: a truth or a number for each key,
as a function that is read, and replaced by another when the container is written. Keys and values are 64-bit numbers.
Where the real container would raise an error, the stand-in claims that the code never comes to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from memoracle.proofs.symbolic.context import runner
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.numbers import Symbolic, number
from memoracle.proofs.symbolic.values import Condition, Function, Property, Table
from memoracle.spec.clauses import Number, Truth, implies, when

WORD = (1 << 64) - 1


class Uncompared:
    """A container that code must not compare with another: Python itself would ask whether they are one object."""

    def __eq__(self, other: object) -> bool:
        raise TypeError(f"what stands in for a container is not compared ({type(self).__name__})")

    __hash__ = None  # type: ignore[assignment]  # as of real containers


class Unasked(Uncompared):
    """A container that code must not test for emptiness: Python itself would answer that it is not empty."""

    def __bool__(self) -> bool:
        raise TypeError(f"whether it is empty is not asked of what stands in for a container ({type(self).__name__})")


class Set(Uncompared):
    """A set of numbers, sorted or not. `witnesses`: items that it is known to have because it was found not empty."""

    NOTES = ("popped",)  # what no loop's invariant need speak of

    def __init__(
        self,
        run: Run,
        has: Property,
        parameter: str,
        write: Callable[[Property], None] = lambda has: None,
        witnesses: list[Number] | None = None,
    ) -> None:
        self.run, self._has, self.parameter, self.write = run, has, parameter, write
        self.witnesses = [] if witnesses is None else witnesses

    @property
    def has(self) -> Property:
        """Whether it has an item."""
        return self._has

    @has.setter
    def has(self, has: Property) -> None:
        self._has = has

    def __contains__(self, item: Number) -> bool:
        return bool(self.has(item))

    def __bool__(self) -> bool:
        if self.run.fresh_truth("some"):
            witness = self.run.point(self.parameter)
            self.run.suppose(self.has(witness))
            self.witnesses.append(witness)
            return True
        self._all_are(lambda item: False)
        return False

    def __getitem__(self, place: int) -> Number:
        """The least item of a sorted set."""
        assert place == 0
        least = self._some_item()
        self._all_are(lambda item: item >= least)
        return least

    def __iter__(self) -> Iterator[Number]:
        """Yields any one item and stops there: this stand-in does not serve code that takes a second."""
        yield self._some_item()
        raise TypeError("only the first item of a set is looked at")

    def pop(self) -> Number:
        """Any item."""
        self.popped = self._some_item()
        self.remove(self.popped)
        return self.popped

    def add(self, item: Number) -> None:
        self.run.assert_and_assume("a key is a 64-bit number", (0 <= item) & (item <= HIGHEST))
        self._change(item, True)

    def remove(self, item: Number) -> None:
        self.run.assert_and_assume("what is removed from a set is in it", self.has(item))
        self._change(item, False)

    def discard(self, item: Number) -> None:
        self._change(item, False)

    def copy(self) -> Set:
        return Set(self.run, self.has, self.parameter)

    def _change(self, item: Number, present: bool) -> None:
        before = self.has
        self.has = lambda other: when(other == item, present, before(other))
        self.write(self.has)

    def _some_item(self) -> Number:
        found = [self.has(witness) for witness in self.witnesses]
        self.run.assert_and_assume("an item is taken of a set that is not empty", any_of(found))
        item = self.run.point(self.parameter)
        self.run.suppose(self.has(item))
        return item

    def _all_are(self, holds: Property) -> None:
        """From here on it is known that every item is like this."""
        has = self.has
        self.run.assume_for_all((self.parameter,), lambda item: implies(has(item), holds(item)))


class Sets(Unasked):
    """A list whose items are sets of numbers."""

    def __init__(self, run: Run, has: Condition, length: Number, parameter: str) -> None:
        self.run, self.has, self.length, self.parameter = run, has, length, parameter
        self.witnesses: dict[int, list[Number]] = {}

    def __getitem__(self, index: Number) -> Set:
        self.run.assert_and_assume("an index lies in its list", (0 <= index) & (index < self.length))
        return OneSet(self, index)


class OneSet(Set):
    """One of the sets of such a list. It shares the list's contents: a write to either is seen by both."""

    def __init__(self, sets: Sets, index: Number) -> None:
        witnesses = sets.witnesses.setdefault(number(index).z.get_id(), [])
        super().__init__(sets.run, sets.has, sets.parameter, witnesses=witnesses)
        self.sets, self.index = sets, index

    @property
    def has(self) -> Property:
        has, index = self.sets.has, self.index
        return lambda item: has(index, item)

    @has.setter
    def has(self, has: Property) -> None:
        others, index = self.sets.has, self.index
        self.sets.has = lambda i, item: when(i == index, has(item), others(i, item))


class Keyed(Unasked):
    """What all dictionaries do with their keys."""

    def __init__(self, run: Run, has: Property) -> None:
        self.run, self.has = run, has

    def __contains__(self, key: Number) -> bool:
        return bool(self.has(key))

    def __delitem__(self, key: Number) -> None:
        self.run.assert_and_assume("a dictionary has the key that is deleted", self.has(key))
        self._change(key, False)

    def _look_up(self, key: Number) -> None:
        self.run.assert_and_assume("a dictionary has the key that is looked up", self.has(key))

    def _put(self, key: Number) -> None:
        self.run.assert_and_assume("a key is a 64-bit number", (0 <= key) & (key <= HIGHEST))
        self._change(key, True)

    def _change(self, key: Number, present: bool) -> None:
        before = self.has
        self.has = lambda other: when(other == key, present, before(other))


class Map(Keyed):
    """A dictionary from numbers to numbers between two bounds."""

    def __init__(self, run: Run, has: Property, at: Function, high: int = HIGHEST) -> None:
        super().__init__(run, has)
        self.at, self.high = at, high

    def maps(self, key: Number, value: Number) -> Truth:
        return self.has(key) & (self.at(key) == value)

    def get(self, key: Number, default: Number | None = None) -> Number | None:
        if default is None:
            return self.at(key) if self.has(key) else None
        return when(self.has(key), self.at(key), default)

    def __getitem__(self, key: Number) -> Number:
        self._look_up(key)
        return self.at(key)

    def pop(self, key: Number) -> Number:
        value = self[key]
        del self[key]
        return value

    def __setitem__(self, key: Number, value: Number) -> None:
        self.run.assert_and_assume("a value lies in its bounds", (0 <= value) & (value <= self.high))
        self._put(key)
        before = self.at
        self.at = lambda other: when(other == key, value, before(other))


class Words(Unasked):
    """An array or a list of numbers, of 64 bits each.

    is_held: whether an object or a container has it; what code has just made is not held yet.
    """

    def __init__(self, run: Run, at: Function, length: Number, is_held: bool = True) -> None:
        self.run, self._at, self.length, self.is_held = run, at, length, is_held

    @property
    def at(self) -> Function:
        """What it has at an index."""
        return self._at

    @at.setter
    def at(self, at: Function) -> None:
        self._at = at

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            assert index == slice(None)  # all of it: other slices are not read
            return self.copy()
        self.run.assert_and_assume("an index lies in its array", (0 <= index) & (index < self.length))
        return self.at(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        before = self.at
        if isinstance(index, slice):
            start, stop = index.start, index.stop
            assert index.step is None
            self.run.assert_and_assume(
                "a slice lies in its array", (0 <= start) & (start <= stop) & (stop <= self.length)
            )
            self.run.assert_and_assume("a slice is replaced by as many words", value.length == stop - start)
            at = value.at  # as it is now: what is written to the value later is not written here
            self.at = lambda i: when((start <= i) & (i < stop), at(i - start), before(i))
            return
        self.run.assert_and_assume("an index lies in its array", (0 <= index) & (index < self.length))
        self.run.assert_and_assume("a word has 64 bits", (0 <= value) & (value <= WORD))
        self.at = lambda i: when(i == index, value, before(i))

    def __radd__(self, first: list[int]) -> Words:
        """A list of one number, repeated, and this list behind it."""
        (only,) = set(first)
        length, at = len(first), self.at
        return Words(self.run, lambda i: when(i < length, only, at(i - length)), self.length + length, False)

    def copy(self) -> Words:
        return Words(self.run, self.at, self.length, False)

    def __eq__(self, other: object) -> bool:
        """Whether it is a list of one number, as long, repeated; where it is not, `other_at` is where it differs."""
        assert isinstance(other, list)
        assert len(other) == self.length
        (only,) = set(other)
        at = self.at
        if self.run.fresh_truth("all are the same"):
            inside: Property = lambda index: (0 <= index) & (index < self.length)  # noqa: E731
            self.run.assume_for_all(("index",), lambda index: implies(inside(index), at(index) == only))
            return True
        self.other_at = self.run.point("index")
        self.run.suppose((0 <= self.other_at) & (self.other_at < self.length), at(self.other_at) != only)
        return False


class Tables(Keyed):
    """A dictionary from numbers to lists of numbers, all of one length."""

    def __init__(self, run: Run, has: Property, entry: Table, length: int) -> None:
        super().__init__(run, has)
        self.entry, self.length = entry, length
        self.made: list[Number] = []  # keys that were put in
        self.deleted: list[Number] = []
        self.differing: list[tuple[Number, Number]] = []  # lists found not blank: where, and an index

    def at(self, key: Number) -> Words:
        return Words(self.run, lambda index: self.entry(key, index), self.length)

    def __delitem__(self, key: Number) -> None:
        super().__delitem__(key)
        self.deleted.append(key)

    def __getitem__(self, key: Number) -> Words:
        self._look_up(key)
        return Row(self, key)

    def __setitem__(self, key: Number, row: Words | list[int]) -> None:
        """From here on the list is this dictionary's: code that has it under another name finds it empty."""
        if isinstance(row, list):
            given, row = row, row + Words(self.run, lambda index: 0, 0)
            given.clear()
        self.run.assert_and_assume("a list that is put in is nobody else's", not row.is_held)
        self.run.assert_and_assume("all lists are of one length", row.length == self.length)
        self._put(key)
        self.made.append(key)
        entry, at = self.entry, row.at
        row.length, row.is_held = 0, True
        self.entry = lambda other, index: when(other == key, at(index), entry(other, index))


class Row(Words):
    """One of the lists of such a dictionary. It shares the dictionary's contents: a write to either is seen by both."""

    def __init__(self, tables: Tables, key: Number) -> None:
        super().__init__(tables.run, lambda index: 0, tables.length)
        self.tables, self.key = tables, key

    @property
    def at(self) -> Function:
        entry, key = self.tables.entry, self.key
        return lambda index: entry(key, index)

    @at.setter
    def at(self, at: Function) -> None:
        entry, key = self.tables.entry, self.key
        self.tables.entry = lambda other, index: when(other == key, at(index), entry(other, index))

    def __eq__(self, other: object) -> bool:
        same = super().__eq__(other)
        if not same:
            self.tables.differing.append((self.key, self.other_at))
        return same


def any_of(truths: Iterable[Truth]) -> Truth:
    """Whether one of several truths holds."""
    found: Truth = False
    for one in truths:
        found = found | one
    return found


def repeated(times: Any, words: Any) -> Words:
    """What `array('Q', [word]) * times` makes."""
    (word,) = words
    run: Any = runner()
    return Words(run, lambda index: number(word), times, False)


Symbolic.repeat = staticmethod(repeated)
