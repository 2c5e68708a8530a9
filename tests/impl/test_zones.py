"""Zones, held to a plain search of every place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memoracle.impl.runs import Runs
from memoracle.impl.zones import Zone, allocate

PLACES = 24
ZONES = st.builds(Zone, st.integers(-2, PLACES + 2), st.integers(-2, PLACES + 2))


def found(free: set[int], named: list[Zone], count: int, alignment: int) -> tuple[Zone, int] | None:
    for zone in named:
        for place in range(0, PLACES, alignment):
            run = range(place, place + count)
            if zone.start <= place and place + count <= zone.end and free.issuperset(run):
                return zone, place
    return None


@given(
    named=st.lists(ZONES, max_size=3),
    asked=st.lists(st.tuples(st.integers(1, 5), st.sampled_from([1, 2, 4, 8])), min_size=1, max_size=12),
)
def test_the_first_zone_that_can_serve_gives_its_lowest_run(named: list[Zone], asked: list[tuple[int, int]]) -> None:
    runs, free = Runs(PLACES), set(range(PLACES))
    runs.add(0, PLACES)
    for count, alignment in asked:
        due = found(free, named, count, alignment)
        assert allocate(runs, named, count, alignment, 0, PLACES) == due
        if due is not None:
            free -= set(range(due[1], due[1] + count))
        assert {place for place in range(PLACES) if runs.is_free(place)} == free
