"""The exhaustive runs: the reference conforms, and each fault gives a short test that fails for that fault alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sortedcontainers import SortedSet

from memoracle.impl import bitmap, boot, buddy, kernel_half
from memoracle.proofs.exhaustive import boot as small_boot
from memoracle.proofs.exhaustive import computations as small_runs
from memoracle.proofs.exhaustive import explore as exhaustive
from memoracle.proofs.exhaustive import snapshots as copies
from memoracle.proofs.exhaustive import systems

COMPONENTS = ("bitmap", "boot", "buddy", "kernel_half")
SMALL: dict[str, Callable[[], exhaustive.System]] = {
    "buddy": lambda: systems.buddy_system((0, 1, 2), ends=True),
    "spaces": systems.spaces_system,
    "bitmap": systems.bitmap_system,
    "kernel_half": systems.half_system,
}


def calls_of(failure: str) -> list[str]:
    return [line for line in failure.splitlines() if line.startswith("    ") and not line.startswith("    #")]


def passes(test: str) -> bool:
    """Whether a test as it was written out passes."""
    names: dict[str, Any] = {}
    exec(compile(test, "replay", "exec"), names)
    try:
        names["test_replay"]()
    except Exception:
        return False
    return True


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_reference_conforms(component: str) -> None:
    assert small_runs.replay(component) is None
    for computation in small_runs.computations(component):
        assert computation.run() is None, computation.name
        assert computation.scope.startswith("bounded: ")
        assert computation.source.startswith("proofs/exhaustive/")


def test_the_runs_reach_every_state() -> None:
    assert small_runs.outcome("buddy", "depth-3").states == 677
    whole = (4, 18, 326)  # b(d) = b(d-1)^2 + 2: a page is missing, free, allocated or fixed
    split = (4**2, 18**2, 4**4)  # of two pages, and of four: into halves, and into single pages
    assert small_runs.outcome("buddy", "small-ranges").states == sum(whole) + sum(split)
    assert small_runs.outcome("buddy", "spaces").states == 5 * (1 + 5) ** 2  # a process may be absent


def test_every_operation_is_named_once() -> None:
    names = [each.name for component in COMPONENTS for each in small_runs.computations(component)]
    assert len(names) == len(set(names))


def without_coalescing(self: Any, page: int, pages: int) -> bool:
    if buddy.order_for(pages) is None or self.allocated.get(page) != buddy.order_for(pages) or page in self.fixed:
        return False
    order = self.allocated.pop(page)
    self.free_blocks[order].add(page >> order)
    return True


def keeping_the_wrong_half(self: Any, order: int, page: int) -> int:
    self.free_blocks[order - 1].add(page >> order - 1)
    return order - 1


def freeing_any_size(self: Any, page: int, pages: int) -> bool:
    return bool(FREE(self, page, self.size(page) if page in self.allocated else pages))


def from_the_top(self: Any, pages: int) -> int | None:
    """Allocates the highest block of a size: legal, but not the policy."""
    for first, size, taken in reversed(self.blocks()):
        if not taken and 0 < pages <= size:
            order = (pages - 1).bit_length()
            self.reserve(first + size - (1 << order), 1 << order)
            return int(first + size - (1 << order))
    return None


def endless(self: Any, pages: int) -> int | None:
    while True:
        pass


FREE = buddy.Buddy.free
FAULTS = [
    ("buddy", buddy.Buddy, "free", without_coalescing, "buddy.no-two-buddies-are-free", 5),
    ("buddy", buddy.Buddy, "_split", keeping_the_wrong_half, "buddy.every-page-is-in-one-block", 4),
    ("buddy", buddy.Buddy, "free", freeing_any_size, "buddy.block-is-allocated", 4),
    ("buddy", buddy.Buddy, "allocate", from_the_top, "the policy: the smallest order that fits", 4),
    ("buddy", buddy, "order_for", lambda pages: pages.bit_length() if pages > 0 else None, "the law allows", 3),
    ("buddy", buddy.Buddy, "size", lambda self, page: 1, "buddy.size-is-of-the-block", 4),
    ("spaces", buddy.Spaces, "of", lambda self, process: self.spaces[0], "range.allocate", 5),
    ("bitmap", bitmap.Bitmap, "count", lambda self: 0, "bitmap.tells-the-count", 4),
    ("bitmap", bitmap.Bitmap, "add", lambda self, first, last: None, "bitmap.add", 5),
    ("kernel_half", kernel_half.KernelHalf, "end_update", lambda self: True, "kernel_half.update-is-in-flight", 3),
    ("kernel_half", kernel_half.KernelHalf, "exit", lambda self, process: False, "the law allows process.exit", 4),
]


@pytest.mark.parametrize(("system", "owner", "name", "fault", "says", "lines"), FAULTS)
def test_a_fault_is_found_by_a_short_test(
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    owner: Any,
    name: str,
    fault: Any,
    says: str,
    lines: int,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fault)
        failure = exhaustive.run(SMALL[system]()).failure
        assert failure is not None
        assert not passes(failure)
    assert passes(failure), failure
    assert says in failure
    assert len(calls_of(failure)) <= lines + 4, failure  # of which up to four assertions on the state
    assert max(map(len, failure.splitlines())) <= 130


def test_a_call_that_does_not_return_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buddy.Buddy, "allocate", endless)
    monkeypatch.setattr("memoracle.proofs.exhaustive.explore.SECONDS", 0.2)
    failure = exhaustive.run(SMALL["buddy"]()).failure
    assert failure is not None
    assert "it does not return within 2 seconds" in failure
    assert "assert buddy.allocate(1) == 0" in failure


BOOT_FAULTS = [
    ("extent", lambda record: boot.Interval(record.start, record.start + record.length + 1)),
    ("without_other", lambda runs, record, page_shift: runs),
    ("beside", lambda left, interval, cut: [*left, interval]),
]


@pytest.mark.parametrize(("name", "fault"), BOOT_FAULTS)
def test_a_fault_in_reading_maps_is_found(monkeypatch: pytest.MonkeyPatch, name: str, fault: Any) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(boot, name, fault)
        failure = small_boot.replay()
        assert failure is not None
        assert "boot." in failure
        assert not passes(failure)
    assert passes(failure), failure


def test_copies_are_equal_and_apart() -> None:
    original = buddy.Spaces(2, 1)
    original.create(1)
    space = original.of(0)
    assert space is not None
    space.allocate(1)
    copy = copies.duplicate(original)
    assert copies.frozen(copy) == copies.frozen(original)
    assert isinstance(copy.of(0).free_blocks[0], SortedSet)
    copy.of(0).allocate(1)
    assert copies.frozen(copy) != copies.frozen(original)
    assert space.size(1) == 0


def _a_range() -> buddy.Spaces:
    spaces = buddy.Spaces(2, 1)
    assert spaces.create(1)
    assert spaces.spaces[0].allocate(1) == 0
    return spaces


CHANGES: list[tuple[str, Callable[[], Any], Callable[[Any], object]]] = [
    ("a number", _a_range, lambda spaces: setattr(spaces.spaces[1], "depth", 5)),
    ("a new attribute", _a_range, lambda spaces: setattr(spaces, "more", 5)),
    ("an item of a set", _a_range, lambda spaces: spaces.spaces[1].fixed.add(1)),
    ("an item of a sorted set", _a_range, lambda spaces: spaces.spaces[0].free_blocks[0].add(3)),
    ("a value of a dictionary", _a_range, lambda spaces: spaces.spaces[0].allocated.update({0: 1})),
    ("an object in a dictionary", _a_range, lambda spaces: spaces.spaces.pop(1)),
    ("a set in a list", _a_range, lambda spaces: spaces.spaces[0].free_blocks.pop()),
    ("a set replaced", _a_range, lambda spaces: setattr(spaces.spaces[0], "fixed", {2})),
    ("a number in a list in a dictionary", kernel_half.KernelHalf, lambda half: half.write(0, 3, 1)),
    ("a word of an array", lambda: bitmap.Bitmap(66), lambda frames: frames.add(64, 65)),
]


@pytest.mark.parametrize(("make", "change"), [change[1:] for change in CHANGES], ids=[change[0] for change in CHANGES])
def test_a_change_is_seen_and_put_back(make: Callable[[], Any], change: Callable[[Any], object]) -> None:
    original = make()
    trial = copies.Trial(original)
    assert trial.is_unchanged()
    for _ in range(2):
        change(trial.object)
        assert not trial.is_unchanged()
        assert copies.frozen(trial.object) != copies.frozen(original) == copies.frozen(make())
        trial.put_back()
        assert trial.is_unchanged()
        assert copies.frozen(trial.object) == copies.frozen(original)


def test_an_equal_container_in_a_place_of_another_is_put_back() -> None:
    trial = copies.Trial(_a_range())
    one, other = trial.object.spaces.values()
    own = other.fixed
    other.fixed = one.fixed  # both are empty
    trial.put_back()
    assert other.fixed is own
