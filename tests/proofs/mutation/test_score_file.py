"""Scores are kept of what was wholly tried, on a commit that there is; what else the file has stays."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from memoracle.proofs import changes
from memoracle.proofs.mutation import score, score_file
from memoracle.proofs.mutation.seeding import Verdict
from memoracle.report.html.proof_page import known_scores
from memoracle.trace.inputs import InputError

COMMIT = "0123456789abcdef"
TEXT = """\
# What became of the faults.
# On two lines.

[pat]
commit = "aaaaaaa"
faults = 3
survived = 3

[heap]
commit = "bbbbbbb"
faults = 9
"""


@pytest.fixture
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, in a checkout in which nothing but it has changed."""
    path = tmp_path / "scores.toml"
    path.write_text(TEXT)
    monkeypatch.setattr(score_file, "FILE", path)
    changed(monkeypatch, "proofs/mutation/scores.toml", "oracle/cli.py", "docs/proofs.md")
    return path


def changed(monkeypatch: pytest.MonkeyPatch, *paths: str, pins: bool = False) -> None:
    monkeypatch.setattr(changes, "changed_since", lambda revision: changes.Changed(COMMIT, paths, pins))


def found(monkeypatch: pytest.MonkeyPatch, *missing: int) -> None:
    """An earlier run has found that every fault is refuted by a run, but for these, which it did not try."""
    verdicts = iter(range(1000))
    run = Verdict("refuted", "pat.select.refines", "run")
    monkeypatch.setattr(score, "kept", lambda name: None if next(verdicts) in missing else run)


def test_an_entry_is_replaced_and_all_else_stays() -> None:
    assert score_file.updated(TEXT, {"pat": {"faults": 4, "survived": 0}}, COMMIT) == TEXT.replace(
        'commit = "aaaaaaa"\nfaults = 3\nsurvived = 3', 'commit = "0123456"\nfaults = 4\nsurvived = 0'
    )
    assert score_file.updated(TEXT, {}, COMMIT) == TEXT


def test_a_new_component_comes_last() -> None:
    entry = '\n[boot]\ncommit = "0123456"\nfaults = 1\n'
    assert score_file.updated(TEXT, {"boot": {"faults": 1}}, COMMIT) == TEXT + entry


def test_a_file_that_cannot_be_read_is_said_to_be() -> None:
    with pytest.raises(score_file.ScoresError, match=r"scores\.toml: Expected .*after a key"):
        score_file.updated("pat", {}, COMMIT)


def test_the_scores_of_a_whole_component_are_kept(
    kept_in: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found(monkeypatch)
    monkeypatch.setattr(score, "EQUIVALENT", empty(kept_in))
    assert score.main(["pat", "--kept", "--update"]) == 0
    assert capsys.readouterr().err == "scores.toml has the scores of pat\n"
    scores = tomllib.loads(kept_in.read_text())
    faults = scores["pat"]["faults"]
    none = dict.fromkeys(("by_proof", "fails_to_run", "equivalent", "unknown", "survived", "not_tried"), 0)
    assert scores["pat"] == {"commit": "0123456", "faults": faults, "by_run": faults, **none}
    assert faults > 50
    assert scores["heap"] == {"commit": "bbbbbbb", "faults": 9}
    assert kept_in.read_text().startswith("# What became of the faults.\n# On two lines.\n")
    assert {each.name for each in kept_in.parent.iterdir()} == {"scores.toml", "equivalent.toml"}


def empty(beside: Path) -> Path:
    path = beside.with_name("equivalent.toml")
    path.write_text("")
    return path


def test_nothing_is_kept_of_a_component_that_was_not_wholly_tried(
    kept_in: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found(monkeypatch, 7)
    monkeypatch.setattr(score, "EQUIVALENT", empty(kept_in))
    assert score.main(["pat", "--kept", "--update"]) == 1
    assert capsys.readouterr().err == "scores.toml has the scores of none of these; not wholly tried: pat\n"
    assert kept_in.read_text() == TEXT


def test_nothing_is_kept_where_a_fault_is_called_harmless_that_is_not(
    kept_in: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found(monkeypatch)
    monkeypatch.setattr(score, "differing", lambda scores, listed, jobs: [])
    assert score.main(["pat", "--kept", "--update"]) == 2
    said = capsys.readouterr().err
    assert "not equivalent, pat.select.refines refutes it" in said
    assert said.endswith("scores.toml is as it was, since equivalent_mutants.toml is wrong\n")
    assert kept_in.read_text() == TEXT


@pytest.mark.parametrize("path", ["spec/pat.py", "impl/new.py", "proofs/mutation/equivalent_mutants.toml"])
def test_a_commit_that_differs_from_what_is_tried_is_refused(
    path: str, kept_in: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(monkeypatch, "docs/proofs.md", path)
    monkeypatch.setattr(score, "kept", pytest.fail)
    assert score.main(["pat", "--kept", "--update"]) == 2
    assert capsys.readouterr().err.strip().endswith(f"but {path} is not as of 0123456: commit it first")
    assert kept_in.read_text() == TEXT


def test_other_versions_of_what_proves_are_refused(kept_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, "constraints.txt", pins=True)
    with pytest.raises(score_file.ScoresError, match=r"but constraints\.txt is not as of 0123456"):
        score_file.update({"pat": {"faults": 1}}, COMMIT)
    assert kept_in.read_text() == TEXT


def test_no_scores_are_kept_outside_of_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(revision: str) -> changes.Changed:
        raise changes.GitError("no checkout of the project with git")

    monkeypatch.setattr(changes, "changed_since", fails)
    with pytest.raises(score_file.ScoresError, match="the commit that faults were tried on, but no checkout"):
        score_file.committed()


WHOLE = """[pat]
commit = "2c5a366"
faults = 84
by_proof = 82
by_run = 0
fails_to_run = 0
equivalent = 2
unknown = 0
survived = 0
not_tried = 0
"""


def test_scores_are_read(kept_in: Path) -> None:
    kept_in.write_text(WHOLE)
    assert score_file.read() == {"pat": score_file.Score("2c5a366", 84, 82, 0, 0, 2, 0, 0, 0)}


@pytest.mark.parametrize("text", [b"pat = 1", WHOLE[:-3].encode(), WHOLE.replace("84", "-1").encode(), b"\xff", b"["])
def test_scores_that_are_damaged_are_said_to_be(kept_in: Path, text: bytes) -> None:
    kept_in.write_bytes(text)
    with pytest.raises(score_file.ScoresError, match=r"scores\.toml: "):
        score_file.read()
    with pytest.raises(InputError, match=r"--report: scores\.toml: "):
        known_scores()
