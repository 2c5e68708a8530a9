"""Reads a recording whose events say on which processor, from when to when, each call was under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from memoracle.trace import events
from memoracle.trace.decoding import (
    ANYTHING,
    CALL,
    CPU,
    FAULTS,
    RETURN,
    TIMES,
    MalformedLine,
    times_of,
)
from memoracle.trace.events import AnyEvent
from memoracle.trace.inputs import InputError
from memoracle.trace.numbers import BadNumber, number

NEVER = 1 << 1100  # when a call returns in which the implementation died: after all that a trace can name
Line = AnyEvent | events.Crash
Decode = Callable[[bytes], Line | None]


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """One call, and what came of it.

    line, text: where it stands.  cpu: that made it.  call, returned: when it began and ended.
    """

    line: int
    text: bytes
    event: Line
    cpu: int
    call: int
    returned: int

    @property
    def crashed(self) -> bool:
        return isinstance(self.event, events.Crash)


@dataclass(frozen=True)
class Recording:
    """What a trace says after its header.

    start: what came before all calls that say when they were made; only `boot` may.  operations: in the order of lines.
    """

    start: list[Operation]
    operations: list[Operation]

    @property
    def processors(self) -> int:
        return len({each.cpu for each in self.operations})


def has_times(line: bytes) -> bool:
    """Whether the event of a line says when its call was made."""
    return any(key in times_of(line) for key in (CALL, RETURN))


def read_recording(path: str, lines: Iterable[bytes], first_line: int, decode: Decode) -> Recording:
    """Reads the lines after the header; decode: reads the event of one, or None if it is to be skipped.

    Raises InputError, which names the line, for a line that is no event of such a recording.
    """
    start: list[Operation] = []
    operations: list[Operation] = []
    for line, text in enumerate(lines, first_line):
        try:
            event = decode(text)
            if event is None:
                continue
            times = times_of(text)
            if not operations and isinstance(event, events.Boot) and not times.keys() & {CALL, RETURN}:
                start.append(Operation(line, text, event, 0, 0, 0))
                continue
            cpu, call, returned = (time_of(times, key, isinstance(event, events.Crash)) for key in TIMES)
            if returned < call:
                raise MalformedLine(f"{RETURN}: {returned} is before the {CALL}, {call}")
        except MalformedLine as fault:
            raise InputError(path, line, fault.at(line)) from None
        operations.append(Operation(line, text, event, cpu, call, returned))
    refuse_overlaps(path, operations)
    return Recording(start, operations)


def time_of(times: dict[str, msgspec.Raw], key: str, crashed: bool) -> int:
    """What an event has under one of these keys; raises MalformedLine."""
    if key not in times:
        if key == RETURN and crashed:
            return NEVER
        raise MalformedLine(f"{key}: missing; all events of a recording have {', '.join(TIMES)}, or none")
    try:
        value = ANYTHING.decode(times[key])
        if isinstance(value, str):
            value = number(value)
    except (BadNumber, *FAULTS):
        value = None
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedLine(f'{key}: an integer or a string "0x..." was expected')
    return value


def refuse_overlaps(path: str, operations: list[Operation]) -> None:
    """Raises InputError for two calls of one processor that overlap."""
    latest: dict[int, Operation] = {}
    for each in sorted(operations, key=lambda one: (one.call, one.returned, one.line)):
        before = latest.get(each.cpu)
        if before is not None and each.call < before.returned:
            words = f"{CALL}: {each.call} is before the {RETURN} of line {before.line} on the same {CPU} {each.cpu}"
            raise InputError(path, each.line, words)
        latest[each.cpu] = each
