"""A claim is proved only if each goal is, whatever is noted of it, and if what it takes as given can be so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from memoracle.proofs.obligations import discharge as discharging
from memoracle.proofs.obligations import solver, unsat_cores
from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.obligation import Claims, Computation, Obligation
from memoracle.proofs.obligations.solver import Answer, Way
from memoracle.proofs.obligations.unsat_cores import Group, Needed
from memoracle.proofs.symbolic.execution import EndOfRunError, Run, explore
from memoracle.proofs.symbolic.hypothesis_pool import Sort

theorem = Claims("test", {"item": Sort("item")})
WAYS = (Way.AT_ONCE, Way.GOALS_APART)


@theorem("good-then-bad", "theorem", "one goal follows, and another does not")
def good_then_bad(run: Run) -> None:
    number = run.number("number", 0, 5)
    run.assert_goal("it is small", number < 10)
    run.assert_goal("it is tiny", number < 3)


@theorem("both", "theorem", "both goals follow, from another hypothesis each")
def both(run: Run) -> None:
    one, other = run.number("one", 0, 5), run.number("other", 0, 7)
    run.assume(one > 2, other > 4)
    run.assert_goal("the one is not 0", one != 0)
    run.assert_goal("the other is not 0", other != 0)


@theorem("of-nothing", "theorem", "what is taken as given cannot be so")
def of_nothing(run: Run) -> None:
    number = run.number("number", 0, 5)
    run.assume(number > 7)
    run.assert_goal("nothing is needed", number == number)
    run.assert_goal("anything is so", number == 100)


def verdict(monkeypatch: pytest.MonkeyPatch, obligation: Obligation, groups: Sequence[Group] | None) -> str:
    """The verdict if this is noted of its path."""

    hints: unsat_cores.Hints = {}
    if groups is not None:
        (run,) = explore(obligation.sorts, obligation.body, obligation.integers)
        needed = Needed(len(everything(obligation)), len(run.goals), list(groups))
        hints = {obligation.name: {unsat_cores.path_of(run): needed}}
    monkeypatch.setattr(unsat_cores, "noted_of", lambda component: hints)
    return discharge(obligation, use_cache=False).verdict


def everything(obligation: Obligation) -> list[int]:
    """The places of all hypotheses of its only path."""
    (run,) = explore(obligation.sorts, obligation.body, obligation.integers)
    return list(range(len(run.hypotheses(obligation.rounds))))


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
def test_each_group_that_is_noted_is_asked(monkeypatch: pytest.MonkeyPatch, first: Way, second: Way) -> None:
    every = everything(good_then_bad)
    groups = [Group([0], every, first), Group([1], every, second)]
    assert verdict(monkeypatch, good_then_bad, groups) == "refuted"
    assert verdict(monkeypatch, good_then_bad, groups[::-1]) == "refuted"
    every = everything(both)
    assert verdict(monkeypatch, both, [Group([0], every, first), Group([1], every, second)]) == "proved"


@pytest.mark.parametrize("place", [0, 1])
def test_where_the_solver_gives_up_nothing_is_proved(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Whichever goal it is about, whatever it says of the other, and though the claim speaks of something."""
    name = ("one", "other")[place]

    def gives_up(text: str, *_: object) -> Answer:
        if "fails#" not in text:
            return Answer("sat", 1, 0.0, False, {})
        return Answer("unknown" if re.search(rf"\b{name}\b", text) else "unsat", 1, 0.0, False, {})

    monkeypatch.setattr(solver, "ask", gives_up)
    of_one, of_other = ([place] for place in (0, 1))
    for groups in (None, [], [Group([0], of_one), Group([1], of_other)], [Group([1], of_other), Group([0], of_one)]):
        assert verdict(monkeypatch, both, groups) == "unknown"


@pytest.mark.parametrize("way", WAYS)
def test_a_goal_of_which_nothing_is_noted_is_asked(monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    assert verdict(monkeypatch, good_then_bad, [Group([0], everything(good_then_bad), way)]) == "refuted"
    assert verdict(monkeypatch, good_then_bad, []) == "refuted"


@pytest.mark.parametrize("way", WAYS)
def test_notes_that_do_not_suffice_cost_time_only(monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    assert verdict(monkeypatch, both, [Group([0, 1], [], way)]) == "proved"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [-1, -100, 100])
def test_notes_of_what_is_not_there_cost_time_only(monkeypatch: pytest.MonkeyPatch, way: Way, place: int) -> None:
    everything_and_more = [*everything(both), place]
    assert verdict(monkeypatch, both, [Group([0, 1], everything_and_more, way)]) == "proved"
    assert verdict(monkeypatch, both, [Group([0, 1, place], everything(both), way)]) == "proved"
    assert verdict(monkeypatch, good_then_bad, [Group([0, 1, place], [place], way)]) == "refuted"


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_so_proves_nothing(monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    """Also where a goal that needs nothing of it stands beside one that does."""
    assert verdict(monkeypatch, of_nothing, None) == "vacuous"
    groups = [Group([0], [], way), Group([1], everything(of_nothing), way)]
    assert verdict(monkeypatch, of_nothing, groups) == "vacuous"
    assert verdict(monkeypatch, of_nothing, groups[::-1]) == "vacuous"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("places", [[], [0]])
def test_what_cannot_be_so_proves_nothing_where_notes_do_not_suffice(
    monkeypatch: pytest.MonkeyPatch, way: Way, places: list[int]
) -> None:
    """Then all hypotheses are used, and it is all of them that must be possible, and not the noted ones."""
    assert verdict(monkeypatch, of_nothing, [Group([0, 1], places, way)]) == "vacuous"
    assert verdict(monkeypatch, of_nothing, [Group([0], places, way), Group([1], places, way)]) == "vacuous"


def test_code_that_never_ends_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(run: Run) -> None:
        while True:
            pass

    monkeypatch.setattr(discharging, "ENDLESS", 0.2)
    result = discharge(replace(both, body=endless), use_cache=False)
    assert (result.verdict, result.counterexample) == (
        "unknown",
        "its paths are not run within 0.2 seconds of a processor",
    )


def test_a_computation_that_never_ends_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> str | None:
        while True:
            pass

    monkeypatch.setattr(discharging, "ENDLESS", 0.2)
    result = discharge(Computation("test.endless", "test", "refinement", "it ends", endless, "bounded: none"))
    assert (result.verdict, result.counterexample) == ("unknown", "it is not done within 0.2 seconds of a processor")


def test_what_cannot_be_to_the_end_is_vacuous_whatever_holds_on_a_way_that_ends_before() -> None:
    @Claims("test", {"page": Sort("page")})("ends", "theorem", "it holds at the end")
    def body(run: Run) -> None:
        page = run.number("page")
        if run.fork():
            run.assert_goal("it holds on the way", page >= 0)
            raise EndOfRunError
        run.suppose(page < 0)
        run.assert_goal("it holds at the end", page == 7)

    assert discharge(body, use_cache=False).verdict == "vacuous"
