"""No method of impl/ raises an error, whatever numbers it gets: what it cannot do, it refuses with None or False."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from memoracle.proofs.contracts.docstrings import PublicFunction, functions
from memoracle.proofs.contracts.scope import State
from memoracle.proofs.contracts.states import scope_of, states
from memoracle.proofs.parts import component_of

PACKAGE = "memoracle.impl"
FAR = (-(1 << 70), -1, 0, 511, 1 << 52, 1 << 64, 1 << 70)  # past either end of whatever there is
STATES = 20  # of a class, evenly out of those that are reachable
SCOPE = f"bounded: {STATES} of the reachable states of the scope of the contracts, each number once out of reach"


def complaints(component: str) -> Iterator[str]:
    """Which methods of a component raise an error, and of which numbers."""
    for function in functions(PACKAGE):
        if component_of(function.component) != component or function.owner is None or function.name == "__init__":
            continue
        found = states(function)
        for state in found[:: -(-len(found) // STATES)]:
            for arguments in out_of_reach(function):
                yield from _raised(function, state, arguments)


def _raised(function: PublicFunction, state: State, arguments: Sequence[object]) -> list[str]:
    try:
        function.function(pickle.loads(state.image), *arguments)
    except Exception as error:
        call = f"{function.qualified}({', '.join(map(repr, arguments))})"
        return [f"{call} of {state.history} raises {type(error).__name__}: {error}"]
    return []


def out_of_reach(function: PublicFunction) -> Iterator[tuple[object, ...]]:
    """Arguments of a method: out of the scope, but for one number of them."""
    ranges = (scope_of(function).range_of(function.qualified, name) for name in function.parameters)
    usual = [values[-1] for values in ranges if values]
    yield tuple(usual)
    for place, value in enumerate(usual):
        yield from ((*usual[:place], other, *usual[place + 1 :]) for other in _others(value))


def _others(value: Any) -> Iterator[object]:
    """The same with a number out of reach, where it is a number or a record that has some."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield from FAR
    elif hasattr(value, "_replace"):
        for name, part in value._asdict().items():
            yield from (value._replace(**{name: other}) for other in _others(part))
