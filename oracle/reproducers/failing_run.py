"""The calls that led to a failure, as a test makes them: what an earlier call gave is a variable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from memoracle.diagnostics.divergence import Finding
from memoracle.drive.log import ENCODE
from memoracle.drive.requests import INSTANCE, OTHERS, Request, requests_of
from memoracle.report.check_report import TraceResult
from memoracle.trace.hexadecimal import in_hexadecimal, in_numbers

Event: TypeAlias = dict[str, Any]
Check: TypeAlias = Callable[[Sequence[Event]], TraceResult]  # of all lines of a trace
VARIABLES = {"frame": "frame", "range": "range", "kernel_pages": "range", "heap": "block", "process": "process"}
GIVES = {"allocate", "new", "resize", "create"}


class ReproducerError(Exception):
    """No test can be written of a failure; the text says why."""


@dataclass(frozen=True)
class Aside:
    """What was asked of another instance, or of this one before a reset, or a reset: the law has it apart.

    before: the place of the call of the run that it came before.  event: the call, and what came of it.
    request: the same, whose needs are places among all asides.
    """

    before: int
    event: Event
    request: Request


@dataclass(frozen=True)
class FailingRun:
    """head: the header, and the memory map if there is one.  events: the calls and what came of them, the last of which
    failed.  requests: the same calls, with what each takes from an earlier one.  finding: what is wrong with the last.
    check: what `check` says of a trace.  asides: what else was asked that the failure needs.
    instance: the one of which the events are.
    """

    head: tuple[Event, ...]
    events: tuple[Event, ...]
    requests: tuple[Request, ...]
    finding: Finding
    check: Check
    asides: tuple[Aside, ...] = ()
    instance: int = 0

    @property
    def last(self) -> Event:
        return self.events[-1]

    def conforms(self, *events: Event) -> bool:
        """Whether events after the head keep the law; what cannot be read does not."""
        found = self.check([*self.head, *events])
        return not found.divergences and found.fault is None

    def variable(self, place: int) -> str:
        """The name of what a call gives."""
        return f"{what_gives(self.events[place]['op'])}{place + 1}"

    def argument(self, place: int, name: str) -> str:
        """An argument of a call, as an expression of what earlier calls gave."""
        return _argument(self.requests[place], name, self.variable)

    def said(self, place: int) -> str:
        """A call in the words of a trace, on one line."""
        return _said(self.requests[place], lambda name: self.argument(place, name))

    def aside_variable(self, place: int) -> str:
        """The name of what an aside gives."""
        return f"{what_gives(self.asides[place].request.operation)}_aside{place + 1}"

    def aside_argument(self, place: int, name: str) -> str:
        return _argument(self.asides[place].request, name, self.aside_variable)

    def aside_said(self, place: int) -> str:
        request = self.asides[place].request
        return f"{_said(request, lambda name: self.aside_argument(place, name))} (instance {request.instance})"


def what_gives(operation: str) -> str:
    """What the result of an operation is called."""
    family, _, verb = operation.partition(".")
    return VARIABLES.get(family, "answer") if verb in GIVES else "answer"


def _argument(request: Request, name: str, variable: Callable[[int], str]) -> str:
    if name in request.needs:
        giver, added = request.needs[name]
        return variable(giver) + (f" + {added}" if added else "")
    value = request.arguments[name]
    shown = in_hexadecimal({"op": request.operation, name: value})[name]
    return str(shown) if isinstance(value, int) else repr(value)


def _said(request: Request, argument: Callable[[str], str]) -> str:
    return " ".join([request.operation, *(f"{name}={argument(name)}" for name in request.arguments)])


def failing_run(head: Iterable[bytes], lines: Iterable[bytes], finding: Finding, check: Check) -> FailingRun:
    """Of the lines of a trace, the last of which is what the finding is about. Raises ReproducerError."""
    texts = list(lines)
    events = tuple(event_of(line) for line in texts)
    if any(event["op"] == "boot" for event in events):
        raise ReproducerError(
            "what is wrong is how a memory map was read, which no call shows, or the machine restarts"
        )
    requests = tuple(requests_of([ENCODE(event) for event in events]))
    heads = tuple(event_of(line) for line in head)
    instance = json.loads(texts[-1]).get(INSTANCE, 0) if texts else 0
    return FailingRun(heads, events, requests, finding, check, tuple(_asides(texts)), instance)


def _asides(lines: Sequence[bytes]) -> Iterator[Aside]:
    """What the events of a trace note of others, which is asked before each."""
    asked, place, moved = requests_of(lines), 0, dict[int, int]()
    for before, line in enumerate(lines):
        for event in json.loads(line).get(OTHERS, ()):
            moved[place] = len(moved)
            needs = {key: (moved[giver], added) for key, (giver, added) in asked[place].needs.items()}
            yield Aside(before, event, asked[place]._replace(needs=needs))
            place += 1
        place += 1  # the event itself


def event_of(line: bytes) -> Event:
    """What a line says, with all numbers as such and without the keys that are the recorder's own."""
    return {key: value for key, value in in_numbers(json.loads(line)).items() if not key.startswith("_")}


def refused(event: Event) -> bool:
    return "error" in event


def succeeds_with(event: Event, result: Any) -> Event:
    """The same call, with another outcome."""
    return {**_asked(event), **({} if result is None else {"result": result})}


def refuses(event: Event) -> Event:
    """The same call, refused."""
    return {**_asked(event), "error": "refused"}


def _asked(event: Event) -> Event:
    return {key: value for key, value in event.items() if key not in ("result", "error", "crash")}
