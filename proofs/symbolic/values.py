"""The types that proofs are written in: what a state is made of, and what stands for it.

Numbers and truths are those of `spec/clauses.py`: Python's, or a solver's terms. What a container holds, and what a
state says of each point, is a function of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from memoracle.spec.clauses import Number, Truth

Condition: TypeAlias = Callable[..., Truth]  # of any number of points
Property: TypeAlias = Callable[[Number], Truth]  # which numbers a set has, a dictionary's keys, where something holds
Relation: TypeAlias = Callable[[Number, Number], Truth]
Function: TypeAlias = Callable[[Number], Number]  # what an array has at an index, a dictionary at a key
Table: TypeAlias = Callable[[Number, Number], Number]  # a function of two: an entry, by its table and index

Made = TypeVar("Made")


def record_of(make: Callable[..., Made], *values: object) -> Made:
    """A record of the reference that holds a solver's terms in the place of numbers and truths."""
    return make(*values)
