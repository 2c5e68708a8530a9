"""The reference of boot on lists of many intervals, and that it looks only at those which a cut meets."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.impl import boot
from memoracle.impl.boot import Interval, Record, usable_pages

LAST = 12
ENDS = st.tuples(st.integers(0, LAST), st.integers(0, LAST)).map(sorted)


@given(st.lists(st.integers(0, LAST), max_size=10, unique=True).map(sorted), ENDS)
def test_what_is_left_is_what_lies_outside_the_cut(bounds: list[int], ends: list[int]) -> None:
    intervals, cut = [Interval(*pair) for pair in pairwise(bounds)], Interval(*ends)
    left = boot.without(intervals, cut)
    points = [point for interval in intervals for point in range(*interval) if point not in range(*cut)]
    assert [point for interval in left for point in range(*interval)] == points
    assert all(interval.start < interval.end for interval in left)


@pytest.mark.parametrize("reverse", [False, True])
def test_records_are_not_held_against_intervals_that_they_do_not_meet(
    monkeypatch: pytest.MonkeyPatch, reverse: bool
) -> None:
    beside, looks = boot.beside, 0

    def counted(left: list[Interval], interval: Interval, cut: Interval) -> list[Interval]:
        nonlocal looks
        looks += 1
        return beside(left, interval, cut)

    monkeypatch.setattr(boot, "beside", counted)
    records = [Record(place << 13, 1 << 12, 1) for place in range(1000)]
    found = usable_pages(records[::-1] if reverse else records, 12)
    assert found == [Interval(2 * place, 2 * place + 1) for place in range(1000)]
    assert looks <= 5 * len(records)
