"""One run of a target in a process of its own, watched: what it answered is held to the law, as `check` does it."""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

from memoracle.drive.binding import Binding
from memoracle.drive.calls import Wish, lines_of
from memoracle.drive.log import Log
from memoracle.drive.target import Answer, Target
from memoracle.report.check_report import TraceResult
from memoracle.trace.inputs import InputError
from memoracle.trace.interrupts import INTERRUPTS

POLL = 0.05  # seconds


class Source(Protocol):
    """What is asked of a target."""

    def wishes(self) -> Iterator[Wish]:
        """The calls, one after another."""
        ...

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        """What came of the last one."""
        ...


@dataclass(frozen=True)
class Plan:
    """How a target is run. name: of the target, for messages.  start: makes and starts it.

    head: the trace's header, and events that are no calls.  check: what `check` says of a trace.
    patience: how long a call may take, in seconds.  called: the binding, the command or the name by which it is called.
    """

    name: str
    start: Callable[[], Target]
    head: tuple[dict[str, object], ...]
    check: Callable[[Iterator[bytes]], TraceResult]
    patience: float = 5.0
    called: Binding | Sequence[str] | str | None = None


@dataclass
class Trial:
    """What came of one run.

    result: what `check` says of the trace.  lines: the trace.  calls: that were answered.  seconds: that it took.
    """

    result: TraceResult
    lines: list[bytes]
    calls: int
    seconds: float

    @property
    def clause(self) -> str:
        """That the first divergence breaks; nothing if there is none."""
        return self.result.divergences[0].finding.clause if self.result.divergences else ""


def run(plan: Plan, source: Callable[[Target], Source]) -> Trial:
    """Runs a target until what is asked of it ends, it answers wrongly, or it dies."""
    started, log = time.monotonic(), Log()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run_child(plan, source, log, writing)
    os.close(writing)
    try:
        text, death = _watch(child, reading, log, plan.patience)
    except BaseException:
        _end(child)
        raise
    os.close(reading)
    seconds, (_, calls) = time.monotonic() - started, log.progress()
    found = _unpickled(text)
    if isinstance(found, InputError):
        raise found
    if found is not None:
        return Trial(found, log.lines(), calls, seconds)
    lines = log.lines(death)
    if len(lines) < len(plan.head):
        raise InputError(plan.name, None, f"it does not start: {death}")
    return Trial(plan.check(iter(lines)), lines, calls, seconds)


def _run_child(plan: Plan, source: Callable[[Target], Source], log: Log, writing: int) -> None:
    """What the child does; it never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        INTERRUPTS.asked = False
        found = _found(plan, source, log)
        os.write(writing, pickle.dumps(found))
        status = 0
    finally:
        os._exit(status)


def _found(plan: Plan, source: Callable[[Target], Source], log: Log) -> TraceResult | InputError:
    try:
        target = plan.start()
        asked = source(target)
        head = log.header(*plan.head)
        return plan.check(chain(head, lines_of(target, asked.wishes(), asked.learn, log)))
    except InputError as fault:
        return fault
    except Exception as fault:  # of the binding, or of what it calls: an argument that does not fit, say
        return InputError(plan.name, None, f"{type(fault).__name__}: {fault}")


def _unpickled(text: bytes) -> TraceResult | InputError | None:
    """What our own child found; None if it came to no end, or its memory is damaged."""
    try:
        found = pickle.loads(text)
    except Exception:  # of damaged text pickle raises anything
        return None
    return found if isinstance(found, TraceResult | InputError) else None


def _watch(child: int, reading: int, log: Log, patience: float) -> tuple[bytes, str]:
    """Waits for a child: what it found, and what it died of, if it did."""
    before, since = log.progress(), time.monotonic()
    while not select.select([reading], [], [], POLL)[0]:
        now = log.progress()
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > patience:
            _end(child)
            return b"", f"no answer within {patience:g} seconds"
    found = b"".join(iter(lambda: os.read(reading, 1 << 16), b""))
    status = _end(child) if found else os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return b"", f"signal {number} ({signal.Signals(number).name})"
    return found, f"it ended with status {os.WEXITSTATUS(status)}"


def _end(child: int) -> int:
    """Ends a child, and what it started; its status."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]
