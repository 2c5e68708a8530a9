"""Tasks run on all processors; a worker that dies takes nobody with it, and none outlives the one who waits."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from interrupted_forks import interrupted_forks, left_behind

from memoracle.proofs.obligations.process_pool import Failure, run_each

PATIENCE = 120  # seconds
TWO_SLEEPERS = """
import sys, time
from memoracle.proofs.obligations.process_pool import run_each

def sleep():
    sys.stderr.write("begun\\n")
    sys.stderr.flush()
    time.sleep(60)

try:
    list(run_each([sleep] * 5, workers=2))
except KeyboardInterrupt:
    sys.exit(77)
"""


def test_every_task_has_its_result_at_its_place() -> None:
    tasks = [partial(pow, number, 2) for number in range(20)]
    assert dict(run_each(tasks, workers=3)) == {number: number**2 for number in range(20)}
    assert dict(run_each(tasks)) == dict(run_each(tasks, workers=1))
    assert list(run_each([])) == []


def test_tasks_begin_in_their_order_and_none_sees_what_another_left() -> None:
    seen: list[int] = []

    def task(number: int) -> list[int]:
        seen.append(number)
        return seen

    assert list(run_each([partial(task, number) for number in range(4)], workers=1)) == [(n, [n]) for n in range(4)]
    assert seen == []


def all_begun(folder: Path, name: str) -> bool:
    """Whether so many have begun as there are to be, while this one waits for them."""
    (folder / name).touch()
    for _ in range(10 * PATIENCE):
        if len([*folder.iterdir()]) == 4:
            return True
        time.sleep(0.1)
    return False


def test_so_many_run_at_once(tmp_path: Path) -> None:
    tasks = [partial(all_begun, tmp_path, name) for name in "abcd"]
    assert dict(run_each(tasks, workers=4)) == dict.fromkeys(range(4), True)


def dying(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)
    time.sleep(60)


def half_a_result() -> Callable[[], None]:
    return lambda: None  # which cannot be pickled


def failing() -> None:
    raise ValueError("of no use")


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (partial(dying, signal.SIGKILL), "its process died of SIGKILL"),
        (partial(dying, signal.SIGTERM), "its process died of SIGTERM"),
        (partial(os._exit, 3), "its process died with status 3"),
        (partial(os._exit, 0), "its process died with status 0"),
        (failing, "ValueError: of no use"),
        (partial(sys.exit, 5), "its process died with status 5"),
    ],
)
def test_what_fails_fails_alone(task: Callable[[], object], reason: str) -> None:
    tasks = [partial(pow, 2, 3), task, partial(pow, 2, 4)]
    for workers in (1, 2):
        assert dict(run_each(tasks, workers)) == {0: 8, 1: Failure(reason), 2: 16}


def test_a_result_that_cannot_be_sent_is_a_failure() -> None:
    ((_, found),) = run_each([half_a_result])
    assert isinstance(found, Failure)
    assert found.reason


def test_all_end_when_nobody_waits_any_more() -> None:
    reading, writing = os.pipe()
    waiting = run_each([partial(pow, 2, 2), *[partial(time.sleep, 10 * PATIENCE)] * 3], workers=2)
    assert next(waiting) == (0, 4)
    waiting.close()
    os.close(writing)
    assert select.select([reading], [], [], PATIENCE)[0]
    assert os.read(reading, 1) == b""  # no worker has the pipe open any more
    os.close(reading)


@pytest.mark.parametrize("whole_group", [True, False])
def test_interrupting_ends_all(whole_group: bool) -> None:
    command = [sys.executable, "-c", TWO_SLEEPERS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stderr is not None
        assert [parent.stderr.readline() for _ in range(2)] == ["begun\n"] * 2
        if whole_group:  # as a terminal does it
            os.killpg(parent.pid, signal.SIGINT)
        else:
            parent.send_signal(signal.SIGINT)
        assert parent.wait(PATIENCE) == 77
        assert parent.stderr.read() == ""  # at its end: nobody has it open any more
        assert gone_soon(parent.pid)


def test_an_interrupt_while_a_worker_is_forked_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with interrupted_forks(monkeypatch) as forked, pytest.raises(KeyboardInterrupt):
        list(run_each([partial(time.sleep, 10 * PATIENCE)] * 3, workers=2))
    assert left_behind(forked) == []
    assert len(forked) == 1


def gone_soon(group: int) -> bool:
    """Whether a group of processes is gone, or is as soon as whoever adopts its dead has buried them."""
    for _ in range(10 * PATIENCE):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_what_a_task_prints_is_no_part_of_the_output(capfd: pytest.CaptureFixture[str]) -> None:
    list(run_each([partial(os.write, 1, b"noise\n")]))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "noise\n")
