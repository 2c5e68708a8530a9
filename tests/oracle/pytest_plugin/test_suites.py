"""A project whose pyproject.toml names a binding, and which has a class: what is wrong fails by name, the rest passes.

The files are those of docs/plugin.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from blocks_binding import blocks

DOCUMENT = (Path(__file__).parents[3] / "docs" / "plugin.md").read_text(encoding="utf-8")
SHARED = Path(__file__).parents[1]
PATIENT = "import limits\nlimits.be_patient()\n"  # how long it shrinks what failed is not for a busy machine to say
BINDING, CLASS = "pyproject.toml::test_memoracle", "tests/test_frames.py::TestFrames::test_memoracle"
SECOND_FREE = f"{CLASS}[small-frame.free-bitmap.frees-only-allocated]"
NEVER_TRIED = f"{BINDING}[frame.free-runs.run-has-a-place]"  # no file says how many frames a block of an order has


def shown(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


@dataclass
class Ran:
    """What came of a run of pytest: its status, its text, and the tests by outcome."""

    status: int
    text: str

    def tests(self, outcome: str) -> set[str]:
        ids = re.findall(rf"^(?:\[gw\d\] .*? )?{outcome} (\S+::\S+)|^(\S+::\S+) {outcome}", self.text, re.MULTILINE)
        return {one or other for one, other in ids}


def ran(folder: Path, *arguments: str) -> Ran:
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    return Ran(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    written = zip(("pyproject.toml", "tests/small.toml"), shown("toml"), strict=True)
    for name, text in (*written, ("tests/test_frames.py", *shown("python"))):
        (tmp_path / name).write_text(text)
    (tmp_path / "conftest.py").write_text(f"import sys\nsys.path.append({str(SHARED)!r})\n{PATIENT}")
    return tmp_path


def mend(project: Path) -> None:
    tests = project / "tests" / "test_frames.py"
    mended = "if address // 4096 in self.free:\n            raise ValueError\n        self.free.append("
    tests.write_text(tests.read_text().replace("self.free.append(", mended))


def test_what_is_right_passes_and_what_is_wrong_fails_by_name(project: Path) -> None:
    blocks(project)
    found = ran(project, "-W", "error")
    assert found.status == 1
    assert found.tests("FAILED") == {SECOND_FREE}
    assert "memoracle: test_frames.TestFrames, seed 1, 2,000 calls, level legal" in found.text
    passed, skipped = found.tests("PASSED"), found.tests("SKIPPED")
    assert {f"{BINDING}[frame.allocate.must-succeed]", f"{BINDING}[frame.free-runs.frees-only-allocated]"} <= passed
    assert f"{CLASS}[small-frame.free.must-not-crash]" in passed
    assert NEVER_TRIED in skipped
    lines = found.text.splitlines()
    for line in "".join(shown("text")).splitlines():
        pattern = line.replace("[", "[[]").replace("…", "*")
        assert any(fnmatchcase(each, pattern) for each in lines), line


def test_workers_find_the_same_and_keep_it_once(project: Path) -> None:
    binding = blocks(project, "CRASHES")
    found = ran(project, "-n", "2", "-rs")
    crash = f"{BINDING}[frame.free.must-not-crash]"
    assert found.status == 1
    assert found.tests("FAILED") == {crash, SECOND_FREE}
    # Where it does not crash the other rules are tried, in further runs.
    assert {each for each in found.tests("SKIPPED") if "must" in each} == set()
    kept = [*binding.with_suffix(".failures").iterdir(), *(project / "tests").glob("*.failures/*")]
    assert [each.suffix for each in kept] == [".jsonl", ".jsonl"]
    # What failed is tried first: also where the calls that are made now would not find it.
    mend(project)
    found = ran(project, "--memoracle-seed", "3", "--memoracle-ops", "1")
    assert found.tests("FAILED") == {crash}
    assert f"{kept[0]} fails still" in found.text
    assert "memoracle: blocks.toml, seed 3, 1 call," in found.text


def test_what_says_nothing_of_it_loads_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    (tmp_path / "test_nothing.py").write_text(
        'import sys\n\n\ndef test_it():\n    assert {"msgspec", "rich", "cffi"}.isdisjoint(sys.modules)\n'
        '    loaded = {each for each in sys.modules if each.startswith("memoracle")}\n'
        '    assert loaded == {"memoracle", "memoracle.compiled", "memoracle.pytest_plugin"}\n'
    )
    found = ran(tmp_path)
    assert (found.status, found.tests("PASSED")) == (0, {"test_nothing.py::test_it"})
    assert "memoracle:" not in found.text


def test_asserts_of_the_package_are_not_rewritten(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        'import pytest\n\npytest.register_assert_rewrite("memoracle")\nimport memoracle.cover.walk\n'
    )
    (tmp_path / "test_it.py").write_text(
        "import memoracle.impl.buddy\nfrom importlib.machinery import SourceFileLoader\n\n\ndef test_it():\n"
        "    for module in (memoracle.cover.walk, memoracle.impl.buddy):\n"
        "        assert type(module.__loader__) is SourceFileLoader\n"
    )
    assert ran(tmp_path).tests("PASSED") == {"test_it.py::test_it"}


def test_a_pyproject_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.memoracle]\nbinding = "b.toml"\nop = 5\n')
    found = ran(tmp_path)
    assert found.status == 4
    words = (
        "tool.memoracle.op: unknown key; there are binding, target, geometries, level, ops, time, seed, misuse, cover"
    )
    assert f"ERROR: {tmp_path / 'pyproject.toml'}:3: {words}\n" in found.text
