"""What was shown on one path of a proof need not be asked on another: many goals are the same on both.

A goal is what must hold, with what it follows from. Terms are compared by the solver's numbers of them, which are
theirs as long as the runs that made them are kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import z3

from memoracle.proofs.symbolic.z3_terms import identity


def identities(terms: Iterable[z3.BoolRef]) -> frozenset[int]:
    """The solver's numbers of terms."""
    return frozenset(map(identity, terms))


class Shown:
    """The goals of an obligation that were shown so far."""

    def __init__(self) -> None:
        self._from: dict[int, list[frozenset[int]]] = {}  # by what holds, what it follows from

    def add(self, holds: z3.BoolRef, given: frozenset[int]) -> None:
        """That this follows from what is given."""
        self._from.setdefault(identity(holds), []).append(given)

    def covers(self, holds: z3.BoolRef, given: frozenset[int]) -> bool:
        """Whether this was shown to follow from what is given, or from a part of it."""
        return any(each <= given for each in self._from.get(identity(holds), ()))
