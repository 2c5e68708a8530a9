"""A second solver reads the same text, and agrees. Here it is asked of some; `make second-opinion` asks it of all."""

from __future__ import annotations

import pytest

from memoracle.proofs import second_opinion
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.second_opinion import answer, main, obligations, opinions

SOME = obligations(["pat", "boot.without.refines", "buddy.split.keeps-coalesced", "buddy.size.refines"])


@pytest.mark.parametrize("obligation", SOME, ids=lambda obligation: obligation.name)
def test_agrees(obligation: Obligation) -> None:
    counted = opinions(obligation)
    assert counted["unsat"]
    assert set(counted) == {"unsat"}


def test_can_disagree() -> None:
    assert answer("(set-logic QF_UFBV)\n(declare-fun x () Bool)\n(assert x)\n(check-sat)\n") == "sat"


@pytest.mark.parametrize(("said", "status"), [("unsat", 0), ("sat", 1), ("unknown", 3)])
def test_a_disagreement_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, status: int
) -> None:
    monkeypatch.setattr(second_opinion, "answer", lambda text: said)
    assert main(["pat.select.refines"]) == status
    assert capsys.readouterr().out.splitlines()[-1].endswith("unknown")


def test_of_nothing_there_is_no_opinion() -> None:
    assert main(["nothing"]) == 3
