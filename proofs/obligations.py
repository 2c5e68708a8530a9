"""What is to be proved: a claim, its scope, and how the proof is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memoracle.proofs.paths import Run

UNBOUNDED = "unbounded"


@dataclass(frozen=True)
class Obligation:
    """A claim that the solver is to refute the opposite of.

    body: sets a state up, runs code or an operation of the law on it, and claims what must hold, on every path.
    """

    name: str
    component: str
    kind: str
    claim: str
    body: Callable[[Run], None]
    sorts: dict[str, str]
    scope: str = UNBOUNDED
    integers: bool = False  # whether the solver counts with integers, instead of bits

    @property
    def source(self) -> str:
        return source_of(self.body)


def source_of(function: Any) -> str:
    """Where a function stands, as `proofs/buddy.py:41`."""
    code = inspect.unwrap(function).__code__
    path = Path(code.co_filename)
    return f"{path.parent.name}/{path.name}:{code.co_firstlineno}"
