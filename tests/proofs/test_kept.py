"""A verdict is never older than its reasons: what a file can affect is proved again when the file changes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
COMPONENT = "pat"
SECONDS = 900
# What takes most of the time of a proof is left out: what is kept does not depend on how much is tried.
LONG = "proofs/exhaustive/entries.py"
SHORTER = {
    "product(range(256), range(256))": "product(range(8), range(256))",
    'if component == "pat":': "if not component:",
}


class Copy:
    """A copy of the package in a folder, with a cache of its own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.verdicts = folder, cache / "memoracle" / "verdicts"
        self.environment = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(cache)}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each run would compile all of the copy

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "memoracle", "prove", COMPONENT, "--format", "json"]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE)

    def prove(self) -> list[str]:
        """Proves the component; the names of the claims that there are."""
        running = self.start()
        out, _ = running.communicate(timeout=SECONDS)
        assert running.returncode == 0
        return [each["name"] for each in json.loads(out)["obligations"]]

    def kept(self) -> dict[str, str]:
        """The names of the claims with a verdict that is kept, by its file."""
        return {path.name: json.loads(path.read_text())["name"] for path in self.verdicts.glob("*.json")}

    def proved_again(self) -> list[str]:
        """The names of the claims that were proved by one more run."""
        before = self.kept()
        self.prove()
        return sorted(name for file, name in self.kept().items() if file not in before)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    folder = tmp_path_factory.mktemp("copy")
    plain = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "oracle", folder / "memoracle", ignore=plain)
    for wing in ("spec", "impl", "proofs"):
        shutil.copytree(PROJECT / wing, folder / "memoracle" / wing, ignore=plain)
    text = (folder / "memoracle" / LONG).read_text()
    for long, short in SHORTER.items():
        assert text.count(long) == 1
        text = text.replace(long, short)
    (folder / "memoracle" / LONG).write_text(text)
    for path in folder.rglob("*.py"):
        age(path)
    return Copy(folder, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def claims(copy: Copy) -> list[str]:
    """Those of the component, once they are proved."""
    found = sorted(copy.prove())
    assert found == sorted(copy.kept().values())
    return found


@pytest.fixture
def changed(copy: Copy, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file of the copy with one line more, until the test is done."""
    path: Path = copy.folder / "memoracle" / request.param
    text = path.read_text()
    path.write_text(f"{text}# changed by a test\n")
    age(path)
    yield path
    path.write_text(text)
    age(path)


def age(path: Path) -> None:
    """Makes a file older than the run that reads it: what changed just now is proved, and not kept."""
    then = time.time() - 60
    os.utime(path, (then, then))


def test_nothing_is_proved_again_if_nothing_changed(copy: Copy, claims: list[str]) -> None:
    assert copy.proved_again() == []


@pytest.mark.parametrize(
    "changed",
    [
        "spec/pat.py",
        "spec/clauses.py",
        "impl/pat.py",
        "proofs/components/pat.py",
        "proofs/symbolic/numbers.py",
        "proofs/obligations/solver.py",
    ],
    indirect=True,
)
def test_all_that_a_file_can_affect_is_proved_again(copy: Copy, claims: list[str], changed: Path) -> None:
    assert copy.proved_again() == claims


@pytest.mark.parametrize("changed", ["spec/buddy.py", "proofs/components/boot/__init__.py"], indirect=True)
def test_what_a_file_of_another_component_does_not_affect_is_kept(copy: Copy, claims: list[str], changed: Path) -> None:
    assert copy.proved_again() == []


def test_rules_of_the_text_are_checked_again_when_code_of_another_component_changes(
    copy: Copy, claims: list[str]
) -> None:
    path = copy.folder / "memoracle/impl/heap.py"
    text = path.read_text()
    path.write_text(f"{text}# changed by a test\n")
    age(path)
    again = copy.proved_again()
    path.write_text(text)
    age(path)
    assert again
    assert all(name.startswith(f"{COMPONENT}.code.") for name in again)


def test_another_version_of_a_package_proves_all_again(copy: Copy, claims: list[str]) -> None:
    installed = copy.folder / "msgspec-99.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: msgspec\nVersion: 99\n")
    try:
        assert copy.proved_again() == claims
    finally:
        shutil.rmtree(installed)


def test_two_runs_at_once_share_the_cache(copy: Copy, claims: list[str], tmp_path: Path) -> None:
    shared = Copy(copy.folder, tmp_path)
    runs = [shared.start(), shared.start()]
    for run in runs:
        run.communicate(timeout=SECONDS)
    assert [run.returncode for run in runs] == [0, 0]
    assert sorted(shared.kept().values()) == claims
    assert shared.proved_again() == []


def test_a_run_that_was_killed_leaves_the_cache_sound(copy: Copy, claims: list[str], tmp_path: Path) -> None:
    alone = Copy(copy.folder, tmp_path)
    running = alone.start()
    deadline = time.monotonic() + SECONDS
    while not (alone.verdicts.exists() and any(alone.verdicts.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=SECONDS)
    assert set(alone.kept().values()) <= set(claims)
    assert sorted(alone.prove()) == claims
    assert sorted(alone.kept().values()) == claims
