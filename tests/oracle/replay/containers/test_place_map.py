"""What stands in for the reference's set of places does what that does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memoracle.impl.place_set import PlaceSet
from memoracle.replay.containers.block_map import BlockMap
from memoracle.replay.containers.place_map import PlaceMap, Spans

PLACES = 24
PLACE = st.integers(-2, PLACES + 2)
PIECE = st.tuples(PLACE, PLACE)
SEARCH = st.tuples(st.integers(-1, 9), st.sampled_from([1, 2, 4, 8, 3, 0, -4]), PLACE, PLACE)
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "covers"]), PIECE) | st.tuples(st.just("find"), SEARCH), max_size=60
)


def members(places: PlaceSet) -> set[int]:
    return {place for place in range(PLACES) if places.covers(place, place + 1)}


def next_in(places: set[int], place: int) -> int:
    return next((other for other in range(place, PLACES) if other in places), max(place, PLACES))


def next_out(places: set[int], place: int) -> int:
    return next(other for other in range(place, PLACES + 4) if other not in places)


@given(STEPS)
def test_a_map_is_a_set_of_places(steps: list[tuple[str, tuple[int, ...]]]) -> None:
    ours, theirs = PlaceMap(PLACES), PlaceSet(PLACES)
    for step, arguments in steps:
        assert getattr(ours, step)(*arguments) == getattr(theirs, step)(*arguments), (step, arguments)
        assert ours.most() == theirs.most()
    inside = members(theirs)
    for place in range(-2, PLACES + 3):
        assert ours.next_in(place) == next_in(inside, place)
        assert ours.next_out(place) == next_out(inside, place)


@given(st.lists(st.tuples(st.sampled_from(["add", "covers"]), PIECE), max_size=30))
def test_spans_are_a_set_of_places(steps: list[tuple[str, tuple[int, int]]]) -> None:
    ours, theirs = Spans(PLACES), PlaceSet(PLACES)
    for step, piece in steps:
        assert getattr(ours, step)(*piece) == getattr(theirs, step)(*piece), (step, piece)
    inside = members(theirs)
    for place in range(-2, PLACES + 3):
        assert ours.next_in(place) == next_in(inside, place)
        assert ours.next_out(place) == next_out(inside, place)


@given(STEPS, PIECE)
def test_the_blocks_of_a_map_are_what_is_free(
    steps: list[tuple[str, tuple[int, ...]]], limits: tuple[int, int]
) -> None:
    ours, theirs = BlockMap(PLACES), PlaceSet(PLACES)
    for step, arguments in steps:
        assert getattr(ours, step)(*arguments) == getattr(theirs, step)(*arguments), (step, arguments)
    free = [(page, count) for page, count, allocated in ours.buddy.blocks() if not allocated]
    assert {page + k for page, count in free for k in range(count)} == members(theirs)
    assert not any((page ^ count, count) in free for page, count in free)
    for order in range(6):
        large = [(count, page) for page, count in free if count >= 1 << order]
        lowest, below = limits
        for alignment in (1 << larger for larger in range(order, 6)):
            places = [
                (count, page, place)
                for count, page in large
                for place in range(page, page + count, alignment)
                if place % alignment == 0 and lowest <= place <= below - (1 << order)
            ]
            found = ours.preferred(1 << order, alignment, lowest, below)
            assert found == min(places, default=(0, 0, None))[2], (order, alignment)
        assert ours.preferred(1 << order, 1 << order, 0, PLACES) == min(large, default=(0, None))[1]


def test_a_place_beyond_all_numbers_of_the_machine_is_not_found() -> None:
    places = PlaceMap(64)
    places.add(0, 64)
    assert places.find(1, 1, 63, 1 << 200) == 63
    assert places.find(1, 1, 64, 1 << 200) is None
    assert places.find(1, 1, 1 << 200, 1 << 201) is None
