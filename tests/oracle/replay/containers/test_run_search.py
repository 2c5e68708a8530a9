"""The search for runs in a map of places finds what the reference does, whatever was searched for before."""

from __future__ import annotations

import random

import pytest

from memoracle.impl.place_set import PlaceSet
from memoracle.replay.containers import run_search
from memoracle.replay.containers.place_map import PlaceMap

COUNTS = (1, 2, 3, 5, 8, 17, 40, 63, 64, 65, 100, 130, 200, 257)


@pytest.mark.parametrize(
    ("block", "told_apart", "longest"),
    [(run_search.BLOCK, run_search.TOLD_APART, run_search.LONGEST), (3, 8, 16), (2, 4, 1)],
    ids=["as it is", "many small blocks", "few lengths told apart"],
)
def test_it_finds_what_the_reference_finds(
    block: int, told_apart: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "BLOCK", block)
    monkeypatch.setattr(run_search, "TOLD_APART", told_apart)
    monkeypatch.setattr(run_search, "LONGEST", longest)
    for seed in range(60):
        chance = random.Random(seed)
        places = chance.choice([24, 200, 600, 2500])
        ours, theirs = PlaceMap(places), PlaceSet(places)
        lowest = [0, -3, chance.randrange(places)]
        if chance.random() < 0.7:
            assert ours.add(0, places) == theirs.add(0, places)
        for _ in range(120):
            first = chance.randrange(places)
            run = first, first + chance.choice(COUNTS)
            match chance.choice(["add", "remove", "find", "find"]):
                case "add":
                    assert ours.add(*run) == theirs.add(*run)
                case "remove":
                    assert ours.remove(*run) == theirs.remove(*run)
                case _:
                    limits = (
                        chance.choice([1, 1, 1, 2, 4, 64]),
                        chance.choice(lowest),
                        chance.choice([places, places // 2]),
                    )
                    count = chance.choice(COUNTS)
                    found = theirs.find(count, *limits)
                    assert ours.find(count, *limits) == found
                    if found is not None and chance.random() < 0.7:
                        assert ours.remove(found, found + count) == theirs.remove(found, found + count)


def test_longer_runs_are_of_no_lower_kind() -> None:
    kinds = [run_search.kind_of(count) for count in range(5000)]
    assert kinds == sorted(kinds)
    assert kinds[: run_search.TOLD_APART] == list(range(run_search.TOLD_APART))
    assert run_search.kind_of(1 << 60) < 255  # which is that of blocks in which nothing was sought yet


def test_a_block_is_looked_at_in_vain_once() -> None:
    """However often runs of a length are searched for that none but the last has."""
    places = PlaceMap(1 << 16)
    for first in range(0, 1 << 16, 8):
        places.add(first, first + 4)
    places.add(4, 8)
    places.remove(0, 12)
    places.add((1 << 16) - 4, 1 << 16)
    assert places.find(8, 1, 0, 1 << 16) == (1 << 16) - 8
    assert places.search is not None
    bounds = places.search.bounds[1]
    assert [*bounds[:63]] == [7] * 63
    places.add(4, 8)
    assert places.find(8, 1, 0, 1 << 16) == (1 << 16) - 8
    places.add(0, 4)
    assert places.find(8, 1, 0, 1 << 16) == 0
