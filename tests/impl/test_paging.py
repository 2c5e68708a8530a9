"""Random runs of the page tables beside a plain dictionary, at every level of leaves."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import LOWER_END, MOST_USES, Attributes, Leaf, Paging
from memoracle.impl.pte import Layout

FRAMES = 24
UPPER = (1 << 64) - LOWER_END
LAYOUT = Layout(40, 0x0005_0406_0001_0406)


def paging_of(level: int, frames: int = FRAMES) -> Paging:
    bitmap = Bitmap(frames, [(0, 1)])
    bitmap.add(1, frames)
    return Paging(bitmap, KernelHalf(), LAYOUT, level, frames)


def free_frames(paging: Paging) -> int:
    assert isinstance(paging.frames, Bitmap)
    return paging.frames.count()


PLACES = st.tuples(st.sampled_from((0, 1, 511)), st.sampled_from((0, 1, 511)), st.sampled_from((0, 255, 256, 511)))
CALLS = st.one_of(
    st.tuples(st.just("create"), st.integers(1, 3)),
    st.tuples(st.just("exit"), st.integers(0, 3)),
    st.tuples(st.just("map"), st.integers(0, 3), PLACES, st.integers(0, FRAMES + 2), st.booleans()),
    st.tuples(st.just("unmap"), st.integers(0, 3), PLACES),
)


def address(place: tuple[int, int, int], level: int) -> int:
    """A page whose indices at the lowest level, the one above and the highest are these."""
    low, middle, top = place
    low_shift, middle_shift = 3 + 9 * level, 12 + 9 * level
    at = low << low_shift | (middle << middle_shift if level < 3 else 0) | top << 39
    return at | (UPPER if top > 255 else 0)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3), st.lists(CALLS, max_size=40))
def test_it_maps_what_a_dictionary_does(level: int, calls: list[tuple[Any, ...]]) -> None:
    paging = paging_of(level)
    whole, shift, live = free_frames(paging), 3 + 9 * level, {0}
    plain: dict[tuple[int, int], Leaf] = {}
    for name, process, *more in calls:
        if name == "create":
            left = free_frames(paging) > 0
            assert paging.create(process) == (process not in live and left)
            live |= {process} if left else set()
        elif name == "exit":
            released = paging.exit(process)
            assert (released is not None) == (process != 0 and process in live)
            if released is not None:
                live.remove(process)
                gone = {leaf.physical >> shift for (space, _), leaf in plain.items() if space == process}
                plain = {at: leaf for at, leaf in plain.items() if at[0] != process}
                kept = {leaf.physical >> shift for leaf in plain.values()}
                assert sorted(released) == sorted(frame for frame in gone - kept if frame < FRAMES)
        else:
            virtual = address(more[0], level)
            at = (process if virtual < LOWER_END else 0, virtual)
            if name == "map":
                leaf = Leaf(int(more[1]) << shift, 6, bool(more[2]))
                done = paging.map(process, virtual, leaf)
                assert not done or (process in live and at not in plain)
                assert done or process not in live or at in plain or free_frames(paging) < 4 - level
                plain |= {at: leaf} if done else {}
            else:
                unmapped = paging.unmap(process, virtual)
                assert (unmapped is not None) == (process in live and at in plain)
                if unmapped is not None:
                    frame = plain.pop(at).physical >> shift
                    used = any(leaf.physical >> shift == frame for leaf in plain.values())
                    assert unmapped == (frame, not used and frame < FRAMES)
        for process_now in live:
            for (space, page), leaf in plain.items():
                shown = leaf if space == process_now or page >= UPPER else None
                found = paging.translate(process_now, page + 3)
                if page >= UPPER or space == process_now:
                    assert shown is not None
                    assert found == leaf.physical + 3
        tables = len(paging.memory) + len(paging.roots) - 1
        assert free_frames(paging) == whole - tables
    for process_now in sorted(live - {0}):
        paging.exit(process_now)
    for space, page in plain:
        assert space or paging.unmap(0, page)
    assert not paging.memory
    assert free_frames(paging) == whole


def test_attributes_are_the_leafs() -> None:
    paging = paging_of(2)
    assert paging.map(0, UPPER, Leaf(4 << 21, 4, writable=False, executable=False, global_=True))
    assert paging.attributes(0, UPPER + 5) == Attributes(4, False, False, False, True)
    assert paging.map(0, 0, Leaf(4 << 21, 6))
    assert paging.attributes(0, 0) == Attributes(6, True, True, True, False)
    assert paging.attributes(0, 1 << 21) is None


def test_a_count_that_is_full_does_not_wrap() -> None:
    paging = paging_of(2)
    paging.uses[4] = MOST_USES
    assert not paging.map(0, 0, Leaf(4 << 21, 6))
    assert paging.uses == {4: MOST_USES}


def test_running_out_half_way_gives_back_what_was_taken() -> None:
    paging = paging_of(1, 3)  # two free frames, but a page needs three tables
    assert not paging.map(0, 0, Leaf(0, 6))
    assert free_frames(paging) == 2
    assert not paging.memory
