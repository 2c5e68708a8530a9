"""The whole manager at work: whatever was done, each frame is accounted for, and what is undone was nothing."""

from __future__ import annotations

from copy import deepcopy
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from memoracle.impl.boot import Record
from memoracle.impl.manager import Machine, Manager, _owners, _picture
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout

LAYOUT = Layout(40, 0x0005040600010406)
UPPER = 0xFFFF_8000_0000_0000  # of another PML4 entry than the kernel's range
START = 0xFFFF_FF80_0000_0000
WRITE_BACK = 6


def machine(frames: int = 12, level: int = 2) -> Machine:
    return Machine(frames, ((0, 1), (4, 5)), level, LAYOUT, START, 3, 2, ((7, 1),))


def accounted(manager: Manager) -> bool:
    """Whether each frame that may be free is, or does not exist, or is used for one thing."""
    bitmap = manager.bitmap
    frames = (frame for frame in range(bitmap.frames) if not bitmap.is_never_free(frame))
    return all(_owners(manager, f) == (bitmap.exists(f) and not bitmap.is_free(f)) for f in frames)


PROCESSES, FRAMES = some.integers(0, 3), some.integers(0, 13)
PAGES = some.sampled_from([0, 1, 5, 512, 512 * 512])
CALLS = some.one_of(
    some.tuples(some.just("allocate_frame")),
    some.tuples(some.just("free_frame"), FRAMES),
    some.tuples(some.just("create"), PROCESSES),
    some.tuples(some.just("exit"), PROCESSES),
    some.tuples(some.just("allocate_range"), PROCESSES, some.integers(0, 5)),
    some.tuples(some.just("free_range"), PROCESSES, some.integers(0, 7), some.integers(0, 5)),
    some.tuples(some.just("map"), PROCESSES, PAGES, some.booleans(), FRAMES),
    some.tuples(some.just("unmap"), PROCESSES, PAGES, some.booleans(), some.booleans()),
    some.tuples(some.just("allocate_pages"), some.integers(0, 9)),
    some.tuples(some.just("free_pages"), some.integers(-1, 8), some.integers(0, 9)),
)


def call(manager: Manager, name: str, *arguments: Any) -> Any:
    """One call; pages and frames become addresses."""
    shift = manager.page_shift
    if name in ("map", "unmap"):
        process, page, upper, last = arguments
        virtual = (UPPER if upper else 0) + (page << shift)
        leaf = Leaf(int(last) << shift, WRITE_BACK)
        return manager.map(process, virtual, leaf) if name == "map" else manager.unmap(process, virtual, last)
    if name == "free_pages":
        return manager.free_pages(manager.address_of(arguments[0]), arguments[1])
    return getattr(manager, name)(*arguments)


def after(history: list[tuple[Any, ...]], level: int) -> Manager:
    manager = Manager(machine(level=level))
    for each in history:
        before = deepcopy(_picture(manager))
        answer = call(manager, *each)
        if answer is None or answer is False:
            assert _picture(manager) == before, f"a refused call changes something: {each}"
        assert accounted(manager), f"a frame is not accounted for after {each}"
    return manager


HISTORIES = some.lists(CALLS, max_size=30)
LEVELS = some.sampled_from([1, 2, 3])
SETTINGS = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@SETTINGS
@given(HISTORIES, LEVELS, some.integers(1, 9))
def test_kernel_pages_that_are_freed_leave_nothing(history: list[tuple[Any, ...]], level: int, pages: int) -> None:
    manager = after(history, level)
    before = deepcopy(_picture(manager))
    address = manager.allocate_pages(pages)
    if address is not None:
        frames = [manager.translate(0, address + (page << manager.page_shift)) for page in range(pages)]
        assert None not in frames
        assert len(set(frames)) == pages
        assert manager.free_pages(address, pages)
    assert _picture(manager) == before


@SETTINGS
@given(HISTORIES, LEVELS)
def test_whatever_is_undone_was_nothing(history: list[tuple[Any, ...]], level: int) -> None:
    manager = after(history, level)
    before = deepcopy(_picture(manager))
    frame = manager.allocate_frame()
    assert frame is None or manager.free_frame(frame)
    assert _picture(manager) == before
    if manager.create(9):
        place = manager.allocate_range(9, 2)
        assert place == 0
        assert manager.exit(9)
    assert _picture(manager) == before
    page = manager.allocate_range(0, 1)
    assert page is None or manager.free_range(0, page, 1)
    assert _picture(manager) == before
    if manager.map(0, UPPER + (3 << manager.page_shift), Leaf(0, WRITE_BACK)):
        assert manager.unmap(0, UPPER + (3 << manager.page_shift))
    assert _picture(manager) == before


