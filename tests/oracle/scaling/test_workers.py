"""Units of work are done once each, whoever dies meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import working
from interrupted_forks import PATIENCE, interrupted_forks, left_behind

import memoracle
from memoracle.commands import check_parts
from memoracle.commands.check_parts import Part, Replayed, is_replayed
from memoracle.commands.check_spread import Checked, Files, is_of_files
from memoracle.commands.drive_spread import Calls, is_trial
from memoracle.drive.sessions.session import Share
from memoracle.proofs.named_claims import Named, Source
from memoracle.proofs.obligations.discharge import Result
from memoracle.proofs.obligations.process_pool import Failure
from memoracle.proving.spread import is_of_claims
from memoracle.scaling import carrying, workers
from memoracle.scaling.workers import FORK, Lost, of_executor, of_processes
from memoracle.trace.inputs import InputError

TRACE = Path(__file__).parents[3] / "examples" / "pages.jsonl"


def test_each_unit_is_done_once() -> None:
    found = [*of_processes(2, print).done(working.doubled, range(20))]
    assert sorted(found) == [(place, 2 * place) for place in range(20)]


def test_no_more_processes_are_made_than_there_are_units(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counting(count: int, **named: Any) -> ProcessPoolExecutor:
        made.append(count)
        return ProcessPoolExecutor(1, **named)

    monkeypatch.setattr(workers, "ProcessPoolExecutor", counting)
    many = of_processes(10_000, print)
    assert dict(many.done(working.doubled, range(3))) == {0: 0, 1: 2, 2: 4}
    assert not [*many.done(working.doubled, [])]
    assert made == [3]


@pytest.mark.parametrize("jobs", [0, -1])
def test_a_library_refuses_to_have_nobody_do_it(jobs: int) -> None:
    for call in (
        lambda: memoracle.prove(["pat"], jobs=jobs),
        lambda: memoracle.check_files(["missing.jsonl"], jobs=jobs),
        lambda: memoracle.drive_target("true", jobs=jobs),
    ):
        with pytest.raises(ValueError, match=f"jobs: a number from 1 on was expected, not {jobs}"):
            call()


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


class Ending(ThreadPoolExecutor):
    """Workers that end after their first unit, or give up the others."""

    def __init__(self, *, gives_up: bool) -> None:
        super().__init__(1)
        self.gives_up, self.begun = gives_up, False

    def submit(self, *arguments: object, **named: object) -> object:  # type: ignore[override]
        if not self.begun:
            self.begun = True
            return super().submit(*arguments, **named)  # type: ignore[arg-type]
        if not self.gives_up:
            raise BrokenExecutor
        given_up: Future[object] = Future()
        given_up.cancel()
        given_up.set_running_or_notify_cancel()
        return given_up


@pytest.mark.parametrize(
    ("gives_up", "words"), [(False, "the process that had it died"), (True, "its executor gave it up")]
)
def test_what_is_not_taken_or_given_up_is_lost(gives_up: bool, words: str) -> None:
    with Ending(gives_up=gives_up) as executor:
        found = sorted(of_executor(executor).done(working.doubled, [1, 2, 3]), key=itemgetter(0))
    assert found == [(0, 2), (1, Lost(words)), (2, Lost(words))]


def test_what_work_raises_is_why_it_is_lost() -> None:
    found = dict(of_processes(1, print).done(working.divided, [0, 2]))
    assert found == {0: Lost("ZeroDivisionError: division by zero"), 1: 0.5}


def test_an_interrupt_is_for_whoever_waits_for_the_workers() -> None:
    assert [*of_processes(1, print).done(working.interrupted, [5])] == [(0, 5)]


def test_what_is_begun_ends_with_whoever_asked() -> None:
    others = {*multiprocessing.active_children()}
    coming = of_processes(2, print).done(working.slow, [10 * PATIENCE, 0])
    assert next(coming) == (1, 0)
    made = [each.pid for each in {*multiprocessing.active_children()} - others if each.pid is not None]
    coming.close()
    assert left_behind(made) == []
    assert len(made) == 2


def test_an_interrupt_while_processes_are_forked_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with interrupted_forks(monkeypatch) as forked, pytest.raises(KeyboardInterrupt):
        list(of_processes(2, print).done(working.slow, [10 * PATIENCE, 0]))
    assert left_behind(forked) == []
    assert len(forked) == 2


def test_what_is_printed_elsewhere_is_no_answer() -> None:
    with ThreadPoolExecutor(1) as executor:
        assert [*of_executor(executor).done(working.loud, [5])] == [(0, 5)]


def test_code_differs_where_any_file_of_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the wings lie in the root's folder, as they are installed, or in folders of their own."""
    monkeypatch.setattr(
        carrying, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path / name)])
    )
    for name in ("memoracle", *(f"memoracle.{wing}" for wing in carrying.WINGS)):
        (tmp_path / name / "report").mkdir(parents=True)
        for file in ("one.py", "report/two.py"):
            (tmp_path / name / file).write_text("")
    digests = [carrying.code_digest.__wrapped__()]
    for path in sorted(tmp_path.rglob("*.py")):
        path.write_text("pass\n")
        digests.append(carrying.code_digest.__wrapped__())
    assert len({*digests}) == len(digests) == 9
    (tmp_path / "memoracle" / "spec").mkdir()
    (tmp_path / "memoracle" / "spec" / "one.py").write_text("it counts where the wing is")
    assert carrying.code_digest.__wrapped__() == digests[-1]


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


