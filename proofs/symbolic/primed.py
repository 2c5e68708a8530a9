"""A second unknown state of something of which a proof already has one, under new names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.clauses import Number


class Renamed:
    """A run in which unknown functions have names of their own, and these numbers; other numbers never change."""

    NOTES = ("run", "suffix", "numbers")  # what no loop's invariant need speak of

    def __init__(self, run: Run, suffix: str, numbers: Sequence[str] = ()) -> None:
        self.run, self.suffix, self.numbers = run, suffix, numbers

    def __getattr__(self, name: str) -> object:
        return getattr(self.run, name)

    def relation(self, name: str, *parameters: str) -> Callable[..., object]:
        return self.run.relation(f"{name}{self.suffix}", *parameters)

    def function(self, name: str, *parameters: str, **bounds: Any) -> Callable[..., Any]:
        return self.run.function(f"{name}{self.suffix}", *parameters, **bounds)

    def number(self, name: str, *bounds: int) -> Number:
        return self.run.number(f"{name}{self.suffix}" if name in self.numbers else name, *bounds)
