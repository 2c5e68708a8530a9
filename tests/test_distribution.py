"""What is built to be installed: nothing is missing in it, and it works where nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WINGS = {"spec": "memoracle/spec", "impl": "memoracle/impl", "proofs": "memoracle/proofs", "oracle": "memoracle"}
FIRST = ROOT / "examples" / "first.jsonl"


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """In an environment that leads to nothing of this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env={**kept, **variables}, capture_output=True, text=True, check=False
    )


def built(folder: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it alone, by what is installed.

    The sources are copied first: what is written beside them meanwhile would be read by other tests.
    """
    sources = folder / "sources"
    made = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, sources, ignore=made)
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, sources, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def kept_files() -> set[str]:
    """The files of the wings that are, or would be, under version control, as a wheel has them."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", *WINGS, cwd=ROOT).stdout.splitlines()
    assert len(listed) > 1000
    return {f"{WINGS[wing]}/{rest}" for wing, _, rest in (each.partition("/") for each in listed)}


def test_every_file_of_the_wings_is_in_the_wheel_and_no_other(tmp_path: Path) -> None:
    sdist, wheel = built(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [entry_points] = [each for each in names if each.endswith("entry_points.txt")]
        assert "memoracle = memoracle.pytest_plugin" in archive.read(entry_points).decode()
    packed = {each for each in names if each.startswith("memoracle/")}
    assert packed == kept_files()
    assert [each for each in names - packed if "scripts/memoracle" in each]
    assert [each for each in names if each.endswith("LICENSE")]
    with tarfile.open(sdist) as archive:
        tops = {each.partition("/")[2].partition("/")[0] for each in archive.getnames()}
    assert {*WINGS, "bin", "setup.py", "pyproject.toml", "README.md", "LICENSE"} <= tops


@pytest.mark.long
def test_an_empty_environment_checks_drives_and_says_what_proofs_need(tmp_path: Path) -> None:
    _, wheel = built(tmp_path)
    python = environment(tmp_path, str(wheel))
    memoracle = python.with_name("memoracle")
    assert "z3-solver" not in run(python, "-m", "pip", "list", cwd=tmp_path).stdout
    checked = run(memoracle, "check", FIRST, cwd=tmp_path)
    assert checked.returncode == 1, checked.stderr
    assert "only a free frame is allocated [bitmap.allocates-only-free]" in checked.stdout
    pool = [f"{python} {ROOT / 'examples' / 'pool.py'}", "--geometry", ROOT / "examples" / "pool.toml"]
    driven = run(memoracle, "drive", *pool, "--ops", "200", "--quiet", cwd=tmp_path)
    assert driven.returncode == 0, driven.stderr
    assert run(memoracle, "vectors", "--component", "pat", cwd=tmp_path).returncode == 0
    assert run(memoracle, "explain", "bitmap.allocates-only-free", cwd=tmp_path).returncode == 0
    refused = run(memoracle, "prove", "pat", cwd=tmp_path)
    assert refused.returncode == 2
    assert "pip install 'memoracle[prove]'" in refused.stderr


@pytest.mark.long
def test_a_job_installs_a_wheel_and_checks(tmp_path: Path) -> None:
    """What `init --ci` writes, command by command, with nothing in the place of anything."""
    _, wheel = built(tmp_path)
    python = environment(tmp_path, str(wheel))
    traces = tmp_path / "traces"
    traces.mkdir()
    shutil.copy(FIRST, traces)
    written = run(python.with_name("memoracle"), "init", "--ci", "gitlab", "--from", f"./{wheel.name}", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    job = yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text(encoding="utf-8"))["memoracle"]
    assert run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "memoracle", cwd=tmp_path).returncode == 0
    variables = {**job["variables"], "PATH": f"{python.parent}:{os.environ['PATH']}"}
    (install,), (check,) = job["before_script"], job["script"]
    installed = run("bash", "-c", install, cwd=tmp_path, **variables)
    assert installed.returncode == 0, installed.stderr
    checked = run("bash", "-c", check, cwd=tmp_path, **variables)
    assert checked.returncode == 1, checked.stderr
    assert "traces/first.jsonl: diverges" in checked.stdout


@pytest.mark.long
def test_an_empty_environment_has_the_plugin(tmp_path: Path) -> None:
    _, wheel = built(tmp_path)
    python = environment(tmp_path, str(wheel), "pytest")
    pool = f'target = "{python} {ROOT / "examples" / "pool.py"}"\ngeometries = ["{ROOT / "examples" / "pool.toml"}"]'
    (tmp_path / "pyproject.toml").write_text(f"[tool.memoracle]\n{pool}\nops = 100\n", encoding="utf-8")
    tested = run(python, "-m", "pytest", "-q", "-rA", cwd=tmp_path)
    assert tested.returncode == 0, tested.stdout
    assert "frame.allocate.must-succeed" in tested.stdout


@pytest.mark.long
def test_an_empty_environment_with_the_extra_proves(tmp_path: Path) -> None:
    sdist, _ = built(tmp_path)
    python = environment(tmp_path, f"{sdist}[prove]")
    proved = run(
        python.with_name("memoracle"), "prove", "pat", "--contracts", "--quiet",
        cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"),
    )  # fmt: skip
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "proved: " in proved.stdout
    assert " 0 refuted, 0 unknown, 0 vacuous" in proved.stdout


def environment(folder: Path, *packages: str) -> Path:
    """The Python of a new environment that has these, and what they ask for, in the versions that are pinned."""
    assert run(sys.executable, "-m", "venv", folder / "venv", cwd=folder).returncode == 0
    python = folder / "venv" / "bin" / "python"
    installed = run(
        python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", *packages, cwd=folder
    )
    assert installed.returncode == 0, installed.stderr
    return python
