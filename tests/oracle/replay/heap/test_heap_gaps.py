"""The structures behind a heap's replay, held against plain lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.replay.containers import sorted_addresses
from memoracle.replay.containers.sorted_addresses import SortedAddresses
from memoracle.replay.heap import heap_gaps
from memoracle.replay.heap.heap_gaps import Gaps
from memoracle.replay.heap.live_blocks import LiveBlocks
from memoracle.trace.geometry import geometry_from

NUMBERS = st.integers(1, 60)


@given(st.lists(NUMBERS, max_size=80), st.integers(1, 4))
def test_addresses_are_in_order(numbers: list[int], longest: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_addresses, "LONGEST", longest)
        addresses, plain = SortedAddresses(), set[int]()
        for number in numbers:
            if number in plain:
                addresses.remove(number)
            else:
                addresses.add(number)
            plain ^= {number}
            assert (list(addresses), len(addresses), bool(addresses)) == (sorted(plain), len(plain), bool(plain))
            for place in range(-1, 62):
                below = max((each for each in plain if each <= place), default=None)
                above = min((each for each in plain if each > place), default=None)
                assert addresses.around(place) == (below, above)


MOVES = st.lists(st.tuples(st.integers(0, 4), st.integers(90, 170), st.integers(0, 12)), max_size=60)


@given(MOVES, st.integers(0, 8), st.integers(1, 6))
def test_the_largest_gap_is_the_largest(moves: list[tuple[int, int, int]], minimum: int, spare: int) -> None:
    """Blocks of bytes and of none, some outside of the arena or smaller than they were, and stretches in doubt."""
    arena = {"start": 100, "bytes": 60, "overhead": 4, "minimum": minimum}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heap_gaps, "SPARE", spare)
        live = LiveBlocks(geometry_from({"heap_arena": arena}))
        doubted, ends = set[int](), dict[int, int]()
        assert live.gaps is not None
        for line, (kind, address, size) in enumerate(moves):
            if kind == 3:
                live.gaps.doubt(address, address + size)
                doubted |= set(range(address, address + size))
            elif address in live:
                end, smaller = live.end_of(address), min(size, live.sizes[address])
                live.remove(address)
                if kind == 4:
                    live.add(address, smaller, line)
                    live.may_keep(address, end)
                    ends[address] = min([end, *(other for other in live.sizes if other > address)])
                else:
                    ends.pop(address, None)
            elif not taken(live, address, size):
                live.add(address, size, line)
                ends = {other: min(end, address) if other < address else end for other, end in ends.items()}
            if kind != 1:
                first, last = live.gaps.largest()
                assert last - first == longest(live, doubted, minimum, ends)
                assert is_free(live, doubted, minimum, ends, range(first, last))


def taken(live: LiveBlocks, address: int, size: int) -> bool:
    """Whether a block overlaps another, or has one of no bytes in it."""
    return any(
        set(range(address, address + max(size, 1))) & set(range(other, other + max(asked, 1)))
        for other, asked in live.sizes.items()
    )


def is_free(live: LiveBlocks, doubted: set[int], minimum: int, kept: dict[int, int], places: range) -> bool:
    """kept: up to where blocks that became smaller may have their room still."""
    ends = {address: max(address + max(size, minimum), kept.get(address, 0)) for address, size in live.sizes.items()}
    apart = all(end <= places.start or places.stop <= address for address, end in ends.items())
    return not places or (apart and not doubted & set(places) and 100 <= places.start and places.stop <= 160)


def longest(live: LiveBlocks, doubted: set[int], minimum: int, kept: dict[int, int]) -> int:
    return max(
        last - first
        for first in range(100, 161)
        for last in range(first, 161)
        if is_free(live, doubted, minimum, kept, range(first, last))
    )


def test_notes_do_not_outgrow_what_lives() -> None:
    gaps = Gaps(1, 1 << 40)
    gaps.largest()
    for address in range(1, 1 << 15):
        gaps.changes(address)
    assert gaps.changed is None
    for address in range(1, 1 << 13):
        gaps.changes(address)
        assert gaps.largest() == (1, 1 << 40)
        assert len(gaps.found) <= 2 * heap_gaps.SPARE
