"""Goals are asked one after another, and no answer depends on it."""

from __future__ import annotations

from typing import cast

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.goals_apart import Needs, ask
from memoracle.proofs.obligations.solver import RLIMIT, SHIFTS_UNKNOWN, Way, text_of
from memoracle.proofs.obligations.solver import ask as ask_text

NAMES = "abcd"
literals = st.tuples(st.sampled_from(NAMES), st.booleans()).map(lambda each: z3.Bool(each[0]) == each[1])
clauses = st.lists(literals, min_size=1, max_size=3).map(lambda each: z3.Or(*each))


def fails(goals: list[z3.BoolRef]) -> list[z3.BoolRef]:
    """What is asked of goals: a flag for each, and that one is set."""
    flags = [z3.Bool(f"fails#{place}") for place in range(len(goals))]
    return [*(flag == z3.Not(goal) for flag, goal in zip(flags, goals, strict=True)), z3.Or(*flags)]


def answer(hypotheses: list[z3.BoolRef], goals: list[z3.BoolRef], needs: Needs | None = None) -> str:
    return ask(z3.SimpleSolver, [*hypotheses, *fails(goals)], RLIMIT, needs).verdict


@given(st.lists(clauses, max_size=8), st.lists(clauses, min_size=1, max_size=4))
def test_the_answer_is_that_of_all_at_once(hypotheses: list[z3.BoolRef], goals: list[z3.BoolRef]) -> None:
    text = text_of([*hypotheses, *fails(goals)], integers=True)
    at_once = ask_text(text, use_cache=False)
    apart = ask_text(text, use_cache=False, way=Way.GOALS_APART)
    assert apart.verdict == at_once.verdict != "unknown"
    if apart.verdict == "sat":
        assert any(apart.model.get(f"fails#{place}") for place in range(len(goals)))


@given(st.lists(clauses, max_size=8), st.lists(clauses, min_size=1, max_size=4), st.data())
def test_what_follows_from_some_hypotheses_follows_from_all(
    hypotheses: list[z3.BoolRef], goals: list[z3.BoolRef], data: st.DataObject
) -> None:
    places = st.lists(st.integers(0, len(hypotheses) - 1), unique=True) if hypotheses else st.just([])
    needs = tuple(tuple(data.draw(places)) for _ in goals)
    if answer(hypotheses, goals, needs) == "unsat":
        assert answer(hypotheses, goals) == "unsat"


def test_the_last_of_several_goals_is_asked_too() -> None:
    a, b = z3.Bools("a b")
    assert answer([a], [a, z3.Or(a, b), b]) == "sat"
    assert answer([a, b], [a, z3.Or(a, b), b]) == "unsat"
    assert answer([a, b], [a, z3.Or(a, b), b], ((0,), (0,), (0,))) == "sat"
    assert answer([a, b], [a, z3.Or(a, b), b], ((0,), (0,), (1,))) == "unsat"


def test_a_failure_that_no_flag_stands_for_is_no_proof() -> None:
    a = z3.Bool("a")
    assert ask(z3.SimpleSolver, [a, *fails([a])[:-1], z3.Bool("other")], RLIMIT, None).verdict == "unknown"


def test_it_gives_up_when_the_budget_of_all_goals_is_spent() -> None:
    x, y = z3.BitVecs("x y", 72)
    hard = [z3.ULT(1, x), z3.ULT(1, y), x < 1 << 36, y < 1 << 36]
    asked = [*hard, *fails([z3.BoolVal(True), x * y != 0x1234567890ABCDEF1])]
    assert ask(z3.SimpleSolver, asked, 1000, None).verdict == "unknown"


class GivesUp:
    """A solver that gives up."""

    def set(self, **_: object) -> None:
        pass

    def add(self, *_: object) -> None:
        pass

    def check(self) -> z3.CheckSatResult:
        return z3.unknown


def test_where_the_solver_gives_up_in_the_end_nothing_is_shown() -> None:
    made = iter([z3.SimpleSolver(), GivesUp()])
    a = z3.Bool("a")
    assert ask(lambda: cast(z3.Solver, next(made)), [a, *fails([a])], RLIMIT, None).verdict == "unknown"


@pytest.mark.parametrize("way", SHIFTS_UNKNOWN)
def test_where_the_solver_gives_up_though_shifts_are_unknown_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    for made in ("_at_once", "_simple"):
        monkeypatch.setattr(solver, made, lambda *_: GivesUp())
    monkeypatch.setattr(solver.instantiation, "count", lambda _: 1)
    text = text_of([z3.Bool("a")], integers=True)
    assert ask_text(text, use_cache=False, way=way).verdict == "unknown"
