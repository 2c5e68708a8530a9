"""The words that the law is written in.

A clause says, in prose and as a formula, what holds of a state at given points (a frame, a page, an order), and means
"for all points". An operation is a guard and an effect. The guard is a list of clauses about the operation's arguments
and choices: where there is a choice (which free frame?), the law allows every choice that satisfies the guard.
The operation must succeed if some choice does, and must fail if none does; so a guard is stated once and says both.
The effect describes the state that the operation leaves.

The same text is read in three ways. Given Python's numbers and truths, a clause answers True or False: so it is checked
on small states, and so the oracle explains a recorded one. Given a solver's terms it answers with a formula: so it is
proved. It is written with Python's own arithmetic and comparisons, `&` and `|` for "and" and "or", and the words below
for the rest; it never branches.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

Truth: TypeAlias = "bool | Formula"
Number: TypeAlias = "int | Term"
Point: TypeAlias = "int | Term | Formula"  # a number, or a truth
State = TypeVar("State")
Value = TypeVar("Value", "bool | Formula", "int | Term", "int | Term | Formula")  # a truth, a number, or either


class Formula:
    """A truth about a solver's terms."""

    if TYPE_CHECKING:

        def __and__(self, other: Truth) -> Truth: ...
        def __or__(self, other: Truth) -> Truth: ...
        def __rand__(self, other: Truth) -> Truth: ...
        def __ror__(self, other: Truth) -> Truth: ...
        def negated(self) -> Formula: ...
        def choose(self, yes: Any, no: Any) -> Any: ...


class Term:
    """A whole number that a solver reasons about; it counts as Python's numbers do."""

    if TYPE_CHECKING:

        def __add__(self, other: Number) -> Term: ...
        def __sub__(self, other: Number) -> Term: ...
        def __and__(self, other: Number) -> Term: ...
        def __xor__(self, other: Number) -> Term: ...
        def __lshift__(self, other: Number) -> Term: ...
        def __rshift__(self, other: Number) -> Term: ...
        def __radd__(self, other: Number) -> Term: ...
        def __rsub__(self, other: Number) -> Term: ...
        def __rand__(self, other: Number) -> Term: ...
        def __rxor__(self, other: Number) -> Term: ...
        def __rlshift__(self, other: Number) -> Term: ...
        def __rrshift__(self, other: Number) -> Term: ...
        def __lt__(self, other: Number) -> Truth: ...
        def __le__(self, other: Number) -> Truth: ...
        def __gt__(self, other: Number) -> Truth: ...
        def __ge__(self, other: Number) -> Truth: ...
        def bit_length(self) -> Term: ...


def neg(truth: Truth) -> Truth:
    """Not."""
    return truth.negated() if isinstance(truth, Formula) else not truth


def implies(premise: Truth, conclusion: Truth) -> Truth:
    """If the premise holds, so does the conclusion."""
    if premise is False:
        return True
    return neg(premise) | conclusion


def when(condition: Truth, yes: Value, no: Value) -> Value:
    """One value or truth if the condition holds, else the other."""
    if isinstance(condition, Formula):
        chosen: Value = condition.choose(yes, no)
        return chosen
    return yes if condition else no


def at_least(number: Number, floor: Number) -> Number:
    """The number, or the floor if that is larger."""
    return when(number < floor, floor, number)


def at_most(number: Number, ceiling: Number) -> Number:
    """The number, or the ceiling if that is smaller."""
    return when(number > ceiling, ceiling, number)


@dataclass(frozen=True)
class Clause:
    """A named statement about a state, at points named by its parameters."""

    name: str
    says: str
    holds: Callable[..., Truth]
    points: tuple[str, ...]

    def __call__(self, state: Any, *points: Point) -> Truth:
        return self.holds(state, *points)

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Operation:
    """A named change of state: its guard, and its effect with arguments and choices named by its parameters."""

    name: str
    says: str
    guard: tuple[Clause, ...]
    chooses: tuple[str, ...]
    effect: Callable[..., Any]
    points: tuple[str, ...]

    def __call__(self, state: State, *values: Point) -> State:
        after: State = self.effect(state, *values)
        return after

    def __hash__(self) -> int:
        return hash(self.name)

    def allows(self, state: Any, **values: Point) -> Truth:
        """Whether every clause of the guard, all of whose points are given, holds."""
        holds: Truth = True
        for clause in self._decided_by(values):
            holds = holds & clause(state, *(values[point] for point in clause.points))
        return holds

    def broken(self, state: Any, **values: Point) -> Clause | None:
        """The first clause of the guard, all of whose points are given, that does not hold of a concrete state."""
        for clause in self._decided_by(values):
            if not clause.holds(state, *[values[point] for point in clause.points]):
                return clause
        return None

    def _decided_by(self, points: Iterable[str]) -> list[Clause]:
        """The clauses of the guard that speak of none but these points. They are looked for once."""
        given = tuple(points)
        if given not in self._decided:
            self._decided[given] = [clause for clause in self.guard if set(clause.points) <= set(given)]
        return self._decided[given]

    @cached_property
    def _decided(self) -> dict[tuple[str, ...], list[Clause]]:
        return {}


def clause(says: str) -> Callable[[Callable[..., Truth]], Clause]:
    """Declares a clause; it is called after its part and function: `bitmap.only-existing-frames-are-free`."""

    def declare(holds: Callable[..., Truth]) -> Clause:
        return Clause(named(holds), says, holds, tuple(inspect.signature(holds).parameters)[1:])

    return declare


def operation(
    name: str, guard: Iterable[Clause] = (), chooses: Iterable[str] = ()
) -> Callable[[Callable[..., State]], Operation]:
    """Declares an operation or one step of one; its prose is the first paragraph of its docstring."""

    def declare(effect: Callable[..., State]) -> Operation:
        prose = " ".join((inspect.getdoc(effect) or "").split("\n\n")[0].split())
        points = tuple(inspect.signature(effect).parameters)[1:]
        return Operation(name, prose, tuple(guard), tuple(chooses), effect, points)

    return declare


def named(function: Callable[..., Any]) -> str:
    """A function's public name: its part of the law and its own name, in words joined by dashes."""
    return f"{part_of(function)}.{function.__name__.replace('_', '-')}"


def part_of(function: Callable[..., Any]) -> str:
    """The part of the law that a function is written in: what its module says that it is of, or else the module."""
    module = inspect.unwrap(function).__globals__
    part: str = module.get("PART_OF") or module["__name__"].rpartition(".")[2]
    return part
