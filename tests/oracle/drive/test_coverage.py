"""`drive` says at the end how often each rule was tested, and which branches of the reference were taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from blocks_binding import blocks

from memoracle.cli import main
from memoracle.commands import drive

SEED = ["--seed", "3"]


@pytest.fixture
def binding(tmp_path: Path) -> str:
    return str(blocks(tmp_path, "NOTHING"))


def test_for_programs(capsys: pytest.CaptureFixture[str], binding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "MOST_WATCHED", 500)
    assert main(["drive", *SEED, "--ops", "1000", "--jobs", "2", "--format", "json", binding]) == 0
    document = json.loads(capsys.readouterr().out)
    tested, failed = document["coverage"]["tested"], document["coverage"]["operations"]["frame.free"]["failed"]
    assert 0 < sum(tested["frame.free"].values()) == failed
    untested = document["coverage"]["untested"]["frame.free"]
    assert {clause for clause, count in tested["frame.free"].items() if not count} == {*untested}
    branches = document["branches"]
    assert (branches["calls"], branches["of"]) == (500, 1000)
    assert "impl/runs.py:Runs.reserve" in branches["functions"]["called"]
    assert "impl/runs.py:Runs.allocate" in branches["functions"]["never_called"]
    (reserve,) = (each for each in branches["statements"] if each["function"] == "Runs.reserve")
    assert reserve["taken"] == 0 < reserve["not_taken"] <= 500
    assert reserve["source"].startswith("if not self.available.remove(")


def test_in_a_few_lines(capsys: pytest.CaptureFixture[str], binding: str) -> None:
    assert main(["drive", *SEED, "--ops", "300", binding]) == 0
    text = capsys.readouterr().out
    assert "  tested least  frame." in text
    assert "  branches      of the reference, as the replay of all 300 calls took them: " in text
    assert "`if not self.available.remove(first, first + count):`" in text
    assert main(["drive", *SEED, "--ops", "300", "--quiet", binding]) == 0
    assert "branches" not in capsys.readouterr().out


def test_of_everything(capsys: pytest.CaptureFixture[str], binding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "MOST_WATCHED", 10)
    assert main(["drive", *SEED, "--ops", "300", "--quiet", "--coverage", binding]) == 0
    text = capsys.readouterr().out
    assert "took them: " in text
    assert "all 300 calls" in text
    assert " frame.free [runs.frees-only-allocated]\n" in text
    assert " of 1" in text.split("Runs.reserve: `if not", 1)[0].splitlines()[-1]
    assert "impl/runs.py, never called: " in text


def test_threads_take_no_branches(capsys: pytest.CaptureFixture[str], binding: str) -> None:
    assert main(["drive", "--threads", "2", "--coverage", binding]) == 2
    assert "not with --coverage" in capsys.readouterr().err
