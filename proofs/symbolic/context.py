"""The context in which a proof is built: which kind of numbers it makes, and what runs its code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import z3

from memoracle.spec.clauses import Truth


class Runner(Protocol):
    """Runs code: says which way a branch goes, and notes what must hold where the code has come to."""

    def decide(self, condition: z3.BoolRef) -> bool: ...
    def assert_and_assume(self, says: str, holds: Truth) -> None: ...


_integers: ContextVar[bool] = ContextVar("integers", default=False)
_runner: ContextVar[Runner | None] = ContextVar("runner", default=None)


def counts_with_integers() -> bool:
    """Whether numbers that are made now are the solver's integers."""
    return _integers.get()


@contextmanager
def counting_with(integers: bool) -> Iterator[None]:
    """Numbers that are made within are the solver's integers, or else bit vectors."""
    outside = _integers.set(integers)
    try:
        yield
    finally:
        _integers.reset(outside)


def runner() -> Runner | None:
    """What runs the code that is run now; None while the law is read."""
    return _runner.get()


@contextmanager
def run_by(one: Runner | None) -> Iterator[None]:
    """What is evaluated within is code that this runs; if None, the law."""
    outside = _runner.set(one)
    try:
        yield
    finally:
        _runner.reset(outside)
