"""Proofs of `impl/arena.py`: the pages of an arena lie in it, and are handed out and given back as whole runs.

The code runs on the reference of runs, with sets of places that are unknown. Addresses are shifted page numbers: the
lemmas about these are proved in `address_arithmetic.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Protocol, cast

from memoracle.impl import arena as code
from memoracle.impl.arena import Arena
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.heap.address_arithmetic import (
    MOST_PAGES,
    PAGE,
    computed_places,
    pages_divide_bounds,
    pages_follow_addresses,
    pages_have_addresses,
)
from memoracle.proofs.components.heap.law import LARGEST_PAGE, LEAST_PAGE, SCOPE
from memoracle.proofs.components.runs import symbolic_runs
from memoracle.proofs.components.runs.law import SORTS as RUN_SORTS
from memoracle.proofs.components.runs.symbolic_runs import SymbolicRuns
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.constructed import constructed
from memoracle.proofs.symbolic.containers import Map
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.numbers import number
from memoracle.spec import given_runs as law
from memoracle.spec import runs as runs_law
from memoracle.spec.clauses import Number, Truth, at_least, implies, neg, when
from memoracle.spec.heap import ADDRESSES

ATTRIBUTES = frozenset({"page_shift", "first", "runs", "given"})
SORTS = RUN_SORTS | dict.fromkeys(("address", "start"), Sort("address")) | {"page": PAGE}
proved_of_code = Claims("heap", SORTS, SCOPE, integers=True, once=True)


class SymbolicArena(Protocol):
    """The reference with stand-ins in the place of its containers."""

    page_shift: Number
    first: Number
    runs: SymbolicRuns
    given: Map

    def allocate_pages(self, pages: Number) -> Number | None: ...
    def free_pages(self, address: Number, pages: Number) -> Truth: ...


def unknown_code(run: Run) -> tuple[SymbolicArena, law.GivenRuns]:
    """The reference with any pages, any of them handed out, and the law's state for it."""
    runs, places = symbolic_runs.unknown_code(run)
    page_shift, first = run.number("page_shift", LEAST_PAGE, LARGEST_PAGE), run.number("first", 1, MOST_PAGES)
    is_given, pages = run.relation("is_given", "place"), run.function("given", "place")
    run.assume_for_all(("place",), lambda place: implies(is_given(place), 1 <= pages(place)))

    def given(place: Number) -> Number:
        return when(is_given(place), pages(place), number(0))

    arena = constructed(Arena, page_shift=page_shift, first=first, runs=runs, given=Map(run, is_given, pages))
    return cast("SymbolicArena", arena), law.GivenRuns(places, given)


def constants(arena: SymbolicArena) -> list[object]:
    return [getattr(arena, name) for name in sorted(ATTRIBUTES)]


def is_the_laws(run: Run, arena: SymbolicArena, state: law.GivenRuns, before: list[object]) -> None:
    """Claims that the reference stands for this state, and has the sizes and the containers that it had."""
    symbolic_runs.is_the_laws(run, arena.runs, state.places)
    place = run.point("place")
    given: Number = when(arena.given.has(place), arena.given.at(place), 0)
    run.assert_goal("the runs that were given are those of the law", given == state.given(place))
    run.assert_goal("each of them has a page", implies(arena.given.has(place), 1 <= arena.given.at(place)))
    kept = all(now is was for now, was in zip(constants(arena), before, strict=True))
    run.assert_goal("its sizes and containers are the ones that it was made with", kept)
    run.assert_goal("every attribute is compared", vars(arena).keys() == ATTRIBUTES)


@proved_of_code(
    "arena.allocate-pages.refines", "refinement", "the lowest run of so many free pages is given, if there is one"
)
def allocate_refines(run: Run) -> None:
    arena, state = unknown_code(run)
    pages, other, before = run.any_number("count"), run.point("first"), constants(arena)
    asked: dict[str, Number] = {"count": pages, "alignment": 1, "lowest": 0, "below": state.places.reach}
    found: list[Number | None] = []
    allocate = arena.runs.allocate

    def noted(*arguments: Number) -> Number | None:
        found.append(allocate(*arguments))
        return found[-1]

    run.replace(arena.runs, "allocate", noted)
    address = run.call(arena.allocate_pages, pages)
    del vars(arena.runs)["allocate"]
    may_be_given = runs_law.allocate.allows(state.places, first=other, **asked)
    if address is None:
        run.assert_goal("it fails only if there is none", neg(may_be_given))
        is_the_laws(run, arena, state, before)
        return
    (place,) = found
    assert place is not None
    run.assert_goal("the law allows the run", runs_law.allocate.allows(state.places, first=place, **asked))
    run.assert_goal("there is no lower one", implies(may_be_given, place <= other))
    run.assert_goal("its address is that of its first page", address == arena.first + place << arena.page_shift)
    is_the_laws(run, arena, law.give(state, place, pages), before)


