"""The calls that led to a failure, as a test makes them: what an earlier call gave is a variable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from memoracle.diagnostics.divergence import Finding
from memoracle.drive.log import ENCODE
from memoracle.drive.requests import Request, requests_of
from memoracle.report.check_report import TraceResult
from memoracle.trace.hexadecimal import in_hexadecimal, in_numbers

Event: TypeAlias = dict[str, Any]
Check: TypeAlias = Callable[[Sequence[Event]], TraceResult]  # of all lines of a trace
VARIABLES = {"frame": "frame", "range": "range", "kernel_pages": "range", "heap": "block", "process": "process"}
GIVES = {"allocate", "new", "resize", "create"}


class ReproducerError(Exception):
    """No test can be written of a failure; the text says why."""


@dataclass(frozen=True)
class FailingRun:
    """head: the header, and the memory map if there is one.  events: the calls and what came of them, the last of which
    failed.  requests: the same calls, with what each takes from an earlier one.  finding: what is wrong with the last.
    check: what `check` says of a trace.
    """

    head: tuple[Event, ...]
    events: tuple[Event, ...]
    requests: tuple[Request, ...]
    finding: Finding
    check: Check

    @property
    def last(self) -> Event:
        return self.events[-1]

    def conforms(self, *events: Event) -> bool:
        """Whether events after the head keep the law; what cannot be read does not."""
        found = self.check([*self.head, *events])
        return not found.divergences and found.fault is None

    def variable(self, place: int) -> str:
        """The name of what a call gives."""
        family, _, verb = self.events[place]["op"].partition(".")
        return f"{VARIABLES.get(family, 'answer') if verb in GIVES else 'answer'}{place + 1}"

    def argument(self, place: int, name: str) -> str:
        """An argument of a call, as an expression of what earlier calls gave."""
        request = self.requests[place]
        if name in request.needs:
            giver, added = request.needs[name]
            return self.variable(giver) + (f" + {added}" if added else "")
        value = request.arguments[name]
        shown = in_hexadecimal({"op": request.operation, name: value})[name]
        return str(shown) if isinstance(value, int) else repr(value)

    def said(self, place: int) -> str:
        """A call in the words of a trace, on one line."""
        request = self.requests[place]
        given = (f"{name}={self.argument(place, name)}" for name in request.arguments)
        return " ".join([request.operation, *given])


def failing_run(head: Iterable[bytes], lines: Iterable[bytes], finding: Finding, check: Check) -> FailingRun:
    """Of the lines of a trace, the last of which is what the finding is about. Raises ReproducerError."""
    events = tuple(event_of(line) for line in lines)
    if any(event["op"] == "boot" for event in events):
        raise ReproducerError(
            "what is wrong is how a memory map was read, which no call shows, or the machine restarts"
        )
    requests = tuple(requests_of([ENCODE(event) for event in events]))
    return FailingRun(tuple(event_of(line) for line in head), events, requests, finding, check)


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
