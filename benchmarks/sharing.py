"""How long whole commands take where one process does the work, two do, or the two workers of a Dask cluster.

The peer is `xargs`, which runs the same command on what it can be given apart, two at a time: it shares out files,
components and seeds, but not the events of one trace. All start as many interpreters as they need, which is measured,
too; the cluster runs already.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import msgspec
import pytest
from distributed import LocalCluster

from benchmarks.driving import TARGETS
from benchmarks.speed import Disagreement
from benchmarks.workloads import FRAMES, RANGES, Workload

AT_ONCE = 2
FILES, PROCESSES = 8, 8
COMPONENTS = ("pat", "boot", "kernel_half")
COMMAND = [sys.executable, "-m", "memoracle"]
SEEDS = ("1", "2")
OF_MACHINE, OF_RANGES = Workload(FRAMES, 20), Workload(RANGES, 11)


SUMMARY = re.compile(rb"(\w+): ([\d,]+) (?:events|obligations)\b")  # a verdict, and of how many


@dataclass(frozen=True)
class Ran:
    """A command that ended well. answer: the verdicts that it gave, and of how many events or obligations in all."""

    seconds: float
    answer: tuple[frozenset[bytes], int]


@dataclass(frozen=True)
class Sharing:
    """Seconds by the clock. peer: None where `xargs` cannot share the work out."""

    name: str
    one: float
    two: float
    cluster: float
    peer: float | None


def sharing(events: int) -> Iterator[Sharing]:
    """Of every command that shares work out. events: of all traces together.

    Raises SystemExit where one fails, and Disagreement where the same command answers otherwise if its work is shared.
    """
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", name)  # of everything that is started meanwhile
        folder = Path(name)
        with LocalCluster(AT_ONCE, 1, dashboard_address=":0", silence_logs=logging.CRITICAL) as cluster:
            executor = ["--executor", f"dask:{cluster.scheduler_address}"]
            yield checking_files(folder, events, executor)
            yield checking_one(folder, events, executor)
            yield proving(executor)
            yield driving(folder, events, executor)


def checking_files(folder: Path, events: int, executor: Sequence[str]) -> Sharing:
    paths = [str(folder / f"{number}.jsonl") for number in range(FILES)]
    for path in paths:
        lines = OF_MACHINE.lines(max(events // FILES, 1))
        Path(path).write_bytes(b"".join([OF_MACHINE.header(), *lines]))
    check = [*COMMAND, "check", "--quiet"]
    return compared(
        f"check of {FILES} traces, {events:,} events",
        ran([*check, *paths]),
        ran([*check, *paths, "--jobs", str(AT_ONCE)]),
        ran([*check, *paths, *executor]),
        xargs_ran(check, paths, FILES // AT_ONCE),
    )


def checking_one(folder: Path, events: int, executor: Sequence[str]) -> Sharing:
    path = folder / "one.jsonl"
    with path.open("wb") as out:
        out.writelines(one_trace(events))
    check = [*COMMAND, "check", "--quiet", str(path)]
    jobs, name = ["--jobs", str(AT_ONCE)], f"check of one trace, {events:,} events"
    return compared(name, ran(check), ran([*check, *jobs]), ran([*check, *executor]), None)


def one_trace(events: int) -> Iterator[bytes]:
    """A trace of which a quarter is of frames, and the rest of the ranges of some processes, in turn."""
    yield msgspec.json.encode({"memoracle": 1, "geometry": OF_MACHINE.stated | OF_RANGES.stated}) + b"\n"
    yield from (b'{"op":"process.create","result":%d}\n' % number for number in range(1, PROCESSES + 1))
    each = [*islice(OF_RANGES.lines(events), 1, None)]  # after the process has been made
    frames = OF_MACHINE.lines(events)
    places = [0] * PROCESSES
    for turn in islice(cycle(range(PROCESSES * 4 // 3 + 1)), events):
        if turn >= PROCESSES:
            yield next(frames)
            continue
        yield each[places[turn]].replace(b'"process":1,', b'"process":%d,' % (turn + 1))
        places[turn] += 1


def proving(executor: Sequence[str]) -> Sharing:
    prove = [*COMMAND, "prove", "--quiet", "--no-cache"]
    return compared(
        f"prove {' '.join(COMPONENTS)}",
        ran([*prove, *COMPONENTS, "--jobs", "1"]),
        ran([*prove, *COMPONENTS, "--jobs", str(AT_ONCE)]),
        ran([*prove, *COMPONENTS, *executor]),
        xargs_ran([*prove, "--jobs", "1"], COMPONENTS, 1),
    )


def driving(folder: Path, calls: int, executor: Sequence[str]) -> Sharing:
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", TARGETS / "buddy.c", "-o", folder / "buddy.so"], check=True)
    binding = shutil.copy(TARGETS / "buddy.toml", folder)
    drive = [*COMMAND, "drive", "--quiet", binding]
    whole = [*drive, "--ops", str(calls), "--seed", SEEDS[0]]  # which many processes share
    several = [*whole, "--jobs", str(AT_ONCE)]
    return compared(
        f"drive, {calls:,} calls",
        ran(whole),
        ran(several),
        ran([*several, *executor]),
        xargs_ran([*drive, "--ops", str(max(calls // AT_ONCE, 1)), "--seed"], SEEDS, 1),
    )


def xargs_ran(command: Sequence[str], words: Sequence[str], each: int) -> Ran:
    """A command that is given so many of the words each time."""
    shared = ["xargs", "-P", str(AT_ONCE), "-n", str(each), *command]
    return ran(shared, "\n".join(words).encode())


def ran(command: Sequence[str], said: bytes = b"") -> Ran:
    began = time.perf_counter()
    done = subprocess.run(command, input=said, capture_output=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}: {done.stderr.decode()}")
    summaries = SUMMARY.findall(done.stdout)
    verdicts = frozenset(verdict for verdict, _ in summaries)
    return Ran(took, (verdicts, sum(int(count.replace(b",", b"")) for _, count in summaries)))


def compared(name: str, one: Ran, two: Ran, cluster: Ran, peer: Ran | None) -> Sharing:
    """What they took; raises Disagreement where they do not say the same, or say nothing."""
    runs = [each for each in (one, two, cluster, peer) if each is not None]
    if not one.answer[1] or any(each.answer != one.answer for each in runs):
        raise Disagreement(f"{name}: {', '.join(str(each.answer) for each in runs)}")
    return Sharing(name, one.seconds, two.seconds, cluster.seconds, None if peer is None else peer.seconds)
