"""Runs code that branches as one step: every way through it is taken, and their results are merged into one.

The code after it is then run once, not once for each way. What must hold on a way is claimed of that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from memoracle.proofs.symbolic import z3_terms
from memoracle.proofs.symbolic.execution import EndOfRunError, Run
from memoracle.proofs.symbolic.numbers import SymbolicBool
from memoracle.spec.clauses import when

Parts = Sequence[tuple[Any, str]]  # objects, and the name of an attribute of each: a function, or a truth or a number


class Way(NamedTuple):
    """One way through the code: what it returned, and what the parts of the state were then."""

    result: object
    after: list[object]


def merged(run: Run, parts: Parts, code: Callable[..., object], *arguments: object) -> object:
    """What code returns, merged from all ways. It may change these parts of the state, no others of their owners."""
    before, rest = _read(parts), _others(parts)

    def take() -> Way:
        _write(parts, before)
        result = code(*arguments)
        if any(now is not then for now, then in zip(_others(parts), rest, strict=True)):
            raise TypeError("code changes what does not come together again")
        return Way(result, _read(parts))

    ways = [(SymbolicBool(z3_terms.all_of(learned)), way) for learned, way in run.every_way(take)]
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


def _others(parts: Parts) -> list[object]:
    """The other attributes of the owners of these parts."""
    owners = {id(owner): owner for owner, _ in parts}.values()
    own = {(id(owner), name) for owner, name in parts}
    return [value for owner in owners for name, value in vars(owner).items() if (id(owner), name) not in own]


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
