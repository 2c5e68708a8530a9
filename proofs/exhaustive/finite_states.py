"""The law on Python's values: a state seen over a small domain, what its clauses and operations say there.

A state of the law is made of functions. Over a small domain each is a table, so states can be compared, and "for all
points" is a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import product
from typing import Any

from memoracle.spec.clauses import Clause, Operation

Values = Mapping[str, int]


@dataclass(frozen=True)
class Domain:
    """What small states are made of.

    points: the values of each parameter of the law's clauses and operations, by its name.
    functions: of each function of a state, the names of its parameters; a function left out is not looked at.
    matters: whether a function's value at some points, or a number, means anything in this state.
    """

    points: Mapping[str, Sequence[int]]
    functions: Mapping[str, tuple[str, ...]]
    matters: Callable[[Any, str, tuple[int, ...]], bool] = lambda state, function, points: True

    def every(self, parameters: Sequence[str]) -> Iterator[tuple[int, ...]]:
        """All points of these parameters."""
        return product(*(self.points[parameter] for parameter in parameters))


def settled(state: Any) -> Any:
    """The same state, quick to ask again. What it reads must not change any more."""
    functions = {field.name: getattr(state, field.name) for field in fields(state)}
    return replace(state, **{name: cache(value) for name, value in functions.items() if callable(value)})


def seen(state: Any, domain: Domain) -> dict[tuple[Any, ...], Any]:
    """Every number and truth of a state, and every function of the domain at every point, by name and points."""
    table: dict[tuple[Any, ...], Any] = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if field.name in domain.functions:
            for points in domain.every(domain.functions[field.name]):
                matters = domain.matters(state, field.name, points)
                table[(field.name, *points)] = value(*points) if matters else None
        elif not callable(value):
            table[(field.name,)] = value if domain.matters(state, field.name, ()) else None
    return table


def broken(clauses: Sequence[Clause], state: Any, domain: Domain) -> tuple[Clause, Values] | None:
    """The first clause that does not hold of a state, and where."""
    for clause in clauses:
        for points in domain.every(clause.points):
            if not clause(state, *points):
                return clause, dict(zip(clause.points, points, strict=True))
    return None


def refused(operation: Operation, state: Any, values: Values, domain: Domain) -> Clause | None:
    """The first clause of a guard that does not hold of these arguments and choices and all other points."""
    clause = operation.broken(state, **values)
    if clause is not None or not set(operation.points) <= set(values):
        return clause
    for clause in operation.guard:
        others = [point for point in clause.points if point not in values]
        for points in domain.every(others) if others else ():
            here = {**values, **dict(zip(others, points, strict=True))}
            if not clause(state, *(here[point] for point in clause.points)):
                return clause
    return None


def choices(operation: Operation, state: Any, given: Values, domain: Domain) -> list[Values]:
    """Every way of choosing what is not given that the guard allows."""
    if refused(operation, state, given, domain) is not None:
        return []
    point = _next(operation, given)
    if point is None:
        return [given]
    found = (choices(operation, state, {**given, point: value}, domain) for value in domain.points[point])
    return [choice for some in found for choice in some]


def reason(operation: Operation, state: Any, given: Values, domain: Domain) -> Clause:
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


def after(operation: Operation, state: Any, values: Values) -> Any:
    """The state that an operation leaves."""
    return settled(operation(state, *(values[point] for point in operation.points)))
