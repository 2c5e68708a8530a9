"""Zones: pieces of the places of which runs are handed out. A request may name one zone or several.

Zones are memory that some device can reach, or that is near to a processor. What is given lies wholly in one of the
zones that the request names; the request fails only if none of these can serve. A zone is its first place, and the one
after its last. Runs that no zone was named for may lie anywhere, across the borders of zones, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from memoracle.spec import runs
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Number, Truth, clause, operation

PART_OF = "runs"


@dataclass(frozen=True)
class Zoned(runs.Places):
    """State: the places, and what a request names."""

    is_named: Callable[[Number, Number], Truth]  # by a zone's first place, and the one after its last


# Operations


@clause("the zone is one that the request names")
def zone_is_named(s: Zoned, start: Number, end: Number) -> Truth:
    return s.is_named(start, end)


@clause("all of the run lies in the zone")
def run_lies_in_zone(s: Zoned, count: Number, start: Number, end: Number, first: Number) -> Truth:
    return (start <= first) & (first + count <= end)


@operation(
    "zones.allocate",
    guard=[
        runs.run_has_a_place,
        alignment_is_a_power_of_two,
        runs.run_is_aligned,
        runs.run_lies_within_limits,
        runs.run_lies_in_reach,
        zone_is_named,
        run_lies_in_zone,
        runs.run_is_free,
    ],
    chooses=["start", "end", "first"],
)
def allocate(
    s: Zoned,
    count: Number,
    alignment: Number,
    lowest: Number,
    below: Number,
    start: Number,
    end: Number,
    first: Number,
) -> runs.Places:
    """Any run of so many free places in one of the zones named, aligned and within limits, becomes allocated.

    It fails if and only if there is none.
    """
    return runs.taken(s, first, count)


OPERATIONS = (allocate,)


# Queries


@clause("the answer is the number of free places in the zone")
def tells_the_count_of_a_zone(s: runs.Places, start: Number, end: Number, answer: Number) -> Truth:
    return answer == s.free_below(end) - s.free_below(start)
