"""Every run begins with the target as it was started, whatever earlier ones did to it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from memoracle.cli import parser
from memoracle.commands.drive import session_of
from memoracle.drive import nursery, silence
from memoracle.drive.nursery import OUTCOME, READING, Nursery
from memoracle.drive.requests import Repeated, Request
from memoracle.drive.silence import MOST, POLL, Silence, no_answer
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


class Clock:
    """The nursery's, which goes when the test says so; and a pipe, from which a run reads before it goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.reading, self.writing = os.pipe()
        for module in (nursery, silence):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def ends(self, run: Nursery, seconds: float) -> bool:
        """Whether a run is over before so much time has gone."""
        for _ in range(round(seconds / POLL)):
            self.now += POLL
            if run.is_over(0):
                return True
        return False

    def let_go_on(self) -> None:
        os.write(self.writing, b"x")

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock(monkeypatch)
    yield made
    made.close()


class LongRead:
    """What takes a second to be written, and so long to be read as a test wants, as many thousands of calls do."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def __reduce__(self) -> tuple[object, tuple[int, int]]:
        self.clock.now += 1
        return (os.read, (self.clock.reading, 1))


def asking(_: object, target: Target) -> Repeated:
    return Repeated(CALLS["frames"], target)


@pytest.mark.parametrize("starts_within", [0.25, 8])
@pytest.mark.parametrize("late", [-1, 1])
def test_what_is_asked_may_take_longer_to_read_and_a_start_longer_than_a_call(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, starts_within: float, late: int
) -> None:
    monkeypatch.setattr(nursery, "STARTING", starts_within)
    seconds = max(starts_within, 0.5)
    binding = shutil.copy(TARGETS / "frames.toml", tmp_path)
    subprocess.run(["cc", "-shared", "-fPIC", TARGETS / "frames.c", "-o", tmp_path / "frames.so"], check=True)
    args = parser().parse_args(["drive", "--quiet", str(binding)])
    with session_of(args) as drive:
        drive.nursery.begin(partial(asking, LongRead(clock)), patience=0.5)
        assert clock.ends(drive.nursery, READING + seconds + late) == (late > 0)
        clock.let_go_on()
        while late < 0 and not drive.nursery.is_over(POLL):
            pass
        assert drive.nursery.death == (no_answer(seconds) if late > 0 else "")
        assert late > 0 or drive.nursery.trial().result.events == 3


@pytest.mark.parametrize("late", [-1, 1])
def test_to_judge_the_last_call_may_take_longer_than_a_call(tmp_path: Path, clock: Clock, late: int) -> None:
    binding = shutil.copy(TARGETS / "frames.toml", tmp_path)
    subprocess.run(["cc", "-shared", "-fPIC", TARGETS / "frames.c", "-o", tmp_path / "frames.so"], check=True)
    args = parser().parse_args(["drive", "--quiet", str(binding)])
    with session_of(args) as drive:
        checked = drive.plan.check

        def slowly(lines: Iterator[bytes], begun: Begun = unwatched) -> TraceResult:
            found = checked(lines, begun)
            os.read(clock.reading, 1)
            return found

        with Nursery(replace(drive.plan, check=slowly)) as slow:
            slow.begin(partial(Repeated, CALLS["frames"]), patience=0.2)
            while not slow.log.is_ended():  # until the last call was made
                assert not slow.is_over(POLL)
            assert clock.ends(slow, OUTCOME + late) == (late > 0)
            clock.let_go_on()
            while late < 0 and not slow.is_over(POLL):
                pass
            assert slow.death == ("no answer within 0.2 seconds" if late > 0 else "")
            assert late > 0 or slow.trial().result.events == 3


def test_a_machine_that_stands_still_is_no_silence_of_a_target(clock: Clock) -> None:
    found = Silence()
    assert found.look("begun") == 0
    clock.now += 3600
    assert found.look("begun") == MOST
    clock.now += POLL
    assert found.look("begun") == pytest.approx(MOST + POLL)
    assert found.look("goes on") == 0
