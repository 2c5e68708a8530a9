"""Evaluates the law on Python's values: the clauses and operations of a state, over a small domain.

A state of the law is made of functions. Over a small domain each is a table, so states can be compared, and "for all
points" is a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import product
from typing import Any, NamedTuple

from memoracle.spec.clauses import Clause, Operation

Values = Mapping[str, int]


@dataclass(frozen=True)
class Domain:
    """What small states are made of.

    points: the values of each parameter of the law's clauses and operations, by its name.
    functions: of each function of a state, the names of its parameters; a function left out is not looked at.
    matters: of a function or a number by its name, whether what it says at some points means anything in a state; a
    name left out always does.
    """

    points: Mapping[str, Sequence[int]]
    functions: Mapping[str, tuple[str, ...]]
    matters: Mapping[str, Callable[[Any, tuple[int, ...]], object]] = field(default_factory=dict)

    def every(self, parameters: tuple[str, ...]) -> Sequence[tuple[int, ...]]:
        """All points of these parameters."""
        if parameters not in self._listed:
            self._listed[parameters] = list(product(*(self.points[parameter] for parameter in parameters)))
        return self._listed[parameters]

    def keys(self, function: str) -> Sequence[tuple[tuple[object, ...], tuple[int, ...]]]:
        """A function's name with each of its points, and these alone."""
        if function not in self._keys:
            self._keys[function] = [((function, *points), points) for points in self.every(self.functions[function])]
        return self._keys[function]

    @cached_property
    def _listed(self) -> dict[tuple[str, ...], list[tuple[int, ...]]]:
        """The points that were asked for, by their parameters: they are gone through in every state."""
        return {}

    @cached_property
    def _keys(self) -> dict[str, list[tuple[tuple[object, ...], tuple[int, ...]]]]:
        return {}


def settled(state: Any) -> Any:
    """The same state with its answers remembered. What it reads must not change any more."""
    asked = {name: value for name, value in vars(state).items() if callable(value) and not _remembers(value)}
    return replace(state, **{name: cache(value) for name, value in asked.items()})


def _remembers(function: Any) -> bool:
    """Whether it is one of a state that was settled, and that an operation left alone."""
    return hasattr(function, "cache_info")


def seen(state: object, domain: Domain) -> dict[tuple[object, ...], object]:
    """Every number and truth of a state, and every function of the domain at every point, by name and points."""
    table: dict[tuple[object, ...], object] = {}
    for name, value in vars(state).items():
        matters = domain.matters.get(name)
        if name in domain.functions:
            for key, points in domain.keys(name):
                table[key] = value(*points) if matters is None or matters(state, points) else None
        elif not callable(value):
            table[(name,)] = value if matters is None or matters(state, ()) else None
    return table


def broken(clauses: Sequence[Clause], state: object, domain: Domain) -> tuple[Clause, Values] | None:
    """The first clause that does not hold of a state, and where."""
    for clause in clauses:
        holds = clause.holds
        for points in domain.every(clause.points):
            if not holds(state, *points):
                return clause, dict(zip(clause.points, points, strict=True))
    return None


def refused(operation: Operation, state: object, values: Values, domain: Domain) -> Clause | None:
    """The first clause of a guard that does not hold of these arguments and choices and all other points."""
    clause = operation.broken(state, **values)
    if clause is not None or not set(operation.points) <= set(values):
        return clause
    for clause in operation.guard:
        others = tuple(point for point in clause.points if point not in values)
        if others and not _holds_of_all(clause, others, state, values, domain):
            return clause
    return None


def choices(operation: Operation, state: object, given: Values, domain: Domain) -> list[Values]:
    """Every choice of the values that are not given, as far as the guard allows it."""
    found: list[Values] = [given]
    for stage in _stages(operation, tuple(given)):
        if stage.point is not None:
            found = [{**values, stage.point: value} for values in found for value in domain.points[stage.point]]
        for clause in stage.decided:
            holds = clause.holds
            found = [values for values in found if holds(state, *[values[point] for point in clause.points])]
        for clause, others in stage.of_all:
            found = [values for values in found if _holds_of_all(clause, others, state, values, domain)]
    return found


class _Stage(NamedTuple):
    """The next point to choose, or None before any is; and the clauses of the guard whose points are all known then.

    of_all: once every point is chosen, the clauses with further points, of all of which they are to hold.
    """

    point: str | None
    decided: list[Clause]
    of_all: list[tuple[Clause, tuple[str, ...]]]


@cache
def _stages(operation: Operation, given: tuple[str, ...]) -> list[_Stage]:
    """In which order choices are made, and what decides each."""
    stages, known, left = list[_Stage](), dict.fromkeys(given, 0), list(operation.guard)
    point: str | None = None
    while True:
        decided = [clause for clause in left if set(clause.points) <= known.keys()]
        left = [clause for clause in left if clause not in decided]
        following = _next(operation, known)
        others = [(clause, tuple(p for p in clause.points if p not in known)) for clause in left]
        stages.append(_Stage(point, decided, [] if following else others))
        if following is None:
            return stages
        point, known = following, {**known, following: 0}


def _holds_of_all(clause: Clause, others: tuple[str, ...], state: object, values: Values, domain: Domain) -> bool:
    """Whether a clause holds of these values and all other points."""
    holds, at = clause.holds, [values.get(point, 0) for point in clause.points]
    places = [clause.points.index(point) for point in others]
    for points in domain.every(others):
        for place, point in zip(places, points, strict=True):
            at[place] = point
        if not holds(state, *at):
            return False
    return True


def reason(operation: Operation, state: object, given: Values, domain: Domain) -> Clause:
    """The clause because of which a refused operation is refused: the last of the guard that any choice comes up to."""
    point, clause = _next(operation, given), refused(operation, state, given, domain)
    if clause is not None or point is None:
        assert clause is not None, f"{operation.name} is not refused"
        return clause
    reasons = (reason(operation, state, {**given, point: value}, domain) for value in domain.points[point])
    return max(reasons, key=operation.guard.index)


def _next(operation: Operation, given: Values) -> str | None:
    """The point to choose next: one that decides some clause of the guard, so that few choices are tried."""
    left = [point for point in operation.points if point not in given]
    decided = {point: sum(set(clause.points) <= {*given, point} for clause in operation.guard) for point in left}
    return max(left, key=decided.__getitem__, default=None)


def after(operation: Operation, state: object, values: Values) -> object:
    """The state that an operation leaves."""
    return settled(operation(state, *(values[point] for point in operation.points)))
