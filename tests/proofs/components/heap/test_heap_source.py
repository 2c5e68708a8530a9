"""What stands in for a heap's notes and the source of its pages behaves as these do (see `standin_trials.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import MODES, PROBES, Choice, agree, fails_on_some_path, has_of, value_of

from memoracle.proofs.components.heap.models import CountedNotes, ListedNotes, Source
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import number
from memoracle.spec.clauses import neg

PAGE_SHIFT = 12

# Notes of which only the number is known


NOTE_STEPS = st.lists(
    st.one_of(
        st.just(lambda notes: bool(notes)),
        st.just(Choice(lambda notes: notes.pop(), lambda notes: lambda got: (0 <= got) & (got < 1 << 64))),
        st.integers(0, 9).map(lambda note: lambda notes: notes.append(note)),
        st.integers(0, 3).map(lambda many: lambda notes: more_notes(notes, many)),
    ),
    max_size=5,
)


def more_notes(notes: Any, many: int) -> None:
    notes += CountedNotes(notes.run, many) if isinstance(notes, CountedNotes) else [7] * many


@MODES
@settings(max_examples=20, deadline=None)
@given(notes=st.lists(st.integers(0, 9), max_size=2), steps=NOTE_STEPS)
def test_notes(integers: bool, notes: list[int], steps: list[Any]) -> None:
    both = lambda run: (CountedNotes(run, number(len(notes))), [*notes])  # noqa: E731
    agree(integers, both, steps, lambda stand_in, real: [stand_in.length == len(real)])


# Notes of which it is known which they are


def listing(notes: Any, items: list[int]) -> None:
    notes += ListedNotes(notes.run, has_of(items)) if isinstance(notes, ListedNotes) else items


LISTED = [0, 1, 7]
LISTED_STEPS = [
    Choice(lambda notes: bool(notes), lambda notes: lambda got: True),
    *[Choice(lambda notes: notes.pop(), lambda notes: has_of([*notes]))] * 2,
    lambda notes: notes.append(2),
    lambda notes: notes.append(notes.pop()),
    lambda notes: listing(notes, [3, 4]),
]


@MODES
@settings(max_examples=15, deadline=None)
@given(steps=st.permutations(LISTED_STEPS))
def test_listed_notes(integers: bool, steps: list[Any]) -> None:
    def same(stand_in: ListedNotes, real: list[int]) -> Iterator[Any]:
        yield from (stand_in.has(number(probe)) == (probe in real) for probe in PROBES)
        yield from stand_in.once

    agree(integers, lambda run: (ListedNotes(run, has_of(LISTED)), [*LISTED]), steps, same)


@MODES
@pytest.mark.parametrize("twice", [lambda notes: notes.append(7), lambda notes: listing(notes, [3, 7])])
def test_a_note_that_is_listed_twice_is_noticed(integers: bool, twice: Callable[[Any], None]) -> None:
    def body(run: Run) -> None:
        notes = ListedNotes(run, has_of(LISTED))
        run.call(twice, notes)
        for once in notes.once:
            run.assert_goal("it was not listed", once)

    fails_on_some_path(body, integers)


# Where pages come from


BELOW = 7


class PageSource:
    """Pages 1 to 6, handed out from the place that the next call is told, or refused."""

    def __init__(self, got: dict[int, int]) -> None:
        self.got = got  # by first page, how many pages were handed out

    def out(self) -> list[int]:
        return [page for first, pages in self.got.items() for page in range(first, first + pages)]

    def allocate_pages(self, pages: int, start: int | None) -> int | None:
        fits = [first for first in range(start or 7, 8 - pages) if not {*range(first, first + pages)} & {*self.out()}]
        if not fits:
            return None
        self.got[fits[0]] = pages
        return fits[0] << PAGE_SHIFT

    def free_pages(self, address: int, pages: int) -> bool:
        page, offset = divmod(address, 1 << PAGE_SHIFT)
        if offset or self.got.get(page) != pages:
            raise KeyError(address)  # of a heap that does this nothing is said
        del self.got[page]
        return True


def asking(pages: int, start: int | None) -> Choice:
    """Pages are asked for; what is handed out are whole new pages, or it is refused."""

    def may(source: PageSource) -> Callable[[Any], Any]:
        out = source.out()

        def new(address: Any) -> Any:
            if address is None:
                return True
            first = address >> PAGE_SHIFT
            apart = neg(any_of([(first <= page) & (page < first + pages) for page in out]))
            return apart & (first << PAGE_SHIFT == address) & (0 < first) & (first + pages <= BELOW)

        return new

    def step(source: Any) -> Any:
        return source.allocate_pages(pages, start) if isinstance(source, PageSource) else source.allocate_pages(pages)

    return Choice(step, may)


def giving_back(address: int, pages: int) -> Callable[[Any], bool]:
    return lambda source: bool(source.free_pages(number(address) if isinstance(source, Source) else address, pages))


PAGE_NUMBERS = st.integers(1, 6)
ASKED = st.tuples(st.integers(1, 3), st.one_of(st.none(), PAGE_NUMBERS, PAGE_NUMBERS)).map(lambda s: asking(*s))


@MODES
@settings(max_examples=30, deadline=None)
@given(first=st.lists(ASKED, max_size=2), back=st.integers(0, 2), steps=st.lists(ASKED, max_size=2))
def test_where_pages_come_from(integers: bool, first: list[Any], back: int, steps: list[Any]) -> None:
    start = PageSource({})
    for each in first:
        each.step(start)
    held = dict(start.got)
    given = [giving_back(page << PAGE_SHIFT, pages) for page, pages in [*held.items()][:back]]

    def both(run: Run) -> tuple[Source, PageSource]:
        for pair in product(range(8), range(8)):
            run.touch(("page", "later"), pair)
        run_at = {page: first for first, pages in held.items() for page in range(first, first + pages)}
        source = Source(run, PAGE_SHIFT, has_of([*held]), value_of(held), value_of(run_at), 1, BELOW)
        return source, PageSource(dict(held))

    def same(stand_in: Source, real: PageSource) -> Iterator[Any]:
        for page in PROBES:
            yield stand_in.got(number(page)) == (page in real.got)
        for page, pages in real.got.items():
            yield stand_in.length(number(page)) == pages
            for each in range(page, page + pages):
                yield stand_in.run_at(number(each)) == page

    agree(integers, both, [*given, *steps], same)


@MODES
def test_no_pages_are_not_asked_for(integers: bool) -> None:
    nothing = has_of([])
    fails_on_some_path(lambda run: run.call(Source(run, 12, nothing, number, number).allocate_pages, 0), integers)


@MODES
@pytest.mark.parametrize(("address", "pages"), [(2 << PAGE_SHIFT, 1), (5 << PAGE_SHIFT, 2), ((2 << PAGE_SHIFT) + 8, 2)])
def test_pages_that_were_not_got_so_are_not_given_back(integers: bool, address: int, pages: int) -> None:
    held = {2: 2}

    def both(run: Run) -> tuple[Source, PageSource]:
        # How long a run is that is not out is anything.
        return Source(run, PAGE_SHIFT, has_of([*held]), value_of(held, default=2), number), PageSource(dict(held))

    agree(integers, both, [giving_back(address, pages)], lambda stand_in, real: [])
