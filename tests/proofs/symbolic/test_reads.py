"""Unknown functions: what is read of one is read again on each path, and is its value at these points and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.numbers import Symbolic
from memoracle.spec.clauses import implies, neg

proved = Claims("some", {"item": Sort("item", 100), "other": Sort("other")})
Read = Callable[..., Any]


def verdict(body: Callable[[Run], None]) -> str:
    return discharge(proved("thing", "theorem", "it holds")(body), use_cache=False).verdict


def on_two_paths(run: Run) -> Any:
    """An item, of which code has asked something."""
    item = run.point("item")
    run.call(lambda: bool(item < 50))
    return item


def function(run: Run) -> Read:
    return run.function("value", "item", "other", high=9)


def relation(run: Run) -> Read:
    return run.relation("holds", "item", "other")


@pytest.mark.parametrize("unknown", [function, relation])
@pytest.mark.parametrize(("item", "other", "due"), [("a", "b", "proved"), ("c", "b", "refuted"), ("a", "d", "refuted")])
def test_only_at_the_same_points_it_is_the_same(
    unknown: Callable[[Run], Read], item: str, other: str, due: str
) -> None:
    def body(run: Run) -> None:
        read = unknown(run)
        points = {"a": run.point("item"), "b": run.point("other"), "c": run.point("item"), "d": run.point("other")}
        run.assert_goal("it is the same", read(points["a"], points["b"]) == read(points[item], points[other]))

    assert verdict(body) == due


@pytest.mark.parametrize(("one", "other", "due"), [("f", "f", "proved"), ("f", "g", "refuted")])
def test_functions_of_other_names_are_others(one: str, other: str, due: str) -> None:
    def body(run: Run) -> None:
        item = run.point("item")
        run.assert_goal("it is the same", run.function(one, "item")(item) == run.function(other, "item")(item))

    assert verdict(body) == due


def test_a_relation_does_not_hold_outside_its_points() -> None:
    """Also of a term that was read before, when its bounds were those of a point."""

    def body(run: Run) -> None:
        read, wide = run.relation("holds", "item"), run.any_number("item")
        run.suppose(read(Symbolic(wide.z, 0, 100)), wide > 100)
        run.assert_goal("it does not hold", neg(read(wide)))

    assert verdict(body) == "proved"


def test_its_bounds_are_known_on_every_path() -> None:
    def body(run: Run) -> None:
        read, item = function(run), on_two_paths(run)
        run.assert_goal("it is in its bounds", read(item, item) <= 9)

    assert verdict(body) == "proved"


def test_what_is_given_of_all_points_is_given_on_every_path() -> None:
    def body(run: Run) -> None:
        read, item = run.function("value", "item"), on_two_paths(run)
        run.assume_for_all(("item",), lambda each: read(each) < 5)
        run.suppose(item < 100)
        run.assert_goal("it is so at the next", read(item + 1) < 5)

    assert verdict(body) == "proved"


def test_what_is_learned_on_one_path_is_not_known_on_another() -> None:
    def body(run: Run) -> None:
        read, item = run.function("value", "item"), run.point("item")
        if run.call(lambda: bool(read(item) < 5)):
            run.assert_goal("it is so", implies(item == item, read(item) < 5))
        else:
            run.assert_goal("it is so here too", read(item) < 5)

    assert verdict(body) == "refuted"


PAST_THE_POINTS = pytest.mark.parametrize("is_past", [lambda number: number > 100, lambda number: number < 0])


@PAST_THE_POINTS
def test_what_is_given_of_all_points_is_not_given_of_other_numbers(is_past: Read) -> None:
    """Were it contradictory there, it would prove any claim of code that is wrong there alone."""

    def body(run: Run) -> None:
        read, number = run.function("value", "item"), run.any_number("item")
        run.assume_for_all(("item",), lambda each: (read(each) < 5) & (each <= 100))
        run.suppose(is_past(number))
        run.assert_goal("it is so there too", read(number) < 5)

    assert verdict(body) == "refuted"


@PAST_THE_POINTS
def test_of_other_numbers_a_function_is_not_what_it_is_of_a_point(is_past: Read) -> None:
    def body(run: Run) -> None:
        read, number = run.function("value", "item"), run.any_number("item")
        run.suppose(is_past(number))
        run.assert_goal("it is what it is of 0", read(number) == read(0))

    assert verdict(body) == "refuted"