class Sending(ThreadPoolExecutor):
    """Workers that send this, or raise it, whatever they are asked."""

    def __init__(self, answer: Any) -> None:
        super().__init__(1)
        self.answer = answer

    def submit(self, *arguments: object, **named: object) -> Any:  # type: ignore[override]
        future = Future[Any]()
        if isinstance(self.answer, BaseException):
            future.set_exception(self.answer)
        else:
            future.set_result(self.answer)
        return future


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (3, "TypeError: "),
        (b"", "EOFError: "),
        (b"no pickle", "UnpicklingError: "),
        (pickle.dumps((None, "four")), "its worker sent what is no answer to what it was asked"),
        (pickle.dumps((SystemExit(0), 2)), "TypeError: its worker sent a SystemExit as the fault of what it was asked"),
        (KeyboardInterrupt(), "WorkerEndedError: KeyboardInterrupt"),
        (
            ModuleNotFoundError("No module named 'kernel'", name="kernel"),
            "ModuleNotFoundError: No module named 'kernel'",
        ),
        (ValueError("\ud800"), "ValueError: \\ud800"),
    ],
)
def test_what_is_no_answer_is_lost(answer: Any, reason: str) -> None:
    with Sending(answer) as executor:
        numbers = of_executor(executor).done(working.doubled, [1], lambda _, found: isinstance(found, int))
        ((_, outcome),) = numbers
    assert isinstance(outcome, Lost)
    assert outcome.reason.startswith(reason)


@pytest.mark.parametrize("found", [None, [], [3], [[3]], [Checked()], [Checked([3])], [[Failure("x")]] * 2])  # type: ignore[list-item]
def test_each_command_knows_its_answers(found: object) -> None:
    files = Files({}, None, None, ["a"])
    claims = Named(Source("pat", False, False, False, None), (("pat.one",),))
    share = Calls({}, Share(1, 9))
    part = Part(files, 0, 2)
    assert not is_of_files(files, found)
    assert not is_of_claims(claims, found)
    assert not is_trial(share, found)
    assert not is_replayed(part, found)


def test_each_command_says_that_it_was_sent_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_parts, "LEAST_BYTES", 1)
    (tmp_path / "target.py").write_text("class Frames:\n    def frame_allocate(self):\n        return 4096\n")
    monkeypatch.syspath_prepend(tmp_path)
    with Sending(pickle.dumps((None, "four"))) as executor:
        (alone,) = memoracle.check_files([TRACE], executor=executor)
        for each in (alone, *memoracle.check_files([TRACE] * 2, executor=executor)):
            assert workers.NO_ANSWER in str(each)
        with pytest.raises(InputError, match=workers.NO_ANSWER):
            memoracle.drive_target("target:Frames", geometry="x64-4k", ops=9, executor=executor)
        claims = memoracle.prove(["pat"], use_cache=False, executor=executor).obligations
        assert {(each.verdict, workers.NO_ANSWER in str(each)) for each in claims} == {("unknown", True)}


def test_claims_are_those_that_were_asked_for() -> None:
    claims = Named(Source("pat", False, False, False, None), (("pat.one",),))
    rest = ("", 0.0, 0, False, "", None)
    one, other = (Result(name, "pat", "theorem", "", "", "proved", *rest) for name in ("pat.one", "pat.other"))
    assert is_of_claims(claims, [[one]])
    assert not is_of_claims(claims, [[other]])


def test_an_answer_without_a_result_is_one() -> None:
    assert is_of_claims(Named(Source("pat", False, False, False, None), (("pat.one",),)), [Failure("it died")])
    assert is_replayed(Part(Files({}, None, None, ["a"]), 0, 2), Replayed("it is no trace"))
    assert not is_replayed(Part(Files({}, None, None, ["a"]), 0, 2), Replayed())