@proved_of_code("arena.free-pages.refines", "refinement", "just what one allocation gave is given back")
def free_refines(run: Run) -> None:
    arena, state = unknown_code(run)
    address, pages, before = run.any_number("address"), run.any_number("count"), constants(arena)
    place = (address >> arena.page_shift) - arena.first
    run.touch(("place",), (place,))
    state.places.free_below(state.places.next_free(place))
    allowed = law.free_whole.allows(state, first=place, count=pages)
    run.assume_for_all(("place",), lambda each: implies(allowed, may_be_freed(state, place, pages, each)))
    begins = address & (1 << arena.page_shift) - 1 == 0
    if run.call(lambda: bool(arena.free_pages(address, pages))):
        run.assert_goal("a run of so many pages was given there", begins & allowed)
        is_the_laws(run, arena, law.free_whole(state, place, pages), before)
        return
    run.assert_goal("it fails only if none was", neg(begins & allowed))
    is_the_laws(run, arena, state, before)


def may_be_freed(state: law.GivenRuns, first: Number, count: Number, place: Number) -> Truth:
    """What `runs.free-whole.is-a-free` shows of a run that was given."""
    return runs_law.free.allows(state.places, first=first, count=count, place=place)


def new_runs(places: Number) -> Any:
    """What a constructor makes of runs: how many places, and which were added."""
    added: list[tuple[Number, Number]] = []
    return SimpleNamespace(places=places, added=added, add=lambda first, count: added.append((first, count)))


@proved_of_code(
    "arena.start.refines", "refinement", "at first just the whole pages of an arena are free, but for page 0"
)
def start_refines(run: Run) -> None:
    start, end, page_shift = any_bounds(run)
    run.replace(code, "Runs", new_runs)
    both: list[Any] = [run.call(Arena, start, end, page_shift) for _ in range(2)]
    for arena in both:
        run.assert_goal("it has the attributes that proofs compare", vars(arena).keys() == ATTRIBUTES)
        run.assert_goal("nothing is given", arena.given == {})
        run.assert_goal("pages have their size", arena.page_shift is page_shift)
        ((least, pages),) = arena.runs.added
        run.assert_goal("the pages are added from the first place on", least == 0)
        run.assert_goal("there is a place for each", arena.runs.places == at_least(pages, 1))
    page = run.point("page")
    run.assume(page + 1 <= 1 << 64 - page_shift)
    assume_bounds(run, start, end, page_shift, page, page + 1)
    begins, ends = page << page_shift, page + 1 << page_shift
    run.assert_goal("no page before the first lies in it", (arena.first <= page) == (1 <= page) & (start <= begins))
    run.assert_goal("no page behind the last lies in it", (page < arena.first + pages) == (ends <= end))
    run.assert_goal("two arenas share nothing", not share(*both) and both[0].runs is not both[1].runs)


def any_bounds(run: Run) -> tuple[Number, Number, Number]:
    """The bounds of any arena, whose last page may be the last of all, and the binary logarithm of a page's bytes."""
    return run.point("start"), run.fresh("end", 0, ADDRESSES), run.number("page_shift", LEAST_PAGE, LARGEST_PAGE)


def assume_bounds(run: Run, start: Number, end: Number, page_shift: Number, page: Number, later: Number) -> None:
    """Assumes the lemmas that say whether a page begins behind an arena's start, and a later one before its end."""
    places = computed_places(page_shift)
    run.assume(pages_follow_addresses(places, page_shift, start, page))
    run.assume(pages_divide_bounds(places, page_shift, end, later))


@proved_of_code(
    "arena.pages-lie-in-it", "theorem", "pages that are handed out lie in the arena, and are found by their address"
)
def pages_lie_in_it(run: Run) -> None:
    start, end, page_shift = any_bounds(run)
    run.replace(code, "Runs", new_runs)
    arena: Any = run.call(Arena, start, end, page_shift)
    ((_, pages),) = arena.runs.added
    place, count = run.point("place"), run.point("count")
    page = arena.first + place
    run.assume(1 <= count, place + count <= pages, page + count <= 1 << 64 - page_shift)
    address, places = page << page_shift, computed_places(page_shift)
    assume_bounds(run, start, end, page_shift, page, page + count)
    run.assume(pages_have_addresses(places, page_shift, page, address))
    run.assert_goal("the first lies in the arena", (0 < address) & (start <= address))
    run.assert_goal("what follows the last begins in it, or ends it", page + count << page_shift <= end)
    run.assert_goal("they are looked up at their place", (address >> page_shift) - arena.first == place)
    run.assert_goal("they begin at a page", places.begins(address))


CODE = (allocate_refines, free_refines, start_refines, pages_lie_in_it)


def obligations() -> Iterator[Obligation]:
    yield from CODE
