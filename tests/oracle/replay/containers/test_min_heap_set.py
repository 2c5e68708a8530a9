from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sortedcontainers import SortedSet

from memoracle.replay.containers.min_heap_set import SPARE, Lowest, Unordered

NUMBERS = st.integers(0, 9)


@pytest.mark.parametrize("kind", [Lowest, Unordered])
@given(st.sets(NUMBERS), st.lists(st.tuples(st.sampled_from(["add", "remove", "lowest"]), NUMBERS), max_size=200))
def test_is_a_sorted_set_as_far_as_the_reference_asks(
    kind: type[Lowest | Unordered], start: set[int], steps: list[tuple[str, int]]
) -> None:
    ours, theirs = kind(start), SortedSet(start)
    for step, number in steps:
        if step == "add":
            ours.add(number)
            theirs.add(number)
        elif step == "remove" and number in theirs:
            ours.remove(number)
            theirs.remove(number)
        elif step == "lowest" and theirs:
            assert ours[0] == theirs[0]
        assert (len(ours), bool(ours), number in ours) == (len(theirs), bool(theirs), number in theirs)
    assert sorted(ours) == list(theirs)
    copy = ours.copy()
    copy.add(10)
    assert type(copy) is kind
    assert 10 not in ours


def test_none_is_the_lowest_of_none() -> None:
    numbers = Lowest([3])
    numbers.remove(3)
    with pytest.raises(IndexError):
        numbers[0]
    with pytest.raises(KeyError):
        numbers.remove(3)


def test_removed_numbers_do_not_pile_up() -> None:
    numbers = Lowest([5])
    for number in range(10, 10_000):
        numbers.add(number)
        numbers.remove(number)
    assert len(numbers.heap) <= 2 * len(numbers) + SPARE
    assert numbers[0] == 5
