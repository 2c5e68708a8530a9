"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """So many of something, as `1 page` or `2,048 pages`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
