"""What every component's law owes: it starts right, its operations keep its invariants, its theorems follow.

An unknown state satisfies the invariants, an operation's guard holds of its arguments, and of the state that its effect
describes each invariant is to hold at any points. There is no list of these obligations: they are made from the law.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from memoracle.proofs.obligations.obligation import UNBOUNDED, Obligation
from memoracle.spec.clauses import Clause, Number, Operation, Point, Truth

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from memoracle.proofs.symbolic.execution import Run
    from memoracle.proofs.symbolic.hypothesis_pool import Sort
    from memoracle.proofs.symbolic.numbers import Symbolic

State = TypeVar("State", bound="DataclassInstance")
Begun = TypeVar("Begun")  # what a claim speaks of: a state, or those before and after an operation


@dataclass(frozen=True)
class Law(Generic[State]):
    """A component's law, and how to speak of an unknown state of it."""

    component: str
    sorts: dict[str, Sort]  # of the parameters of its clauses and functions: which of them range over the same points
    functions: dict[str, Callable[[Run], tuple[object, ...]]]  # any point of each function of a state
    unknown: Callable[[Run], State]
    initial: Callable[[Run], State]
    invariants: Sequence[Clause]
    operations: Sequence[Operation]
    theorems: Sequence[Clause] = ()
    integers: bool = False  # whether the solver counts with integers in these proofs
    given: Sequence[Clause] = ()  # what the laws of other components guarantee of their part of the state
    scope: str = UNBOUNDED
    elsewhere: Sequence[str] = ()  # the parts of the state that these other proofs show to keep their bounds
    once: bool = False  # whether, of an operation, it is enough to instantiate clauses once, even then
    reads: Callable[[Any, dict[str, Any]], object] = lambda state, values: None  # so that clauses are given there, too


def any_point(*parameters: str) -> Callable[[Run], tuple[object, ...]]:
    """Unknown points, one of each parameter."""
    return lambda run: tuple(run.point_of_each(parameters).values())


def obligations(law: Law[Any]) -> Iterator[Obligation]:
    """All of them. What begins alike is settled at once: a joint claim says all of it."""
    initial = [
        _Claimed(f"initially.{short(each)}", f"initially {each.says}", _holds(each), (each,)) for each in law.invariants
    ]
    yield from _jointly(law, "initially", "initial", law.initial, initial, law.once)
    for operation in law.operations:
        kept = [_keeps(operation, clause) for clause in law.invariants]
        bounds = _Claimed(
            f"{short(operation)}.keeps-bounds",
            f"after {operation.name}, every number lies between its bounds",
            partial(_assert_bounds, law),
            (operation,),
        )
        begin = partial(_before_and_after, law=law, operation=operation)
        yield from _jointly(law, f"{short(operation)}.keeps", "invariant", begin, [*kept, bounds], law.once)
    followed = [_follows(clause) for clause in law.theorems]
    yield from _jointly(law, "follows", "theorem", partial(_lawful, law=law), followed)


@dataclass(frozen=True)
class _Claimed(Generic[Begun]):
    """One claim of several about the same beginning. name: without the component.  about: what of the law it names."""

    name: str
    says: str
    assert_goals: Callable[[Run, Begun], None]
    about: tuple[Clause | Operation, ...]


def _jointly(
    law: Law[Any],
    name: str,
    kind: str,
    begin: Callable[[Run], Begun],
    claims: Sequence[_Claimed[Begun]],
    once: bool = False,
) -> list[Obligation]:
    """An obligation for each claim, and what says all of them at once; what claims nothing keeps that from a proof."""

    def body(run: Run) -> None:
        begun = begin(run)
        for claim in claims:
            before = len(run.goals)
            claim.assert_goals(run, begun)
            if len(run.goals) == before:
                run.assert_goal(f"something is claimed by {claim.name}", False)
            run.claimed[f"{law.component}.{claim.name}"] = range(before, len(run.goals))

    says = "; ".join(claim.says for claim in claims)
    joint = Obligation(
        f"{law.component}.{name}", law.component, kind, says, body, law.sorts, law.scope, law.integers, once
    )
    return [_alone(law, kind, begin, claim, once, joint) for claim in claims]


def _alone(
    law: Law[Any],
    kind: str,
    begin: Callable[[Run], Begun],
    claim: _Claimed[Begun],
    once: bool = False,
    joint: Obligation | None = None,
) -> Obligation:
    def body(run: Run) -> None:
        claim.assert_goals(run, begin(run))

    name = f"{law.component}.{claim.name}"
    return Obligation(
        name, law.component, kind, claim.says, body, law.sorts, law.scope, law.integers, once, part_of=joint
    )


def _holds(clause: Clause) -> Callable[[Run, Any], None]:
    """Claims a clause of a state, at any points."""

    def assert_goals(run: Run, state: object) -> None:
        run.assert_goal(clause.says, clause(state, *run.point_of_each(clause.points).values()))

    return assert_goals


def _lawful(run: Run, law: Law[State]) -> State:
    """An unknown state, in which the invariants hold."""
    state = law.unknown(run)
    run.assume_all([*law.given, *law.invariants], state)
    return state


def _before_and_after(run: Run, law: Law[State], operation: Operation) -> tuple[State, State]:
    before, after, _ = happens(run, law, operation)
    return before, after


