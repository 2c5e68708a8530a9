"""`prove --changed-since`: what a change could affect is proved, and what is left out is told with the reason."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from memoracle.proofs import changes, evidence
from memoracle.proofs.changes import Changed
from memoracle.proving.changes import ChangeReport, chosen

Prove = Callable[..., Any]
CLAIMS = 19  # of pat


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(
        ["git", "-C", str(folder), *named, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of a project in which nothing has changed."""
    root = tmp_path / "project"
    for path in ("spec/pat.py", "impl/pat.py", "README.md", changes.PINS):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("z3-solver==1\nrich==1\n")
    git(tmp_path, "init", "--quiet", str(root))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(changes, "ROOT", root.resolve())
    return root


def test_nothing_is_proved_where_nothing_changed(prove: Prove, checkout: Path) -> None:
    told = prove("pat", "--changed-since", "HEAD", "--format", "json")
    assert (told.status, told.document["verdict"]) == (4, "nothing")
    commit = git(checkout, "rev-parse", "HEAD")
    due = {"revision": "HEAD", "commit": commit, "causes": {}, "left_out": {"pat": CLAIMS}, "others": []}
    assert told.document["changed_since"] == due
    text = prove("pat", "--changed-since", "HEAD").out
    assert f"depend on nothing that changed: {CLAIMS} claims ({CLAIMS} of pat)" in text
    assert "so nothing is proved" in text


def test_what_a_change_could_affect_is_proved(prove: Prove, checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    (checkout / "spec/pat.py").write_text("committed")
    git(checkout, "commit", "--quiet", "--all", "--message", "second")
    (checkout / "README.md").write_text("not committed")
    told = prove("pat", "--changed-since", first, "--format", "json")
    assert (told.status, told.document["verdict"]) == (0, "proved")
    assert told.document["changed_since"]["causes"] == {"spec/pat.py": {"pat": CLAIMS}}
    assert told.document["changed_since"]["others"] == ["README.md"]
    assert prove("pat", "--changed-since", "HEAD").status == 4
    (checkout / "impl/pat.py").write_text("not committed")
    text = prove("pat", "--changed-since", "HEAD").out
    assert f"impl/pat.py: could affect {CLAIMS} claims" in text
    assert "1 other file: no verdict depends on it" in text


def test_what_git_names_is_not_obeyed() -> None:
    report = ChangeReport("\u202ex", "0" * 40, {"spec/\x1b[2J\udcff##vso[x].py": {"pat": 1}}, {}, [])
    out = io.StringIO()
    report.tell(Console(file=out, width=200))
    assert out.getvalue().replace("\n", "").isprintable()
    assert "##" not in out.getvalue()


def affected(*paths: str, pins: bool = False) -> set[str]:
    """The claims about two components that a change of these could affect."""
    changed = Changed("", paths, pins)
    return {each.unsettled.name for each in evidence.pieces(["pat", "boot"], False, True) if changed.reasons(each)}


def test_a_change_affects_what_depends_on_it() -> None:
    every = affected("proofs/obligations/solver.py")
    of_pat = {name for name in every if name.startswith("pat.")}
    assert of_pat
    assert of_pat < every
    assert affected("impl/boot.py", "oracle/cli.py") == (every - of_pat) | {
        "pat.code.uses-listed-constructs",  # claims about the text of all of `impl/`
        "pat.code.shares-no-container",
        "pat.code.refuses-what-is-out-of-reach",
    }
    assert affected("proofs/obligations/noted_cores/pat.json") == of_pat
    for path in ("proofs/registry.py", "proofs/dependencies.py"):
        assert affected(path) == every
    assert affected("README.md", "tests/test_layout.py", "oracle/cli.py", changes.PINS) == set()
    assert affected(changes.PINS, pins=True) == every


def test_a_new_file_and_one_that_is_gone_count(checkout: Path) -> None:
    (checkout / "impl/new.py").touch()
    (checkout / "spec/pat.py").unlink()
    assert changes.changed_since("HEAD").paths == ("impl/new.py", "spec/pat.py")
    gone = affected("impl/gone.py")
    assert gone == {name for name in gone if ".code." in name} != set()
    assert affected("proofs/components/boot/gone.py") == {each for each in affected("impl/boot.py") if "boot." in each}


def test_what_depends_on_nobody_knows_what_is_proved(checkout: Path) -> None:
    some = evidence.pieces(["pat"], False, True)
    unknown = replace(some[0], modules=None)
    found, told = chosen("HEAD", [unknown, *some[1:]])
    assert found == [unknown]
    assert told.left_out == {"pat": len(some) - 1}


def test_what_is_about_a_geometry_depends_on_its_file(prove: Prove, checkout: Path) -> None:
    """Which may have changed whatever git says."""
    (checkout / "own.toml").write_text("pat_register = 0x0007040600070406\n")
    told = prove("pat", "--geometry", str(checkout / "own.toml"), "--changed-since", "HEAD", "--format", "json")
    assert told.document["changed_since"]["left_out"] == {"pat": CLAIMS}
    own = told.document["obligations"]
    assert (told.status, {each["scope"] for each in own}) == (0, {"geometry"})
    assert [each["name"] for each in told.document["geometry_report"]["components"][0]["own"]]


def test_a_file_that_moved_is_a_new_one_and_one_that_is_gone(checkout: Path) -> None:
    git(checkout, "mv", "spec/pat.py", "spec/moved.py")
    assert changes.changed_since("HEAD").paths == ("spec/moved.py", "spec/pat.py")


def test_pins_of_what_proves_count(checkout: Path) -> None:
    (checkout / changes.PINS).write_text("z3-solver==1\nrich==2\n")
    assert not changes.changed_since("HEAD").pins
    for text in ("z3-solver==2\nrich==2\n", "z3-solver==1\nrich==1\nunicorn==1\n"):
        (checkout / changes.PINS).write_text(text)
        assert changes.changed_since("HEAD").pins


def test_what_is_no_revision_or_no_checkout(
    prove: Prove, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for revision in ("nothing", "--all", "HEAD:README.md"):
        told = prove("pat", f"--changed-since={revision}")
        assert (told.status, told.out) == (2, "")
        assert told.err == f"memoracle: --changed-since: there is no revision {revision!r}\n"
    monkeypatch.setattr(changes, "ROOT", checkout / "spec")
    assert f"{checkout / 'spec'} is no checkout of the project with git" in prove("--changed-since", "HEAD").err
    monkeypatch.setattr(changes, "ROOT", tmp_path)
    assert "no checkout of the project with git" in prove("--changed-since", "HEAD").err
    monkeypatch.setenv("PATH", str(tmp_path))
    told = prove("--changed-since", "HEAD")
    assert (told.status, told.err) == (
        2,
        "memoracle: --changed-since: git cannot be run: No such file or directory\n",
    )


def test_pins_that_are_gone_or_no_text_count(checkout: Path) -> None:
    (checkout / changes.PINS).write_bytes(b"z3-solver==1\nrich==\xff\n")
    assert not changes.changed_since("HEAD").pins
    (checkout / changes.PINS).unlink()
    assert changes.changed_since("HEAD").pins


def test_what_git_names_may_be_no_file() -> None:
    assert dict(changes._named(["//", ".py", "spec/.py", "spec/pat.py", "spec/pat.txt", "docs/a.py"])) == {
        "spec/pat.py": "spec.pat",
    }
