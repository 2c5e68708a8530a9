"""Hands units of work to an executor, and yields what comes of them; what is lost with a worker is tried again."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from memoracle.console.counted import counted
from memoracle.proofs.obligations.process_pool import held_interrupts
from memoracle.scaling.carrying import ROOT, UnfitError, carried_out, code_digest, outcome_of
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import said_by

ALONE = "tried again, one after another"
NO_ANSWER = "its worker sent what is no answer to what it was asked"
ATTEMPTS = ("", "tried once more", ALONE)

Unit = TypeVar("Unit")
Outcome = TypeVar("Outcome")

# A fork has what this process has loaded, at once; it is made before this process has any other thread.
FORK = multiprocessing.get_context("fork")


class WorkerEndedError(Exception):
    """A worker was asked to end while it did a unit."""


@dataclass(frozen=True)
class Lost:
    """Why nothing is known of a unit, though it was tried."""

    reason: str


def any_answer(_: object, __: object) -> bool:
    return True


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    executor: which, for as long as the context lasts; is told how many units there are.  count: how many of these are
    done at once, as far as is known.
    option: by which it was chosen, for messages.  renewed: whether a broken executor can be had again.
    tell: is handed what is worth knowing meanwhile.
    """

    executor: Callable[[int], Any]
    count: int
    option: str = "executor"
    renewed: bool = False
    tell: Callable[[str], None] = lambda words: None

    def done(
        self, work: Callable[[Unit], Outcome], units: Sequence[Unit], fits: Callable[[Unit, Outcome], bool] = any_answer
    ) -> Generator[tuple[int, Outcome | Lost], None, None]:
        """The place of each unit and what came of it, as they come, each once.

        work: a function of a module, which can be named to a worker.  fits: whether what was sent can come of a unit: a
        worker from elsewhere may send anything. What is not begun is given up when the iterator is closed. Raises
        InputError where the workers are unfit, and InputError and GeometryError as the work does.
        """
        left = [*range(len(units))]
        if not left:
            return
        # With a process all units are lost that are not done. Of these, one may be what every process dies of.
        for attempt in ATTEMPTS if self.renewed else ATTEMPTS[:1]:
            if attempt:
                self.tell(f"a process died: {counted(len(left), 'unit')} of work {attempt}")
            broken: list[int] = []
            for places in [[place] for place in left] if attempt == ALONE else [left]:
                with self.executor(len(places)) as executor:
                    outcomes = self._tried(executor, work, units, fits, places, broken)
                    with closing(outcomes):
                        yield from outcomes
            left = sorted(broken)
            if not left:
                return
        again = ", and another when it was tried again, alone" if self.renewed else ""
        for place in left:
            yield place, Lost(f"the process that had it died{again}")

    def _tried(
        self,
        executor: Executor,
        work: Callable[[Unit], Outcome],
        units: Sequence[Unit],
        fits: Callable[[Unit, Outcome], bool],
        places: Sequence[int],
        broken: list[int],
    ) -> Generator[tuple[int, Outcome | Lost], None, None]:
        """What comes of these units. broken: is given those that were lost with their executor."""
        futures = {}
        try:
            for place in places:
                try:
                    with held_interrupts():  # with the first unit processes are forked, and all must be known
                        given = executor.submit(carried_out, code_digest(), str(Path.cwd()), work, units[place])
                        futures[given] = place
                except BrokenExecutor:
                    broken.append(place)
            for future in as_completed(futures):
                place = futures[future]
                try:
                    outcome = outcome_of(answered(future))
                    yield place, outcome if fits(units[place], outcome) else Lost(NO_ANSWER)
                except BrokenExecutor:
                    broken.append(place)
                except (InputError, GeometryError):
                    raise
                except UnfitError as fault:
                    raise InputError(self.option, None, str(fault)) from None
                except CancelledError:
                    yield place, Lost("its executor gave it up")
                except Exception as fault:
                    if isinstance(fault, ModuleNotFoundError) and fault.name == ROOT:
                        words = "its workers have no memoracle: install it there"
                        raise InputError(self.option, None, words) from None
                    yield place, Lost(said_by(fault))
        finally:
            for future in futures:
                future.cancel()


def answered(future: Future[bytes]) -> bytes:
    """What a worker sent, or raises what it raised; raises WorkerEndedError for what would end this process, too."""
    fault = future.exception()
    if fault is not None and not isinstance(fault, Exception):
        raise WorkerEndedError(said_by(fault))
    return future.result()


def refuse_no_workers(jobs: int | None) -> None:
    """Raises ValueError for a number of workers who never would begin."""
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs: a number from 1 on was expected, not {jobs}")


def of_executor(executor: Executor, count: int | None = None) -> Workers:
    """Somebody's own executor, which is left as it is. count: units that it does at once, if that is known."""

    @contextmanager
    def lent(_: int) -> Iterator[Executor]:
        yield executor

    return Workers(lent, count or os.cpu_count() or 1)


def of_processes(count: int, tell: Callable[[str], None]) -> Workers:
    """So many processes of this machine, but no more than there are units: all are forked at once."""

    @contextmanager
    def made(units: int) -> Iterator[Executor]:
        others = {*multiprocessing.active_children()}
        executor = ProcessPoolExecutor(min(count, units), mp_context=FORK, initializer=_leave_interrupts)
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            _kill(child for child in multiprocessing.active_children() if child not in others)
            raise
        finally:
            executor.shutdown()

    return Workers(made, count, "--jobs", True, tell)


def _leave_interrupts() -> None:
    """An interrupt reaches every process of a terminal; the one that waits for the others reports it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _kill(processes: Iterator[BaseProcess]) -> None:
    for process in processes:
        process.kill()
