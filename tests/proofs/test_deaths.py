"""A claim whose process dies is tried again, alone; it is told, and no claim is lost or counted twice."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from memoracle.cli import main
from memoracle.proofs import evidence
from memoracle.proofs.evidence import Piece
from memoracle.proofs.kept import Kept
from memoracle.proofs.obligations.discharge import Result

DIED = "its process died of SIGKILL"
UNSETTLED = Result("", "pat", "theorem", "it holds", "unbounded", "unknown", "none", 0, 0, False, "a.py:1", None)


def piece(name: str, settle: Callable[[Result], Result], together: str = "") -> Piece:
    unsettled = replace(UNSETTLED, name=f"pat.{name}")
    return Piece(unsettled, partial(settle, unsettled), together)


def proved(claim: Result) -> Result:
    return replace(claim, verdict="proved")


def dying(marks: list[Path], claim: Result) -> Result:
    """Dies once for each of these files that does not exist."""
    for mark in marks:
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return proved(claim)


def failing(claim: Result) -> Result:
    raise ValueError(claim.name)


@pytest.fixture
def pieces(tmp_path: Path) -> list[Piece]:
    """One is killed once, one twice, two of a group once; one fails by itself."""
    marks = [tmp_path / f"mark{number}" for number in range(4)]
    return [
        piece("whole", proved),
        piece("killed-once", partial(dying, marks[:1])),
        piece("killed-twice", partial(dying, marks[1:3])),
        piece("fails", failing),
        piece("of-a-group", proved, "group"),
        piece("killed-with-a-group", partial(dying, marks[3:]), "group"),
    ]


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_dies_is_tried_again_and_each_is_settled_once(pieces: list[Piece], jobs: int) -> None:
    found = list(evidence.results(pieces, partial(evidence.here, workers=jobs)))
    assert sorted(place for place, _ in found) == list(range(len(pieces)))
    told = {each.name.removeprefix("pat."): (each.verdict, each.tried_again) for _, each in found}
    assert told == {
        "whole": ("proved", None),
        "killed-once": ("proved", DIED),
        "killed-twice": ("unknown", None),
        "fails": ("unknown", None),
        "of-a-group": ("proved", DIED),
        "killed-with-a-group": ("proved", DIED),
    }
    reasons = {each.name: each.counterexample for _, each in found if each.verdict == "unknown"}
    assert reasons == {
        "pat.killed-twice": f"{DIED}; it was tried again, alone: {DIED}",
        "pat.fails": "ValueError: pat.fails",
    }


def test_what_is_tried_again_comes_last_and_alone(pieces: list[Piece]) -> None:
    groups = [[each] for each in pieces[:4]]
    order = [place for place, _ in evidence.here(groups, 4)]
    assert sorted(order[:2]) == [0, 3]
    assert sorted(order[2:]) == [1, 2]


def test_the_report_tells_it(
    pieces: list[Piece], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some = [pieces[0], pieces[1], pieces[5]]
    monkeypatch.setattr(evidence, "pieces", lambda *wanted: some)
    assert main(["prove", "pat", "--jobs", "2", "--quiet", "--format", "json"]) == 0
    found = {each["name"]: each.get("tried_again", "") for each in json.loads(capsys.readouterr().out)["obligations"]}
    assert found == {"pat.whole": "", "pat.killed-once": DIED, "pat.killed-with-a-group": DIED}


def test_the_report_in_words_tells_it(
    pieces: list[Piece], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evidence, "pieces", lambda *wanted: pieces[:3])
    assert main(["prove", "pat", "--jobs", "2", "--quiet"]) == 3
    out = capsys.readouterr().out
    assert f"Tried again, alone: pat.killed-once: {DIED}\n" in out
    assert "unknown: pat.killed-twice (a.py:1)" in out
    assert f"{DIED}; it was tried again, alone: {DIED}" in " ".join(out.split())
    assert "unknown: 3 obligations (2 proved, 0 refuted, 1 unknown, 0 vacuous; 0 from the cache)" in out


def test_a_verdict_that_is_kept_does_not_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = Kept("key", frozenset())
    kept.keep(replace(proved(UNSETTLED), tried_again=DIED))
    assert kept.verdict() == replace(proved(UNSETTLED), cached=True)
