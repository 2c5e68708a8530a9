"""Every run begins with the target as it was started, whatever earlier ones did to it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from memoracle.cli import parser
from memoracle.commands.drive import session_of
from memoracle.drive.nursery import Nursery
from memoracle.drive.requests import Repeated, Request
from memoracle.drive.target import Target
from memoracle.drive.trial import Begun, unwatched
from memoracle.replay.coverage import stakes_of
from memoracle.report.check_report import TraceResult

TARGETS = Path(__file__).parents[3] / "examples" / "targets"
CALLS = {
    "heap": [Request("heap.new", {"bytes": size}, {}) for size in (64, 300, 64)],  # in memory that it is given
    "frames": [Request("frame.allocate", {}, {}) for _ in range(3)],  # in variables of its own
}


@pytest.mark.parametrize("name", CALLS)
def test_runs_know_nothing_of_each_other(tmp_path: Path, name: str) -> None:
    binding = shutil.copy(TARGETS / f"{name}.toml", tmp_path)
    subprocess.run(["cc", "-shared", "-fPIC", TARGETS / f"{name}.c", "-o", tmp_path / f"{name}.so"], check=True)
    args = parser().parse_args(["drive", "--quiet", str(binding)])
    with session_of(args) as drive:
        first, second = (drive.nursery.run(partial(Repeated, CALLS[name])).lines for _ in range(2))
    assert len(first) == 4
    assert first == second


def test_what_a_run_comes_to_is_judged_there_and_not_once_more(tmp_path: Path) -> None:
    binding = shutil.copy(TARGETS / "frames.toml", tmp_path)
    subprocess.run(["cc", "-shared", "-fPIC", TARGETS / "frames.c", "-o", tmp_path / "frames.so"], check=True)
    args = parser().parse_args(["drive", "--quiet", str(binding)])
    with session_of(args) as drive:
        trial = drive.nursery.run(partial(Repeated, CALLS["frames"]))
        assert (drive.nursery.death, trial.result.events, trial.clause) == ("", 3, "")
    assert trial.result.coverage is not None
    # Its clauses are those of this process, so that what several processes exercised can be counted together.
    assert trial.result.coverage.stakes == stakes_of(drive.geometry)


class LongRead:
    """What takes so long to be written, and so long to be read, as many thousands of calls do."""

    SECONDS = 0.5

    def __reduce__(self) -> tuple[object, tuple[float]]:
        time.sleep(self.SECONDS)
        return (time.sleep, (self.SECONDS,))


def asking(_: object, target: Target) -> Repeated:
    return Repeated(CALLS["frames"], target)


def test_what_is_asked_may_take_longer_to_read_than_a_call(tmp_path: Path) -> None:
    binding = shutil.copy(TARGETS / "frames.toml", tmp_path)
    subprocess.run(["cc", "-shared", "-fPIC", TARGETS / "frames.c", "-o", tmp_path / "frames.so"], check=True)
    args = parser().parse_args(["drive", "--quiet", str(binding)])
    with session_of(args) as drive:
        drive.nursery.run(partial(Repeated, CALLS["frames"]))  # so that it is started
        trial = drive.nursery.run(partial(asking, LongRead()), patience=0.3)
        assert (drive.nursery.death, trial.result.events) == ("", 3)


def test_to_judge_the_last_call_may_take_longer_than_a_call(tmp_path: Path) -> None:
    binding = shutil.copy(TARGETS / "frames.toml", tmp_path)
    subprocess.run(["cc", "-shared", "-fPIC", TARGETS / "frames.c", "-o", tmp_path / "frames.so"], check=True)
    args = parser().parse_args(["drive", "--quiet", str(binding)])
    with session_of(args) as drive:
        checked = drive.plan.check

        def slowly(lines: Iterator[bytes], begun: Begun = unwatched) -> TraceResult:
            found = checked(lines, begun)
            time.sleep(0.5)
            return found

        with Nursery(replace(drive.plan, check=slowly)) as nursery:
            nursery.run(partial(Repeated, CALLS["frames"]))  # so that it is started
            trial = nursery.run(partial(Repeated, CALLS["frames"]), patience=0.2)
            assert (nursery.death, trial.result.events) == ("", 3)
