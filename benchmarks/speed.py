"""Events a second: of `check`, of its peers, and of decoding alone, which is the limit.

Seconds are those of the processor, so that whatever else runs on the machine counts little.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import compiled, machines, plain
from benchmarks.workloads import FRAMES, RANGES, Workload
from memoracle.diagnostics.levels import EXACT, Rules
from memoracle.replay.dispatch import Replay
from memoracle.trace.decoding import EVENT

REPEATS = 3  # the best of which counts
MOST_STEPS = 5_000  # of a state machine


class Disagreement(Exception):  # noqa: N818 (the checkers disagree, nothing failed)
    """A trace that conforms was refused; then no time means anything."""


@dataclass(frozen=True)
class Speeds:
    """Events, or steps, a second."""

    workload: Workload
    level: str
    check: float  # by its functions
    compiled: float | None  # the same, compiled, if there is such a build
    command: float  # as a program that reads a file, from its start to its end
    plain: float
    machine: float
    decoding: float


def speeds(workload: Workload, events: int) -> list[Speeds]:
    """Measures every way to check so many events of a workload, level by level; raises Disagreement."""
    lines = list(workload.lines(events))
    start = time.process_time()
    machine = machines.run(workload, min(events, MOST_STEPS)) / (time.process_time() - start)
    decoding = events / best(lambda: decoded(lines))
    return [
        Speeds(
            workload,
            level,
            check=events / best(lambda: replayed(workload, level, lines)),  # noqa: B023 (called at once)
            compiled=compiled.rate(workload, level, events),
            command=events / as_a_command(workload, level, lines),
            plain=events / best(lambda: modelled(workload, level, lines)),  # noqa: B023
            machine=machine,
            decoding=decoding,
        )
        for level in workload.levels
    ]


def best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(REPEATS))


def replayed(workload: Workload, level: str, lines: list[bytes]) -> float:
    """The seconds that `check` takes, without its start."""
    replay = Replay(Rules(workload.geometry, level), workload.name)
    start = time.process_time()
    agree(workload, len(list(replay.divergences(lines))))
    return time.process_time() - start


def modelled(workload: Workload, level: str, lines: list[bytes]) -> float:
    """The seconds that the plain model takes, decoding included; of runs, it is not asked which is the lowest."""
    model = plain.model(workload, level == EXACT and workload.kind in (FRAMES, RANGES))
    start = time.process_time()
    agree(workload, plain.refused(model, lines))
    return time.process_time() - start


def as_a_command(workload: Workload, level: str, lines: list[bytes]) -> float:
    """The seconds of `memoracle check` on a file."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.jsonl"
        trace.write_bytes(workload.header() + b"".join(lines))
        arguments = [sys.executable, "-m", "memoracle", "check", "--quiet", "--level", level, str(trace)]
        before = os.times()
        done = subprocess.run(arguments, stdout=subprocess.DEVNULL, check=False)
        after = os.times()
    agree(workload, done.returncode)
    return after.children_user + after.children_system - before.children_user - before.children_system


def decoded(lines: list[bytes]) -> float:
    """The seconds that it takes to decode each line."""
    decode = EVENT.decode
    start = time.process_time()
    for line in lines:
        decode(line)
    return time.process_time() - start


def agree(workload: Workload, refused: int) -> None:
    if refused:
        raise Disagreement(f"{workload.name}: a trace that conforms is refused")
