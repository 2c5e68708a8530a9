"""Several threads that call one library at once: recorded as operations that overlap, and held to the law as these are.

The threads are Python's, of a process of its own; while a function of the library runs, others may. They call in short
rounds, which all begin together, and hand blocks to one another, so that one frees what another one took. What each
has asked is written before the call is made, so that nothing is lost when the target dies.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from memoracle.drive.calls import text_of
from memoracle.drive.generation.random_calls import Family, RandomCalls
from memoracle.drive.generation.shared_misuse import SharedMisuse
from memoracle.drive.generation.shared_pages import SharedPages
from memoracle.drive.library import Library
from memoracle.drive.log import ENCODE, Log
from memoracle.drive.native.not_asked import NotAskedError
from memoracle.drive.nursery import be_apart, died_of, starting
from memoracle.drive.silence import POLL, Silence, no_answer
from memoracle.drive.target import Answer, DiedError
from memoracle.proofs.obligations.process_pool import held_interrupts
from memoracle.report.check_report import TraceResult
from memoracle.spec.geometry import Geometry
from memoracle.trace.inputs import InputError

ROUNDS = 40  # of one run
MOST_IN_ROUND = 8  # calls of one thread
HANDED_ON = 0.3  # of the blocks that a thread is given, how many another one may free
BOTH, WRONG = 0.2, 0.03  # of these, how many both may free; of all calls, how many free what is no block
GIVERS = frozenset({"frame.allocate", "range.allocate", "heap.new"})
SWITCH = 1e-5  # seconds after which another thread may go on
CLOCK = time.perf_counter_ns


@dataclass(frozen=True)
class Threads:
    """How a library is called. start: makes and starts it.  head: the trace's header, and what comes before all calls.

    judge: what `check` says of a trace.  patience: how long a call may take, in seconds.
    misuse: whether there are calls that the law refuses, of operations that can say so.
    """

    name: str
    start: Callable[[], Library]
    head: Sequence[dict[str, object]]
    judge: Callable[[Iterator[bytes]], TraceResult]
    geometry: Geometry
    count: int
    patience: float
    misuse: bool = True


@dataclass
class Recorded:
    """What came of one run. lines: the recording.  calls: that were answered."""

    result: TraceResult
    lines: list[bytes]
    calls: int


def run(threads: Threads, seed: int, until: float | None = None) -> Recorded:
    """Starts the library in a process of its own, calls it from several threads, and judges what it answered.

    until: by the monotonic clock, when the last round has begun. Raises InputError.
    """
    logs = [Log() for _ in range(threads.count)]
    reading, writing = os.pipe()
    child = 0
    try:
        with held_interrupts():  # until it is known whom to end; the child ignores them
            child = os.fork()
            if child == 0:
                os.close(reading)
                _run_child(threads, seed, until, logs, writing)
        os.close(writing)
        found, death = _watch(child, reading, logs, threads.patience)
    finally:
        os.close(reading)
        if child:
            _end(child)
    if isinstance(found, InputError):
        raise found
    calls = sum(log.progress()[1] for log in logs)
    if death and not any(log.progress()[0] for log in logs):
        raise InputError(threads.name, None, f"it does not start: {death}")
    lines = [ENCODE(each) for each in threads.head] + recorded(logs, death)
    return shortest(threads, Recorded(threads.judge(iter(lines)), lines, calls))


def shortest(threads: Threads, found: Recorded) -> Recorded:
    """The same without what was called after what went wrong had ended."""
    divergences = found.result.divergences
    if not divergences or (end := divergences[0].event.get("_return")) is None:
        return found
    head = len(threads.head)
    lines = found.lines[:head] + [each for each in found.lines[head:] if msgspec.json.decode(each)["_call"] <= end]
    again = threads.judge(iter(lines))
    return Recorded(again, lines, found.calls) if again.divergences else found


def recorded(logs: Sequence[Log], death: str) -> list[bytes]:
    """The calls of all threads as lines of a recording, in the order in which they began."""
    events: list[dict[str, Any]] = []
    unanswered: list[dict[str, Any]] = []
    for cpu, log in enumerate(logs):
        latest = 0
        for line in log.lines(death or None):
            event = msgspec.json.decode(line)
            if "_call" not in event:
                unanswered.append(event)
            event = {**event, "_cpu": cpu, "_call": event.get("_call", latest)}
            latest = event.get("_return", latest)
            events.append(event)
    events.sort(key=lambda each: each["_call"])
    began = min((each["_call"] for each in events if each["_call"]), default=0)
    for event in events:
        event |= {key: max(0, event[key] - began) for key in ("_call", "_return") if key in event}
    if death and not unanswered and events:  # it died between two calls, as what damages memory makes a program do
        last = max(events, key=lambda each: each["_return"])
        last.pop("result", None)
        last.pop("error", None)
        last["crash"] = f"afterwards: {death}"
    return [ENCODE(each) for each in events]


def _run_child(threads: Threads, seed: int, until: float | None, logs: Sequence[Log], writing: int) -> None:
    """What the child does; it never returns."""
    status = 1
    try:
        be_apart()
        os.write(writing, pickle.dumps(_called(threads, seed, until, logs)))
        status = 0
    finally:
        os._exit(status)


def _called(threads: Threads, seed: int, until: float | None, logs: Sequence[Log]) -> InputError | None:
    """Makes all calls; what is wrong with the binding, if anything is."""
    try:
        library = threads.start()
        sys.setswitchinterval(SWITCH)
        rounds = Rounds(threads.count, until)
        callers = [
            Caller((place, threads.count), library.for_thread(), threads, seed, log, rounds)
            for place, log in enumerate(logs)
        ]
        for caller in callers:
            caller.others = [each for each in callers if each is not caller]
            caller.start()
        for caller in callers:
            caller.join()
        fault = next((each.fault for each in callers if each.fault is not None), None)
    except InputError as wrong:
        return wrong
    except Exception as wrong:
        fault = wrong
    if fault is None or isinstance(fault, DiedError):
        return None
    return InputError(threads.name, None, f"{type(fault).__name__}: {fault}")


class Rounds(threading.Barrier):
    """Where threads wait for one another before each round. are_over: whether there is none any more."""

    def __init__(self, count: int, until: float | None) -> None:
        super().__init__(count, self.look_at_clock)
        self.until = until
        self.left = ROUNDS + 1

    def look_at_clock(self) -> None:
        """Done by one thread while the others wait, so that all of them find the same."""
        self.left = 0 if self.until is not None and time.monotonic() >= self.until else self.left - 1

    @property
    def are_over(self) -> bool:
        return self.left <= 0


class Caller(threading.Thread):
    """One thread. others: to whom it may hand blocks.  handed: what it was handed.  fault: that ended it."""

    def __init__(
        self, which: tuple[int, int], target: Library, threads: Threads, seed: int, log: Log, barrier: Rounds
    ) -> None:
        """which: its number, of how many."""
        super().__init__(daemon=True)
        geometry = threads.geometry
        self.target, self.log, self.barrier = target, log, barrier
        self.random = Random(f"{seed} {which[0]}")
        self.rounds = Random(seed)  # the same of all
        self.calls = RandomCalls(target, geometry, self.random.getrandbits(32), 0, None, misuse=False)
        self.pages = SharedPages(target.operations, target.refusing, geometry, self.random, *which)
        refusing = target.refusing if threads.misuse else frozenset[str]()
        self.misuse = SharedMisuse(target.operations, refusing, geometry, self.random)
        self.families: list[Family] = [*self.calls.families, *([self.pages] if self.pages.is_driven else [])]
        if not self.families:
            words = (
                "threads allocate and free frames, ranges or heap blocks, and map and unmap pages: it has none of these"
            )
            raise InputError("operations", None, words)
        self.handed: list[tuple[str, Mapping[str, Any], Answer]] = []
        self.others: list[Caller] = []
        self.fault: Exception | None = None

    def run(self) -> None:
        try:
            while True:
                handed, self.handed = self.handed, []
                for each in handed:
                    self.calls.learn(*each)
                self.barrier.wait()
                if self.barrier.are_over:
                    return
                for _ in range(self.rounds.randint(1, MOST_IN_ROUND)):
                    self.call()
        except threading.BrokenBarrierError:
            pass  # another thread has ended, and says why
        except Exception as fault:
            self.fault = fault
            self.barrier.abort()

    def call(self) -> None:
        wrong = self.misuse.wish() if self.random.random() < WRONG else None
        operation, arguments = wrong or self.random.choice(self.families).wish()
        log, call = self.log, self.target.call
        asked = log.asked(operation, arguments)
        began = CLOCK()
        try:
            answer = call(operation, arguments)
        except NotAskedError:
            log.not_asked(asked)
            return
        except DiedError as death:
            log.answered(b',"_call":%d,"crash":%s}' % (began, ENCODE(str(death))))
            raise
        log.answered(b',"_call":%d,"_return":%d%s' % (began, CLOCK(), text_of(answer)))
        if wrong is not None and answer.error is not None:
            return
        if self.is_handed_on(operation, arguments, answer):
            self.random.choice(self.others).handed.append((operation, arguments, answer))
            if not self.misuse.may_be_late(operation) or self.random.random() >= BOTH:
                return
        self.calls.learn(operation, arguments, answer)
        self.pages.learn(operation, arguments, answer)
        self.misuse.learn(operation, arguments, answer)

    def is_handed_on(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> bool:
        """Whether what was taken is another thread's from now on; the ranges of its own processes it keeps."""
        is_common = operation in GIVERS and not arguments.get("process", 0) and answer.error is None
        return is_common and bool(self.others) and self.random.random() < HANDED_ON


def _watch(child: int, reading: int, logs: Sequence[Log], patience: float) -> tuple[InputError | None, str]:
    """Waits for a child: what is wrong with the binding, and what the child died of, if it did."""
    silence = Silence()
    while not select.select([reading], [], [], POLL)[0]:
        progress = [log.progress() for log in logs]
        allowed = patience if any(written for written, _ in progress) else starting(patience)
        if silence.look(progress) > allowed:
            return None, no_answer(allowed)
    text = b"".join(iter(lambda: os.read(reading, 1 << 16), b""))
    try:
        found = pickle.loads(text)
    except Exception:  # of damaged text pickle raises anything
        return None, died_of(os.waitpid(child, 0)[1])
    return found if isinstance(found, InputError) else None, ""


def _end(child: int) -> None:
    """Ends a child, and what it started."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)
