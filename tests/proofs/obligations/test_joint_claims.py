"""Claims that begin alike are settled at once, with the verdict that each has alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import pytest
from box_law import law_of, loosen, none_is_as_heavy, none_is_heavy, puts, puts_any, tighten

from memoracle.proofs import evidence
from memoracle.proofs.obligations import discharge as settling
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.discharge import discharge, jointly
from memoracle.proofs.obligations.obligation import Obligation

LAW = law_of(puts, puts_any, tighten, loosen, theorems=(none_is_heavy, none_is_as_heavy))
EVERY = [*law_obligations.obligations(LAW)]
GROUPS = {name: [*members] for name, members in groupby(EVERY, lambda each: each.together)}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is proved apart, as it comes."""
    names: list[str] = []
    prove = settling._prove

    def noting(obligation: Obligation, use_cache: bool) -> settling.Result:
        names.append(obligation.name)
        return prove(obligation, use_cache)

    monkeypatch.setattr(settling, "_prove", noting)
    return names


@pytest.mark.parametrize("name", GROUPS)
def test_the_verdicts_are_those_of_each_alone(name: str) -> None:
    members = GROUPS[name]
    together, alone = jointly(members, False), [discharge(each, False) for each in members]
    said = [[(each.name, each.verdict, each.counterexample) for each in found] for found in (together, alone)]
    assert said[0] == said[1]


def test_what_holds_is_asked_once(asked: list[str]) -> None:
    found = jointly(GROUPS["test.put.keeps"], False)
    assert [each.verdict for each in found] == ["proved", "proved"]
    assert asked == ["test.put.keeps"]
    assert len({each.seconds for each in found}) == len({each.rlimit for each in found}) == 1


def test_what_does_not_hold_is_asked_alone(asked: list[str]) -> None:
    found = jointly(GROUPS["test.loosen.keeps"], False)
    assert {each.name: each.verdict for each in found} == {
        "test.loosen.keeps-is-light": "proved",
        "test.loosen.keeps-bounds": "refuted",
    }
    assert asked == ["test.loosen.keeps", *(each.name for each in found)]


def test_parts_of_different_claims_are_asked_alone(asked: list[str]) -> None:
    mixed = [GROUPS["test.put.keeps"][0], GROUPS["test.loosen.keeps"][0]]
    assert [each.verdict for each in jointly(mixed, False)] == ["proved", "proved"]
    assert asked == [each.name for each in mixed]


def test_what_claims_nothing_is_vacuous_beside_what_is_proved() -> None:
    numberless = replace(LAW, elsewhere=["limit", "has", "weighs"])  # so that no bound is left to claim
    members = [each for each in law_obligations.obligations(numberless) if each.together == "test.put.keeps"]
    assert {each.name: each.verdict for each in jointly(members, False)} == {
        "test.put.keeps-is-light": "proved",
        "test.put.keeps-bounds": "vacuous",
    }


def test_each_obligation_of_a_law_has_a_piece_of_its_own() -> None:
    pieces = evidence.pieces(["pat", "bitmap"], contracts=False, use_cache=False)
    names = [piece.unsettled.name for piece in pieces]
    assert len(set(names)) == len(names)
    assert "bitmap.allocate.keeps" not in names
    parts = [piece for piece in pieces if piece.together == "bitmap.allocate.keeps"]
    assert len(parts) > 2
    assert all(piece.part is not None for piece in parts)
