"""Ways that come together again: what they come to is what each would, and what must hold on each is claimed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from memoracle.proofs.obligations import discharge
from memoracle.proofs.obligations.obligation import Claims
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.path_merging import merged

proved = Claims("some", {"number": Sort("number", 100)})


def verdict(body: Callable[[Run], None]) -> str:
    return discharge.discharge(proved("thing", "theorem", "it holds")(body), use_cache=False).verdict


def counted(run: Run, number: Any, state: Any) -> Any:
    def code() -> Any:
        if number > 10:
            state.count = state.count + 1
            return number - 10
        run.assert_and_assume("it is no more than ten", number <= 10)
        return number

    return run.call(merged, run, [(state, "count")], code)


@pytest.mark.parametrize(("most", "due"), [(90, "proved"), (89, "refuted")])
def test_what_ways_come_to_is_what_each_would(most: int, due: str) -> None:
    paths = []

    def body(run: Run) -> None:
        number, state = run.point("number"), SimpleNamespace(count=7)
        result = counted(run, number, state)
        paths.append(result)
        run.assert_goal("it lost ten if it had more", (result <= most) & ((state.count == 8) == (number > 10)))

    assert verdict(body) == due
    assert len(paths) == 1  # what comes after is run once


def test_what_must_hold_on_one_way_is_claimed() -> None:
    def body(run: Run) -> None:
        number = run.point("number")

        def code() -> Any:
            if number > 10:
                run.assert_and_assume("there are no more than fifty", number <= 50)
                return number
            return 0

        run.call(merged, run, [], code)

    assert verdict(body) == "refuted"


def test_code_that_changes_anything_else_does_not_come_together() -> None:
    def body(run: Run) -> None:
        counted(run, run.point("number"), SimpleNamespace(count=0, other=0))
        state = SimpleNamespace(count=0, other=0)
        run.call(merged, run, [(state, "count")], lambda: setattr(state, "other", run))

    assert verdict(body) == "refuted"


class Counter:
    """Of which a step adds to `count`, and should touch nothing else that it can reach."""

    def __init__(self) -> None:
        self.count, self.other, self.kept, self.part = 0, 0, [0], SimpleNamespace(count=0, other=0)

    def step(self, number: Any, undoes: str) -> Any:
        if number > 10:
            self.count = self.count + 1
            self.touch(undoes, 1)
            return number
        self.touch(undoes, -1)
        return 10

    def touch(self, what: str, by: int) -> None:
        if what == "an attribute":
            self.other += by
        elif what == "what is in a list":
            self.kept[0] += by
        elif what == "a part's owner":
            self.part.other += by


@pytest.mark.parametrize("what", ["an attribute", "what is in a list", "a part's owner", "nothing"])
def test_ways_that_undo_each_other_do_not_come_together(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(Counter, "__module__", "memoracle.impl.of_a_test")

    def body(run: Run) -> None:
        counter = Counter()
        run.call(merged, run, [(counter, "count"), (counter.part, "count")], counter.step, run.point("number"), what)
        run.assert_goal("nothing else is touched", counter.other == counter.part.other == counter.kept[0] == 0)

    assert verdict(body) == ("proved" if what == "nothing" else "refuted")


@pytest.mark.parametrize("only", [lambda number: number > 10, lambda number: number < 3, lambda number: number == 7])
def test_no_way_is_lost(only: Callable[[Any], Any]) -> None:
    """What is so on one way of three is not claimed of the others, also where nothing is returned or changed."""

    def body(run: Run) -> None:
        number = run.point("number")
        run.call(merged, run, [], lambda: bool(number > 10) or bool(number < 3))
        run.assert_goal("it went this way", only(number))

    assert verdict(body) == "refuted"
