"""Runs many tasks on all processors, each in a process of its own.

A task starts from what this process knows, and from nothing that another task left behind: a solver's terms are
numbered in the order in which they are made, and an answer must not depend on what was asked before. If its process
dies, that task has failed and no other has.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pickle import UnpicklingError
from typing import Generic, TypeVar

T = TypeVar("T")
# Tasks are closures, which only a fork carries over.
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Failure:
    """Why a task has no result. died: it is its process that ended, of which the task need not be the cause."""

    reason: str
    died: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class _Returned(Generic[T]):
    result: T


def run_each(
    tasks: Sequence[Callable[[], T]], workers: int | None = None
) -> Generator[tuple[int, T | Failure], None, None]:
    """Each task's place in the sequence and its result, which can be pickled, as they come; begun in the order given.

    workers: how many run at once; as many as there are processors, if not said. All end when the iterator is closed.
    """
    waiting = deque(enumerate(tasks))
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < (workers or os.cpu_count() or 1):
                place, task = waiting.popleft()
                with held_interrupts():  # until it is known whom to end
                    reader, process = _start(task)
                    running[reader] = place, process
            ready = wait(list(running))
            for reader in [each for each in running if each in ready]:
                place, process = running.pop(reader)
                yield place, _result(reader, process)
    finally:
        for _, process in running.values():
            process.kill()
        for reader, (_, process) in running.items():
            process.join()
            reader.close()


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Within it an interrupt waits; it is seen at the end. It holds whatever other threads this process has."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield  # no interrupt raises anything here
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _start(task: Callable[[], T]) -> tuple[Connection, BaseProcess]:
    reader, writer = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_work, args=(task, writer))
    process.start()
    writer.close()  # the worker's is then the only one, so that its end shows when it dies
    return reader, process


def _work(task: Callable[[], T], writer: Connection) -> None:
    gc.disable()  # a task is short, and what is looked at is copied
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interrupt reaches all of them, and the one that waits reports it
    os.dup2(2, 1)  # standard output is for the report alone
    try:
        outcome: _Returned[T] | Failure = _Returned(task())
    except Exception as error:
        outcome = Failure(f"{type(error).__name__}: {error}")
    writer.send(outcome)


def _result(reader: Connection, process: BaseProcess) -> T | Failure:
    """What a worker has sent; or how it died."""
    outcome: _Returned[T] | Failure | None
    try:
        outcome = reader.recv()
    except (EOFError, OSError, UnpicklingError):
        outcome = None
    process.join()
    reader.close()
    if outcome is None:
        return Failure(f"its process died {_death(process.exitcode)}", died=True)
    return outcome.result if isinstance(outcome, _Returned) else outcome


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"of {signal.Signals(-code).name}"
    return f"with status {code}"
