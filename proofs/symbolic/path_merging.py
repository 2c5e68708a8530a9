"""Runs code that branches as one step: every way through it is taken, and their results are merged into one.

The code after it is then run once, not once for each way. What must hold on a way is claimed of that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from memoracle.proofs.symbolic import z3_terms
from memoracle.proofs.symbolic.execution import EndOfRunError, Run
from memoracle.proofs.symbolic.footprint import Footprint, changed, footprint
from memoracle.proofs.symbolic.numbers import SymbolicBool
from memoracle.spec.clauses import when

Parts = Sequence[tuple[object, str]]  # objects, and an attribute of each by name: a function, a truth or a number


class Way(NamedTuple):
    """One way through the code: what it returned, and what the parts of the state were then."""

    result: object
    after: list[object]


def merged(run: Run, parts: Parts, code: Callable[..., object], *arguments: object) -> object:
    """What code returns, merged from all ways. It may change these parts of the state, and nothing else on any way.

    One way goes on from what the one before it left, so ways that change anything else could undo each other.
    """
    before, rest = _read(parts), _reached(parts, code, arguments)

    def begin() -> None:
        _write(parts, before)
        if found := changed(rest, _reached(parts, code, arguments)):
            raise TypeError(f"code changes what does not come together again: {found[0]}")

    def take() -> Way:
        begin()
        return Way(code(*arguments), _read(parts))

    ways = [(SymbolicBool(z3_terms.all_of(learned)), way) for learned, way in run.every_way(take)]
    begin()
    if not ways:
        raise EndOfRunError
    run.conditions.append(z3_terms.any_of([here.z for here, _ in ways]))
    _, (result, after) = ways[0]
    for here, way in ways[1:]:
        result = _join(here, way.result, result)
        after = [_join(here, new, old) for new, old in zip(way.after, after, strict=True)]
    _write(parts, after)
    return result


def _read(parts: Parts) -> list[object]:
    return [getattr(owner, name) for owner, name in parts]


def _reached(parts: Parts, code: Callable[..., object], arguments: tuple[object, ...]) -> Footprint:
    """All that code can reach of the object that it is a method of, of its arguments and of the owners of the parts."""
    own = {(id(owner), name) for owner, name in parts}
    owners = {id(owner): owner for owner, _ in parts}.values()
    others = {
        f"part {place}.{name}": value
        for place, owner in enumerate(owners)
        for name, value in vars(owner).items()
        if (id(owner), name) not in own
    }
    return footprint({"self": getattr(code, "__self__", None), "arguments": arguments, **others})


def _write(parts: Parts, values: list[object]) -> None:
    for (owner, name), value in zip(parts, values, strict=True):
        setattr(owner, name, value)


def _join(here: SymbolicBool, one: Any, other: Any) -> Any:
    """The one where this holds, else the other."""
    if one is other:
        return one
    if isinstance(one, tuple):
        return type(one)(*(_join(here, *both) for both in zip(one, other, strict=True)))
    if callable(one):
        return lambda *points: when(here, one(*points), other(*points))
    return when(here, one, other)
