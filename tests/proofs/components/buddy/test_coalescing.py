"""Of the reference, what is proved of the law: an allocation fails only if no aligned run of free pages is there."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from memoracle.impl.buddy import Buddy
from memoracle.proofs.abstraction.objects import blocks_of
from memoracle.spec import blocks

SIZES = [(depth, highest) for depth in range(6) for highest in range(depth + 1)]


def states(depth: int, highest: int) -> Iterator[Buddy]:
    """A buddy system after each of some random calls."""
    random, buddy = Random(f"{depth} {highest}"), Buddy(depth, highest)
    for _ in range(60):
        yield buddy
        if buddy.allocated and random.random() < 0.5:
            page = random.choice(sorted(buddy.allocated))
            assert buddy.free(page, buddy.size(page))
        else:
            buddy.reserve(random.randrange(1 << depth), 1 << random.randrange(highest + 1))


@pytest.mark.parametrize(("depth", "highest"), SIZES)
def test_an_allocation_fails_only_without_a_free_run(depth: int, highest: int) -> None:
    runs_seen = set()
    for buddy in states(depth, highest):
        taken = {first + i for first, pages, allocated in buddy.blocks() for i in range(pages) if allocated}
        for order in range(depth + 2):
            size = 1 << order
            starts = range(0, 1 << depth, size) if order <= highest else range(0)
            runs = [first for first in starts if taken.isdisjoint(range(first, first + size))]
            page = buddy.allocate(size)
            assert (page is None) == (not runs)
            runs_seen.add(bool(runs))
            if page is not None:
                assert page in runs
                assert buddy.free(page, size)
    assert runs_seen == {False, True}


@pytest.mark.parametrize(("depth", "highest"), SIZES)
def test_the_law_starts_as_the_reference(depth: int, highest: int) -> None:
    state, start = blocks_of(Buddy(depth, highest)), blocks.whole(depth, highest)
    assert state.depth == start.depth
    assert state.highest == start.highest
    for order in range(depth + 1):
        for block in range(-1, (1 << depth - order) + 1):
            assert state.is_free(order, block) == start.is_free(order, block)
    assert all(blocks.page_is_free(start, page) for page in range(1 << depth))


def test_the_largest_blocks_do_not_merge() -> None:
    buddy = Buddy(3, 1)
    first, second = buddy.allocate(2), buddy.allocate(2)
    assert (first, second) == (0, 2)
    assert buddy.free(0, 2)
    assert buddy.free(2, 2)
    assert buddy.blocks() == [(0, 2, False), (2, 2, False), (4, 2, False), (6, 2, False)]
    assert buddy.allocate(3) is None
    assert not buddy.reserve(0, 4)
