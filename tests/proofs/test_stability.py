"""`make stability`: each claim with several seeds, the same verdict with each, and how far its cost spreads."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, cast

import pytest
from rich.console import Console
from rich.progress import Progress

from memoracle.proofs import stability
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.discharge import Result
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.process_pool import Failure
from memoracle.proofs.stability import Claim, main, report


def claim(name: str, costs: list[int], verdicts: list[str] | None = None) -> Claim:
    return Claim(name, [], costs, verdicts or ["proved"] * len(costs))


def reported(*claims: Claim) -> tuple[int, str]:
    out = io.StringIO()
    return report(claims, len(claims[0].costs), Console(file=out, width=120)), out.getvalue()


def test_every_claim_of_a_component_is_tried_with_every_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pat", "--seeds", "1"]) == 0
    told = capsys.readouterr()
    assert "12 claims with 1 seed: 12 have the same verdict with each, 12 are proved with each" in told.out
    assert "pat.every-index-has-a-type" in told.out
    assert told.err == ""
    assert solver.SEED == 0  # only the processes that ask had another


def test_each_claim_is_asked_with_as_many_seeds_as_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some = [each for each in stability.claims(["pat"]) if each.name == "pat.every-index-has-a-type"]
    monkeypatch.setattr(stability, "claims", lambda names: some)
    assert main(["pat", "--seeds", "3"]) == 0
    assert "1 claims with 3 seeds: 1 have the same verdict" in capsys.readouterr().out
    assert some[0].verdicts == ["proved"] * 3


def test_a_seed_makes_a_difference() -> None:
    (select,) = (each for each in stability.claims(["pat"]) if each.name == "pat.select.refines")
    stability.try_seeds([select], [0, 0, 5], None, Progress(disable=True))
    first, again, other = select.costs
    assert first == again != other
    assert select.verdicts == ["proved"] * 3


@pytest.mark.parametrize("members", [1, 2])
def test_no_answer_is_taken_from_the_cache(monkeypatch: pytest.MonkeyPatch, members: int) -> None:
    asked: list[tuple[str, bool, int]] = []

    def told(way: str) -> Callable[..., Any]:
        return lambda of, use_cache: asked.append((way, use_cache, solver.SEED))

    monkeypatch.setattr(solver, "SEED", 0)
    for way in ("jointly", "discharge"):
        monkeypatch.setattr(stability.discharge, way, told(way))
    stability.settled(cast(list[Obligation], [None] * members), 7)
    assert asked == [("jointly" if members > 1 else "discharge", False, 7)]


def test_a_claim_whose_process_dies_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stability, "run_each", lambda tasks, jobs: iter([(0, Failure("it died"))]))
    lost = Claim("a.b", [])
    stability.try_seeds([lost], [0], None, Progress(disable=True))
    assert lost.verdicts == ["unknown"]
    assert reported(lost)[0] == 3


def test_what_is_proved_at_once_is_one_claim() -> None:
    found = stability.claims(["kernel_half"])
    assert len({each.name for each in found}) == len(found)
    joint = next(each for each in found if each.name == "kernel_half.initially")
    assert len(joint.members) > 1


def test_the_widest_spreads_are_shown_the_worst_first() -> None:
    status, text = reported(*(claim(f"a.{place:02}", [100, 100 * place]) for place in range(1, 13)))
    assert status == 0
    rows = [line for line in text.splitlines() if "a." in line]
    assert [row.split()[1] for row in rows] == [f"a.{place:02}" for place in range(12, 2, -1)]
    assert "12.00" in rows[0]
    assert "10 of them cost more than 2 times their least; all together 1,200 to 7,800" in text


@pytest.mark.parametrize(("verdict", "status"), [("refuted", 1), ("unknown", 3), ("vacuous", 3)])
def test_a_claim_that_is_not_proved_with_some_seed_is_a_failure(verdict: str, status: int) -> None:
    found, text = reported(claim("a.b", [1, 2]), claim("a.c", [1, 2], ["proved", verdict]))
    assert found == status
    assert f"{verdict} with seed 1: a.c" in text
    assert "2 claims with 2 seeds: 1 have the same verdict with each, 1 are proved with each" in text
    assert reported(claim("a.b", [1, 1], ["unknown", verdict]))[0] == status


def test_the_gravest_verdict_of_several_counts() -> None:
    joint = claim("a.keeps", [])
    told = [Result("", "", "", "", "", verdict, "", 0, 2, False, "", None) for verdict in ("unknown", "refuted")]
    joint.note(told)
    assert (joint.costs, joint.verdicts) == ([4], ["refuted"])


@pytest.mark.parametrize("arguments", [["flying"], ["--seeds", "0"], ["--jobs", "-1"]])
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""
