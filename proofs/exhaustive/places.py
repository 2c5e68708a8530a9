"""The small system of runs: a few places, each missing, never free, free or in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import product
from typing import Any

from memoracle.impl.runs import Runs
from memoracle.proofs.abstraction.objects import places_of
from memoracle.proofs.exhaustive.explore import Call, Part, Question, System
from memoracle.proofs.exhaustive.finite_states import Domain
from memoracle.proofs.exhaustive.law_search import Variant
from memoracle.spec import run_lists, zones
from memoracle.spec import runs as law

SIZES = (1, 2, 4)


@cache
def domain(reach: int) -> Domain:
    places = range(reach + 1)
    points = {**dict.fromkeys(("place", "other", "first"), places), "count": range(reach + 1)}
    named = ("exists", "never_free", "is_free", "in_use", "next_free", "next_taken", "free_below")
    return Domain(points, dict.fromkeys(named, ("place",)))


def part(runs: Runs) -> Part:
    places = range(runs.places)

    def words(state: Any) -> str:
        said = []
        for place in places:
            kinds = (("never free", state.never_free), ("free", state.is_free), ("in use", state.in_use))
            said.append(next((word for word, holds in kinds if holds(place)), "missing"))
        return f"places {', '.join(said)}; count {state.count}"

    def shows(state: Any) -> list[str]:
        asked = (("is_free", state.is_free), ("exists", state.exists))
        due = {name: [place for place in places if holds(place)] for name, holds in asked}
        found = [f"assert [place for place in {places} if runs.{name}(place)] == {each}" for name, each in due.items()]
        return [*found, f"assert runs.count() == {state.count}"]

    clauses = (*law.INVARIANTS, *law.THEOREMS, *run_lists.THEOREMS)
    return Part(places_of(runs), domain(runs.places), clauses, words, shows)


@cache
def calls(reach: int) -> Sequence[Call | Question]:
    """Every call with numbers from one below the least to one past the last."""
    found: list[Call | Question] = []
    named = {"add": law.add, "add_never_free": law.add_never_free, "reserve": law.reserve, "free": law.free}
    for (name, operation), first, count in product(named.items(), range(-1, reach + 1), range(reach + 2)):
        values = {"first": first, "count": count}
        found.append(Call(f"@.{name}({first}, {count})", _calling(name, first, count), operation, values))
    lowest_run: Callable[[Any, Any], Any] = lambda state, choice: choice["first"]  # noqa: E731
    limits = ((0, reach), (1, reach), (0, reach - 1), (-1, reach + 1))
    for count, alignment, (lowest, below) in product(range(reach + 2), (1, 2, 3), limits):
        values = {"count": count, "alignment": alignment, "lowest": lowest, "below": below}
        said = f"@.allocate({count}, {alignment}, {lowest}, {below})"
        do = _calling("allocate", *values.values())
        found.append(Call(said, do, law.allocate, values, "", "first", "the lowest run", lowest_run))
    for place, (name, clause) in product(
        range(reach), (("is_free", law.tells_whether_free), ("exists", law.tells_whether_it_exists))
    ):
        found.append(Question(f"@.{name}({place})", _calling(name, place), clause, {"place": place}, (False, True)))
    for lowest, below in product(range(reach + 1), repeat=2):
        if lowest <= below:
            said, clause = f"@.count_within({lowest}, {below})", zones.tells_the_count_of_a_zone
            piece = {"start": lowest, "end": below}
            found.append(Question(said, _calling("count_within", lowest, below), clause, piece, range(reach + 1)))
    return [*found, Question("@.count()", _calling("count"), law.tells_the_count, {}, range(reach + 1))]


def _calling(name: str, *arguments: int) -> Callable[[Any], object]:
    return lambda runs: getattr(runs, name)(*arguments)


def runs_system() -> System:
    starts = {f"Runs({size})": partial(Runs, size) for size in SIZES}
    scope = f"bounded: up to {SIZES[-1]} places, each missing, never free, free or in use; runs past either end"
    imports = "from memoracle.impl.runs import Runs"
    return System(
        "runs", scope, imports, "runs", starts, lambda runs: {"": part(runs)}, lambda runs: calls(runs.places)
    )


def asked_variant() -> Variant:
    """Of two places, every state of the law, in which a place may be asked for."""
    return Variant(law.empty(2), (law.add, law.reserve, law.free), law.INVARIANTS, domain(2))
