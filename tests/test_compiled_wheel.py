"""The optional wheel in which modules are compiled: what it says is what sources say, of every recorded trace."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORDED = ("tests/data/*/*.jsonl", "tests/data/traces/*", "examples/*.jsonl")
LOGS = "tests/data/kmem/*.txt"
GEOMETRY = ("--geometry", "x64-4k", "--level", "safe")  # of logs that start mid-run
LEVELS = ("safe", "legal", "exact")
WORKLOADS = """
import sys
from pathlib import Path
from benchmarks.workloads import WORKLOADS
for number, each in enumerate(WORKLOADS):
    Path(sys.argv[1], f"{number}.jsonl").write_bytes(each.header() + b"".join(each.lines(4000)))
"""


def run(*command: str | Path, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """In the checkout. folder: what is imported of the package is there."""
    kept = {name: value for name, value in os.environ.items() if name != "MEMORACLE_COMPILED"}
    paths = {"PYTHONPATH": str(ROOT if folder is None else folder)}
    environment = {**kept, **paths, **variables}
    return subprocess.run([*map(str, command)], cwd=ROOT, env=environment, capture_output=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    building = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    done = run(*building, MEMORACLE_COMPILED="1")
    assert done.returncode == 0, done.stderr.decode()
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    done = run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel)
    assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.mark.long
def test_its_name_says_where_it_runs_and_it_has_every_source(wheel: Path) -> None:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"-{python}-{python}-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    machine_code = {name for name in names if name.startswith("memoracle/") and name.endswith((".so", ".pyd"))}
    assert {"memoracle/impl/bitmap", "memoracle/replay/dispatch"} <= {name.partition(".")[0] for name in machine_code}
    assert {f"{name.partition('.')[0]}.py" for name in machine_code} <= names


@pytest.mark.long
def test_both_say_the_same_of_every_recorded_trace(installed: Path, tmp_path: Path) -> None:
    assert run(sys.executable, "-c", WORKLOADS, tmp_path).returncode == 0
    traces = [*tmp_path.glob("*.jsonl"), *(path for pattern in RECORDED for path in ROOT.glob(pattern))]
    traces = [path for path in traces if path.is_file() and b'"_call"' not in path.read_bytes()]
    assert len(traces) > 80
    for level in LEVELS:
        same(installed, "--level", level, *traces)
    same(installed, *GEOMETRY, *ROOT.glob(LOGS))


def same(installed: Path, *arguments: str | Path) -> None:
    """What sources say, to the byte, compiled modules say as well."""
    checking = (sys.executable, "-c", LOADED, "check", "--keep-going", "--format", "json", *arguments)
    sources = run(*checking, folder=installed, MEMORACLE_COMPILED="0")
    modules = run(*checking, folder=installed)
    assert b"compiled: []" in sources.stderr
    assert b"memoracle.replay.dispatch" in modules.stderr
    assert len(sources.stdout) > 1000
    assert modules.stdout == sources.stdout
    assert modules.returncode == sources.returncode
    assert modules.stderr.splitlines()[:-1] == sources.stderr.splitlines()[:-1]


LOADED = """
import sys
from memoracle.start import main
status = main()
from memoracle import compiled
print("compiled:", compiled.loaded(), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.long
def test_operations_that_overlap_are_judged_by_sources(installed: Path) -> None:
    trace = ROOT / "examples" / "overlapping.jsonl"
    checked = run(sys.executable, "-m", "memoracle", "check", trace, folder=installed)
    assert checked.returncode == 1, checked.stderr.decode()
    assert b"operations of 2 processors" in checked.stdout


@pytest.mark.long
@pytest.mark.parametrize("variable", ["0", "1"])
def test_proofs_and_everything_but_check_run_sources(installed: Path, variable: str) -> None:
    for command in (["prove", "pat", "--no-cache", "--quiet"], ["explain", "bitmap.allocates-only-free"]):
        done = run(sys.executable, "-c", LOADED, *command, folder=installed, MEMORACLE_COMPILED=variable)
        assert done.returncode == 0, done.stderr.decode()
        assert b"compiled: []" in done.stderr
    told = run(sys.executable, "-m", "memoracle", "--version", folder=installed)
    assert told.stdout.endswith(b", `check` compiled\n")
