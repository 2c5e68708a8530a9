"""How long the reference takes to find a run among many free ones; and the peer, which scans a list of intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from memoracle.impl.place_set import PlaceSet

FREE = 100_000  # runs
APART = 8  # places from the start of one to that of the next
SCANS = 3  # the best of which counts


@dataclass(frozen=True)
class Searching:
    """Seconds of one search. name: what is searched for, which only the last run holds."""

    name: str
    reference: float
    plain: float


def searching(runs: int = FREE) -> Iterator[Searching]:
    """Measures each kind of search; raises AssertionError if one does not find the last run."""
    for name, first, length, count, alignment in (
        ("a run that is longer than the others", 0, APART - 2, APART - 1, 1),
        ("an aligned run that is longer than the others", 0, APART - 2, APART - 1, APART),
        ("an aligned run; the others are as long, and not aligned", 1, APART - 2, APART - 2, APART),
    ):
        intervals = [(place + first, place + first + length) for place in range(0, runs * APART, APART)]
        intervals[-1] = (runs * APART, runs * APART + APART - 1)
        places = PlaceSet(2 * runs * APART)
        for start, end in intervals:
            places.add(start, end)
        due = intervals[-1][0]
        yield Searching(
            name,
            best(lambda: places.find(count, alignment, 0, places.places), due),  # noqa: B023 (called at once)
            best(lambda: scanned(intervals, count, alignment), due),  # noqa: B023
        )


def best(search: Callable[[], int | None], due: int) -> float:
    """The seconds of the processor, at the least, of a search that finds what is due."""
    taken = []
    for _ in range(SCANS):
        start = time.process_time()
        assert search() == due
        taken.append(time.process_time() - start)
    return min(taken)


def scanned(intervals: list[tuple[int, int]], count: int, alignment: int) -> int | None:
    """The lowest aligned place of the first interval that holds so many from there on."""
    for start, end in intervals:
        place = -(-start // alignment) * alignment
        if place + count <= end:
            return place
    return None
