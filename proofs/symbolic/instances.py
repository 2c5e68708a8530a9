"""What a proof may rest on: facts, and each clause given at each point where it matters.

A clause is written out at a point only when it is looked at: a proof that needs few of many is made from those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import z3

from memoracle.proofs.symbolic import z3_terms
from memoracle.spec.clauses import Clause


class Hypotheses(Sequence[z3.BoolRef]):
    """Facts, then clauses at points; each clause together with the facts that arise while it is written out."""

    def __init__(
        self,
        facts: list[z3.BoolRef],
        instances: Sequence[Callable[[], z3.BoolRef]],
        clauses: Sequence[Clause | None] = (),
    ) -> None:
        """facts: those so far; to this list others add facts while an instance is written out.

        clauses: what each instance is an instance of, where that is a clause of the law.
        """
        self._known = list({fact.get_id(): fact for fact in facts}.values())
        self._facts, self._instances = facts, instances
        self._clauses = clauses
        self._written: dict[int, z3.BoolRef] = {}

    def __len__(self) -> int:
        return len(self._known) + len(self._instances)

    def __getitem__(self, place: Any) -> Any:
        if place >= len(self):
            raise IndexError(place)
        if place < len(self._known):
            return self._known[place]
        if place not in self._written:
            self._written[place] = self._write(self._instances[place - len(self._known)])
        return self._written[place]

    def clause(self, place: int) -> Clause | None:
        """The clause of the law that is given at this place, if one is."""
        place -= len(self._known)
        return self._clauses[place] if 0 <= place < len(self._clauses) else None

    def __iter__(self) -> Iterator[z3.BoolRef]:
        return (self[place] for place in range(len(self)))

    def _write(self, instance: Callable[[], z3.BoolRef]) -> z3.BoolRef:
        before = len(self._facts)
        holds = instance()
        return z3_terms.all_of([holds, *self._facts[before:]])
