"""Every way through code is taken, and what is claimed on each is a goal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic import feasibility, z3_terms
from memoracle.proofs.symbolic.execution import Run, explore
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.numbers import SymbolicBool
from memoracle.spec.clauses import implies

SORTS = {"item": Sort("item", 9), "other": Sort("other")}


def verdict(body: Callable[[Run], None]) -> str:
    return discharge(Claims("test", SORTS)("thing", "theorem", "it holds")(body), use_cache=False).verdict


def larger(number: Any, than: int) -> int:
    return 1 if number > than else 0


@pytest.mark.parametrize("wrong", [0, 1])
def test_what_is_claimed_on_one_way_of_two_is_asked(wrong: int) -> None:
    def body(run: Run) -> None:
        run.assert_goal("it is the other way", run.call(larger, run.number("number", 0, 9), 4) != wrong)

    assert verdict(body) == "refuted"


def test_every_way_through_a_step_is_taken() -> None:
    found = []

    def body(run: Run) -> None:
        number = run.number("number", 0, 9)
        for learned, result in run.every_way(lambda: run.call(larger, number, 4)):
            found.append(result)
            run.assert_goal(
                "it is known there", implies(SymbolicBool(z3_terms.all_of(learned)), (number > 4) == (result == 1))
            )

    assert verdict(body) == "proved"
    assert sorted(found) == [0, 1]


def test_a_way_of_which_the_solver_does_not_know_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasibility, "FEASIBLE", 1)
    taken = []

    def body(run: Run) -> None:
        first, second = run.relation("first", "item"), run.relation("second", "item")
        one = run.point("item")
        run.suppose(first(one) | second(one))
        taken.append(run.call(lambda: bool(first(one))))

    explore(SORTS, body)
    assert sorted(taken) == [False, True]


@pytest.mark.parametrize("error", [AssertionError, ValueError, RecursionError, StopIteration, None])
def test_code_that_raises_is_refuted(error: type[Exception] | None) -> None:
    def body(run: Run) -> None:
        run.assert_goal("so far all is well", True)
        if run.call(bool, run.fresh_truth("raises")) and error is not None:
            raise error

    assert verdict(body) == ("proved" if error is None else "refuted")


def test_a_relation_holds_of_no_number_that_is_no_point() -> None:
    def body(run: Run) -> None:
        holds, number = run.relation("holds", "item", "other"), run.number("number", -5, 20)
        run.assume(holds(0, 0), holds(number, 0))
        run.assert_goal("it is a point", (0 <= number) & (number <= 9))

    assert verdict(body) == "proved"


def test_what_is_assumed_of_all_points_is_assumed_of_no_other_number() -> None:
    def body(run: Run) -> None:
        value, number = run.function("value", "item"), run.number("number", 0, 20)
        run.assume_for_all(("item",), lambda item: value(item) == 1)
        run.assert_goal("it is so of each point", value(run.point("item")) == 1)
        run.assert_goal("and of a number that is one", (number > 9) | (value(number) == 1))

    assert verdict(body) == "proved"


def test_what_is_assumed_is_assumed_from_there_on() -> None:
    def body(run: Run) -> None:
        holds, item = run.relation("holds", "item"), run.point("item")
        run.assert_goal("it holds already", holds(item))
        run.assume_for_all(("item",), holds)

    assert verdict(body) == "refuted"


@pytest.mark.parametrize(
    ("code", "is_truth"),
    [
        (lambda asked: asked < 5, True),
        (lambda asked: True, True),
        (lambda asked: 1 * (asked < 5), False),
        (lambda asked: 1, False),
        (lambda asked: asked, False),
        (lambda asked: None, False),
    ],
)
def test_an_answer_that_is_no_truth_is_refuted(code: Callable[[Any], object], is_truth: bool) -> None:
    def body(run: Run) -> None:
        asked = run.fresh("asked", 0, 9)
        run.answers(code, asked)

    assert all(not run.goals for run in explore({}, body)) == is_truth
