"""The stand-in for a new set of places is held against a set of places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import MODES, agree, fails_on_some_path, touch_all

from memoracle.impl.place_set import PlaceSet
from memoracle.proofs.components.buddy.start import NewMembers
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import number

PLACES = 6


@MODES
@settings(max_examples=20, deadline=None)
@given(ends=st.tuples(st.integers(0, PLACES), st.integers(0, PLACES)).filter(lambda ends: ends[0] < ends[1]))
def test_a_new_set_of_places(integers: bool, ends: tuple[int, int]) -> None:
    def both(run: Run) -> tuple[Any, Any]:
        touch_all(run, "page")
        return NewMembers(run, number(PLACES)), PlaceSet(PLACES)

    def same(stand_in: Any, real: Any) -> Iterator[Any]:
        for place in range(PLACES):
            yield stand_in.has(number(place)) == real.covers(place, place + 1)

    agree(integers, both, [lambda places: bool(places.add(*ends))], same)


@MODES
@pytest.mark.parametrize("stretches", [[(3, 3)], [(5, 7)], [(-1, 2)], [(0, 1), (2, 3)]])
def test_what_it_does_not_serve(integers: bool, stretches: list[tuple[int, int]]) -> None:
    def body(run: Run) -> None:
        made = NewMembers(run, number(PLACES))
        for first, last in stretches:
            made.add(number(first), number(last))

    fails_on_some_path(body, integers)
