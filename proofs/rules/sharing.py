"""The rule that no public function of impl/ shares a container with its caller, and that no two objects share one.

What a function hands out, it does not hold; what it is given, it does not keep. Where it does, its docstring says so:
`Shared on purpose: the answer.` or `Shared on purpose: frames, halves.`, which names parameters. An attribute of the
name of such a parameter is the caller's; any other container that an object has is in one place of it, and is neither
another object's nor a module's, a class's or a default's.

This is held in every state of the scope at which contracts are held, for every argument there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from itertools import product
from types import ModuleType

from memoracle.proofs.contracts.docstrings import PublicFunction, functions
from memoracle.proofs.contracts.scope import State
from memoracle.proofs.contracts.states import scope_of, walk
from memoracle.proofs.exhaustive.snapshots import PLAIN
from memoracle.proofs.parts import component_of
from memoracle.proofs.rules.containers import Found, containers, doubled, of_modules

PACKAGE = "memoracle.impl"
SHARED = re.compile(r"Shared on purpose: ([^.]*)\.")
ANSWER = "the answer"


def shared_on_purpose(function: PublicFunction) -> frozenset[str]:
    """The parameters that a docstring says to be shared, and `the answer`."""
    text = " ".join((function.function.__doc__ or "").split())
    return frozenset(name for match in SHARED.finditer(text) for name in match[1].split(", "))


@cache
def borrowed(owner: type) -> frozenset[str]:
    """The attributes of a class that its callers share, by the docstring of its constructor."""
    made = [each for each in functions(PACKAGE) if each.owner is not None and issubclass(owner, each.owner)]
    return frozenset(name for each in made if each.name == "__init__" for name in shared_on_purpose(each))


def of_reference() -> Found:
    """What the modules of impl/ hold."""
    return of_modules({each.module.__name__: each.module for each in functions(PACKAGE)}.values())


def complaints(component: str, walked: dict[type, list[State]] | None = None) -> Iterator[str]:
    """What the public functions of a component share that they may not.

    walked: is given the states of each class, once all of them have been looked at.
    """
    own = [each for each in functions(PACKAGE) if component_of(each.component) == component]
    modules = of_reference()
    for function in own:
        if function.owner is None or function.name == "__init__":
            yield from _called(function, modules)
    for owner, module in dict.fromkeys((each.owner, each.module) for each in own):
        if owner is not None:
            found: list[State] = []
            yield from _walked(owner, module, modules, [each for each in own if each.owner is owner], found)
            if walked is not None:
                walked[owner] = found
    if modules.keys() != of_reference().keys():
        yield "what a module, a class or a default holds was changed"


def _called(function: PublicFunction, modules: Found) -> Iterator[str]:
    """Of a function of a module, or a constructor: every case of its scope."""
    shared, purpose = set[str](), shared_on_purpose(function)
    ranges = {name: scope_of(function).range_of(function.qualified, name) for name in function.parameters}
    named = {name: values for name, values in ranges.items() if values is not None}
    for each in product(*named.values()):
        said = f"{function.qualified}({', '.join(map(repr, each))})"
        one, other = (_made(function, dict(zip(named, deepcopy(each), strict=True))) for _ in range(2))
        if one is None or other is None:
            continue
        (answer, given), (second, _) = one, other
        reached = containers(answer)
        passed = {name for name, found in given.items() if found.keys() & reached.keys()}
        shared |= passed
        yield from (f"{said} keeps {name}, or hands it out" for name in sorted(passed - purpose))
        if reached.keys() & containers(second).keys():
            yield f"{said} made twice, both have a container in common"
        if modules.keys() & (reached | given_containers(given)).keys():
            yield f"{said}: a container is a module's, a class's or a default"
        yield from (f"{said}: {place}" for place in _doubled(answer))
    yield from (f"{function.qualified} says that {name} is shared, and it is not" for name in sorted(purpose - shared))


def _made(function: PublicFunction, case: dict[str, object]) -> tuple[object, dict[str, Found]] | None:
    """What a function answers, or the object that a constructor makes, and what it was given; None if it may not."""
    if not function.admits(case):
        return None
    given = {name: containers(value) for name, value in case.items()}
    made = () if function.owner is None else (object.__new__(function.owner),)
    answer = function.function(*made, **case)
    return (*made, answer)[0], given


def given_containers(given: Mapping[str, Found]) -> Found:
    return {key: value for found in given.values() for key, value in found.items()}


def _walked(
    owner: type, module: ModuleType, modules: Found, own: Sequence[PublicFunction], found: list[State]
) -> Iterator[str]:
    """Of the methods of a class: each call in each state that they lead to."""
    purpose = {function.name for function in own if ANSWER in shared_on_purpose(function)}
    shared: set[str] = set()
    yield from _takers(own)
    for call in walk(module, owner, found):
        name = call.said.rpartition("; ")[2].partition("(")[0]
        hands_out = type(call.answer) not in PLAIN
        held = containers(call.instance).keys() if call.changed or hands_out else set[int]()
        if hands_out and not containers(call.answer).keys().isdisjoint(held | modules.keys()):
            shared.add(name)
            if name not in purpose:
                yield f"{owner.__name__}: {call.said} hands out a container that it holds"
        if call.changed:
            yield from (f"{call.said}: {place}" for place in _doubled(call.instance))
            if modules.keys() & held:
                yield f"{call.said}: a container of the object is a module's, a class's or a default"
    yield from (f"{name} says that its answer is shared, and it is not" for name in sorted(purpose - shared))


def _takers(own: Sequence[PublicFunction]) -> Iterator[str]:
    """Methods that are given a container: nothing here says what becomes of it."""
    for function in own:
        found = (scope_of(function).range_of(function.qualified, name) for name in function.parameters)
        if function.name != "__init__" and containers(tuple(tuple(values) for values in found if values)):
            yield f"{function.qualified} is given a container, and no rule says what a method may do with it"


def _doubled(instance: object) -> list[str]:
    place = doubled(instance, "self", _borrowed_of)
    return [] if place is None else [place]


def _borrowed_of(value: object) -> frozenset[str]:
    owner: object = type(value)
    return borrowed(owner)
