"""Every state of an object of impl/ that its public operations lead to, in the scope of its component."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from io import BytesIO
from itertools import product
from types import ModuleType
from typing import NamedTuple

from memoracle.proofs.contracts.docstrings import PublicFunction, functions
from memoracle.proofs.contracts.scope import NO_SCOPE, STATES_AT_MOST, Scope, State, Step
from memoracle.proofs.contracts.scopes import SCOPES
from memoracle.proofs.processor_time import SECONDS, EndlessError, limits_of_calls


def scope_of(function: PublicFunction) -> Scope:
    return SCOPES.get(function.component, NO_SCOPE)


def cases(function: PublicFunction) -> list[tuple[object, ...]] | None:
    """Every case that the precondition admits; None if the scope has no range for some parameter."""
    ranges = _ranges(function)
    if ranges is None:
        return None
    return [case for case in product(*ranges) if _admits(function, case)]


def _ranges(function: PublicFunction) -> list[Sequence[object]] | None:
    scope, ranges = scope_of(function), list[Sequence[object]]()
    for parameter in function.parameters:
        if parameter == "self" and scope is not NO_SCOPE:
            ranges.append(states(function))
            continue
        values = scope.range_of(function.qualified, parameter)
        if values is None:
            return None
        ranges.append(values)
    return ranges


def _admits(function: PublicFunction, case: Sequence[object]) -> bool:
    values = (pickle.loads(each.image) if isinstance(each, State) else each for each in case)
    return function.admits(dict(zip(function.parameters, values, strict=True)))


def states(function: PublicFunction) -> Sequence[State]:
    """The states in which a method may be called; of a constructor, the object before it is made."""
    assert function.owner is not None
    if function.name == "__init__":
        return [State(pickle.dumps(object.__new__(function.owner)), f"a new {function.owner.__name__}")]
    return states_of(function.module, function.owner)


@cache
def states_of(module: ModuleType, owner: type) -> list[State]:
    """Every state of a class that its public operations lead to, with every argument that their preconditions admit."""
    found: list[State] = []
    for _ in walk(module, owner, found):
        pass
    return found


class Taken(NamedTuple):
    """One call of a walk: its text, what it answered, the object after it, and whether that is another state."""

    said: str
    answer: object
    instance: object
    changed: bool


def walk(module: ModuleType, owner: type, found: list[State]) -> Iterator[Taken]:
    """Makes every call of every reachable state, and notes the states, breadth first, STATES_AT_MOST of them."""
    scope = SCOPES[module.__name__.rpartition(".")[2]]
    starts: list[tuple[str, object]] = []
    steps = list(scope.more.get(owner.__name__, ()))
    for function in functions(module.__name__.rpartition(".")[0]):
        if function.owner is not owner:
            continue
        ranges = [scope.range_of(function.qualified, name, reaching=True) for name in function.parameters[1:]]
        for arguments in product(*(each for each in ranges if each is not None)):
            said = f"{arguments}" if len(arguments) != 1 else f"({arguments[0]!r})"
            if function.name != "__init__":
                steps.append(Step(f"{function.name}{said}", partial(_call, function, arguments)))
                continue
            instance: object = object.__new__(owner)
            with suppress(Exception):
                _call(function, arguments, instance)
                starts.append((f"{owner.__name__}{said}", instance))
    yield from reachable(starts, steps, found)


def _call(function: PublicFunction, arguments: Sequence[object], instance: object) -> object:
    """Calls a method where its precondition admits it; otherwise raises ValueError."""
    if not function.admits(dict(zip(function.parameters, (instance, *arguments), strict=True))):
        raise ValueError("the precondition does not hold")
    return function.function(instance, *arguments)


def snapshot(instance: object) -> tuple[Callable[..., object], tuple[type, bytes]]:
    """How a state is copied (copyreg): whole, also where CrossHair copies `__old__` shallowly.

    What parts of the state share is still shared in the copy, since the state is only copied as a whole.
    """
    image = BytesIO()
    pickler = pickle.Pickler(image)
    pickler.dispatch_table = {}
    pickler.dump(vars(instance))
    return restore, (type(instance), image.getvalue())


def restore(owner: type, attributes: bytes) -> object:
    """The object whose attributes these are."""
    instance: object = object.__new__(owner)
    vars(instance).update(pickle.loads(attributes))
    return instance


def canonical(value: object) -> object:
    """A state's value, independent of the order in which its sets and dictionaries were filled."""
    if isinstance(value, int):
        return value  # as most are
    if isinstance(value, Mapping):
        return tuple(sorted((key, canonical(each)) for key, each in value.items()))
    if isinstance(value, list | tuple | array):
        return tuple(value) if value and isinstance(value[0], int) else tuple(canonical(each) for each in value)
    if isinstance(value, Iterable):
        return tuple(sorted(value))
    return canonical(vars(value)) if hasattr(value, "__dict__") else value


def reachable(starts: Iterable[tuple[str, object]], steps: Sequence[Step], found: list[State]) -> Iterator[Taken]:
    """Every call, in every state that the calls lead to, breadth first; the states are noted as they are found.

    A step that raises leads nowhere: that call is a case of its own contract, which shows the exception. Of one that
    does not return no contract could: raises EndlessError.
    """
    known: dict[object, State] = {}
    for history, instance in starts:
        known.setdefault(canonical(instance), State(pickle.dumps(instance), history))
    found += known.values()
    keys = list(known)
    with limits_of_calls() as limit:
        for state, before in zip(found, keys, strict=False):  # both grow
            for step in steps:
                instance, said = pickle.loads(state.image), f"{state.history}; {step.said}"
                try:
                    answer = _answer(step, instance, limit)
                except EndlessError as endless:
                    raise EndlessError(f"{said}: {endless}") from None
                except Exception:
                    continue
                key = canonical(instance)
                if key not in known:
                    if len(known) == STATES_AT_MOST:
                        return
                    known[key] = State(pickle.dumps(instance), said)
                    found.append(known[key])
                    keys.append(key)
                yield Taken(said, answer, instance, key != before)


def _answer(step: Step, instance: object, limit: Callable[[float], None]) -> object:
    limit(SECONDS)
    try:
        return step.run(instance)
    finally:
        limit(0)
