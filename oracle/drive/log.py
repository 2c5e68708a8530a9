"""The trace of a run, written so that nothing is lost when the target dies: each call before it is made.

It is a file in memory that the parent of the process reads, too. At its head stand three numbers: how many bytes of the
file are written, how many calls were answered, and whether no more are made.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Any

import msgspec

from memoracle.drive.memory_file import memory_file

HEAD = struct.Struct("<QQ")
END = struct.Struct("<Q")
START = HEAD.size + END.size  # of the trace, in bytes
STEP = 1 << 22  # bytes by which it grows
MOST_AT_ONCE = 1 << 30  # bytes; Linux reads 2 GiB at the most
ENCODE = msgspec.json.Encoder().encode


class Log:
    """One trace, which a process and those that it forks share."""

    def __init__(self) -> None:
        self.file = memory_file()
        self.size = STEP
        os.ftruncate(self.file.fileno(), self.size)
        self.map = mmap.mmap(self.file.fileno(), self.size)
        self.end = START
        self.calls = 0

    def clear(self) -> None:
        """Forgets what is written; it is the parent that asks, while no child writes."""
        os.ftruncate(self.file.fileno(), 0)
        os.ftruncate(self.file.fileno(), self.size)

    def header(self, header: dict[str, object], *events: dict[str, object]) -> list[bytes]:
        """Writes the first line, and events that are no calls; returns these lines."""
        lines = [ENCODE(each) for each in (header, *events)]
        self._write(b"\n".join(lines) + b"\n")
        return lines

    def asked(self, operation: str, arguments: dict[str, Any]) -> bytes:
        """Writes a call before it is made; returns its text, which lacks the answer and the end."""
        text = ENCODE({"op": operation, **arguments})[:-1]
        self._write(text)
        return text

    def not_asked(self, text: bytes) -> None:
        """Takes back the call that was asked last. text: what was written of it."""
        self.end -= len(text)
        HEAD.pack_into(self.map, 0, self.end, self.calls)

    def answered(self, text: bytes) -> None:
        """Writes the answer to the call that was asked last: what its line lacks."""
        self.calls += 1
        self._write(text + b"\n")

    def ended(self) -> None:
        """Writes that no more calls are made."""
        END.pack_into(self.map, HEAD.size, True)

    def _write(self, text: bytes) -> None:
        end = self.end + len(text)
        if end > self.size:
            self.size += max(STEP, len(text))
            os.ftruncate(self.file.fileno(), self.size)
            self.map.resize(self.size)
        self.map[self.end : end] = text
        self.end = end
        HEAD.pack_into(self.map, 0, end, self.calls)

    def progress(self) -> tuple[int, int]:
        """How many bytes and calls the child has written; it is the parent that asks."""
        head = os.pread(self.file.fileno(), HEAD.size, 0)
        written, calls = HEAD.unpack(head)
        return written, calls

    def is_ended(self) -> bool:
        """Whether the child makes no more calls; it is the parent that asks."""
        return bool(END.unpack(os.pread(self.file.fileno(), END.size, HEAD.size))[0])

    def _read(self, start: int, end: int) -> bytes:
        """The bytes of a part of the file."""
        parts = []
        while start < end and (part := os.pread(self.file.fileno(), min(end - start, MOST_AT_ONCE), start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def lines(self, death: str | None = None) -> list[bytes]:
        """The trace. death: what became of a call that was never answered."""
        written, _ = self.progress()
        text = self._read(START, written)
        lines = text.split(b"\n")
        last = lines.pop()
        if last and death is not None:
            lines.append(last + b',"crash":' + ENCODE(death) + b"}")
        return lines
