"""Heaps with an arena: recordings of right ones conform; each fault of public bug reports is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from model_heaps import BuddyHeap, FitHeap

Check = Callable[..., Any]
LEVELS = ("safe", "legal", "exact")
KINDS: dict[str, Callable[[], Any]] = {
    "first fit": FitHeap,
    "best fit": lambda: FitHeap(best=True),
    "first fit that divides no block it has given": lambda: FitHeap(keeps_the_rest=True),
    "buddy": BuddyHeap,
}


def lives(heap: Any, seed: int, count: int = 400) -> Any:
    """Random requests, of which some fail; in the end all is deleted, and most of the arena asked for."""
    chance = random.Random(seed)
    for _ in range(count):
        size = chance.choice((1, 8, 24, 100, 500, 1000, 3000, chance.randint(1, 9000)))
        alignment = chance.choice((None, None, None, 16, 64, 256, 1024))
        live, act = heap.live, chance.random()
        if live and act < 0.35:
            heap.delete(chance.choice(live))
        elif live and act < 0.55 and isinstance(heap, FitHeap):
            heap.resize(chance.choice(live), size, alignment)
        else:
            heap.new(size, alignment)
    for block in heap.live:
        heap.delete(block)
    heap.new(heap.length - heap.geometry["heap_arena"]["overhead"])
    return heap


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_right_heaps_conform(check: Check, kind: str, seed: int, level: str) -> None:
    heap = lives(KINDS[kind](), seed)
    assert sum("error" in event for event in heap.trace) > 5
    report = check(heap.trace, "--level", level, geometry=heap.geometry)
    assert (report.broken, report.status) == ([], 0)


FAULTS = {
    "merging": "heap.new.must-succeed",
    "leak": "must-succeed",
    "padding": "must-succeed",
    "alignment of large blocks": "heap.is-aligned",
    "past the end": "heap.lies-in-the-arena",
    "neighbour": "heap.is-disjoint-once-resized",
    "loses the old block": "heap.",
    "keeps the old block": "must-succeed",
    "loses the rest": "must-succeed",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(check: Check, fault: str) -> None:
    found = []
    for seed in range(12):
        try:
            heap = lives(FitHeap(faults=frozenset({fault})), seed)
        except StopIteration:
            continue  # what was deleted for good cannot be deleted again
        found += check(heap.trace, geometry=heap.geometry).broken
    assert found, "no run shows it"
    assert any(FAULTS[fault] in clause for _, clause in found), found


def test_a_buddy_system_that_does_not_merge_is_seen_once_nothing_lives(check: Check) -> None:
    heap = lives(BuddyHeap(faults=frozenset({"merging"})), 1)
    assert check(heap.trace, geometry=heap.geometry).broken[0] == (len(heap.trace) + 1, "heap.new.must-succeed")


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_answer_is_seen(check: Check, seed: int) -> None:
    """A refusal where all is free, and a block in the place of another."""
    heap = lives(FitHeap(), seed)
    last = heap.trace[-1]
    assert "result" in last
    refused = {key: value for key, value in last.items() if key != "result"} | {"error": "no memory"}
    changed = [*heap.trace[:-1], refused]
    assert check(changed, geometry=heap.geometry).broken == [(len(changed) + 1, "heap.new.must-succeed")]
    made = [place for place, event in enumerate(heap.trace) if event["op"] == "heap.new" and "result" in event]
    first, second = made[:2]
    twice = [*heap.trace[:second], heap.trace[second] | {"result": heap.trace[first]["result"]}]
    if all(event["op"] == "heap.new" for event in heap.trace[first:second]):
        assert check(twice, geometry=heap.geometry).broken[0][0] == second + 2
