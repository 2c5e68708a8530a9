"""Holds what a loop's `havoc` supposes against what a turn of the loop left.

`havoc` says of which states a loop's invariant holds: it puts unknown values in place, and supposes something of them.
What a turn left is one of these states if there are values of these unknowns, the witnesses, of which all that is
supposed is so, and with which `havoc` puts in place what there is. So after a turn `havoc` runs once more: in the place
of each unknown it gets a witness, each bound and each supposition becomes a goal, and so does that what it then put in
place equals what the turn left. Wrong witnesses prove nothing: the goals fail.

Where `havoc` has something made (`made_by`), the witness must have been made in the same way: then as much is supposed
of it already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import MethodType
from typing import Any, cast

from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.footprint import Footprint, changed
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, HypothesisPool, Made
from memoracle.proofs.symbolic.numbers import Symbolic, SymbolicBool, number, truth
from memoracle.proofs.symbolic.values import Condition
from memoracle.spec.clauses import Clause, Number, Truth

Points = Mapping[str, tuple[str, ...]]  # by a function's name, the parameters at which it is compared

SUPPOSED = "what the loop supposes is so after a turn"


class WitnessingRun(Run):
    """A run in which unknowns are witnesses, and what is supposed is claimed."""

    witnesses: Iterator[object]
    look_at: Callable[..., None] | None  # what a loop wants to know of the points of a claim
    counts: Sequence[str] = ()  # numbers of distinct things, which are bounded as these are: no bound is claimed
    claims: list[Callable[[], None]]  # to make when it is an ordinary run again

    def any_points(self, parameters: Iterable[str]) -> tuple[Symbolic, ...]:
        """Unknown points, for a goal to speak of."""
        parameters = tuple(parameters)
        made = [
            HypothesisPool.number(self, f"{each}#{next(self.count)}", 0, self.sorts[each].highest)
            for each in parameters
        ]
        for parameter, point in zip(parameters, made, strict=True):
            self.touch((parameter,), (point,))
        if self.look_at is not None:
            with ordinary(self):
                self.look_at(*made)
        return tuple(made)

    def _next(self, name: str, kinds: Any) -> Any:
        found = next(self.witnesses, self)
        if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
            raise TypeError(f"a loop has no witness for its unknown {name}")
        return found

    def _claim_bounds(self, name: str, value: Number, low: int, high: int) -> None:
        if name not in self.counts:
            self.assert_goal(f"{name} lies where the loop supposes it after a turn", (low <= value) & (value <= high))

    def number(self, name: str, low: int = 0, high: int = HIGHEST) -> Symbolic:
        found = number(self._next(name, (int, Symbolic)))
        self._claim_bounds(name.split("#")[0], found, low, high)
        return found

    def truth(self, name: str) -> SymbolicBool:
        return SymbolicBool(truth(self._next(name, (bool, SymbolicBool))))

    def fork(self) -> bool:
        found: bool = self._next("choice", (bool,))
        return found

    def relation(self, name: str, *parameters: str) -> Callable[..., SymbolicBool]:
        found: Callable[..., SymbolicBool] = self._next(name, (Callable,))
        return found

    def function(
        self, name: str, *parameters: str, low: int = 0, high: int = HIGHEST, gives: str | None = None
    ) -> Callable[..., Symbolic]:
        found: Callable[..., Symbolic] = self._next(name, (Callable,))
        self._claim_bounds(name.split("#")[0], found(*self.any_points(parameters)), low, high)
        return found

    def made_by(self, make: Callable[[str], Made], suffix: str) -> Made:
        found: Any = next(self.witnesses, self)
        if not any(how == make and made is found for how, made in self.made):
            raise TypeError("a loop has no witness that was made as its havoc makes it")
        return cast("Made", found)

    def assume(self, *facts: Any) -> None:
        for fact in facts:
            self.assert_and_assume(SUPPOSED, fact)

    def suppose(self, *truths: Truth) -> None:
        self.assume(*truths)

    def assume_for_all(self, parameters: tuple[str, ...], holds: Condition, clause: Clause | None = None) -> None:
        self.assert_goal(SUPPOSED if clause is None else clause.says, holds(*self.any_points(parameters)))


@contextmanager
def ordinary(run: Run) -> Iterator[None]:
    """Makes it a run like any other for a while."""
    kind = run.__class__
    object.__setattr__(run, "__class__", Run)
    try:
        yield
    finally:
        object.__setattr__(run, "__class__", kind)


@contextmanager
def witnessing(
    run: Run, witnesses: Iterable[object], look_at: Callable[..., None] | None = None, counts: Sequence[str] = ()
) -> Iterator[list[Callable[[], None]]]:
    """Makes each unknown the next of these witnesses; the claims to make afterwards.

    Raises TypeError if there are too few witnesses, or too many.
    """
    kind, left = run.__class__, iter(witnesses)
    claims: list[Callable[[], None]] = []
    object.__setattr__(run, "__class__", WitnessingRun)
    vars(run).update(witnesses=left, claims=claims, look_at=look_at, counts=counts)
    try:
        yield claims
        if next(left, run) is not run:
            raise TypeError("a loop has more witnesses than its havoc has unknowns")
    finally:
        object.__setattr__(run, "__class__", kind)


def claim_same(run: Run, points: Points, before: Footprint, after: Footprint) -> None:
    """Claims that all parts are what they were."""
    for path in sorted(changed(before, after)):
        one, other = before.get(path), after.get(path)
        says = f"a turn leaves {path} as the loop supposes it"
        if one is None or other is None or len(one) != len(other):
            run.assert_goal(says, False)
        else:
            for each, due in zip(one, other, strict=True):
                _claim_equal(run, says, path, points, each, due)


def _claim_equal(run: Run, says: str, path: str, points: Points, one: Any, other: Any) -> None:
    """Claims that two values are equal: numbers, truths, functions, or records of these."""
    if one is other or (isinstance(one, MethodType) and one == other):
        return
    if isinstance(one, bool | SymbolicBool) and isinstance(other, bool | SymbolicBool):
        run.assert_goal(says, SymbolicBool(truth(one) == truth(other)))
    elif isinstance(one, int | Symbolic) and isinstance(other, int | Symbolic):
        run.assert_goal(says, number(one) == number(other))
    elif type(one) is not type(other) and not (callable(one) and callable(other)):
        run.assert_goal(says, False)
    elif is_dataclass(one):
        for field in fields(one):
            parts = getattr(one, field.name), getattr(other, field.name)
            _claim_equal(run, says, f"{path}.{field.name}", points, *parts)
    elif isinstance(one, tuple):
        for each, due in zip(one, other, strict=True):
            _claim_equal(run, says, path, points, each, due)
    elif callable(one):
        name = path.rsplit(".", 1)[-1]
        if name not in points:
            raise TypeError(f"a loop's havoc puts {path} in place, and its `points` do not say where to compare it")
        at = run.point_of_each(points[name]).values()
        _claim_equal(run, says, path, points, one(*at), other(*at))
    elif type(one).__module__.startswith("memoracle.proofs."):
        return  # a stand-in made anew: its parts are compared
    else:
        run.assert_goal(says, False)
