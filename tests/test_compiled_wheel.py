"""The optional wheel in which modules are compiled: what it says is what sources say, of every recorded trace."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORDED = ("tests/data/*/*.jsonl", "tests/data/traces/*", "examples/*.jsonl")
LOGS = "tests/data/kmem/*.txt"
LEVELS = ("safe", "legal", "exact")
WORKLOADS = """
import sys
from itertools import islice
from pathlib import Path
from random import Random
import msgspec
from benchmarks import heap, kmem, overlapping, sharing
from benchmarks.workloads import WORKLOADS
folder = Path(sys.argv[1])
for number, each in enumerate(WORKLOADS):
    folder.joinpath(f"{number}.jsonl").write_bytes(each.header() + b"".join(each.lines(4000)))
for name, keys in heap.GEOMETRIES.items():
    header = msgspec.json.encode({"memoracle": 1, "geometry": {"preset": "x64-4k"} | keys}) + b"\\n"
    folder.joinpath(f"{name}.jsonl").write_bytes(header + b"".join(islice(heap.lines(), 4000)))
for number, each in enumerate(overlapping.WORKLOADS):
    lines = overlapping.overlapping(list(each.lines(300)))
    folder.joinpath(f"overlapping-{number}.jsonl").write_bytes(each.header() + b"".join(lines))
folder.joinpath("kmem.txt").write_bytes(b"".join(islice(kmem.lines(), 4000)))
folder.joinpath("many.jsonl").write_bytes(b"".join(sharing.one_trace(80_000)))
chance = Random(1)
for number in range(100):
    path = chance.choice(sorted(Path("examples").glob("*.jsonl")))
    spoilt = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        spoilt[chance.randrange(len(spoilt))] = chance.choice(b'0129xafz"-,:[]{}_ ')
    folder.joinpath(f"spoilt-{number}.jsonl").write_bytes(spoilt)
"""


def run(
    *command: str | Path, folder: Path | None = None, said: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """In the checkout. folder: what is imported of the package is there.  said: comes from a pipe."""
    kept = {name: value for name, value in os.environ.items() if name != "MEMORACLE_COMPILED"}
    paths = {"PYTHONPATH": str(ROOT if folder is None else folder)}
    environment = {**kept, **paths, **variables}
    return subprocess.run([*map(str, command)], cwd=ROOT, env=environment, input=said, capture_output=True, check=False)


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


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every recorded trace, and some of each kind that benchmarks check."""
    folder = tmp_path_factory.mktemp("recorded")
    done = run(sys.executable, "-c", WORKLOADS, folder)
    assert done.returncode == 0, done.stderr.decode()
    found = [*folder.iterdir(), *(path for pattern in (*RECORDED, LOGS) for path in ROOT.glob(pattern))]
    return [path for path in found if path.is_file()]


def overlap(path: Path) -> bool:
    return b'"_call"' in path.read_bytes()


@pytest.mark.long
def test_both_say_the_same_of_every_recorded_trace(installed: Path, recorded: list[Path]) -> None:
    traces = [path for path in recorded if path.suffix != ".txt" and not overlap(path)]
    assert len(traces) > 180
    [many] = (path for path in traces if path.name == "many.jsonl")
    same(installed, "--jobs", "2", many)  # processes check parts of it, and send back what they found
    for level in LEVELS:
        same(installed, "--level", level, *traces)
    same(installed, *(path for path in recorded if path.suffix == ".txt"))


def same(installed: Path, *arguments: str | Path, said: bytes = b"", compiled: bool = True) -> None:
    """What sources say, to the byte, an installed wheel says as well. compiled: whether its compiled modules say it."""
    checking = (sys.executable, "-c", LOADED, "check", "--keep-going", "--format", "json", *arguments)
    sources = run(*checking, folder=installed, said=said, MEMORACLE_COMPILED="0")
    modules = run(*checking, folder=installed, said=said)
    assert b"compiled: []" in sources.stderr
    assert (b"memoracle.replay.dispatch" in modules.stderr) == compiled
    document = json.loads(sources.stdout)
    assert document["events"] > len(document["results"]) >= 1  # and not all were refused
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
def test_operations_that_overlap_are_judged_by_sources_whether_of_files_or_from_a_pipe(
    installed: Path, recorded: list[Path]
) -> None:
    traces = [path for path in recorded if overlap(path) and not path.name.startswith("spoilt")]
    assert len(traces) > 3
    for level in LEVELS:
        same(installed, "--level", level, *traces, compiled=False)
    for trace in traces:
        same(installed, "-", said=trace.read_bytes(), compiled=False)
        same(installed, "-", said=gzip.compress(trace.read_bytes()), compiled=False)
    same(installed, "-", said=(ROOT / "examples" / "diverging.jsonl").read_bytes())


@pytest.mark.long
@pytest.mark.parametrize("variable", ["0", "1"])
def test_proofs_and_everything_but_check_run_sources(installed: Path, variable: str) -> None:
    for command in (["prove", "pat", "--no-cache", "--quiet"], ["explain", "bitmap.allocates-only-free"]):
        done = run(sys.executable, "-c", LOADED, *command, folder=installed, MEMORACLE_COMPILED=variable)
        assert done.returncode == 0, done.stderr.decode()
        assert b"compiled: []" in done.stderr
    told = run(sys.executable, "-m", "memoracle", "--version", folder=installed)
    assert told.stdout.endswith(b", `check` compiled\n")
