"""How fast `check` is where its modules are compiled: those that `make compiled` has built of these very sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from filecmp import cmp
from functools import cache
from pathlib import Path

from benchmarks.workloads import Workload

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "compiled"
WINGS = {  # what is compiled is in these
    "impl": "memoracle/impl",
    "oracle/replay": "memoracle/replay",
    "oracle/trace": "memoracle/trace",
}


def rate(workload: Workload, level: str, events: int) -> float | None:
    """Events a second, by a process of its own; None without a build of these sources."""
    if not is_current():
        return None
    asked = json.dumps([workload.kind, workload.bits, workload.scattered, level, events])
    paths = os.pathsep.join(map(str, (BUILD, ROOT)))
    variables = {**os.environ, "PYTHONPATH": paths, "MEMORACLE_COMPILED": "1"}
    command = [sys.executable, "-m", "benchmarks.compiled", asked]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return events / float(done.stdout)


@cache
def is_current() -> bool:
    """Whether there is a build, and its sources are those of this checkout."""
    pairs = [
        (path, BUILD / inside / path.relative_to(ROOT / wing))
        for wing, inside in WINGS.items()
        for path in (ROOT / wing).rglob("*.py")
    ]
    return BUILD.is_dir() and all(built.is_file() and cmp(path, built, shallow=False) for path, built in pairs)


def main() -> None:
    """Prints the seconds that checking takes."""
    from benchmarks.speed import best, replayed
    from memoracle.compiled import loaded

    kind, bits, scattered, level, events = json.loads(sys.argv[1])
    workload = Workload(kind, bits, scattered)
    lines = list(workload.lines(events))
    seconds = best(lambda: replayed(workload, level, lines))
    assert "memoracle.replay.dispatch" in loaded(), "it is compiled"
    print(seconds)  # noqa: T201


if __name__ == "__main__":
    main()
