"""Trials of what stands in for something: the same steps on it and on what it stands for, on every path that there is.

The contents are constants, so the solver can tell on each path what the stand-in knows. On paths that the real thing
can take, every claim must hold; a path that it does not take must contradict itself; and where the real thing raises an
error, what the stand-in claims there must fail. Where a stand-in may answer one of several things, some path must admit
what the real thing answers, and no path may answer what is not allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import z3
from hypothesis import strategies as st

from memoracle.proofs.symbolic.containers import WORD, Set, any_of
from memoracle.proofs.symbolic.execution import EndOfRunError, Run, explore
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, Sort
from memoracle.proofs.symbolic.numbers import number, truth
from memoracle.spec.clauses import neg, when

PAGE, PLACE = Sort("page"), Sort("place")
NAMES = ("item", "key", "list", "index", "slot", "table", "address", "space", "value", "note")
SORTS = {**{name: Sort(name) for name in NAMES}, "page": PAGE, "later": PAGE, "place": PLACE, "other": PLACE}
KEYS = st.integers(0, 5)
ROWS = st.integers(0, 2)
VALUES = st.one_of(st.integers(0, 3), st.sampled_from([WORD, WORD - 1]))
ANY_VALUE = st.one_of(VALUES, st.sampled_from([WORD + 1, -1]))
PROBES = [*range(7), HIGHEST]
MODES = pytest.mark.parametrize("integers", [False, True])
Body = Callable[[Run], None]


@dataclass(frozen=True)
class Choice:
    """A step of which the answer is one of several: `may` tells of a container, before the step, which those are."""

    step: Callable[[Any], Any]
    may: Callable[[Any], Callable[[Any], Any]]


def possible(run: Run, integers: bool, *formulas: Any) -> bool:
    """Whether formulas can hold together in a run."""
    solver = z3.SolverFor("QF_UFLIA" if integers else "QF_UFBV")
    solver.set("rlimit", 50_000_000)
    solver.add(*run.hypotheses(2), *formulas)
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.sat)


def holds_on_every_path(body: Body, integers: bool) -> None:
    """Every goal of every path holds, and some path can be taken to its end."""
    runs = explore(SORTS, body, integers)
    assert not any(can_fail(run, integers) for run in runs)
    assert any(run.goals and possible(run, integers, *run.conditions) for run in runs)


def can_fail(run: Run, integers: bool) -> bool:
    """Whether some goal of a run can fail."""
    return possible(run, integers, z3.Or([z3.And(*goal.conditions, z3.Not(goal.holds)) for goal in run.goals]))


def fails_on_some_path(body: Body, integers: bool) -> None:
    """What the code must not do is noticed."""
    assert any(can_fail(run, integers) for run in explore(SORTS, body, integers))


def agree(integers: bool, both: Callable[[Run], tuple[Any, Any]], steps: Sequence[Any], same: Any) -> None:
    """Runs the same steps on a stand-in and on what it stands for, and compares what they answer and what is left.

    A step takes a stand-in or a container.
    """
    raised = False
    ended: list[Run] = []  # the runs that came to their end

    def body(run: Run) -> None:
        nonlocal raised
        stand_in, real = both(run)
        for each in steps:
            step = each.step if isinstance(each, Choice) else each
            may = each.may(real) if isinstance(each, Choice) else None
            try:
                due = step(real)
            except (KeyError, IndexError, OverflowError):
                raised = True
                run.call(step, stand_in)
                raise EndOfRunError from None
            got = run.call(step, stand_in)
            if may is None:
                run.assert_goal(f"{due!r} is answered", same_answer(got, due))
                continue
            run.assert_goal("what is answered may be", may(got))
            alike = same_answer(got, due)
            if alike is False:
                raise EndOfRunError  # this path is for another answer
            run.suppose(alike)
        for claim in same(stand_in, real):
            run.assert_goal("what is left is the same", claim)
        ended.append(run)

    runs = explore(SORTS, body, integers)
    if raised:
        assert any(can_fail(run, integers) for run in runs)
    else:
        assert not any(can_fail(run, integers) for run in runs)
        assert any(possible(run, integers, *run.conditions) for run in ended)


def same_answer(got: Any, due: Any) -> Any:
    if due is None or isinstance(due, bool) or got is None:
        return got is due
    return got == due


def touch_all(run: Run, *parameters: str) -> None:
    """Clauses given of all items are given of these at least."""
    for parameter in parameters:
        for probe in PROBES:
            run.touch((parameter,), (probe,))


# Contents that are known


def has_of(items: Sequence[int]) -> Callable[[Any], Any]:
    """Whether a number is one of these, whatever the number."""
    return lambda item: any_of([number(item) == each for each in items])


def at_of(words: Sequence[int]) -> Callable[[Any], Any]:
    """What a list has at an index, whatever the index."""
    return value_of(dict(enumerate(words)))


def value_of(values: Mapping[Any, Any], default: Any = 0) -> Callable[..., Any]:
    """What a dictionary has at a key, or at a pair of keys, whatever the key."""

    def at(*key: Any) -> Any:
        value: Any = default if isinstance(default, bool) else number(default)
        for each, holds in values.items():
            value = when(is_key(key, each if isinstance(each, tuple) else (each,)), holds, value)
        return value

    return at


def is_key(terms: Iterable[Any], key: Iterable[int]) -> Any:
    """Whether terms are these numbers."""
    same: Any = True
    for term, value in zip(terms, key, strict=True):
        same = same & (number(term) == value)
    return same


def sets_agree(stand_in: Set, real: Any) -> Iterator[Any]:
    for probe in PROBES:
        yield stand_in.has(number(probe)) == (probe in real) if real else neg(stand_in.has(number(probe)))


def can_be(run: Run, integers: bool, *claims: Any) -> bool:
    """Whether a run can be taken to its end so that all this holds there."""
    return possible(run, integers, *run.conditions, *map(truth, claims))