@SETTINGS
@given(HISTORIES, LEVELS)
def test_after_the_last_exit_only_the_kernels_memory_and_given_frames_remain(
    history: list[tuple[Any, ...]], level: int
) -> None:
    manager = after(history, level)
    for process in list(manager.spaces.spaces):
        manager.exit(process)
    assert manager.spaces.spaces.keys() == {0} == manager.paging.roots.keys() == manager.halves.live
    for frame in list(manager.given):
        assert manager.free_frame(frame)
    for first, pages in list(manager.lengths.items()):
        assert manager.free_pages(manager.address_of(first), pages)
    for page, half in product((0, 1, 5, 512, 512 * 512), (0, UPPER)):
        manager.unmap(0, half + (page << manager.page_shift))
    assert manager.bitmap.count() == 10
    assert not manager.paging.memory
    assert not any(manager.halves.tables[0])


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("frames", range(3, 12))
def test_frames_that_run_out_half_way_are_all_given_back(frames: int, level: int) -> None:
    manager = Manager(machine(frames, level))
    before = deepcopy(_picture(manager))
    tables = 4 - level
    assert (manager.allocate_pages(4) is None) == (frames - 2 < tables + 4)
    if _picture(manager) != before:
        assert manager.free_pages(START, 4)
    assert _picture(manager) == before


def test_what_the_manager_holds_is_freed_by_nothing_else() -> None:
    manager = Manager(machine())
    address = manager.allocate_pages(3)
    assert address == START
    before = deepcopy(_picture(manager))
    assert not any(manager.free_frame(frame) for frame in range(-1, 13))
    assert not manager.free_range(0, 0, 4)
    assert not manager.free_range(0, 0, 3)
    assert not manager.unmap(0, address, release=True)
    assert not manager.free_pages(address, 2)
    assert not manager.free_pages(address, 4)
    assert not manager.free_pages(address + 1, 3)
    assert not manager.free_pages(address + (1 << manager.page_shift), 2)
    assert _picture(manager) == before


def test_a_release_only_uncounts_what_was_not_given() -> None:
    manager = Manager(machine(level=3))
    assert manager.create(1)
    root = manager.paging.roots[1]
    assert manager.map(1, 0, Leaf(root << 30, WRITE_BACK))
    assert manager.unmap(1, 0, release=True)
    assert manager.paging.roots == {0: 0, 1: root}
    assert not manager.bitmap.is_free(root)


def test_the_last_of_two_mappings_releases() -> None:
    manager = Manager(machine(level=3))
    assert manager.create(1)
    assert manager.create(2)
    frame = manager.allocate_frame()
    assert frame is not None
    assert manager.map(1, 0, Leaf(frame << 30, WRITE_BACK))
    assert manager.map(2, 0, Leaf(frame << 30, WRITE_BACK))
    assert manager.exit(1)
    assert manager.given == {frame}
    assert manager.exit(2)
    assert not manager.given
    assert manager.bitmap.is_free(frame)


def test_a_frame_freed_while_mapped_is_handed_out_again() -> None:
    """The hazard of mapping and allocators that do not ask each other."""
    manager = Manager(machine(level=3))
    frame = manager.allocate_frame()
    assert frame is not None
    assert manager.map(0, UPPER, Leaf(frame << 30, WRITE_BACK))
    assert manager.free_frame(frame)
    assert manager.allocate_frame() == frame
    assert manager.translate(0, UPPER) == frame << 30


def test_kernel_pages_need_their_range_unmapped() -> None:
    manager = Manager(machine(level=3))
    assert manager.map(0, START + (5 << 30), Leaf(0, WRITE_BACK))
    before = deepcopy(_picture(manager))
    assert manager.allocate_pages(2) is None
    assert _picture(manager) == before
    assert manager.allocate_pages(1) == START + (6 << 30)


def test_the_memory_map_says_which_frames_there_are() -> None:
    manager = Manager(machine(level=3), [Record(0, 4 << 30, 1), Record(3 << 30, 1, 2)])
    assert manager.bitmap.count() == 2
    assert [manager.allocate_frame() for _ in range(3)] == [1, 2, None]
    assert manager.attributes(0, START) is None
    assert manager.reserve_range(0, 4, 2)
    assert not manager.reserve_range(0, 4, 1)
    assert not manager.reserve_range(7, 0, 1)
