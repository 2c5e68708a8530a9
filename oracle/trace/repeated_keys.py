"""Refuses a JSON object that has a key twice: decoders take the last one, and never say so.

Python's own decoder can be asked, but takes longer than all the rest of a check. A recorder writes lines of few shapes,
so a line's shape is remembered once it has been found good. A shape says of a line everything but its digits, or but
what may be a hexadecimal number. As long as no string in it is written with `\\`, where strings begin and end is part
of the shape, and so is how many keys there are. An outline is a shape that also says how long these numbers are: there
are more of them, but they are made in half the time.
"""

from __future__ import annotations

import json

MOST_SHAPES = 4096  # each of LONGEST bytes at most
LONGEST = 1024  # bytes of a line whose shape is remembered
DIGITS = b"0123456789"
# Without these all names of a trace's keys are still different, so that a shape says which keys there are.
HEXADECIMAL = b"0123456789abcdefABCDEFx"
OUTLINE = bytes(HEXADECIMAL[0] if byte in HEXADECIMAL else byte for byte in range(256))


class RepeatedKeyError(ValueError):
    """A key that an object has twice; the text is the key."""


class RepeatedKeys:
    """Looks for repeated keys, and remembers the shapes in which there are none."""

    def __init__(self) -> None:
        self.events: set[bytes] = set()
        self.others: set[tuple[bytes, tuple[str, ...]]] = set()

    def refuse_in_event(self, line: bytes) -> None:
        """For a line that has only keys that a trace's events have. Raises RepeatedKeyError."""
        shape = line.translate(None, HEXADECIMAL)
        if shape in self.events:
            return
        refuse(line)
        if may_be_remembered(line) and len(self.events) < MOST_SHAPES:
            self.events.add(shape)

    def refuse_in(self, line: bytes, keys: tuple[str, ...]) -> None:
        """For any line that is an object; keys: those that it has itself, each once. Raises RepeatedKeyError."""
        shape = line.translate(None, DIGITS), keys
        if shape in self.others:
            return
        refuse(line)
        if may_be_remembered(line) and len(self.others) < MOST_SHAPES:
            self.others.add(shape)


def may_be_remembered(line: bytes) -> bool:
    return len(line) <= LONGEST and b"\\" not in line


def refuse(line: bytes) -> None:
    """Raises RepeatedKeyError if any object in a line of JSON has a key twice."""
    json.loads(line, object_pairs_hook=once, parse_int=nothing, parse_float=nothing, parse_constant=nothing)


def once(pairs: list[tuple[str, object]]) -> None:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise RepeatedKeyError(next(key for place, key in enumerate(keys) if key in keys[:place]))


def nothing(number: str) -> None:
    """In the place of a number, which Python may refuse to read for its length."""
