"""What the numbers of a trace stand for, as frames or pages, by how the trace writes them: most come up again."""

from __future__ import annotations

from collections.abc import Callable

from memoracle.trace.numbers import LONGEST_READ, MOST_READ, read


class KnownNumbers(dict[int | str, int | None]):
    """Of those that were asked for lately. of: what a number stands for, if anything; always the same."""

    def __init__(self, of: Callable[[int], int | None]) -> None:
        super().__init__()
        self.of = of

    def __missing__(self, value: int | str) -> int | None:
        """What a number stands for that is not known; it is from now on. Raises BadNumber."""
        found = self.of(read(value))
        if isinstance(value, int) or len(value) <= LONGEST_READ:
            if len(self) == MOST_READ:
                self.clear()
            self[value] = found
        return found
