"""The reference heap against a plain model: a dictionary of the bytes that each live block was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memoracle.impl.heap import Heap
from memoracle.impl.slab import HEADER, Slab, layout

BASE = 0xFFFFFFFF00000000
PRESETS = {"x64-2m": (1 << 21, (8, 64, 256, 1024, 262144)), "x64-4k": (1 << 12, (8, 64, 256, 1024))}


@dataclass
class Range:
    """Pages of which no more than `most` are out, lowest first; it refuses to take back what it did not hand out."""

    page_size: int
    most: int
    out: dict[int, int] = field(default_factory=dict)
    returned: int = 0

    def allocate_pages(self, pages: int) -> int | None:
        if sum(self.out.values()) + pages > self.most:
            return None
        start = BASE
        for address, taken in sorted(self.out.items()):
            if address - start >= pages * self.page_size:
                break
            start = address + taken * self.page_size
        self.out[start] = pages
        return start

    def free_pages(self, address: int, pages: int) -> bool:
        assert self.out.pop(address) == pages
        self.returned += pages
        return True


def natural(size: int, page_size: int) -> int:
    return min(max(size & -size, 8), page_size)


def fits(address: int, size: int, live: dict[int, int], due: int) -> bool:
    apart = all(address + max(size, 1) <= other or other + max(n, 1) <= address for other, n in live.items())
    return apart and address % due == 0


@pytest.mark.parametrize(("page_size", "classes"), PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("alignment", [None, 8, 16, 4096])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_random_runs(page_size: int, classes: Sequence[int], alignment: int | None, data: st.DataObject) -> None:
    pages = Range(page_size, 12)
    heap, live = Heap(pages, classes, page_size, alignment), dict[int, int]()
    sizes = st.one_of(st.integers(0, 80), st.sampled_from([*classes, page_size, 3 * page_size + 1, page_size >> 2]))
    for _ in range(data.draw(st.integers(0, 60))):
        if data.draw(st.booleans()):
            size, named = data.draw(sizes), data.draw(st.sampled_from([1, 1, 1, 16, 512, page_size, 4 * page_size]))
            old = data.draw(st.sampled_from([0, *live]))
            address = heap.resize(old, size, named) if old else heap.new(size, named)
            needed = -(-size // page_size) + max(0, named // page_size - 1)
            if address is None:
                assert sum(pages.out.values()) + needed + 1 > pages.most
                continue
            live.pop(old, None)
            assert fits(address, size, live, max(named, alignment or natural(size or 8, page_size)))
            run = max(start for start in pages.out if start <= address)
            assert address + size <= run + pages.out[run] * page_size
            live[address] = size
        elif live and data.draw(st.booleans()):
            address = data.draw(st.sampled_from(sorted(live)))
            assert heap.delete(address)
            assert heap.extent(address) is None
            assert not heap.delete(address)
            del live[address]
        else:
            near = st.sampled_from([*live, *heap.notes.values(), *pages.out]) if pages.out else st.just(BASE)
            address = data.draw(near) + data.draw(st.integers(-17, 17))
            if address not in live and address != 0:
                assert not heap.delete(address)
        assert all((heap.extent(address) or 0) >= max(size, 1) for address, size in live.items())
    for address in live:
        assert heap.delete(address)
    assert len(heap.slabs) <= len(heap.layouts)
    assert (heap.large, heap.run_of, pages.out.keys()) == ({}, {}, {page * page_size for page in heap.notes})


def test_address_0_is_deleted_without_effect() -> None:
    heap = Heap(Range(4096, 4), (8,), 4096, None)
    assert heap.delete(0)
    assert heap.new(8) is not None


def test_second_empty_slab_goes_back() -> None:
    pages = Range(4096, 16)
    heap = Heap(pages, (1024,), 4096, None)
    blocks = [heap.new(1000) for _ in range(9)]
    assert len(pages.out) == 4  # three slabs of three blocks, and a page of notes
    assert all(block is not None and heap.delete(block) for block in blocks)
    assert len(pages.out) == 2
    assert pages.returned == 2


def test_last_note_is_for_a_page_of_notes() -> None:
    pages = Range(4096, 1 << 20)
    heap = Heap(pages, (), 4096, None)
    for _ in range(1000):
        assert heap.new(4096) is not None
    notes = [*heap.notes.values(), *heap.spare, heap.reserve]
    assert len(notes) == len(set(notes))
    assert len(pages.out) == 1000 + 4


def test_a_failure_leaves_nothing_half_done() -> None:
    pages = Range(4096, 1)
    heap = Heap(pages, (64,), 4096, None)
    assert heap.new(64) is None
    assert heap.new(4096) is None
    assert (heap.slabs, heap.large, len(pages.out)) == ({}, {}, 1)
    assert len(heap.spare) == 252
    assert heap.reserve not in (0, *heap.spare)
    pages.most = 2
    assert heap.new(64) is not None


@pytest.mark.parametrize("alignment", [1, 2, 8, 128, 1024, 4096, 8192, 1 << 16, 1 << 23])
@pytest.mark.parametrize("size", [0, 100, 10000])
def test_a_block_is_at_a_multiple_of_its_alignment(size: int, alignment: int) -> None:
    pages = Range(4096, 1 << 13)
    heap = Heap(pages, (8, 64, 256, 1024), 4096, None)
    assert heap.new(8) is not None  # so that the pages that follow are not aligned to much
    blocks = [heap.new(size, alignment) for _ in range(3)]
    for block in blocks:
        assert block is not None
        assert block % alignment == 0
        assert (heap.extent(block) or 0) >= size
        assert heap.delete(block)
    assert len(pages.out) <= 3  # a page of notes, and an empty slab of each of two classes


@pytest.mark.parametrize("alignment", [-16, -1, 0, 3, 24, 4097])
def test_an_alignment_that_is_no_power_of_two_is_refused(alignment: int) -> None:
    pages = Range(4096, 16)
    heap = Heap(pages, (8,), 4096, None)
    assert heap.new(8, alignment) is None
    assert pages.out == {}
    block = heap.new(8)
    assert block is not None
    assert heap.resize(block, 8, alignment) is None
    assert heap.resize(0, 8, alignment) is None
    assert heap.delete(block)


def test_pages_are_skipped_only_as_far_as_an_alignment_needs() -> None:
    pages = Range(4096, 6)
    heap = Heap(pages, (), 4096, None)
    block = heap.new(1, 16384)  # a page of notes; then four pages from the second on, of which the fourth is aligned
    assert block == BASE + 0x4000
    assert pages.out == {BASE: 1, BASE + 0x1000: 4}
    assert heap.extent(block) == 0x1000
    assert heap.new(1, 16384) is None
    assert not any(heap.delete(BASE + page * 0x1000) for page in (1, 2, 3))
    assert heap.delete(block)
    assert pages.out == {BASE: 1}


# Resizing


def test_a_block_stays_where_its_slot_has_room() -> None:
    heap = Heap(Range(4096, 16), (64, 256), 4096, None)
    block = heap.new(40)
    assert block is not None
    for size in (64, 8, 0, 33, 64):
        assert heap.resize(block, size) == block
    moved = heap.resize(block, 65)
    assert moved not in (None, block)
    assert heap.extent(block) is None
    assert (heap.extent(moved or 0), heap.resize(moved or 0, 256)) == (256, moved)


def test_a_block_moves_to_where_it_is_aligned() -> None:
    heap = Heap(Range(4096, 64), (64,), 4096, None)
    blocks = [heap.new(64) for _ in range(4)]
    block = next(each for each in blocks if each is not None and each % 128)
    moved = heap.resize(block, 64, 128)
    assert moved is not None
    assert moved % 128 == 0
    assert heap.extent(block) is None
    assert heap.resize(moved, 64, 32) == moved
    far = heap.resize(moved, 64, 1 << 15)
    assert far is not None
    assert (far % (1 << 15), heap.extent(moved)) == (0, None)


def test_a_block_that_cannot_move_lives_on() -> None:
    pages = Range(4096, 3)
    heap = Heap(pages, (1024,), 4096, None)
    block = heap.new(1000)
    assert block is not None
    assert heap.resize(block, 8193) is None
    assert heap.resize(block, 1000, 1 << 14) is None
    assert heap.extent(block) == 1024
    assert heap.resize(block, 1024) == block
    assert heap.resize(block, 4096) == BASE + 0x2000


def test_what_is_not_live_is_not_resized() -> None:
    pages = Range(4096, 16)
    heap = Heap(pages, (64,), 4096, None)
    block = heap.resize(0, 64)
    assert block is not None
    for address in (block + 8, block + 64, block - 64, -block, 1):
        assert heap.resize(address, 8) is None
    assert heap.resize(block, -1) is None
    assert heap.extent(block) == 64
    assert heap.delete(block)
    assert heap.resize(block, 64) is None


@pytest.mark.parametrize("page_shift", range(12, 31))
def test_layout(page_shift: int) -> None:
    for slot_shift in range(page_shift + 2):
        found = layout(page_shift, slot_shift)
        if found is None:
            assert slot_shift >= page_shift - 1
            continue
        assert found.first >= HEADER + found.bitmap
        assert found.bitmap * 8 >= found.slots
        assert found.first + (found.objects << slot_shift) == 1 << page_shift


def test_a_slab_hands_out_each_object_once() -> None:
    place = layout(12, 10)
    assert place is not None
    slab = Slab(place)
    offsets = [slab.take() for _ in range(4)]
    assert offsets == [1024, 2048, 3072, None]
    assert slab.is_full()
    assert not slab.give(0)
    assert not slab.give(1032)
    assert slab.give(2048)
    assert not slab.give(2048)
    assert slab.take() == 2048
