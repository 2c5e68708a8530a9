"""Several instances of one target that are called in turns, and reset now and then: each is held to a law of its own.

The calls of an instance between two resets are a trace of their own. Each instance has a thread, of which one runs at a
time: so whatever is found, the same calls find it again. Which instance an event is of, and after how many resets, it
says under keys that are the recorder's own; what other instances were asked before it stands there, too, so that a
trace that is kept is one that `check` reads, and has all that has to be asked again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from itertools import chain, islice
from random import Random
from typing import Any, Protocol, cast

from memoracle.drive.calls import Wish, lines_of
from memoracle.drive.log import ENCODE, Log
from memoracle.drive.requests import INSTANCE, LIFE, OTHERS, RESET, Repeated, Request, without
from memoracle.drive.target import Target
from memoracle.drive.trial import MakeSource, Plan, Source, Trial
from memoracle.report.check_report import TraceResult

MOST_ON_END = 6  # calls of one instance
RESETS = 0.002  # of all calls
CALL = "call"


class Instances(Target, Protocol):
    """A target of which there are several, or one that can be reset."""

    @property
    def instances(self) -> Sequence[Target]: ...

    @property
    def resets(self) -> bool: ...

    def reset(self, instance: int) -> None:
        """Makes one as it was when it was started."""
        ...


class Turns:
    """One run of some instances. make: the source of what is asked, of a target."""

    def __init__(self, plan: Plan, target: Instances, make: MakeSource, log: Log) -> None:
        self.plan, self.target, self.log = plan, target, log
        self.count = len(target.instances)
        self.make = make
        self.repeated = None
        if isinstance(make, partial) and make.func is Repeated:
            self.repeated = Repeated(self._those_there_are(make.args[0]), target, target.operations.keys() | {RESET})
        self.order = self._at_random() if self.repeated is None else self._given(self.repeated)
        self.left = set(range(self.count))
        self.turn: tuple[int, str] | None = None
        self.changed = threading.Condition()
        self.results: list[TraceResult] = []
        self.failed: TraceResult | None = None
        self.fault: BaseException | None = None

    def outcome(self) -> TraceResult:
        """What failed, or what all of them came to."""
        self.log.header(*self.plan.head)
        threads = [threading.Thread(target=self._live, args=(instance,)) for instance in range(self.count)]
        self._advance()
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        if self.fault is not None:
            raise self.fault
        if self.failed is not None:
            return self.failed
        whole = Trial(self.results[0], [], 0, 0.0)
        for result in self.results[1:]:
            whole.add(Trial(result, [], 0, 0.0))
        return whole.result

    def _live(self, instance: int) -> None:
        """The calls of one instance, up to the end."""
        try:
            life = 0
            while self.failed is None and self.fault is None and instance in self.left:
                self._waits(instance)  # what holds answers to the law is begun by one thread at a time
                source, log = self._source(instance, life), _Marked(self.log, {INSTANCE: instance, LIFE: life})
                wishes = self._in_turn(instance, life, source)
                head = map(ENCODE, self.plan.head)
                calls = lines_of(self.target.instances[instance], wishes, source.learn, log)
                result = self.plan.check(chain(head, calls), source.judged_by)
                with self.changed:
                    if result.divergences or result.fault:
                        self.failed = self.failed or result
                    self.results.append(result)
                    self.changed.notify_all()
                life += 1
        except BaseException as fault:
            with self.changed:
                self.fault = self.fault or fault
                self.changed.notify_all()

    def _source(self, instance: int, life: int) -> Source:
        if self.repeated is not None:
            return copy(self.repeated)  # what each knows of the law is its own
        make = cast("partial[Source]", self.make)
        seed = make.keywords["seed"] * self.count + instance + (life << 32)
        return make(self.target.instances[instance], seed=seed)

    def _in_turn(self, instance: int, life: int, source: Source) -> Iterator[Wish]:
        """What a source wishes, each when it is this instance's turn; it ends where the instance is reset."""
        wishes = source.wishes()
        while self._waits(instance):
            if self.turn == (instance, RESET):
                self.log.asked(RESET, {INSTANCE: instance, LIFE: life})
                self.target.reset(instance)
                self.log.answered(b"}")
                self._advance()
                return
            wish = next(wishes, None)
            if wish is None:
                self.left.discard(instance)
                self._advance()
                return
            repeated = self.repeated
            place = 0 if repeated is None else len(repeated.results)
            yield wish
            if repeated is not None and len(repeated.results) == place:  # this time it cannot be put to the target
                repeated.results.append(None)
            self._advance()
        self.left.discard(instance)

    def _waits(self, instance: int) -> bool:
        """Waits for a turn; False if there is none any more."""
        with self.changed:
            while True:
                if self.failed is not None or self.fault is not None or self.turn is None:
                    return False
                if self.turn[0] == instance:
                    return True
                self.changed.wait()

    def _advance(self) -> None:
        """It is the next one's turn."""
        with self.changed:
            self.turn = next((each for each in self.order if each[0] in self.left), None)
            self.changed.notify_all()

    def _those_there_are(self, requests: Sequence[Request]) -> list[Request]:
        """Without those of instances that there were when it failed."""
        gone = {
            place
            for place, each in enumerate(requests)
            if each.instance >= self.count or (each.operation == RESET and not self.target.resets)
        }
        return without(requests, gone)

    def _given(self, repeated: Repeated) -> Iterator[tuple[int, str]]:
        for each in repeated.requests:
            if each.operation == RESET:
                repeated.results.append(None)
            yield each.instance, RESET if each.operation == RESET else CALL

    def _at_random(self) -> Iterator[tuple[int, str]]:
        make = cast("partial[Source]", self.make)
        random, most = Random(make.keywords["seed"]), make.keywords["calls"]

        def turns() -> Iterator[tuple[int, str]]:
            while self.left:
                instance = random.choice(sorted(self.left))
                for _ in range(random.randint(1, MOST_ON_END)):
                    yield instance, RESET if self.target.resets and random.random() < RESETS else CALL

        return islice(turns(), most)


class _Marked(Log):
    """A log that notes of each event whose it is."""

    def __init__(self, log: Log, marks: Mapping[str, int]) -> None:
        self.log, self.marks = log, marks

    def asked(self, operation: str, arguments: Mapping[str, Any]) -> bytes:
        return self.log.asked(operation, {**arguments, **self.marks})

    def not_asked(self, text: bytes) -> None:
        self.log.not_asked(text)

    def answered(self, text: bytes) -> None:
        self.log.answered(text)


def told_apart(lines: Sequence[bytes], head: int) -> dict[tuple[int, int], list[bytes]]:
    """The trace of each instance between two resets; with each event what was asked of others since the one before.

    head: how many lines come before all calls.
    """
    found: dict[tuple[int, int], list[bytes]] = {}
    asked: dict[tuple[int, int], int] = {}  # how many events of all a trace has noted
    events = [json.loads(line) for line in lines[head:]]
    for place, event in enumerate(events):
        if event["op"] == RESET:
            continue
        whose = event[INSTANCE], event[LIFE]
        others = events[asked.get(whose, 0) : place]
        asked[whose] = place + 1
        found.setdefault(whose, [*lines[:head]]).append(ENCODE({**event, **({OTHERS: others} if others else {})}))
    return found


def last_of(lines: Sequence[bytes]) -> tuple[int, int]:
    """Whose the last event is."""
    event = json.loads(lines[-1])
    return event[INSTANCE], event[LIFE]
