"""The numbers of a binding: integers of TOML, or strings where it has none that large."""

from __future__ import annotations

from memoracle.drive.binding_tables import KeyFaultError
from memoracle.trace import numbers
from memoracle.trace.geometry import shown
from memoracle.trace.numbers import Number
from memoracle.trace.quoting import shortened

SMALLEST_PAGE = 4096  # bytes
USER = 1 << 47  # the end of the addresses that a process has
LEAST, MOST = -(1 << 63), (1 << 64) - 1  # of a number of C


def number(key: str, value: Number, least: int = 0, most: int = MOST) -> int:
    """A number from least to most; raises KeyFaultError."""
    try:
        found = numbers.number(value)
    except numbers.BadNumber:
        raise KeyFaultError(key, f'{shown(value)} is neither an integer nor a string "0x..."') from None
    if not least <= found <= most:
        raise KeyFaultError(key, f"{shortened(str(value), 40)} is not between {_named(least)} and {_named(most)}")
    return found


def _named(bound: int) -> str:
    power = (bound + 1).bit_length() - 1
    return str(bound) if abs(bound) < 1 << 16 else f"2^{power} - 1" if bound > 0 else f"-2^{(-bound).bit_length() - 1}"
