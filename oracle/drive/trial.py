"""One run of a target in a process of its own, watched: what it answered is held to the law, as `check` does it."""

from __future__ import annotations

import io
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from memoracle import cli
from memoracle.commands.check import Check
from memoracle.drive.calls import Learn, Wish, lines_of
from memoracle.drive.log import Log
from memoracle.drive.target import Target
from memoracle.report import check_report
from memoracle.trace.inputs import InputError
from memoracle.trace.interrupts import INTERRUPTS

TRACE = "<run>"  # what messages call the trace of a run
POLL = 0.05  # seconds


class Source(Protocol):
    """What is asked of a target."""

    def wishes(self) -> Iterator[Wish]: ...

    learn: Learn


@dataclass(frozen=True)
class Plan:
    """How a target is run. start: makes and starts it.  head: the trace's header, and events that are no calls.

    patience: how long a call may take, in seconds.
    """

    start: Callable[[], Target]
    head: tuple[dict[str, object], ...]
    level: str
    patience: float = 5.0


@dataclass
class Trial:
    """What came of one run.

    verdict: `check`'s, or "unusable": the target cannot be started, as `report` says.  lines: the trace.
    clause: that the first divergence breaks.  calls: that were answered.
    """

    verdict: str
    report: str
    lines: list[bytes]
    clause: str = ""
    calls: int = 0
    seconds: float = 0.0
    printed: bytes = field(default=b"", repr=False)

    @property
    def fails(self) -> bool:
        return self.verdict == "diverges"


def checked(lines: Iterator[bytes], level: str) -> tuple[str, str, str]:
    """The verdict of `check` on a trace, its report, and the clause that the first divergence breaks."""
    options = cli.parser().parse_args(["check", "--level", level, "--quiet", "--", TRACE])
    [outcome] = Check(options).outcomes_of(TRACE, lines)
    report = io.StringIO()
    check_report.write_text([outcome], report, quiet=False)
    clause = outcome.divergences[0].finding.clause if outcome.divergences else ""
    fault = "" if outcome.fault is None else f"{outcome.fault}\n"
    return check_report.verdict([outcome]), report.getvalue() + fault, clause


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
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    os.close(reading)
    seconds, (_, calls) = time.monotonic() - started, log.progress()
    if text:
        verdict, report, clause = pickle.loads(text)  # of our own child
        return Trial(verdict, report, log.lines(), clause, calls, seconds)
    lines = log.lines(death)
    if len(lines) < len(plan.head):
        return Trial("unusable", f"it does not start: {death}", [], "", 0, seconds)
    verdict, report, clause = checked(iter(lines), plan.level)
    return Trial(verdict, report, lines, clause, calls, seconds)


def _run_child(plan: Plan, source: Callable[[Target], Source], log: Log, writing: int) -> None:
    """What the child does; it never returns."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
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


def _found(plan: Plan, source: Callable[[Target], Source], log: Log) -> tuple[str, str, str]:
    try:
        target = plan.start()
    except InputError as fault:
        return "unusable", str(fault), ""
    asked = source(target)
    head = log.header(*plan.head)
    return checked(chain(head, lines_of(target, asked.wishes(), asked.learn, log)), plan.level)


def _watch(child: int, reading: int, log: Log, patience: float) -> tuple[bytes, str]:
    """Waits for a child: what it found, and what it died of, if it did."""
    before, since = log.progress(), time.monotonic()
    while not select.select([reading], [], [], POLL)[0]:
        now = log.progress()
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > patience:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return b"", f"no answer within {patience:g} seconds"
    found = b"".join(iter(lambda: os.read(reading, 1 << 16), b""))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return b"", f"signal {number} ({signal.Signals(number).name})"
    return found, f"it ended with status {os.WEXITSTATUS(status)}"
