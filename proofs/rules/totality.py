"""The rule that methods of impl/ are total: whatever numbers they get, they answer, and raise no error.

What a method cannot do it refuses, with None, False or 0, as its contract says, and so also for numbers out of range.
So its `pre:` may be about the state of its object, but excludes no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from memoracle.proofs.contracts.docstrings import PublicFunction, functions
from memoracle.proofs.contracts.scope import State
from memoracle.proofs.contracts.states import Copy, scope_of, states
from memoracle.proofs.parts import component_of
from memoracle.proofs.processor_time import SECONDS, EndlessError, limits_of_calls

PACKAGE = "memoracle.impl"
FAR = (-(1 << 70), -1, 0, 511, 1 << 52, 1 << 64, 1 << 70)  # past both ends of every range
STATES = 20  # of a class, chosen evenly from those that are reachable
SCOPE = f"bounded: {STATES} of the reachable states of the scope of the contracts, each number once out of reach"


def complaints(component: str, walked: Mapping[type, Sequence[State]] | None = None) -> Iterator[str]:
    """Which methods of a component raise an error, break their contract or exclude a number, and of which numbers.

    walked: the states of classes, as far as they are known.
    """
    trials: dict[State, Trial] = {}
    for function in functions(PACKAGE):
        if component_of(function.component) != component or function.owner is None or function.name == "__init__":
            continue
        usual, *others = out_of_reach(function)
        every = [
            trials.setdefault(state, Trial(state)) for state in (walked or {}).get(function.owner) or states(function)
        ]
        found = [trial for trial in every if _admitted(function, trial, usual)]
        some = found[:: -(-len(found) // STATES)] if found else []
        for arguments in others:
            admitting = [trial for trial in some if _admitted(function, trial, arguments)]
            if not admitting:
                yield f"{_said(function, arguments)} is excluded by `pre:` in every state"
            for trial in admitting:
                yield from _called(function, trial, arguments)


class Trial:
    """A state to try calls in: an object to call, and one that stays as it was before."""

    def __init__(self, state: State) -> None:
        self.history, self.copy, self.before = state.history, Copy(state), Copy(state)


def _admitted(function: PublicFunction, trial: Trial, arguments: Sequence[object]) -> bool:
    if not function.excludes:
        return True
    admitted = function.admits(_named(function, trial.before.instance, arguments), invariants=False)
    trial.before.was_left()
    return admitted


def _said(function: PublicFunction, arguments: Sequence[object]) -> str:
    return f"{function.qualified}({', '.join(map(repr, arguments))})"


def _named(function: PublicFunction, instance: object, arguments: Sequence[object]) -> dict[str, object]:
    return dict(zip(function.parameters, (instance, *arguments), strict=True))


def _called(function: PublicFunction, trial: Trial, arguments: Sequence[object]) -> Iterator[str]:
    """What is wrong with one call."""
    call = f"{_said(function, arguments)} of {trial.history}"
    named = _named(function, trial.copy.instance, arguments)
    before = SimpleNamespace(**_named(function, trial.before.instance, arguments))
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
    finally:
        trial.copy.was_left()
        trial.before.was_left()
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
