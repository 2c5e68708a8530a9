"""Numbers as a trace writes them: JSON's own, or strings in hexadecimal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, TypeAlias

# `number` reads these: a pattern here would be matched at twice the cost.
Number: TypeAlias = int | str
HEXADECIMALLY = "written in hexadecimal where it is shown"
Address: TypeAlias = Annotated[Number, HEXADECIMALLY]  # or an entry, or a register: what is read by its bits
MOST_DIGITS = 1000  # Python prints no more than 4,300 decimal digits
HEXADECIMAL = re.compile(f"0x[0-9a-fA-F]{{1,{MOST_DIGITS}}}+").fullmatch
MOST_READ = 1 << 16
LONGEST_READ = 18  # characters of a number of 64 bits


class BadNumber(ValueError):  # noqa: N818 (the number is at fault, nothing failed)
    """A string in the place of a number that is none."""


class Numbers(dict[int | str, int]):
    """Numbers of a trace by how it writes them; those that were read lately, since most come up again."""

    def __missing__(self, value: int | str) -> int:
        """A number that is not known; it is from now on. Raises BadNumber."""
        found = read(value)
        if isinstance(value, int) or len(value) <= LONGEST_READ:
            if len(self) == MOST_READ:
                self.clear()
            self[value] = found
        return found


def read(value: int | str) -> int:
    """A number of the trace, which may be a string `"0x..."`; raises BadNumber."""
    if isinstance(value, int):
        return value
    if HEXADECIMAL(value) is None:
        raise BadNumber(value)
    return int(value, 16)


# The same, of numbers that come up again. A function would cost as much again.
number: Callable[[int | str], int] = Numbers().__getitem__
