from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sortedcontainers import SortedSet

from memoracle.replay.containers.largest_blocks import SPARE, LargestBlocks

FIRST, LAST = 3, 12
STEPS = st.tuples(st.sampled_from(["toggle", "lowest", "copy"]), st.integers(FIRST, LAST - 1))


@given(st.lists(STEPS, max_size=200))
def test_is_a_sorted_set_as_far_as_the_reference_asks(steps: list[tuple[str, int]]) -> None:
    ours, theirs = LargestBlocks(FIRST, LAST), SortedSet(range(FIRST, LAST))
    for step, number in steps:
        if step == "copy":
            original, ours = ours, ours.copy()
            if original:
                original.remove(original[0])
        elif step == "lowest" and theirs:
            assert ours[0] == theirs[0]
        elif step == "toggle" and number in theirs:
            ours.remove(number)
            theirs.remove(number)
        elif step == "toggle":
            ours.add(number)
            theirs.add(number)
        assert (len(ours), bool(ours), number in ours) == (len(theirs), bool(theirs), number in theirs)
        assert list(ours) == list(theirs)
    assert [number for number in range(-1, LAST + 2) if number in ours] == list(theirs)


def test_what_is_not_there_cannot_be_named_or_removed_or_added_twice() -> None:
    numbers = LargestBlocks(3, 4)
    for wrong in (2, 4):
        with pytest.raises(KeyError):
            numbers.remove(wrong)
    with pytest.raises(KeyError):
        numbers.add(3)
    numbers.remove(3)
    with pytest.raises(KeyError):
        numbers.remove(3)
    with pytest.raises(IndexError):
        numbers[0]


def test_memory_grows_with_what_was_removed_alone() -> None:
    numbers = LargestBlocks(0, 1 << 52)
    for number in range(5):
        numbers.remove(number)
    assert numbers[0] == 5
    for _ in range(10_000):
        numbers.add(4)
        numbers.remove(4)
    assert len(numbers.returned) <= SPARE
    assert (len(numbers.missing), len(numbers)) == (5, (1 << 52) - 5)


def test_what_comes_back_is_known_however_much_it_is() -> None:
    numbers = LargestBlocks(0, 1 << 52)
    for number in range(3 * SPARE):
        numbers.remove(number)
    assert numbers[0] == 3 * SPARE
    for number in reversed(range(3 * SPARE)):
        numbers.add(number)
        assert numbers[0] == number
