"""What stands in for the reference's runs in a replay answers as these do."""

from __future__ import annotations

import random

import pytest

from memoracle.impl.place_set import PlaceSet
from memoracle.impl.runs import Runs
from memoracle.replay.containers import lowest_runs
from memoracle.replay.containers.lazy_runs import LazyPlaceSet, LazyRuns

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


@pytest.mark.parametrize("spare", [2, lowest_runs.SPARE])
def test_a_set_that_finds_the_lowest_run_is_the_references(spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often what is noted of runs that are gone is cleared away; of runs longer than are told apart, too."""
    monkeypatch.setattr(lowest_runs, "SPARE", spare)
    places, below = 300, [0, 100, 300]
    for seed in range(60):
        chance = random.Random(seed)
        lazy, due = LazyPlaceSet(places, finds_lowest=True), PlaceSet(places)
        assert lazy.add(0, places) == due.add(0, places)
        for _ in range(200):
            count = chance.choice([1, 2, 5, lowest_runs.LAST, lowest_runs.LAST + 1, chance.randrange(-1, 90)])
            limits = (
                chance.choice([1, 1, 4]),
                chance.choice([-1, 0, 0, chance.randrange(places)]),
                chance.choice(below),
            )
            found = due.find(count, *limits)
            assert lazy.find(count, *limits) == found
            first = chance.randrange(places) if found is None or chance.random() < 0.3 else found
            last = first + count
            assert lazy.remove(first, last) == due.remove(first, last)
            first, last = chance.randrange(places), chance.randrange(places)
            assert lazy.add(first, last) == due.add(first, last)
            assert lazy.lowest is not None
            assert lazy.lowest.notes <= max(lazy.lowest.most, 1)


def test_notes_of_runs_that_are_gone_do_not_pile_up() -> None:
    lazy = LazyPlaceSet(1 << 20, finds_lowest=True)
    lazy.add(0, 1 << 20)
    for _ in range(10_000):
        lazy.remove(1000, 1001)
        lazy.join(1000, 1001)
    assert lazy.lowest is not None
    assert lazy.lowest.notes == sum(map(len, lazy.lowest.heaps)) < 2 * lowest_runs.SPARE
