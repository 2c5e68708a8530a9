"""What workers elsewhere send: what comes of the work that they were given, or anything else."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from fuzzing import guard
from fuzzing.corpora import TRACES
from fuzzing.other_readers import STRANGE, SilentError
from fuzzing.readers import Case, form
from fuzzing.sessions import in_process
from memoracle.commands.check_spread import Checked
from memoracle.commands.drive_spread import Calls, run_calls
from memoracle.drive.trial import Trial
from memoracle.proofs.named_claims import Named, by_name, settle_named
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.process_pool import Failure
from memoracle.report.check_report import TraceResult
from memoracle.scaling import options
from memoracle.scaling.carrying import UnfitError, done_here
from memoracle.scaling.pickled import pickled
from memoracle.scaling.workers import Workers
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.inputs import InputError

RIGHT = "right"  # in the place of an answer: what comes of the unit
TRIAL = Trial(TraceResult("<run>", "legal"), [b'{"memoracle": 1}'], 3, 0.5)
RESULTS: list[Any] = [
    *(None, 3, "ab", [], [[]], [None], ["\x1b"], {}, (1, 2), Checked(), [Checked()], [Checked([TRIAL.result])]),
    *([Checked([TRIAL.result])] * 2, TRIAL, TRIAL.result, Failure("\x1b[2J"), [Failure("a\n::error::b")]),
    *([[Failure("x")]], [[1]], [[TRIAL]]),
]
FAULTS: list[Any] = [
    *(
        None,
        "x",
        1,
        ValueError("\x1b"),
        KeyError(),
        SystemExit(3),
        KeyboardInterrupt(),
        UnfitError("\x1b[2J\n::error::"),
    ),
    *(InputError("a\x1b", 3, "b\n::error::"), GeometryError("c\x1b", "d\n##[error]"), MemoryError(), Exception),
]
RAISED: list[BaseException] = [
    *(KeyboardInterrupt(), SystemExit(0), SystemExit("x"), GeneratorExit(), SilentError(), ValueError("\ud800\x1b\n")),
    *(BrokenExecutor("x"), CancelledError(), ModuleNotFoundError("x", name="memoracle"), ModuleNotFoundError("y")),
    *(MemoryError(), RecursionError(), EOFError(), UnfitError("z\x1b"), InputError("a\x1b", 3, "b\n::error::")),
]
PICKLES = [*map(pickle.dumps, RESULTS[:10]), pickle.dumps((None, [], 1)), b"", b"\x80", b"\x80\x04K\x01.", b"x" * 99]


class Sent(NamedTuple):
    """How a command is called, and what its workers send, unit by unit."""

    case: Case
    answers: list[Any]


def an_answer(random: Random) -> Any:
    kind = random.randrange(6)
    if kind == 0:
        return random.choice(RAISED)
    if kind == 1:
        return pickled((random.choice(FAULTS), random.choice(RESULTS)))
    if kind == 2:
        return random.choice([*PICKLES, *STRANGE])
    return pickled((None, random.choice(RESULTS))) if kind == 3 else RIGHT


def sent(random: Random) -> Sent:
    kind = random.randrange(8)
    told = ("--executor=dask:tcp://127.0.0.1:1", *(each for each in form(random) if not each.startswith("--report")))
    answers = [an_answer(random) for _ in range(4)]
    if kind == 0:
        return Sent(Case(("prove", *told, "--no-cache", "pat"), {}), answers)
    if kind == 1:
        return Sent(Case(("drive", *told, "--ops=9", "--seed=1", "program"), {}), answers)
    files = {name: random.choice(TRACES) for name in ("one", "other")[: 1 + random.randrange(2)]}
    return Sent(Case(("check", *told, *(f"@{name}" for name in files)), files), answers)


class Elsewhere(Executor):
    """In the place of a cluster: what its workers send is known before."""

    def __init__(self, answers: Sequence[Any]) -> None:
        self.left = iter(answers)

    def submit(self, _: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        work, unit = arguments[-2:]
        future = Future[Any]()
        answer = next(self.left, RIGHT)
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(right(work, unit) if answer is RIGHT else answer)
        return future


def right(work: Callable[[Any], Any], unit: Any) -> bytes:
    """What comes of a unit, though nothing is proved and nothing is called."""
    return done_here({settle_named: all_proved, run_calls: nothing_wrong}.get(work, work), unit)


def all_proved(named: Named) -> list[Any]:
    known = by_name(replace(named.source, use_cache=False))
    return [[replace(known[name].unsettled, verdict="proved") for name in group] for group in named.groups]


def nothing_wrong(_: Calls) -> Trial:
    return TRIAL


def ask(folder: Path, sent: Sent) -> None:
    """A command ends as it may, whatever its workers send."""

    @contextmanager
    def lent(_: int) -> Iterator[Executor]:
        yield Elsewhere(sent.answers)

    cache = patch.object(solver, "cache_directory", side_effect=RuntimeError)  # there is none
    with cache, in_process(), patch.object(options, "of_cluster", lambda _: Workers(lent, 2, "--executor")):
        guard.run(folder, sent.case)


WORKERS: dict[str, tuple[Callable[[Random], Any], Callable[[Path, Any], None]]] = {
    "answers of workers": (sent, ask),
}
