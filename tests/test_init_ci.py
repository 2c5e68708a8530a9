"""`memoracle init --ci`: where it writes a job, and what that installs."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from memoracle.cli import main

VERSION = f"memoracle=={metadata.version('memoracle')}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ORIGINS = {
    "an index": (None, VERSION, ""),
    "a folder": (
        {"url": "file:///there", "dir_info": {"editable": True}},
        VERSION,
        f"installs {VERSION}, which an index",
    ),
    "a repository": (
        {"url": "https://host/memoracle.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
        f"git+https://host/memoracle.git@{COMMIT}",
        "",
    ),
    "a folder of a repository": (
        {"url": "https://host/a.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}, "subdirectory": "b/c"},
        f"git+https://host/a.git@{COMMIT}#subdirectory=b/c",
        "",
    ),
    "a repository of this machine": (
        {"url": "file:///there", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
        VERSION,
        f"installs {VERSION}, which an index",
    ),
    "a folder of an archive": (
        {"url": "https://host/a.tar.gz", "archive_info": {}, "subdirectory": "b"},
        "https://host/a.tar.gz#subdirectory=b",
        "",
    ),
    "an archive": ({"url": "https://host/memoracle.tar.gz", "archive_info": {}}, "https://host/memoracle.tar.gz", ""),
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_job_installs_what_wrote_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], origin: str
) -> None:
    """https://peps.python.org/pep-0610/ says what pip notes of where a package came from."""
    noted, source, warning = ORIGINS[origin]
    said = None if noted is None else json.dumps(noted)
    package = SimpleNamespace(version=metadata.version("memoracle"), read_text=lambda name: said)
    monkeypatch.setattr(metadata, "distribution", lambda name: package)
    assert main(["init", "--ci", "gitlab", "--output", "-"]) == 0
    out, err = capsys.readouterr()
    assert yaml.safe_load(out)["memoracle"]["variables"]["MEMORACLE_FROM"] == source
    assert (warning in err) if warning else err == ""


@pytest.mark.parametrize("source", ["$HOME/x.whl", "${{ secrets.A }}", "two\nlines", ""])
def test_a_source_that_a_server_would_change_is_refused(capsys: pytest.CaptureFixture[str], source: str) -> None:
    assert main(["init", "--ci", "github", "--output", "-", "--from", source]) == 2
    assert "--from: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "is_of_machine"),
    [
        ("git+file:///there@main", True),
        ("file:///there/a.whl", True),
        ("memoracle @ file:///there", True),
        ("/there/a.whl", True),
        ("../beside/a.whl", True),
        ("git+https://host/profile:a@main", False),
        ("wheels/memoracle-0.1.0-py3-none-any.whl", False),
    ],
)
def test_a_source_that_a_server_may_not_have_is_named(
    capsys: pytest.CaptureFixture[str], source: str, is_of_machine: bool
) -> None:
    assert main(["init", "--ci", "github", "--output", "-", "--from", source]) == 0
    said = f"installs {source}, which is on this machine"
    assert (said in capsys.readouterr().err) == is_of_machine


def test_a_binding_is_installed_from_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "some.so", "--from", "memoracle"]) == 2
    assert "--from: it says where the job of --ci has memoracle from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("server", "place"), [("github", ".github/workflows/memoracle.yml"), ("gitlab", ".gitlab-ci.yml")]
)
def test_a_job_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], server: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_text("mine\n", encoding="utf-8")
    assert main(["init", "--ci", server]) == 2
    assert Path(place).read_text(encoding="utf-8") == "mine\n"
    assert f"{place}: it exists; nothing was written" in capsys.readouterr().err
    assert main(["init", "--ci", server, "--output", "other.yml"]) == 0
    assert main(["init", "--ci", server, "--output", "-"]) == 0
    assert capsys.readouterr().out == Path("other.yml").read_text(encoding="utf-8")


def test_a_job_in_a_part_of_a_checkout_is_not_where_a_server_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "part").mkdir()
    said = f"a server looks for it in {tmp_path}, the root of the checkout, and not here"
    for folder, options, is_said in (("part", (), True), (".", (), False), ("part", ("--output", "a.yml"), False)):
        monkeypatch.chdir(tmp_path / folder)
        assert main(["init", "--ci", "github", *options]) == 0
        assert (said in capsys.readouterr().err) == is_said


def test_a_job_has_no_library(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "some.so", "--ci", "github"]) == 2
    assert "--ci: a job has no library" in capsys.readouterr().err
