"""A running QEMU, asked on its QMP socket, of a file or of TCP: it is stopped while its tables are read."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from memoracle.impl import pte
from memoracle.trace.files import exists
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

SECONDS = 10.0  # that QEMU may take to answer
MOST_BYTES = 1 << 20  # of one answer
WORDS = re.compile(r"^[0-9a-f]+: (0x[0-9a-f]{16}(?: +0x[0-9a-f]{16})*)\s*$", re.ASCII)
NO_MEMORY = "Cannot access memory"
ADDRESS = re.compile(r"([^/]+):([0-9]{1,5})", re.ASCII)  # of a TCP socket
KEPT_TABLES = 1 << 12  # whose entries are not asked for twice


class Monitor:
    """A connection. Whatever goes wrong with it is an InputError that names the socket."""

    def __init__(self, path: str, link: socket.socket) -> None:
        self.path = path
        self.link = link
        self.rest = b""
        self.known: dict[int, tuple[int, ...] | None] = {}

    def fault(self, words: str) -> InputError:
        return InputError(self.path, None, words)

    def message(self, end: float) -> dict[str, Any]:
        """The next one from QEMU. end: when to wait no longer, by `time.monotonic`."""
        while b"\n" not in self.rest:
            if len(self.rest) > MOST_BYTES or time.monotonic() > end:
                raise self.fault("it sends no whole message of QMP")
            try:
                more = self.link.recv(1 << 16)
            except TimeoutError:
                raise self.fault(f"no answer within {SECONDS:.0f} seconds; is another client connected?") from None
            except OSError as fault:
                raise self.fault(f"cannot read: {fault.strerror or fault}") from None
            if not more:
                raise self.fault("the connection was closed")
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise self.fault(f"it does not speak QMP: {quoted(line)}")
        return message

    def execute(self, command: str, **arguments: object) -> Any:
        """What QEMU answers to a command; events in between are passed over."""
        asked = {"execute": command} | ({"arguments": arguments} if arguments else {})
        try:
            self.link.sendall(json.dumps(asked).encode() + b"\n")
        except OSError as fault:
            raise self.fault(f"cannot write: {fault.strerror or fault}") from None
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            message = self.message(end)
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise self.fault(f"{command} is refused: {quoted(json.dumps(message['error']))}")
        raise self.fault(f"{command} is not answered within {SECONDS:.0f} seconds")

    def says(self, line: str) -> str:
        """What the monitor for people answers."""
        answer = self.execute("human-monitor-command", **{"command-line": line})
        if not isinstance(answer, str):
            raise self.fault(f"`{line}` is answered by no text")
        return answer

    def registers(self) -> Iterator[bytes]:
        """The lines of `info registers` of all processors."""
        return iter(self.says("info registers -a").encode(errors="backslashreplace").splitlines())

    def table(self, address: int) -> Sequence[int] | None:
        """The entries of a table (see memory.Memory)."""
        if address not in self.known:
            if len(self.known) >= KEPT_TABLES:
                self.known.clear()
            self.known[address] = self.asked(address)
        return self.known[address]

    def asked(self, address: int) -> tuple[int, ...] | None:
        text = self.says(f"xp /{pte.ENTRIES}gx {address:#x}")
        found = [WORDS.match(line) for line in text.splitlines()]
        entries = tuple(int(word, 16) for line in found if line is not None for word in line[1].split())
        if len(entries) == pte.ENTRIES:
            return entries
        if NO_MEMORY in text:
            return None
        raise self.fault(f"`xp` is answered by {quoted(text)}")


def opened(path: str) -> socket.socket:
    """A connection to a socket in the file system, or to HOST:PORT; raises OSError and ValueError."""
    address = None if exists(path) else ADDRESS.fullmatch(path)
    if address is not None:
        return socket.create_connection((address[1].strip("[]"), int(address[2])), SECONDS)
    link = socket.socket(socket.AF_UNIX)
    try:
        link.settimeout(SECONDS)
        link.connect(path)
    except BaseException:
        link.close()
        raise
    return link


@contextmanager
def connected(path: str) -> Iterator[Monitor]:
    """A QEMU that is stopped until the block is left, if it ran; raises InputError. path: see `opened`."""
    try:
        link = opened(path)
    except (OSError, ValueError, OverflowError) as fault:
        raise InputError(path, None, f"cannot connect: {getattr(fault, 'strerror', None) or fault}") from None
    with link:
        monitor = Monitor(path, link)
        if "QMP" not in monitor.message(time.monotonic() + SECONDS):
            raise InputError(path, None, "it does not speak QMP: it does not greet")
        monitor.execute("qmp_capabilities")
        status = monitor.execute("query-status")
        runs = isinstance(status, dict) and status.get("running") is True
        if runs:
            monitor.execute("stop")
        try:
            yield monitor
        except BaseException:
            with suppress(InputError):  # the first fault is the one to be told
                go_on(monitor, runs)
            raise
        go_on(monitor, runs)


def go_on(monitor: Monitor, runs: bool) -> None:
    if runs:
        monitor.execute("cont")
