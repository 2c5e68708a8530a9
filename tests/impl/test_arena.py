"""The reference's arena: which pages it has, and a heap that has no other memory."""

from __future__ import annotations

import random

import pytest

from memoracle.impl.arena import Arena
from memoracle.impl.heap import Heap

START, PAGE_SHIFT = 0x500100, 12  # so that the first whole page is at 0x501000


def test_it_has_the_whole_pages_between_two_addresses() -> None:
    arena = Arena(START, 0x504FFF, PAGE_SHIFT)
    assert [arena.allocate_pages(1) for _ in range(4)] == [0x501000, 0x502000, 0x503000, None]


@pytest.mark.parametrize(("start", "end"), [(0x1001, 0x2FFF), (0x2000, 0x2000), (0x3000, 0x1000), (0, 0x1FFF)])
def test_an_arena_without_a_whole_page_has_none(start: int, end: int) -> None:
    assert Arena(start, end, PAGE_SHIFT).allocate_pages(1) is None


def test_page_0_is_left_out() -> None:
    assert Arena(0, 0x2000, PAGE_SHIFT).allocate_pages(1) == 0x1000


def test_runs_are_given_back_whole_and_merge() -> None:
    arena = Arena(START, START + (5 << PAGE_SHIFT), PAGE_SHIFT)
    assert [arena.allocate_pages(2), arena.allocate_pages(2), arena.allocate_pages(1)] == [0x501000, 0x503000, None]
    assert not arena.free_pages(0x501000, 1)
    assert not arena.free_pages(0x502000, 1)
    assert not arena.free_pages(0x501008, 2)
    assert arena.free_pages(0x501000, 2)
    assert not arena.free_pages(0x501000, 2)
    assert arena.allocate_pages(3) is None
    assert arena.free_pages(0x503000, 2)
    assert arena.allocate_pages(4) == 0x501000


@pytest.mark.parametrize("pages", [0, -1, 5])
def test_no_pages_and_too_many_are_refused(pages: int) -> None:
    assert Arena(START, START + (5 << PAGE_SHIFT), PAGE_SHIFT).allocate_pages(pages) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_heap_keeps_to_its_arena(seed: int) -> None:
    end, chosen = START + (24 << PAGE_SHIFT), random.Random(seed)
    arena = Arena(START, end, PAGE_SHIFT)
    heap, live = Heap(arena, (8, 64, 1024), 1 << PAGE_SHIFT, None), dict[int, int]()
    refused = 0
    for _ in range(600):
        old = chosen.choice([0, 0, *live])
        size, alignment = chosen.choice([0, 8, 60, 900, 5000, 20000]), chosen.choice([1, 1, 256, 1 << 13])
        if chosen.random() < 0.4 and old:
            assert heap.delete(old)
            del live[old]
            continue
        block = heap.resize(old, size, alignment)
        if block is None:
            refused += 1
            continue
        live.pop(old, None)
        assert START <= block <= block + size <= end
        assert all(block + size <= other or other + bytes_ <= block for other, bytes_ in live.items())
        assert block not in live
        live[block] = size
    assert refused
    for block in live:
        assert heap.delete(block)
    assert {*arena.given.values()} == {1}  # pages of notes, and the empty slabs that are kept
    assert arena.runs.count() == 23 - len(arena.given)
