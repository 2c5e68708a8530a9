"""Units of work are done once each, whoever dies meanwhile."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
import working

from memoracle.scaling import workers
from memoracle.scaling.workers import FORK, Lost, of_executor, of_processes
from memoracle.trace.inputs import InputError


def test_each_unit_is_done_once() -> None:
    found = [*of_processes(2, print).done(working.doubled, range(20))]
    assert sorted(found) == [(place, 2 * place) for place in range(20)]


def test_what_is_lost_with_a_process_is_tried_once_more(tmp_path: Path) -> None:
    units = [(number, str(tmp_path / "mark") if number == 3 else "") for number in range(10)]
    told: list[str] = []
    found = [*of_processes(2, told.append).done(working.doubled_unless_first, units)]
    assert sorted(found) == [(place, 2 * place) for place in range(10)]
    assert len(told) == 1
    assert told[0].startswith("a process died: ")
    assert told[0].endswith(" of work tried once more")


def test_what_kills_every_process_is_lost_and_no_secret() -> None:
    told: list[str] = []
    found = [*of_processes(1, told.append).done(working.deadly, [1])]
    assert found == [(0, Lost("the process that had it died, and another when it was tried again, alone"))]
    assert told == [
        "a process died: 1 unit of work tried once more",
        "a process died: 1 unit of work tried again, one after another",
    ]


def test_what_kills_every_process_takes_no_other_unit_with_it() -> None:
    found = [*of_processes(2, lambda words: None).done(working.deadly_at_three, range(10))]
    lost = found.pop()
    assert sorted(found) == [(place, 2 * place) for place in range(10) if place != 3]
    assert lost == (3, Lost("the process that had it died, and another when it was tried again, alone"))


def test_an_executor_of_somebody_else_that_breaks_is_not_made_again() -> None:
    with ProcessPoolExecutor(1, mp_context=FORK) as executor:
        assert [*of_executor(executor).done(working.deadly, [1])] == [(0, Lost("the process that had it died"))]


def test_what_work_raises_is_why_it_is_lost() -> None:
    found = dict(of_processes(1, print).done(working.divided, [0, 2]))
    assert found == {0: Lost("ZeroDivisionError: division by zero"), 1: 0.5}


def test_a_thread_has_it_done_by_an_interpreter_of_its_own() -> None:
    with ThreadPoolExecutor(1) as executor:
        ((_, outcome),) = of_executor(executor).done(working.process, [0])
        assert not isinstance(outcome, Lost)
        assert outcome[0] != os.getpid()
        assert outcome[1] == str(Path.cwd())
        ((_, outcome),) = of_executor(executor).done(working.deadly, [1])
        assert outcome == Lost("ApartError: its interpreter ended with status -9")


def test_workers_with_another_law_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "code_digest", lambda: "0123456789ab")
    words = r"executor: a worker has another memoracle \(code [0-9a-f]{12}\) than this one \(code 0123456789ab\)"
    with ThreadPoolExecutor(1) as executor, pytest.raises(InputError, match=words):
        list(of_executor(executor).done(working.doubled, [1]))


def test_workers_without_the_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    with Renaming(gone) as executor, pytest.raises(InputError, match=r"a worker has no folder .*gone"):
        list(of_executor(executor).done(working.doubled, [1]))


class Renaming(ThreadPoolExecutor):
    """The workers of a machine that has no folder of this name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(1)
        self.folder = folder

    def submit(self, *arguments: object, **named: object) -> object:  # type: ignore[override]
        self.folder.rmdir()
        return super().submit(*arguments, **named)  # type: ignore[arg-type]


def test_a_worker_without_the_package_is_refused() -> None:
    with Lacking() as executor, pytest.raises(InputError, match="executor: its workers have no memoracle"):
        list(of_executor(executor).done(working.doubled, [1]))


class Lacking(ThreadPoolExecutor):
    """Workers that find no package of this name, as Dask and pickle say it."""

    def submit(self, *arguments: object, **named: object) -> object:  # type: ignore[override]
        return super().submit(self.lacking)

    def lacking(self) -> None:
        raise ModuleNotFoundError("No module named 'memoracle'", name="memoracle")


def test_what_is_not_begun_is_given_up(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        coming = of_executor(executor).done(working.marked, [str(tmp_path / f"{each}") for each in range(100)])
        next(coming)
        coming.close()
    assert 1 <= len([*tmp_path.iterdir()]) < 100
