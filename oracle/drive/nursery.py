"""Runs of a target, each in a process of its own that is watched.

A target that can be forked is started once, in a process that makes no call of it: each run is a fork of that one, so a
run begins within milliseconds, from the very same state. Others are started for each run.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import select
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from memoracle.drive.calls import lines_of
from memoracle.drive.log import Log
from memoracle.drive.memory_file import memory_file
from memoracle.drive.requests import INSTANCE, LIFE
from memoracle.drive.silence import POLL, Silence, no_answer
from memoracle.drive.target import Target
from memoracle.drive.trial import MakeSource, Plan, Trial
from memoracle.drive.turns import Instances, Turns, last_of, told_apart
from memoracle.proofs.obligations.process_pool import held_interrupts
from memoracle.report.check_report import TraceResult
from memoracle.scaling.pickled import pickled
from memoracle.trace.inputs import InputError
from memoracle.trace.interrupts import INTERRUPTS

STATUS = struct.Struct("<i")  # of a run that ended, as `waitpid` has it
ASKED = struct.Struct("<Q")  # bytes of what is asked
OUTCOME = 60.0  # seconds that it may take to judge the last call, and to say what came of all
STARTING = 10.0  # seconds that a target may take until it is asked, however short its calls must be
READING = 4.0  # times as long as writing what is asked, of many calls, it may take to read it


def run_once(plan: Plan, make: MakeSource) -> Trial:
    """One run. make: the source of what is asked, of the target; it may be anything that a fork has, too."""
    with Nursery(plan, make) as nursery:
        return nursery.run(make)


class Nursery:
    """Where the runs of one target are begun, one at a time. Used in a `with`, whose end ends what still runs."""

    def __init__(self, plan: Plan, inherited: MakeSource | None = None) -> None:
        """inherited: what may be asked without being pickled, in the state in which it is at the first run."""
        self.plan, self.inherited = plan, inherited
        self.log = Log()
        self.found = memory_file()
        self.process = 0  # that has the target; 0 before it is made
        self.asking: BinaryIO  # what is asked of that process is written to it
        self.ended = -1  # and the status of each run is read from it
        self.began = 0.0
        self.death = ""
        self.patience = plan.patience
        self.reading = 0.0  # seconds that a run may take besides, to read what is asked
        self.silence = Silence()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: object, where: TracebackType | None) -> None:
        self.end()

    def run(self, make: MakeSource, patience: float | None = None) -> Trial:
        """One run, to its end: that of what is asked, a wrong answer, or the target's death. Raises InputError.

        make: the source of what is asked, of the target; it is pickled.  patience: seconds that a call may take.
        """
        self.begin(make, patience)
        while not self.is_over(POLL):
            pass
        return self.trial()

    def begin(self, make: MakeSource, patience: float | None = None) -> None:
        """Begins a run."""
        if not self.process:
            self._fork()
        self.log.clear()
        self.patience = self.plan.patience if patience is None else patience
        self.death = ""
        before = time.monotonic()
        text = b"" if make is self.inherited else pickle.dumps(make)
        self.reading = READING * (time.monotonic() - before)
        with suppress(BrokenPipeError):  # it has ended, and says why
            self.asking.write(ASKED.pack(len(text)) + text)
            self.asking.flush()
        self.began = time.monotonic()
        self.silence = Silence()

    def is_over(self, seconds: float) -> bool:
        """Waits for so long at most; whether the run has ended, by itself or since it came to no answer."""
        if select.select([self.ended], [], [], seconds)[0]:
            self.death = self._death(os.read(self.ended, STATUS.size))
            return True
        (written, calls), is_ended = self.log.progress(), self.log.is_ended()
        patience = self.patience if written else starting(self.patience)
        # The target's patience is not for what is not its work.
        allowed = OUTCOME if is_ended else patience if written else patience + self.reading
        if self.silence.look((written, calls, is_ended)) <= allowed:
            return False
        self.end()
        self.death = no_answer(patience)
        return True

    def trial(self) -> Trial:
        """What came of the run that is over; raises InputError."""
        seconds, (_, calls) = time.monotonic() - self.began, self.log.progress()
        found = None if self.death else self._found()
        if isinstance(found, InputError):
            raise found
        if self.plan.in_turns:
            return self._of_turns(found, calls, seconds)
        if found is not None:
            return Trial(found, self.log.lines(), calls, seconds)
        lines = self.log.lines(self.death or "it ended, or its memory is damaged")
        if len(lines) < len(self.plan.head):
            raise InputError(self.plan.name, None, f"it does not start: {self.death}")
        return Trial(self.plan.check(iter(lines)), lines, calls, seconds)

    def _of_turns(self, found: TraceResult | None, calls: int, seconds: float) -> Trial:
        """What came of a run of several instances: the trace of that which failed, or those of all."""
        plan, lines = self.plan, self.log.lines(self.death or "it ended, or its memory is damaged")
        head = len(plan.head)
        if found is None and b'"op":"reset"' in lines[-1]:
            raise InputError(plan.name, None, f"it does not survive its `reset`: {self.death}")
        if len(lines) <= head:
            if found is None:
                raise InputError(plan.name, None, f"it does not start: {self.death}")
            return Trial(found, lines, calls, seconds)
        traces = told_apart(lines, head)
        if found is not None and found.divergences:
            event = found.divergences[0].event
            failed = traces[event[INSTANCE], event[LIFE]][: found.divergences[0].line]
            return Trial(found, failed, calls, seconds)
        if found is None:
            failed = traces[last_of(lines)]
            return Trial(plan.check(iter(failed)), failed, calls, seconds)
        first, *others = traces.values()
        return Trial(found, first, calls, seconds, others)

    def end(self) -> None:
        """Ends the process of the target, and all that it started."""
        if not self.process:
            return
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        self._forget()

    def _forget(self) -> None:
        self.process = 0
        with suppress(BrokenPipeError):
            self.asking.close()
        os.close(self.ended)

    def _death(self, text: bytes) -> str:
        """What a run died of, if it did. text: its status; nothing where the process that forks it has ended itself."""
        if text:
            (status,) = STATUS.unpack(text)
            return died_of(status) if status else ""
        _, status = os.waitpid(self.process, 0)
        self._forget()
        return died_of(status)

    def _found(self) -> TraceResult | InputError | None:
        """What a run says it found; None if its memory is damaged, so that this cannot be read."""
        place = self.found.fileno()
        try:
            found = pickle.loads(os.pread(place, os.fstat(place).st_size, 0))
        except Exception:  # of damaged text pickle raises anything
            return None
        return found if isinstance(found, TraceResult | InputError) else None

    def _fork(self) -> None:
        asked, asking = os.pipe()
        ended, ending = os.pipe()
        with held_interrupts():  # until it is known whom to end; the child ignores them
            self.process = os.fork()
            if self.process == 0:
                os.close(asking)
                os.close(ended)
                self._serve(os.fdopen(asked, "rb"), ending)
            os.close(asked)
            os.close(ending)
            self.asking, self.ended = os.fdopen(asking, "wb"), ended

    def _serve(self, asked: BinaryIO, ending: int) -> None:
        """What the process of the target does: a fork for each run; it never returns."""
        status = 1
        try:
            be_apart()
            target = self._ready() if self.plan.forks else None
            while len(head := asked.read(ASKED.size)) == ASKED.size:
                text = asked.read(*ASKED.unpack(head))
                run = os.fork()
                if run == 0:
                    self._run(target, pickle.loads(text) if text else self.inherited)
                os.write(ending, STATUS.pack(os.waitpid(run, 0)[1]))
            status = 0
        finally:
            os._exit(status)

    def _ready(self) -> Target | InputError:
        """A target that was started, and all else that each run needs."""
        target = self._started()
        try:
            self.plan.make_ready()
        except InputError as fault:
            return fault
        return target

    def _started(self) -> Target | InputError:
        try:
            return self.plan.start()
        except InputError as fault:
            return fault
        except Exception as fault:  # of the binding, or of what it calls: an argument that does not fit, say
            return InputError(self.plan.name, None, f"{type(fault).__name__}: {fault}")

    def _run(self, target: Target | InputError | None, make: Any) -> None:
        """One run; it never returns."""
        status = 1
        try:
            target = self._started() if target is None else target
            found = target if isinstance(target, InputError) else self._outcome(target, make)
            os.ftruncate(self.found.fileno(), 0)
            os.pwrite(self.found.fileno(), pickled(found), 0)
            status = 0
        finally:
            os._exit(status)

    def _outcome(self, target: Target, make: MakeSource) -> TraceResult | InputError:
        plan, log = self.plan, self.log
        try:
            if plan.in_turns:
                return Turns(plan, cast(Instances, target), make, log).outcome()
            source = make(target)
            head = log.header(*plan.head)
            calls = lines_of(target, source.wishes(), source.learn, log)
            return plan.check(chain(head, to_the_end(calls, log)), source.judged_by)
        except InputError as fault:
            return fault
        except Exception as fault:  # of what the binding calls: an argument that does not fit, say
            return InputError(plan.name, None, f"{type(fault).__name__}: {fault}")


def to_the_end(calls: Iterator[bytes], log: Log) -> Iterator[bytes]:
    """The lines of calls; in the log it is said when no more are made."""
    try:
        yield from calls
    finally:
        log.ended()


def starting(patience: float) -> float:
    """How many seconds a target may take until it is asked for the first time. patience: as of a call."""
    return max(patience, STARTING)


def died_of(status: int) -> str:
    """How a process ended, in words. status: as `waitpid` has it."""
    if not os.WIFSIGNALED(status):
        return f"it ended with status {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    return f"signal {number} ({signal.Signals(number).name})"


def be_apart() -> None:
    """The process of a target has a group of its own, and says nothing."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    INTERRUPTS.asked = False
