"""Every state of an object of impl/ that its public operations lead to, in the scope of its component."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from io import BytesIO
from itertools import product
from types import ModuleType

from memoracle.proofs.contracts.docstrings import PublicFunction, functions
from memoracle.proofs.contracts.scope import NO_SCOPE, SCOPES, STATES_AT_MOST, Scope, State, Step


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
    return reachable(starts, steps)


def _call(function: PublicFunction, arguments: Sequence[object], instance: object) -> None:
    """Calls a method where its precondition admits it; otherwise raises ValueError."""
    if not function.admits(dict(zip(function.parameters, (instance, *arguments), strict=True))):
        raise ValueError("the precondition does not hold")
    function.function(instance, *arguments)


def snapshot(instance: object) -> tuple[Callable[..., object], tuple[type, bytes]]:
    """How a state is copied (copyreg): whole, also where CrossHair copies `__old__` shallowly.

    What its parts share they still share in the copy, since only the whole is copied in this way.
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
    """What a state is, whatever order its sets and dictionaries were filled in."""
    if isinstance(value, Mapping):
        return tuple(sorted((key, canonical(each)) for key, each in value.items()))
    if isinstance(value, list | tuple | array):
        return tuple(value) if value and isinstance(value[0], int) else tuple(canonical(each) for each in value)
    if isinstance(value, Iterable):
        return tuple(sorted(value))
    return canonical(vars(value)) if hasattr(value, "__dict__") else value


def reachable(starts: Iterable[tuple[str, object]], steps: Sequence[Step]) -> list[State]:
    """Every state that the steps lead to, breadth first; or no more than STATES_AT_MOST of them.

    A step that raises leads nowhere: that call is a case of its own contract, which shows the exception.
    """
    found: dict[object, State] = {}
    for history, instance in starts:
        found.setdefault(canonical(instance), State(pickle.dumps(instance), history))
    queue = list(found.values())
    for state in queue:
        for step in steps:
            instance = pickle.loads(state.image)
            try:
                step.run(instance)
            except Exception:
                continue
            key = canonical(instance)
            if key not in found:
                if len(found) == STATES_AT_MOST:
                    return queue
                found[key] = State(pickle.dumps(instance), f"{state.history}; {step.said}")
                queue.append(found[key])
    return queue
