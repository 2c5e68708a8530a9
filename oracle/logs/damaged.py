"""Lines that look like a damaged record of the map in which they stand."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

AFTER_X = r"(?:^|(?<=[\d-])|(?<=\d[a-f])|(?<=\d[a-f]{2})|(?<=[0-9a-f]{4}))x[0-9a-f]+"
NUMBER = rf"(?<![0-9a-z])0x[0-9a-f]*|{AFTER_X}|(?<![0-9a-z])[0-9a-f]*\d[0-9a-f]*|\d+|\b[a-f]"
NUMBERS = re.compile(NUMBER + r"{6,}\b", re.IGNORECASE)
PIECES = re.compile(NUMBER + r"+\b", re.IGNORECASE)  # of numbers, too, which need not have a digit
WORD_BEFORE = re.compile(r"\W?\w*\s?$")
ATTRIBUTES = re.compile(r"\[[^\]\[]*\|[^\]\[]*\]")  # of a record of Linux's efi: they differ from one to the next
LOOKED_AT = 160  # characters of a line
MOST_SHAPES = 6  # of records of one map, which differ in the words for types
MOST_LOOKS = 5000  # at lines of one text: each takes up to a millisecond
SHORTEST = 2  # characters of a record that was cut
SHORTEST_END = 3  # characters of a record that lost its front
SHORT = 6  # characters of a shape, of which fewer may differ
LONG_ENOUGH = 7  # characters of a shape that tells its records from other lines without the word before it
TOLERANCE = 2  # characters that differ after one of a record was damaged: within a number that makes two of it


class Shape(NamedTuple):
    """A record whatever its numbers are.

    whole: all of it.  head: up to its last number, and what marks stand after that.  core: the same from its first
    number on.
    """

    whole: str
    head: str
    core: str


def shape(text: str) -> Shape:
    whole = _without_numbers(text)
    end = whole.rfind("0") + 1
    end += len(whole[end:]) - len(whole[end:].lstrip(" ])}>:=,.(["))
    start = max(whole.find("0"), 0)
    if end - start < LONG_ENOUGH and (word := WORD_BEFORE.search(whole[:start])):
        start = word.start()
    return Shape(whole, whole[:end], whole[start:end])


class Resemblance:
    """What the records of one map look like, and which other lines look alike.

    words: with which a record of the map may begin.
    """

    def __init__(self) -> None:
        self.words: Collection[str] = ()
        self.shapes: dict[Shape, None] = {}
        self.looks = 0

    def begin(self, words: Collection[str]) -> None:
        """Forgets the records of the map before."""
        self.words = words
        self.shapes.clear()

    def learn(self, record: str) -> None:
        if len(self.shapes) < MOST_SHAPES:
            self.shapes[shape(record)] = None

    def is_damaged(self, line: str) -> bool:
        """Whether a line between two records looks like a record that was cut, or in which a character is wrong."""
        return any(
            self._is_piece(line.strip(), said)
            or any(self._nearly_in(part, said) for each in self.shapes for part in (each.whole, each.head, each.core))
            for said in {_without_numbers(line), _without_numbers(line, PIECES)}
        )

    def is_likely_damaged(self, line: str) -> bool:
        """The same of a line next to a map, where lines that only look alike are common."""
        said = _without_numbers(line)
        return any(self._nearly_in(each.head, said) for each in self.shapes)

    def _is_piece(self, text: str, said: str) -> bool:
        """Whether a line is the beginning or the end of a record."""
        if len(text) < SHORTEST or not any(map(str.isalnum, text)):
            return False
        word, _, rest = said.lower().partition(" ")
        if any(each.whole.startswith(said) for each in self.shapes) or any(
            (each == word if rest else each.startswith(word)) and any(one.core.startswith(rest) for one in self.shapes)
            for each in self.words
        ):
            return True
        return len(text) >= SHORTEST_END and any(
            each.whole.endswith(said) or _ends_with_start_of(each.core, said) for each in self.shapes
        )

    def _nearly_in(self, pattern: str, said: str) -> bool:
        if len(pattern) < SHORT - 1 or said.count("0") < pattern.count("0") - 1 or self.looks >= MOST_LOOKS:
            return False
        self.looks += 1
        return differences(pattern, said) <= (TOLERANCE if len(pattern) >= SHORT else 1)


def differences(pattern: str, text: str) -> int:
    """How many characters have to be put in, left out or replaced to find a pattern in a text: the least number."""
    row = [0] * (len(text) + 1)
    for count, letter in enumerate(pattern, 1):
        above, row[0] = row[0], count
        for place, other in enumerate(text, 1):
            replaced = above + (letter != other)
            above = row[place]
            row[place] = min(replaced, above + 1, row[place - 1] + 1)
    return min(row)


def _ends_with_start_of(core: str, said: str) -> bool:
    """Whether a line begins with the end of a record's numbers."""
    return any(said.startswith(core[start:]) for start in range(core.rfind("0") + 1) if core[start:].strip() != "0")


def _without_numbers(text: str, numbers: re.Pattern[str] = NUMBERS) -> str:
    return " ".join(numbers.sub("0", ATTRIBUTES.sub("[]", text[:LOOKED_AT])).split())
