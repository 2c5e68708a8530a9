"""What was under way near a window of operations of which no order is legal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from memoracle.trace.decoding import ANYTHING, CALL, RETURN, times_of
from memoracle.trace.quoting import abridged

MOST = 20  # operations beside the window
MOST_OF_WINDOW = 40


@dataclass(frozen=True)
class Neighbourhood:
    """operations: the lines and events, in the order of calls.  inside: the lines of the window that are among them.

    left_out: how many operations of the window, and of the whole recording, are not among them.
    """

    operations: tuple[tuple[int, Any], ...]
    inside: frozenset[int]
    left_out: tuple[int, int]


def neighbourhood(window: Sequence[tuple[int, Any]], first_event: int, lines: Iterable[bytes]) -> Neighbourhood:
    """first_event: the line of the first of these lines, which are those of the recording."""
    shown = window[:MOST_OF_WINDOW]
    inside = {line for line, _ in window}
    begins = min(time_of(event[CALL]) for _, event in shown)
    ends = max(time_of(event.get(RETURN)) for _, event in shown)
    operations = 0

    def others() -> Iterator[tuple[float, int, bytes]]:
        nonlocal operations
        for line, text in enumerate(lines, first_event):
            times = times_of(text)
            if CALL not in times:
                continue
            operations += 1
            if line not in inside:
                call, returned = (
                    time_of(ANYTHING.decode(times[key]) if key in times else None) for key in (CALL, RETURN)
                )
                yield max(begins - returned, call - ends, 0), line, text

    near = nsmallest(MOST, others())
    drawn = [*shown, *((line, abridged(ANYTHING.decode(text))) for _, line, text in near)]
    drawn.sort(key=lambda each: (time_of(each[1][CALL]), each[0]))
    left_out = len(window) - len(shown), max(operations - len(window) - len(near), 0)
    return Neighbourhood(tuple(drawn), frozenset(inside), left_out)


def time_of(value: object) -> float | int:
    """A time as an event has it; of a call without a return, one after all."""
    if value is None:
        return float("inf")
    return int(value, 16) if isinstance(value, str) else int(str(value))
