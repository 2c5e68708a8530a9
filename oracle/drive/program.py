"""A program as a target: it reads a call a line on its standard input, and writes the answer, a line, too.

Its first line says which operations it has. A kernel in an emulator does so on its serial port.
"""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from signal import Signals
from typing import Any, get_type_hints

import msgspec

from memoracle.drive.calls import require_answer
from memoracle.drive.extents import named_in_calls
from memoracle.drive.log import ENCODE
from memoracle.drive.target import Answer, DiedError
from memoracle.trace.decoding import FAULTS, MalformedLine
from memoracle.trace.events import OPERATIONS, AnyEvent, operation_of_kind
from memoracle.trace.inputs import InputError
from memoracle.trace.numbers import BadNumber, Number, number
from memoracle.trace.quoting import quoted

MOST_NOISE = 10_000  # lines on end that are no answers: a kernel that boots prints some thousands
MOST_BYTES = 1 << 24  # that are read at a time, or of one line
BLOCK = 1 << 16
PATIENCE = 1  # seconds, for the end of a program that closed its output
NUMBERS = {  # operations whose answers are numbers, which may be strings
    operation_of_kind(kind) for kind in AnyEvent.__args__ if get_type_hints(kind)["result"] == Number | None
}


class Hello(msgspec.Struct, forbid_unknown_fields=True):
    """The first line that a program writes. operations: those that it has, each with the arguments that it reads."""

    operations: dict[str, list[str]]


class Reply(msgspec.Struct):
    """An answer. Other keys, those of the call for example, are passed over."""

    result: Any = None
    error: str | None = None


class Program:
    """A program that was started.

    operations: that it has; of each, the arguments that a call may name.  refusing: all of these.
    """

    def __init__(self, command: Sequence[str], header: Mapping[str, object]) -> None:
        """command: the program and its arguments.  header: of the trace, which is written to it first."""
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as fault:
            raise InputError(command[0], None, f"cannot run: {fault.strerror or fault}") from None
        if self.process.stdout is None:
            raise AssertionError
        self.output = Output(self.process.stdout.fileno())
        line = b""
        try:
            self._write(ENCODE(header))
            line = self.output.next_object()
            hello = msgspec.json.decode(line, type=Hello)
        except (*FAULTS, DiedError, OSError) as fault:
            words = 'a line {"operations": {"frame.allocate": ["order"], ...}} was expected first'
            raise InputError(command[0], 1, f"{words}: {fault}: {quoted(line.decode(errors='replace'))}") from None
        for name in hello.operations:
            if name not in OPERATIONS:
                raise InputError(command[0], 1, f"operations: unknown operation {quoted(name)}")
        self.operations = {name: named_in_calls(name, keys) for name, keys in hello.operations.items()}
        self.refusing = frozenset(self.operations)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        try:
            self.output.refuse_objects()
            self._write(ENCODE({"op": operation, **arguments}))
            line = self.output.next_object()
        except OSError:
            line = b""
        if not line:
            raise DiedError(self._end())
        try:
            return answer_in(line, operation, arguments)
        except (*FAULTS, BadNumber, MalformedLine) as fault:
            raise DiedError(f"this is no answer ({fault}): {quoted(line.decode(errors='replace'))}") from None

    def _end(self) -> str:
        """What became of a program that answers no more."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return "it closed its standard output"
        return f"signal {signal_name(-status)}" if status < 0 else f"it ended with status {status}"

    def _write(self, line: bytes) -> None:
        stream = self.process.stdin
        if stream is None:
            raise AssertionError
        stream.write(line + b"\n")
        stream.flush()


class Output:
    """What a program writes, line by line: objects, and whatever else a kernel prints, which is passed over."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.rest = bytearray()  # that was read, and is no whole line yet
        self.noise = 0  # lines on end that are no objects

    def next_object(self) -> bytes:
        """The next line that is an object, once it is there; empty at the end. Raises DiedError."""
        while True:
            for line in self.whole_lines():
                if self.is_object(line):
                    return line
            if not self.read():
                line, self.rest = bytes(self.rest), bytearray()
                return line if self.is_object(line) else b""

    def refuse_objects(self) -> None:
        """Passes over what was written already; raises DiedError for an object in it, which nobody asked for."""
        while select.select([self.file], [], [], 0)[0] and self.read():
            pass
        for line in self.whole_lines():
            if self.is_object(line):
                raise DiedError(f"it said this before it was asked: {quoted(line.decode(errors='replace'))}")

    def whole_lines(self) -> Iterator[bytes]:
        while (end := self.rest.find(b"\n") + 1) > 0:
            line = bytes(self.rest[:end])
            del self.rest[:end]
            yield line.strip()

    def read(self) -> bool:
        """Waits for more, and reads it; False at the end."""
        if len(self.rest) > MOST_BYTES:
            raise DiedError(f"{MOST_BYTES:,} bytes without an answer")
        found = os.read(self.file, BLOCK)
        self.rest += found
        return bool(found)

    def is_object(self, line: bytes) -> bool:
        is_object = line.startswith(b"{")
        self.noise = 0 if is_object else self.noise + 1
        if self.noise > MOST_NOISE:
            raise DiedError(f"{MOST_NOISE:,} lines without an answer")
        return is_object


def answer_in(line: bytes, operation: str, arguments: Mapping[str, Any]) -> Answer:
    """The answer to a call. Raises one of FAULTS, BadNumber, or MalformedLine for one that no event could have."""
    reply = msgspec.json.decode(line, type=Reply)
    if reply.result is not None and reply.error is not None:
        raise MalformedLine("it has both `result` and `error`")
    result = reply.result
    if isinstance(result, str) and operation in NUMBERS:
        result = number(result)
    answer = Answer(result, reply.error)
    require_answer(operation, arguments, answer)
    return answer


def signal_name(number: int) -> str:
    """A signal's number and name, if it has one."""
    try:
        return f"{number} ({Signals(number).name})"
    except ValueError:
        return str(number)
