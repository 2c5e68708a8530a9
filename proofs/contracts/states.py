"""Every state of an object of impl/ that its public operations lead to, in the scope of its component."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from io import BytesIO
from itertools import product
from types import ModuleType
from typing import NamedTuple

from memoracle.proofs.contracts.docstrings import PublicFunction, functions, invariants_hold
from memoracle.proofs.contracts.scope import NO_SCOPE, STATES_AT_MOST, Scope, State, Step
from memoracle.proofs.exhaustive.snapshots import Original, frozen
from memoracle.proofs.processor_time import SECONDS, EndlessError, limits_of_calls


def scope_of(function: PublicFunction) -> Scope:
    return _scopes().get(function.component, NO_SCOPE)


def _scopes() -> Mapping[str, Scope]:
    # Not with this module: it calls the reference, and what is wrong with that is for a claim to find.
    from memoracle.proofs.contracts.scopes import SCOPES

    return SCOPES


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
    """One call of a walk: its text, its answer, the object after it, and whether the call did anything to that."""

    said: str
    answer: object
    instance: object
    changed: bool


def walk(module: ModuleType, owner: type, found: list[State]) -> Iterator[Taken]:
    """Makes every call of every reachable state, and notes the states, breadth first, STATES_AT_MOST of them."""
    scope = _scopes()[module.__name__.rpartition(".")[2]]
    starts: list[tuple[str, object]] = []
    steps, more = list[Step](), scope.more.get(owner.__name__, ())
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
    yield from reachable(starts, steps, more, partial(invariants_hold, module, owner), found)


def _call(function: PublicFunction, arguments: Sequence[object], instance: object) -> object:
    """Calls a method, of an object that keeps its invariants, where `pre:` admits it; otherwise raises ValueError."""
    if not function.admits(dict(zip(function.parameters, (instance, *arguments), strict=True)), invariants=False):
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


class Copy:
    """The object of a state, to try calls on: the same one as long as it is left alone, and otherwise a new one."""

    def __init__(self, state: State) -> None:
        self._image = state.image
        self._instance: object = None
        self._original: Original | None = None

    @property
    def instance(self) -> object:
        if self._original is None:
            self._instance = pickle.loads(self._image)
            self._original = Original(self._instance)
        return self._instance

    def was_left(self) -> bool:
        """Whether nothing has changed it; if anything has, the next one is new."""
        if self._original is not None and self._original.is_whole():
            return True
        self._original = None
        return False


def reachable(
    starts: Iterable[tuple[str, object]],
    steps: Sequence[Step],
    more: Sequence[Step],
    keeps: Callable[[object], bool],
    found: list[State],
) -> Iterator[Taken]:
    """Every call, in every state that the calls lead to, breadth first; the states are noted as they are found.

    steps: calls of methods, made where the object keeps its invariants, as `keeps` says.  more: steps from any state.

    A step that raises leads nowhere: that call is a case of its own contract, which shows the exception. Of one that
    does not return no contract could: raises EndlessError.
    """
    known: dict[object, State] = {}
    for history, instance in starts:
        known.setdefault(frozen(instance), State(pickle.dumps(instance), history))
    found += known.values()
    with limits_of_calls() as limit:
        for state in found:  # which grows
            copy = Copy(state)
            allowed = [*more, *(steps if _answer(keeps, copy.instance, limit) else ())]
            copy.was_left()
            for step in allowed:
                instance, said = copy.instance, f"{state.history}; {step.said}"
                try:
                    answer = _answer(step.run, instance, limit)
                except EndlessError as endless:
                    raise EndlessError(f"{said}: {endless}") from None
                except Exception:
                    copy.was_left()
                    continue
                if copy.was_left():
                    yield Taken(said, answer, instance, False)
                    continue
                key = frozen(instance)
                if key not in known:
                    if len(known) == STATES_AT_MOST:
                        return
                    known[key] = State(pickle.dumps(instance), said)
                    found.append(known[key])
                yield Taken(said, answer, instance, True)


def _answer(run: Callable[[object], object], instance: object, limit: Callable[[float], None]) -> object:
    limit(SECONDS)
    try:
        return run(instance)
    finally:
        limit(0)
