"""A program as a target: it reads a call a line on its standard input, and writes the answer, a line, too.

Its first line says which operations it has. A kernel in an emulator does so on its serial port.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from signal import Signals
from typing import Any, get_type_hints

import msgspec

from memoracle.drive.log import ENCODE
from memoracle.drive.target import Answer, DiedError
from memoracle.trace.events import OPERATIONS, AnyEvent, BadNumber, Number, number, operation_of_kind
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

MOST_NOISE = 1000  # lines on end that are no answers
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
        self.command = command
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as fault:
            raise InputError(command[0], None, f"cannot run: {fault.strerror or fault}") from None
        self._write(ENCODE(header))
        line = self._read()
        try:
            hello = msgspec.json.decode(line, type=Hello)
        except msgspec.DecodeError as fault:
            words = 'a line {"operations": {"frame.allocate": ["order"], ...}} was expected first'
            raise InputError(command[0], 1, f"{words}: {fault}: {quoted(line.decode(errors='replace'))}") from None
        for name in hello.operations:
            if name not in OPERATIONS:
                raise InputError(command[0], 1, f"operations: unknown operation {quoted(name)}")
        self.operations = {name: frozenset(arguments) for name, arguments in hello.operations.items()}
        self.refusing = frozenset(self.operations)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        try:
            self._write(ENCODE({"op": operation, **arguments}))
            line = self._read()
        except OSError:
            line = b""
        if not line:
            status = self.process.wait()
            raise DiedError(
                f"signal {-status} ({Signals(-status).name})" if status < 0 else f"it ended with status {status}"
            )
        try:
            reply = msgspec.json.decode(line, type=Reply)
            is_number = isinstance(reply.result, str) and operation in NUMBERS
            return Answer(number(reply.result) if is_number else reply.result, reply.error)
        except (msgspec.DecodeError, BadNumber):
            raise DiedError(f"this is no answer: {quoted(line.decode(errors='replace'))}") from None

    def _write(self, line: bytes) -> None:
        stream = self.process.stdin
        if stream is None:
            raise AssertionError
        stream.write(line + b"\n")
        stream.flush()

    def _read(self) -> bytes:
        """The next line that is an object; what else a kernel prints is passed over."""
        stream = self.process.stdout
        if stream is None:
            raise AssertionError
        for _ in range(MOST_NOISE):
            line = stream.readline()
            if not line or line.lstrip().startswith(b"{"):
                return line.strip()
        raise DiedError(f"{MOST_NOISE:,} lines without an answer")