def _keeps(operation: Operation, clause: Clause) -> _Claimed[tuple[Any, Any]]:
    holds = _holds(clause)
    name, says = f"{short(operation)}.keeps-{short(clause)}", f"after {operation.name}, {clause.says}"
    return _Claimed(name, says, lambda run, states: holds(run, states[1]), (operation, clause))


def _follows(clause: Clause) -> _Claimed[Any]:
    return _Claimed(short(clause), clause.says, _holds(clause), (clause,))


def preserved(law: Law[Any], operation: Operation, clause: Clause, dropped: str | None = None) -> Obligation:
    """That an operation keeps an invariant; with one invariant not taken as given, it may not."""

    def begin(run: Run) -> tuple[Any, Any]:
        before, after, _ = happens(run, law, operation, dropped)
        return before, after

    return _alone(law, "invariant", begin, _keeps(operation, clause), law.once)


def _assert_bounds(law: Law[Any], run: Run, states: tuple[Any, Any]) -> None:
    """Claims that an operation keeps every number between the bounds that the proofs take it to lie in."""
    from memoracle.proofs.symbolic.numbers import Symbolic  # a law can be described without the solver

    before, after = states
    for field in fields(before):
        was, now = getattr(before, field.name), getattr(after, field.name)
        if field.name in law.elsewhere:
            continue
        if isinstance(was, Symbolic):
            run.assert_goal(f"{field.name} keeps its bounds", (was.low <= now) & (now <= was.high))
        elif callable(was) and was in run.bounds:
            low, high = run.bounds[was]
            value = now(*law.functions[field.name](run))
            run.assert_goal(f"{field.name} keeps its bounds", (low <= value) & (value <= high))


def theorem(law: Law[Any], clause: Clause) -> Obligation:
    """That a clause follows from the invariants."""
    return _alone(law, "theorem", partial(_lawful, law=law), _follows(clause))


def leaves(law: Law[Any], operation: Operation, clause: Clause) -> Obligation:
    """That a clause about the operation's own arguments and choices holds of what it leaves."""

    def body(run: Run) -> None:
        _, after, values = happens(run, law, operation)
        points = {**run.point_of_each(clause.points), **values}
        run.assert_goal(clause.says, clause(after, *(points[point] for point in clause.points)))

    name = f"{law.component}.{short(operation)}.leaves-{short(clause)}"
    return Obligation(name, law.component, "theorem", clause.says, body, law.sorts, law.scope, law.integers, law.once)


def changes(law: Law[Any], operation: Operation, relation: Callable[..., Truth], own: Sequence[str] = ()) -> Obligation:
    """That a relation between the states before and after an operation holds, at any points.

    own: the relation's parameters that are the operation's own arguments or choices, and not any points.
    """
    claim = prose(relation)
    parameters = tuple(inspect.signature(relation).parameters)[2:]

    def body(run: Run) -> None:
        before, after, values = happens(run, law, operation)
        points = run.point_of_each(parameter for parameter in parameters if parameter not in own)
        at = {**points, **{parameter: values[parameter] for parameter in own}}
        run.assert_goal(claim, relation(before, after, *(at[parameter] for parameter in parameters)))

    name = f"{law.component}.{short(operation)}.{relation.__name__.replace('_', '-')}"
    return Obligation(name, law.component, "theorem", claim, body, law.sorts, law.scope, law.integers, law.once)


def happens(
    run: Run, law: Law[State], operation: Operation, dropped: str | None = None
) -> tuple[State, State, dict[str, Symbolic]]:
    """An operation happens in an unknown state: the states before and after, and its arguments and choices."""
    before = law.unknown(run)
    run.assume_all([*law.given, *(clause for clause in law.invariants if clause.name != dropped)], before)
    values = run.point_of_each(operation.points)
    permitted(run, operation, before, values)
    law.reads(before, values)
    return before, operation(before, *values.values()), values


def permitted(run: Run, operation: Operation, state: object, values: Mapping[str, Point]) -> None:
    """Takes an operation's guard as given, for these arguments and choices and all other points."""
    for clause in operation.guard:
        others = tuple(point for point in clause.points if point not in values)

        def holds(*points: Number, clause: Clause = clause, others: tuple[str, ...] = others) -> Truth:
            here = {**values, **dict(zip(others, points, strict=True))}
            return clause(state, *(here[point] for point in clause.points))

        run.assume_for_all(others, holds, clause)


def same_state(run: Run, law: Law[State], one: State, other: State, but: Sequence[str] = ()) -> None:
    """Claims that two states are the same, at any points of every function of theirs."""
    for field in fields(one):
        if field.name in but:
            continue
        first, second = getattr(one, field.name), getattr(other, field.name)
        if field.name in law.functions:
            points = law.functions[field.name](run)
            first, second = first(*points), second(*points)
        run.assert_goal(f"{field.name} is what the law says", first == second)


def prose(function: Callable[..., object]) -> str:
    """What a function's docstring says, in one line."""
    return " ".join((function.__doc__ or "").split()).rstrip(".")


def short(named: Clause | Operation) -> str:
    """The name without the component, in words joined by dashes."""
    return named.name.split(".", 1)[1].replace(" ", "-").replace("(", "").replace(")", "").replace("_", "-")
