"""How many records a map should have: by the numbers that they bear, and by what the text itself states."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice
from typing import NamedTuple

from memoracle.logs.map_forms.form import Entry

SHOWN = 8  # numbers that a message lists


class Stated(NamedTuple):
    """What a line says: how many records a list has. part: of a map of several lists, which."""

    part: str
    records: int
    line: int


class Numbering:
    """The numbers of one map's records, list by list."""

    def __init__(self) -> None:
        self.numbers: defaultdict[str, set[int]] = defaultdict(set)
        self.read: Counter[str] = Counter()
        self.stated: dict[str, Stated] = {}

    def add(self, entry: Entry) -> None:
        self.read[entry.part] += 1
        if entry.number is not None:
            self.numbers[entry.part].add(entry.number)

    def warnings(self) -> list[str]:
        """What is missing."""
        found = [lacking(part, numbers) for part, numbers in self.numbers.items()]
        found += [
            f"line {said.line} states {said.records:,} {records(part)}, and {self.read[part]:,} were read"
            for part, said in self.stated.items()
            if said.records > self.read[part]
        ]
        return [each for each in found if each]


def lacking(part: str, numbers: set[int]) -> str:
    """A warning of the numbers that are missing in a list; empty if none is, and of a single record."""
    missing = max(numbers) + 1 - len(numbers)
    if not missing or len(numbers) == 1:
        return ""
    first = islice((number for number in range(max(numbers)) if number not in numbers), SHOWN)
    more = f" and {missing - SHOWN:,} more" if missing > SHOWN else ""
    return f"the {records(part)} have numbers, of which are missing: {', '.join(map(str, first))}{more}"


def records(part: str) -> str:
    return f"records of {part}" if part else "records"
