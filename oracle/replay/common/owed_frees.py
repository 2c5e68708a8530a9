"""What was handed out although it was not free: it has more than one owner then, and each of them frees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key")


class OwedFrees(Generic[Key]):
    """By what was handed out, how many of its frees are owed, which the trace does not explain otherwise.

    Each follows from the fault that was named when it was handed out, so it is no fault of its own; one more is.
    """

    def __init__(self) -> None:
        self.owed: Counter[Key] = Counter()

    def __bool__(self) -> bool:
        return bool(self.owed)

    def __len__(self) -> int:
        return len(self.owed)

    @property
    def total(self) -> int:
        return self.owed.total()

    def __iter__(self) -> Iterator[Key]:
        return iter(self.owed)

    def __contains__(self, key: Key) -> bool:
        return key in self.owed

    def add(self, key: Key) -> None:
        self.owed[key] += 1

    def add_again(self, key: Key) -> None:
        """It was handed out once more, rightly: whoever had it before frees it all the same."""
        if key in self.owed:
            self.owed[key] += 1

    def settle(self, key: Key) -> bool:
        """Whether such a free is owed; from now on it is one fewer."""
        if key not in self.owed:
            return False
        self.owed[key] -= 1
        if not self.owed[key]:
            del self.owed[key]
        return True
