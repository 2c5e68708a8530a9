"""Methods refuse numbers that are out of reach; one that raises an error is found."""

from __future__ import annotations

import re

import pytest

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.buddy import Buddy
from memoracle.impl.heap import Heap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.slab import Slab, layout
from memoracle.proofs.contracts.states import states_of
from memoracle.proofs.exhaustive.heap import FewPages
from memoracle.proofs.registry import COMPONENTS
from memoracle.proofs.rules.computations import computations
from memoracle.proofs.rules.totality import FAR, complaints

SOON = 0.2  # seconds of a processor, in the place of two


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_method_of_the_reference_raises(component: str) -> None:
    assert list(complaints(component)) == []


def test_a_method_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bitmap, "exists", lambda self, frame: bool(self.existing[frame // 64]))
    assert any("Bitmap.exists(" in each and " raises " in each for each in complaints("bitmap"))


def test_a_method_that_answers_what_its_contract_does_not_say_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def new(self: Heap, size: int) -> int | None:
        return 64 if size < 0 else None

    new.__doc__ = Heap.new.__doc__
    monkeypatch.setattr(Heap, "new", new)
    assert "breaks its contract: " in next(complaints("heap"))


def endless(self: Heap, size: int) -> int | None:
    """Makes a block, but for a number that is far out of reach."""
    while abs(size) >= 1 << 70:
        pass
    return None


def test_a_method_that_does_not_return_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heap, "new", endless)
    monkeypatch.setattr("memoracle.proofs.rules.totality.SECONDS", SOON)
    assert next(complaints("heap")).endswith(": it does not return within 2 seconds of a processor")


def test_a_method_that_does_not_return_where_its_states_are_looked_for_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def delete(self: Heap, address: int) -> bool:
        while True:
            pass

    monkeypatch.setattr(Heap, "delete", delete)
    monkeypatch.setattr("memoracle.proofs.contracts.states.SECONDS", SOON)
    states_of.cache_clear()
    try:
        totality = next(each for each in computations("heap") if each.name.endswith(".refuses-what-is-out-of-reach"))
        assert re.search("delete.*: it does not return within 2 seconds", totality.run() or "")
    finally:
        states_of.cache_clear()


def test_a_method_that_excludes_numbers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def free(self: Buddy, page: int, pages: int) -> bool:
        """Frees a block.

        pre: page >= 0
        post: True
        """
        return False

    monkeypatch.setattr(Buddy, "free", free)
    found = [each for each in complaints("buddy") if each.startswith("Buddy.free(")]
    assert found == [f"Buddy.free({page}, 5) is excluded by `pre:` in every state" for page in (-(1 << 70), -1)]


@pytest.mark.parametrize("size", [-(1 << 70), -5, -1])
def test_no_block_of_fewer_than_no_bytes_is_made(size: int) -> None:
    pages = FewPages(3)
    heap = Heap(pages, (16,), 64, None)
    assert heap.new(size) is None
    assert (pages.out, heap.slabs, heap.notes) == ({}, {}, {})


@pytest.mark.parametrize("trusting", [False, True])
@pytest.mark.parametrize("frame", [-(1 << 70), -65, -64, -1, 8, 63, 64, 1 << 70])
def test_what_a_bitmap_does_not_reach_is_refused(frame: int, trusting: bool) -> None:
    bitmap = Bitmap(8, [(0, 1)], trusting)
    bitmap.add(1, 64)
    kept = (bitmap.words.tolist(), bitmap.existing.tolist(), bitmap.count())
    asked = [ask(frame) for ask in (bitmap.exists, bitmap.is_never_free, bitmap.is_free, bitmap.take, bitmap.free)]
    assert asked == [False] * 5
    assert (bitmap.words.tolist(), bitmap.existing.tolist(), bitmap.count()) == kept


def test_no_object_of_a_slab_lies_outside_its_page() -> None:
    place = layout(8, 4)
    assert place is not None
    slab = Slab(place)
    assert [slab.take(), slab.take()] == [place.first, place.first + 16]
    assert not any(slab.is_taken(offset) or slab.give(offset) for offset in (*FAR, 256, place.first - 256))
    assert slab.is_taken(place.first)


@pytest.mark.parametrize(("index", "value"), [(255, 1), (512, 1), (-1, 1), (256, -1), (256, 1 << 64)])
def test_no_update_of_what_is_no_entry_begins(index: int, value: int) -> None:
    halves = KernelHalf()
    assert not halves.begin_update(index, value)
    assert not halves.updating
    assert not any(halves.master)
