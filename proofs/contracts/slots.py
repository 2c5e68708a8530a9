"""Hands the cases of a scope to CrossHair.

CrossHair decides by `smt_fork` which case a path runs, so its "confirmed over all paths" is about every one of them,
and the path runs the real code on real words and sets.
"""

from __future__ import annotations

import copyreg
import pickle
from array import array
from collections.abc import Callable, Sequence
from copy import deepcopy
from inspect import Signature

import crosshair.core_and_libs  # noqa: F401  (CrossHair's own registrations come first)
from crosshair.core import _PATCH_REGISTRATIONS, LazyCreationRepr, SymbolicFactory, register_type
from crosshair.statespace import StateSpace

from memoracle.proofs.contracts.scope import State

# CrossHair's symbolic stand-in cannot be assigned to a slice of a real array, and every array here is real.
_PATCH_REGISTRATIONS.pop(array, None)
# CrossHair copies the arguments of each path together with their signature, which nothing changes.
copyreg.pickle(Signature, lambda signature: "the same")


class _Chosen:
    """The case that one path of CrossHair's runs."""

    def __init__(self, _solver: object) -> None:
        self.case: Sequence[object] | None = None


def slots(cases: Sequence[Sequence[object]]) -> list[type]:
    """One new type for each parameter, whose values CrossHair takes from the cases, all from the same one."""

    def creator(index: int) -> Callable[[SymbolicFactory], object]:
        def create(factory: SymbolicFactory) -> object:
            chosen = factory.space.extra(_Chosen)
            if chosen.case is None:
                chosen.case = _pick(factory.space, cases)
            return _value(factory.space, chosen.case[index])

        return create

    types = [type("Case", (), {}) for _ in cases[0]]
    for index, slot in enumerate(types):
        register_type(slot, creator(index))
    return types


def _pick(space: StateSpace, cases: Sequence[Sequence[object]]) -> Sequence[object]:
    first, end = 0, len(cases)
    while end - first > 1:
        middle = (first + end) // 2
        if space.smt_fork(desc="case"):
            end = middle
        else:
            first = middle
    return cases[first]


def _value(space: StateSpace, value: object) -> object:
    """A value of its own for this path; a state that a counterexample names by its history."""
    if not isinstance(value, State):
        return deepcopy(value)
    instance: object = pickle.loads(value.image)
    space.extra(LazyCreationRepr).reprs[instance] = lambda _: value.history
    return instance
