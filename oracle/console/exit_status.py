"""Exit statuses, the same for every command."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Status(IntEnum):
    """What a command's exit status means to the script that called it."""

    HOLDS = 0  # proved, or conforms
    BROKEN = 1  # a counterexample or a divergence was found
    UNUSABLE = 2  # usage, unreadable or malformed input, or an internal error
    UNKNOWN = 3  # a solver gave up, or a budget ran out
    NOTHING = 4  # nothing was checked


INTERRUPTED = 130  # what shells report of a program that SIGINT ended
SEVERITY = (Status.UNUSABLE, Status.BROKEN, Status.UNKNOWN, Status.NOTHING, Status.HOLDS)


def worst(statuses: Iterable[Status]) -> Status:
    """The one status to exit with when several apply; NOTHING when none does."""
    return min(statuses, key=SEVERITY.index, default=Status.NOTHING)
