"""Searches the law breadth first, on Python's values, for the shortest way to a state that it does not allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memoracle.proofs.exhaustive.finite_states import Domain, Values, after, broken, choices, reason, seen, settled
from memoracle.spec.clauses import Clause, Operation

UPDATER, OTHER, CALLER = "processor 1", "processor 2", "a caller"
UPDATES = ("begin-update", "copy-to-one", "end-update", "write-one-master")


@dataclass(frozen=True)
class Variant:
    """A law to search: where it starts, what may happen, what must hold, and what must always become possible again."""

    start: object
    operations: Sequence[Operation]
    clauses: Sequence[Clause]
    domain: Domain
    rests: Clause | None = None  # holds when nobody is waiting; if it can never hold again, the search has found a flaw
    awaited: Sequence[Operation] = ()  # what is waited for when it can't
    then: Operation | None = None  # what may happen next, of which the broken clause speaks


@dataclass(frozen=True)
class Move:
    """An operation that happened, and its arguments and choices."""

    operation: Operation
    values: Values


@dataclass(frozen=True)
class Found:
    """A state that was reached: by which moves, and what can happen next."""

    state: object
    moves: tuple[Move, ...]


def reached(variant: Variant) -> Iterator[Found]:
    """Every state that can be reached, nearest first."""
    start = settled(variant.start)
    known, queue = {_key(start, variant)}, [Found(start, ())]
    for found in queue:
        yield found
        for move, state in _next(found.state, variant):
            key = _key(state, variant)
            if key not in known:
                known.add(key)
                queue.append(Found(state, (*found.moves, move)))


def _next(state: object, variant: Variant) -> Iterator[tuple[Move, object]]:
    for operation in variant.operations:
        for values in choices(operation, state, {}, variant.domain):
            yield Move(operation, values), after(operation, state, values)


def _key(state: object, variant: Variant) -> tuple[object, ...]:
    return tuple(seen(state, variant.domain).values())


def search(variant: Variant) -> str | None:
    """The shortest interleaving that goes wrong, numbered; None if none does."""
    states = []
    for found in reached(variant):
        lost = broken(variant.clauses, found.state, variant.domain)
        if lost is not None:
            return _told(found, [*_follows(found, variant, lost[1]), f"This breaks {_named(*lost)}"])
        states.append(found)
    stuck = _stuck(states, variant) if variant.rests is not None else None
    return None if stuck is None else _told(stuck, _waits(stuck, variant))


def _stuck(states: Sequence[Found], variant: Variant) -> Found | None:
    """The nearest state that waits for ever: nothing awaited can happen, and it can never be at rest again."""
    assert variant.rests is not None
    leads_to: dict[tuple[object, ...], set[tuple[object, ...]]] = {}  # backwards
    resting = []
    for found in states:
        here = _key(found.state, variant)
        if variant.rests(found.state):
            resting.append(here)
        for _, state in _next(found.state, variant):
            leads_to.setdefault(_key(state, variant), set()).add(here)
    able = set(resting)
    for key in resting:
        new = leads_to.get(key, set()) - able
        able |= new
        resting.extend(new)
    vain = (found for found in states if _key(found.state, variant) not in able)
    return next((found for found in vain if not any(_possible(found, variant))), None)


def _possible(found: Found, variant: Variant) -> Iterator[bool]:
    """Whether each awaited operation can happen."""
    return (bool(choices(operation, found.state, {}, variant.domain)) for operation in variant.awaited)


def _follows(found: Found, variant: Variant, at: Values) -> list[str]:
    """What may happen next, where the broken clause says that it must not."""
    if variant.then is None:
        return []
    given = {point: value for point, value in at.items() if point in variant.then.points}
    possible = choices(variant.then, found.state, given, variant.domain)
    return [f"Next, {_said(Move(variant.then, values))}" for values in possible[:1]]


def _waits(found: Found, variant: Variant) -> list[str]:
    """Why nothing that would end the wait can happen."""
    said = ["From here it can never come to rest, whatever anybody does:"]
    for operation in variant.awaited:
        clause = reason(operation, found.state, {}, variant.domain)
        said.append(f"- {operation.name} must wait, for it is not so that {clause.says} ({clause.name})")
    return said


def _told(found: Found, end: Sequence[str]) -> str:
    lines = [f"{number}. {_actor(move)}: {_said(move)}" for number, move in enumerate(found.moves, 1)]
    return "\n".join([*lines, *end])


def _actor(move: Move) -> str:
    subject, _, verb = move.operation.name.partition(".")
    return CALLER if subject in ("frame", "page") else UPDATER if verb in UPDATES else OTHER


def _said(move: Move) -> str:
    values = ", ".join(f"{name} {value}" for name, value in move.values.items())
    return f"{move.operation.name}{f' ({values})' if values else ''}. {move.operation.says}"


def _named(lost: Clause, at: Values) -> str:
    where = ", ".join(f"{name} {value}" for name, value in at.items())
    return f"{lost.name}: {lost.says}{f' ({where})' if where else ''}."
