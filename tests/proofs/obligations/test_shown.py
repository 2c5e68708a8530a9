"""What was shown on one path is not asked on another, where it may be otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import z3

from memoracle.proofs.obligations import solver, unsat_cores
from memoracle.proofs.obligations.discharge import NEEDED, discharge
from memoracle.proofs.obligations.goals_apart import Needs
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.obligations.shown import Shown, identities
from memoracle.proofs.obligations.solver import AT_ONCE, Way
from memoracle.proofs.obligations.unsat_cores import Group, Needed
from memoracle.proofs.symbolic.execution import Run, explore
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.proofs.symbolic.numbers import Symbolic

theorem = Claims("test", {"item": Sort("item")})
Conditions = Callable[[Run, int], list[int] | None]  # of a path and a goal
WAYS = (*AT_ONCE, Way.GOALS_APART)


def branch(run: Run) -> tuple[Symbolic, Symbolic]:
    """Two numbers; code asks something of one."""
    one, other = run.number("one", 0, 9), run.number("other", 0, 9)
    run.assume(other < 7)
    run.call(lambda: bool(one < 3))
    return one, other


@theorem("same", "theorem", "the same follows on both paths, whatever was asked")
def same(run: Run) -> None:
    _, other = branch(run)
    run.assert_goal("it is small", other < 8)


@theorem("one-path", "theorem", "what follows on one path does not on the other")
def one_path(run: Run) -> None:
    one, _ = branch(run)
    run.assert_goal("it is small", one < 5)


@theorem("on-neither", "theorem", "what follows on no path")
def on_neither(run: Run) -> None:
    _, other = branch(run)
    run.assert_goal("it is tiny", other < 2)


@theorem("given-on-one-path", "theorem", "what follows from what is taken as given on one path only")
def given_on_one_path(run: Run) -> None:
    one, other = run.number("one", 0, 9), run.number("other", 0, 9)
    if run.call(lambda: bool(one < 3)):
        run.assume(other < 7)
    run.assert_goal("it is small", other < 8)


def everything(run: Run, goal: int) -> list[int] | None:
    return None


def no_condition(run: Run, goal: int) -> list[int] | None:
    return []


def each_condition(run: Run, goal: int) -> list[int] | None:
    return list(range(len(run.goals[goal].conditions)))


def no_such_condition(run: Run, goal: int) -> list[int] | None:
    return [len(run.goals[goal].conditions)]


def note(monkeypatch: pytest.MonkeyPatch, obligation: Obligation, way: Way, conditions: Conditions) -> None:
    """Notes, of each goal of each path, all hypotheses and these conditions."""
    paths = {}
    for run in explore(obligation.sorts, obligation.body):
        given, goals = len(run.hypotheses(obligation.rounds)), range(len(run.goals))
        groups = [Group([goal], list(range(given)), way, conditions(run, goal)) for goal in goals]
        paths[unsat_cores.path_of(run)] = Needed(given, len(goals), groups)
    assert len(paths) == 2
    monkeypatch.setattr(unsat_cores, "noted_of", lambda component: {obligation.name: paths})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("conditions", [everything, no_condition, each_condition, no_such_condition])
def test_what_is_noted_changes_no_verdict(monkeypatch: pytest.MonkeyPatch, way: Way, conditions: Conditions) -> None:
    some = ((same, "proved"), (one_path, "refuted"), (on_neither, "refuted"), (given_on_one_path, "refuted"))
    for obligation, due in some:
        note(monkeypatch, obligation, way, conditions)
        assert discharge(obligation, use_cache=False).verdict == due


@pytest.mark.parametrize("way", WAYS)
def test_what_the_solver_gave_up_on_was_not_shown(monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    """It may be shown from more than what is noted, and on that path alone."""
    ask = solver.ask

    def gives_up(text: str, use_cache: bool, rlimit: int, way: Way, needs: Needs | None = None) -> solver.Answer:
        known = rlimit != NEEDED
        return ask(text, use_cache, rlimit, way, needs) if known else solver.Answer("unknown", 0, 0.0, False, {})

    monkeypatch.setattr(solver, "ask", gives_up)
    for obligation, due in ((same, "proved"), (one_path, "refuted"), (given_on_one_path, "refuted")):
        note(monkeypatch, obligation, way, no_condition)
        assert discharge(obligation, use_cache=False).verdict == due


@pytest.mark.parametrize("way", WAYS)
def test_what_needs_no_condition_is_asked_once(monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    asked: list[Way] = []
    ask = solver.ask

    def noting(text: str, use_cache: bool, rlimit: int, way: Way, needs: Needs | None = None) -> solver.Answer:
        asked.append(way)
        return ask(text, use_cache, rlimit, way, needs)

    monkeypatch.setattr(solver, "ask", noting)
    for conditions, times in ((no_condition, 1), (each_condition, 2)):
        asked.clear()
        note(monkeypatch, same, way, conditions)
        assert discharge(same, use_cache=False).verdict == "proved"
        assert asked.count(way) == times


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("apart", [True, False])
def test_what_is_noted_twice_of_a_goal_shows_nothing_on_another_path(
    monkeypatch: pytest.MonkeyPatch, first: Way, second: Way, apart: bool
) -> None:
    """A goal that was shown from all that is given was not shown from the less that is noted besides."""
    for turned in (False, True):
        paths = {}
        for run in explore(one_path.sorts, one_path.body):
            every = list(range(len(run.hypotheses(one_path.rounds))))
            groups = [Group([0], every, first), Group([0], [], second, [])] if apart else [Group([0, 0], every, first)]
            paths[unsat_cores.path_of(run)] = Needed(len(every), 1, groups[::-1] if turned else groups)
        monkeypatch.setattr(unsat_cores, "noted_of", lambda component, paths=paths: {one_path.name: paths})
        assert discharge(one_path, use_cache=False).verdict == "refuted"


def test_less_given_shows_more() -> None:
    a, b, c = z3.Bools("a b c")
    shown = Shown()
    assert not shown.covers(c, identities([a, b]))
    shown.add(c, identities([a, b]))
    assert shown.covers(c, identities([b, a]))
    assert shown.covers(c, identities([a, c, b]))
    assert not shown.covers(c, identities([a]))
    assert not shown.covers(a, identities([a, b]))
    shown.add(c, identities([a]))
    assert shown.covers(c, identities([a]))
