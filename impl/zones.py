"""Zones of places of which runs are handed out: an allocation takes of the first zone that can serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from memoracle.impl.bitmap import is_power_of_two
from memoracle.impl.runs import Runs


class Zone(NamedTuple):
    """Places from start up to but not including end."""

    start: int
    end: int


def allocate(
    runs: Runs, named: Sequence[Zone], count: int, alignment: int, lowest: int, below: int
) -> tuple[Zone, int] | None:
    """Allocates the lowest run that fits, in the first of the named zones that has one; the zone and its first place.

    None, and nothing changes, if none of these zones has one. The other arguments are those of `Runs.allocate`.

    post: __return__ is None or __return__[0] in named
    post: __return__ is None or __return__[1] == _lowest(__old__.runs, __return__[0], count, alignment, lowest, below)
    post: all(_lowest(__old__.runs, zone, count, alignment, lowest, below) is None for zone in (named if __return__ is None else named[: named.index(__return__[0])]))
    post: runs.count() == __old__.runs.count() - (0 if __return__ is None else count)
    post: all(runs.is_free(p) == (__old__.runs.is_free(p) and (__return__ is None or not __return__[1] <= p < __return__[1] + count)) for p in range(runs.places))
    """  # noqa: E501
    for zone in named:
        first = allocate_in(zone, runs, count, alignment, lowest, below)
        if first is not None:
            return zone, first
    return None


def allocate_in(zone: Zone, runs: Runs, count: int, alignment: int, lowest: int, below: int) -> int | None:
    """Allocates the lowest run that fits in a zone; its first place, or None if there is no such run.

    post: __return__ == _lowest(__old__.runs, zone, count, alignment, lowest, below)
    post: runs.count() == __old__.runs.count() - (0 if __return__ is None else count)
    post: all(runs.is_free(p) == (__old__.runs.is_free(p) and (__return__ is None or not __return__ <= p < __return__ + count)) for p in range(runs.places))
    """  # noqa: E501
    return runs.allocate(count, alignment, max(lowest, zone.start), min(below, zone.end))


# Helpers of the contracts


def _lowest(runs: Runs, zone: Zone, count: int, alignment: int, lowest: int, below: int) -> int | None:
    """The lowest place of so many free ones on end, aligned, within the zone and the limits."""
    if count < 1 or not is_power_of_two(alignment):
        return None
    places = [place for place in range(max(zone.start, lowest, 0), min(zone.end, below)) if place % alignment == 0]
    fits = [place for place in places if all(runs.is_free(each) for each in range(place, place + count))]
    return min((place for place in fits if place + count <= min(zone.end, below)), default=None)
