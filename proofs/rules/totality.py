"""The rule that methods of impl/ are total: whatever numbers they get, they answer, and raise no error.

What a method cannot do it refuses, with None, False or 0, as its contract says, and so also for numbers out of range.
So its `pre:` may be about the state of its object, but excludes no number.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from memoracle.proofs.contracts.docstrings import PublicFunction, functions
from memoracle.proofs.contracts.scope import State
from memoracle.proofs.contracts.states import scope_of, states
from memoracle.proofs.parts import component_of
from memoracle.proofs.processor_time import SECONDS, EndlessError, limits_of_calls

PACKAGE = "memoracle.impl"
FAR = (-(1 << 70), -1, 0, 511, 1 << 52, 1 << 64, 1 << 70)  # past both ends of every range
STATES = 20  # of a class, chosen evenly from those that are reachable
SCOPE = f"bounded: {STATES} of the reachable states of the scope of the contracts, each number once out of reach"


def complaints(component: str) -> Iterator[str]:
    """Which methods of a component raise an error, break their contract or exclude a number, and of which numbers."""
    for function in functions(PACKAGE):
        if component_of(function.component) != component or function.owner is None or function.name == "__init__":
            continue
        usual, *others = out_of_reach(function)
        found = [state for state in states(function) if _admitted(function, state, usual)]
        some = found[:: -(-len(found) // STATES)] if found else []
        for arguments in others:
            admitting = [state for state in some if _admitted(function, state, arguments)]
            if not admitting:
                yield f"{_said(function, arguments)} is excluded by `pre:` in every state"
            for state in admitting:
                yield from _called(function, state, arguments)


def _admitted(function: PublicFunction, state: State, arguments: Sequence[object]) -> bool:
    return function.admits(_named(function, pickle.loads(state.image), arguments), invariants=False)


def _said(function: PublicFunction, arguments: Sequence[object]) -> str:
    return f"{function.qualified}({', '.join(map(repr, arguments))})"


def _named(function: PublicFunction, instance: object, arguments: Sequence[object]) -> dict[str, object]:
    return dict(zip(function.parameters, (instance, *arguments), strict=True))


def _called(function: PublicFunction, state: State, arguments: Sequence[object]) -> Iterator[str]:
    """What is wrong with one call."""
    call = f"{_said(function, arguments)} of {state.history}"
    named = _named(function, pickle.loads(state.image), arguments)
    before = SimpleNamespace(**_named(function, pickle.loads(state.image), arguments))
    try:
        with limits_of_calls() as limit:
            limit(SECONDS)
            answer = function.function(**named)
        broken = function.broken(named, before, answer)
    except EndlessError as endless:
        yield f"{call}: {endless}"
        return
    except Exception as error:
        yield f"{call} raises {type(error).__name__}: {error}"
        return
    if broken is not None:
        yield f"{call} breaks its contract: {broken}"


def out_of_reach(function: PublicFunction) -> Iterator[tuple[object, ...]]:
    """Arguments of a method: all from the scope, except one number that is out of range."""
    ranges = (scope_of(function).range_of(function.qualified, name) for name in function.parameters)
    usual = [values[-1] for values in ranges if values]
    yield tuple(usual)
    for place, value in enumerate(usual):
        yield from ((*usual[:place], other, *usual[place + 1 :]) for other in _others(value))


def _others(value: Any) -> Iterator[object]:
    """The value with a number out of range in its place, or in the place of a number in a record."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield from FAR
    elif hasattr(value, "_replace"):
        for name, part in value._asdict().items():
            yield from (value._replace(**{name: other}) for other in _others(part))
