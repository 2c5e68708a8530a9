"""A buddy system over a set of pages with holes, and with a largest order."""

from __future__ import annotations

from random import Random

import pytest

from memoracle.impl.buddy import Buddy

SIZES = [(depth, highest) for depth in range(6) for highest in range(depth + 1)]


def test_a_range_starts_without_pages() -> None:
    buddy = Buddy(4, 2, whole=False)
    assert buddy.blocks() == []
    assert buddy.allocate(1) is None
    assert not buddy.reserve(0, 1)


def test_the_roots_are_the_largest_blocks_that_fit() -> None:
    buddy = Buddy(6, 3, whole=False)
    assert buddy.add(5, 30)
    assert [block[:2] for block in buddy.blocks()] == [(5, 1), (6, 2), (8, 8), (16, 8), (24, 8), (32, 2), (34, 1)]


def test_memory_that_turns_up_merges_with_its_neighbours() -> None:
    buddy = Buddy(4, whole=False)
    assert buddy.add(0, 3)
    assert buddy.add(4, 4)
    assert buddy.blocks() == [(0, 2, False), (2, 1, False), (4, 4, False)]
    assert buddy.add(3, 1)
    assert buddy.blocks() == [(0, 8, False)]


def test_no_block_merges_across_a_hole() -> None:
    buddy = Buddy(3, whole=False)
    assert buddy.add(0, 2)
    assert buddy.add(4, 4)
    assert buddy.reserve(1, 1)
    assert buddy.free(1, 1)
    assert buddy.blocks() == [(0, 2, False), (4, 4, False)]
    assert buddy.allocate(8) is None
    assert buddy.allocate(4) == 4


@pytest.mark.parametrize(
    ("page", "pages"), [(0, 0), (0, -1), (-1, 1), (-2, 4), (7, 2), (8, 1), (3, 1), (0, 4), (3, 9), (0, 1 << 70)]
)
def test_what_cannot_be_added_is_refused(page: int, pages: int) -> None:
    buddy = Buddy(3, whole=False)
    assert buddy.add(3, 2)
    before = buddy.blocks()
    assert not buddy.add(page, pages)
    assert buddy.blocks() == before == [(3, 1, False), (4, 1, False)]


def test_what_was_handed_out_is_not_added_again() -> None:
    buddy = Buddy(3)
    assert buddy.allocate(2) == 0
    assert not buddy.add(0, 2)
    assert buddy.blocks() == [(0, 2, True), (2, 2, False), (4, 4, False)]


def test_a_deep_range_without_pages_costs_nothing() -> None:
    buddy = Buddy(52, 20, whole=False)
    assert buddy.blocks() == []
    assert buddy.add((1 << 51) + 1, 1 << 20)
    assert sum(pages for _, pages, _ in buddy.blocks()) == 1 << 20
    assert len(buddy.blocks()) == 20 + 1  # one of each size up to where a largest begins, and the page left over


@pytest.mark.parametrize(("depth", "highest"), SIZES)
def test_holes_and_all(depth: int, highest: int) -> None:
    """Held against a plain set of free pages: a block is free where all its pages are, and no larger one is."""
    random, buddy = Random(f"{depth} {highest}"), Buddy(depth, highest, whole=False)
    existing: set[int] = set()
    free: set[int] = set()
    for _ in range(100):
        page, pages = random.randrange(1 << depth), random.randrange(1, 6)
        stretch = {*range(page, page + pages)}
        if random.random() < 0.4:
            fits = page + pages <= 1 << depth and not stretch & existing
            assert buddy.add(page, pages) == fits
            if fits:
                existing |= stretch
                free |= stretch
        elif random.random() < 0.5 and buddy.allocated:
            page = random.choice(sorted(buddy.allocated))
            size = buddy.size(page)
            assert buddy.free(page, size)
            free |= {*range(page, page + size)}
        else:
            size = 1 << random.randrange(highest + 1)
            block = {*range(page, page + size)}
            fits = page % size == 0 and block <= free
            assert buddy.reserve(page, size) == fits
            free -= block if fits else set()
        due = [(first, size) for first, size in blocks_of(free, highest)]
        assert [(first, size) for first, size, allocated in buddy.blocks() if not allocated] == due
        assert {p for first, size, _ in buddy.blocks() for p in range(first, first + size)} == existing


def blocks_of(free: set[int], highest: int) -> list[tuple[int, int]]:
    """The largest aligned blocks that consist of these pages."""
    found = []
    for page in sorted(free):
        orders = [
            order
            for order in range(highest + 1)
            if {*range(page >> order << order, (page >> order) + 1 << order)} <= free
        ]
        if page % (1 << max(orders)) == 0:
            found.append((page, 1 << max(orders)))
    return found
