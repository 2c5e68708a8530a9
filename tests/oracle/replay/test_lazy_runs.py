"""What stands in for the reference's runs in a replay answers as these do."""

from __future__ import annotations

import random

import pytest

from memoracle.impl.place_set import PlaceSet
from memoracle.impl.runs import Runs
from memoracle.replay.lazy_runs import LazyPlaceSet, LazyRuns

PLACES = 40


def contents(places: PlaceSet) -> list[tuple[int, int]]:
    return [(place, places.runs.length(place)) for place in range(PLACES) if places.runs.length(place)]


@pytest.mark.parametrize("asked", [0.0, 0.1, 1.0], ids=["never", "seldom", "always"])
def test_a_lazy_set_is_the_references(asked: float) -> None:
    """Whether the index is asked at each change, seldom, or only in the end."""
    for seed in range(60):
        chance = random.Random(seed)
        lazy, due = LazyPlaceSet(PLACES), PlaceSet(PLACES)
        assert lazy.add(0, PLACES) == due.add(0, PLACES)
        for _ in range(200):
            first, last = chance.randrange(-2, PLACES + 2), chance.randrange(-2, PLACES + 3)
            if chance.random() < 0.6:
                assert lazy.remove(first, last) == due.remove(first, last)
            elif chance.random() < asked:
                assert lazy.add(first, last) == due.add(first, last)
            elif not any(due.covers(place, place + 1) for place in range(first, last)) and 0 <= first < last <= PLACES:
                lazy.join(first, last)
                due.add(first, last)
            if chance.random() < asked:
                assert lazy.covers(first, last) == due.covers(first, last)
                assert contents(lazy) == contents(due)
                limits = (1 << chance.randrange(4), chance.randrange(PLACES), chance.randrange(PLACES + 1))
                count = chance.randrange(9)
                assert lazy.find(count, *limits) == due.find(count, *limits)
        assert (contents(lazy), lazy.most()) == (contents(due), due.most())
        assert lazy.starts == {end: start for start, end in lazy.ends.items()}


def test_changes_that_nobody_asks_about_take_no_more_memory_than_the_runs() -> None:
    lazy = LazyPlaceSet(1 << 20)
    lazy.add(0, 1 << 20)
    for first in range(10_000):
        lazy.remove(first, first + 1)
        if first % 100 == 0:
            lazy.join(first, first + 1)
    assert len(lazy.changed) < 2 * len(lazy.ends) + 300
    assert lazy.find(1, 1, 0, 1 << 20) == 0
    assert lazy.find(2, 1, 0, 1 << 20) == 10_000


def test_lazy_runs_are_the_references() -> None:
    for seed in range(60):
        chance = random.Random(seed)
        lazy, due = LazyRuns(PLACES), Runs(PLACES)
        assert (lazy.add(0, 30), lazy.add_never_free(30, 5)) == (due.add(0, 30), due.add_never_free(30, 5))
        live: list[tuple[int, int]] = []
        for _ in range(200):
            first, count = chance.randrange(-1, PLACES), chance.randrange(8)
            found = due.allocate(count, 1, 0, PLACES)
            assert lazy.allocate(count, 1, 0, PLACES) == found
            live += [] if found is None else [(found, count)]
            if due.reserve(first, count):
                assert lazy.reserve(first, count)
                live.append((first, count))
            while live and chance.random() < 0.7:
                run = live.pop(chance.randrange(len(live)))
                assert due.free(*run)
                lazy.give_back(*run)
            assert lazy.count() == due.count()
        assert contents(lazy.available) == contents(due.available)
