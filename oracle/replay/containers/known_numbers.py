"""What the numbers of a trace stand for, as frames or pages, by how the trace writes them: most come up again."""

from __future__ import annotations

from collections.abc import Callable

from memoracle.trace.numbers import LONGEST_READ, MOST_READ, BadNumber, read


class KnownNumbers(dict[int | str | bytes, int | None]):
    """Of those that were asked for lately. of: what a number stands for, if anything; always the same.

    A number may also be asked for by the digits of a line, which are those of a string `"0x..."`.
    """

    def __init__(self, of: Callable[[int], int | None]) -> None:
        super().__init__()
        self.of = of

    def __missing__(self, value: int | str | bytes) -> int | None:
        """What a number stands for that is not known; it is from now on.

        Raises BadNumber for a string that is none; bytes that are no digits stand for nothing.
        """
        number = of_digits(value) if isinstance(value, bytes) else read(value)
        found = None if number is None else self.of(number)
        if isinstance(value, int) or len(value) <= LONGEST_READ:
            if len(self) == MOST_READ:
                self.clear()
            self[value] = found
        return found


def of_digits(digits: bytes) -> int | None:
    """The number that a string `"0x..."` with these digits is; None if it is none."""
    try:
        return read(f"0x{digits.decode('latin-1')}")
    except BadNumber:
        return None
