"""What is to be proved: a claim, its scope, and how the proof is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what is owed can be named without the solver
    from memoracle.proofs.symbolic.execution import Run
    from memoracle.proofs.symbolic.hypothesis_pool import Sort

UNBOUNDED, GEOMETRY = "unbounded", "geometry"  # scopes: any size, and the sizes of one geometry
PACKAGE, WINGS = "memoracle", ("spec", "impl", "proofs")  # the rest of the package is `oracle/`


@dataclass(frozen=True)
class Obligation:
    """A claim that the solver is to refute the opposite of.

    body: sets a state up, runs code or an operation of the law on it, and claims what must hold, on every path.
    part_of: a claim of this and more at once, which proves all of it at the cost of little more than one.
    """

    name: str
    component: str
    kind: str
    claim: str
    body: Callable[[Run], None]
    sorts: dict[str, Sort]
    scope: str = UNBOUNDED
    integers: bool = False  # whether the solver counts with integers, instead of bits
    once: bool = False  # whether it is enough to instantiate clauses once, even then
    part_of: Obligation | None = None

    @property
    def together(self) -> str:
        """What names those that are settled at once."""
        return "" if self.part_of is None else self.part_of.name

    @property
    def rounds(self) -> int:
        """How often clauses are instantiated at new points: where proofs count, once more."""
        return 2 if self.integers and not self.once else 1

    @property
    def source(self) -> str:
        return source_of(self.body)


@dataclass(frozen=True)
class Computation:
    """A claim that is settled by running something to its end: an exhaustive run of a small state, a count of models.

    run: what is wrong, for people to read, or None if the claim holds.  shows: what was found, if that is of interest.
    together: those that name the same share what they run, and so are best settled in one process.
    """

    name: str
    component: str
    kind: str
    claim: str
    run: Callable[[], str | None]
    scope: str
    shows: Callable[[], str | None] | None = None
    together: str = ""

    @property
    def source(self) -> str:
        return source_of(self.run)


def source_of(function: Callable[..., object]) -> str:
    """Where a function stands, as `proofs/components/buddy/__init__.py:41`."""
    function = inspect.unwrap(function)
    code = function.__code__
    folders = function.__module__.split(".")
    if folders[0] == PACKAGE:
        folders[:1] = [] if folders[1] in WINGS else ["oracle"]
    if Path(code.co_filename).name == "__init__.py":
        folders.append("__init__")
    return f"{'/'.join(folders)}.py:{code.co_firstlineno}"


@dataclass(frozen=True)
class Claims:
    """Declares the claims about one component, which have its sorts and its scope.

    integers: whether the solver counts with integers, unless a claim says otherwise.  once: whether it is enough to
    instantiate clauses once, even then.
    """

    component: str
    sorts: dict[str, Sort]
    scope: str = UNBOUNDED
    integers: bool = False
    once: bool = False

    def __call__(
        self, name: str, kind: str, claim: str, integers: bool | None = None
    ) -> Callable[[Callable[[Run], None]], Obligation]:
        """Declares the body that follows to be the proof of a claim; `name` is without the component."""
        counts = self.integers if integers is None else integers

        def declare(body: Callable[[Run], None]) -> Obligation:
            named = f"{self.component}.{name}"
            return Obligation(named, self.component, kind, claim, body, self.sorts, self.scope, counts, self.once)

        return declare
