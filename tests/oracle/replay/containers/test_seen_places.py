"""The rows of a log stand in for the reference's sets of places: whatever is asked of them, they answer as sets do."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from memoracle.diagnostics.levels import LEGAL, SAFE
from memoracle.impl.boot import Record
from memoracle.impl.place_set import PlaceSet
from memoracle.replay.containers.row_index import PIECE, Row, RowIndex
from memoracle.replay.containers.seen_places import Changing, Existing, Free, SeenPlaces
from memoracle.replay.kmem.kmem import KmemReplay
from memoracle.trace.kmem import KmemEvent

PAGES = 16
STRETCHES = st.tuples(st.integers(0, PAGES), st.integers(-1, PAGES)).map(lambda each: (each[0], sum(each)))
STARTS = st.sampled_from([0, 1, 5, (1 << PIECE) - 1, 1 << PIECE, (1 << PIECE) + 3, 5 << PIECE, 1 << 40, (1 << 40) + 1])


def covered(places: PlaceSet) -> set[int]:
    return {place for place in range(PAGES) if places.covers(place, place + 1)}


def check_index(index: RowIndex) -> None:
    """The lists of starts have just the rows, in order, and no row shares a place with another."""
    rows = sorted(index.rows.items())
    assert [start for piece in index.pieces for start in index.starts[piece]] == [start for start, _ in rows]
    assert set(index.pieces) == set(index.starts)
    assert all(start >> PIECE == piece for piece, starts in index.starts.items() for start in starts)
    assert all(start < row.end for start, row in rows)
    assert all(row.end <= other for (_, row), (other, _) in itertools.pairwise(rows))


@given(st.lists(st.tuples(STARTS, st.integers(1, 3), st.booleans())), STARTS, st.integers(0, 1 << 41))
def test_rows_are_found(changes: list[tuple[int, int, bool]], first: int, length: int) -> None:
    index = RowIndex()
    for start, pages, adds in changes:
        if adds and not index.meets(start, start + pages):
            index.put(start, Row(start + pages, True, 1))
        elif not adds and start in index.rows:
            index.remove(start)
        check_index(index)
    last = first + length
    rows = sorted(index.rows.items())
    among = [(start, row) for start, row in rows if start < last and row.end > first]
    assert list(index.among(first, last)) == (among if length else [])
    assert index.meets(first, last) == bool(among) or not length
    assert index.before(first) == max((start for start, _ in rows if start < first), default=None)


@given(st.lists(st.tuples(st.sampled_from(["turn up", "add", "remove"]), STRETCHES), max_size=12), STRETCHES)
def test_rows_are_the_references_sets(changes: list[tuple[str, tuple[int, int]]], asked: tuple[int, int]) -> None:
    """What may be free exists; `Runs` sees to that before it adds."""
    seen, known, available = SeenPlaces(), PlaceSet(PAGES), PlaceSet(PAGES)
    existing, changing, free = Existing(seen), Changing(seen), Free(seen)
    seen.below = PAGES
    for change, (first, last) in changes:
        if not 0 <= first < last <= PAGES:
            continue
        seen.line += 1
        if change == "turn up":
            assert existing.add(first, last) == known.add(first, last)
        elif change == "remove":
            assert free.remove(first, last) == available.remove(first, last)
        elif known.covers(first, last):
            assert free.add(first, last) == available.add(first, last)
        check_index(seen)
    for mine, theirs in ((existing, known), (changing, known), (free, available)):
        assert mine.covers(*asked) == theirs.covers(*asked)
        inside = covered(theirs)
        for place in range(PAGES):
            assert mine.next_out(place) == next(end for end in range(place, PAGES + 1) if end not in inside)
    for place in range(PAGES):
        assert free.next_in(place) == min((page for page in covered(available) if page >= place), default=PAGES)


EVENTS = st.lists(st.tuples(st.booleans(), st.integers(0, PAGES - 1), st.sampled_from([0, 0, 1, 2, 3])), max_size=40)


@given(EVENTS, st.sampled_from([None, SAFE, LEGAL]), st.frozensets(st.integers(0, PAGES - 1)))
def test_whatever_a_log_says_its_state_makes_sense(
    steps: list[tuple[bool, int, int]], level: str | None, memory: frozenset[int]
) -> None:
    """Blocks that overlap, are misaligned, or are given back again and again: what is seen is adopted."""
    records = None if level is None else [Record(page << 12, 1 << 12, 1) for page in memory]
    replay = KmemReplay("log", records, level or SAFE)
    for line, (allocates, pfn, order) in enumerate(steps, 1):
        finding = replay.replay(KmemEvent("alloc" if allocates else "free", pfn, order, False, line))
        frames, first, last = replay.frames, pfn, pfn + (1 << order)
        check_index(frames.seen)
        assert frames.seen.are(first, last, not allocates)
        free = sum(row.end - start for start, row in frames.seen.rows.items() if row.free)
        assert frames.runs.count() == free
        if finding is not None:
            assert "(by line " in finding.message or " multiple " in finding.message or " map" in finding.message
            assert f"line {line})" not in finding.message
