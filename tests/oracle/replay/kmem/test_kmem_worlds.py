"""A log conforms if and only if some state of the machine before it explains it, step by step, by the law.

Of a few pages every such state is tried: which are free, and which blocks the others were handed out in. Blocks that
were handed out may be halved at any time, as no event says. The steps and their guards are those of `spec/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from memoracle.diagnostics.levels import LEGAL, SAFE
from memoracle.impl.boot import Record
from memoracle.replay.kmem.kmem import KmemReplay
from memoracle.spec import given_runs, runs
from memoracle.trace.kmem import KmemEvent

ORDER = 2
PAGES = 1 << ORDER


class World(NamedTuple):
    """memory, free: pages.  given: the blocks that are in use, by their first page and how many they have."""

    memory: frozenset[int]
    free: frozenset[int]
    given: frozenset[tuple[int, int]]

    @property
    def law(self) -> given_runs.GivenRuns:
        in_use = self.memory - self.free
        places = runs.Places(
            reach=PAGES,
            count=len(self.free),
            exists=self.memory.__contains__,
            never_free=lambda place: False,
            is_free=self.free.__contains__,
            in_use=in_use.__contains__,
            next_free=lambda place: next(
                (page for page in range(place, PAGES) if page in self.free), max(place, PAGES)
            ),
            next_taken=lambda place: next(
                (page for page in range(place, PAGES) if page not in self.free), max(place, PAGES)
            ),
            free_below=lambda place: len([page for page in self.free if page < place]),
        )
        return given_runs.GivenRuns(places, given=lambda first: dict(self.given).get(first, 0))

    def allocated(self, first: int, count: int) -> Iterator[World]:
        points = {"count": count, "alignment": count, "lowest": 0, "below": PAGES, "first": first}
        if runs.allocate.broken(self.law.places, **points) is None:
            yield World(self.memory, self.free - {*range(first, first + count)}, self.given | {(first, count)})

    def freed(self, first: int, count: int) -> Iterator[World]:
        for world in self.halved():
            law = world.law
            frees = [runs.free.broken(law.places, first=first, count=count, place=place) for place in range(PAGES)]
            if not any(frees) and given_runs.free_whole.broken(law, first=first, count=count) is None:
                yield World(self.memory, self.free | {*range(first, first + count)}, world.given - {(first, count)})

    def halved(self) -> set[World]:
        """This state, and those to which blocks are halved."""
        found = {self}
        waiting = [self]
        while waiting:
            world = waiting.pop()
            for first, count in world.given:
                if given_runs.halve.broken(world.law, first=first, half=count // 2) is None:
                    halves = {(first, count // 2), (first + count // 2, count // 2)}
                    fresh = world._replace(given=world.given - {(first, count)} | halves)
                    if fresh not in found:
                        found.add(fresh)
                        waiting.append(fresh)
        return found


@cache
def parts(first: int, order: int) -> tuple[tuple[frozenset[int], frozenset[tuple[int, int]]], ...]:
    """Every state of a block's pages: which are free, and what is in use."""
    whole = (frozenset[int](), frozenset({(first, 1 << order)}))
    if order == 0:
        return whole, (frozenset({first}), frozenset[tuple[int, int]]())
    lower, upper = parts(first, order - 1), parts(first + (1 << order - 1), order - 1)
    return whole, *((f | g, b | c) for f, b in lower for g, c in upper)


def before(memory: frozenset[int], grows: bool) -> set[World]:
    """Every state of a machine with these pages; grows: others may have turned up, and have been handed out."""
    worlds = set()
    for free, blocks in parts(0, ORDER):
        in_use = {page for first, count in blocks for page in range(first, first + count)}
        if grows or in_use <= memory:
            worlds.add(World(memory | in_use, free & memory, blocks))
    return worlds


def first_divergence(events: list[KmemEvent], memory: frozenset[int], grows: bool) -> int | None:
    """The number of the first event that no state before the log explains."""
    worlds = before(memory, grows)
    for event in events:
        count = 1 << event.order
        if event.kind == "alloc":
            worlds = {after for world in worlds for after in world.allocated(event.pfn, count)}
        else:
            worlds = {after for world in worlds for after in world.freed(event.pfn, count)}
        if not worlds:
            return event.line
    return None


def replayed(events: list[KmemEvent], replay: KmemReplay) -> int | None:
    return next((event.line for event in events if replay.replay(event) is not None), None)


BLOCKS = st.builds(
    lambda order, place: (place % PAGES >> order << order, order), st.integers(0, ORDER), st.integers(0, 7)
)
ANY = st.tuples(st.integers(0, PAGES - 1), st.integers(0, ORDER)).filter(
    lambda block: block[0] + (1 << block[1]) <= PAGES
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["alloc", "free"]), st.one_of(BLOCKS, BLOCKS, BLOCKS, ANY)), min_size=1, max_size=9
).map(lambda steps: [KmemEvent(kind, *block, False, line) for line, (kind, block) in enumerate(steps, 1)])


@settings(max_examples=250, deadline=None)
@given(EVENTS)
def test_mid_run(events: list[KmemEvent]) -> None:
    assert replayed(events, KmemReplay("log")) == first_divergence(events, frozenset(range(PAGES)), grows=False)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.frozensets(st.integers(0, PAGES - 1)))
def test_from_boot(events: list[KmemEvent], memory: frozenset[int]) -> None:
    records = [Record(page << 12, 1 << 12, 1) for page in memory]
    assert replayed(events, KmemReplay("log", records, LEGAL)) == first_divergence(events, memory, grows=False)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.frozensets(st.integers(0, PAGES - 1)))
def test_from_boot_where_memory_may_turn_up(events: list[KmemEvent], memory: frozenset[int]) -> None:
    records = [Record(page << 12, 1 << 12, 1) for page in memory]
    assert replayed(events, KmemReplay("log", records, SAFE)) == first_divergence(events, memory, grows=True)
