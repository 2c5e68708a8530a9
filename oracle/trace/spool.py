"""A copy of an input that can be read only once, kept while it is read, so that it can be read again."""

from __future__ import annotations

import io
import os
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_BYTES = 1 << 30


class Spool:
    """The bytes of one input, as they come, in a file that goes when nobody needs it any more.

    why_not: why no more of them are kept; nothing as long as all are.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        """most: the bytes that are kept."""
        self.most = most
        self.size = 0
        self.why_not = ""
        self.file: IO[bytes] | None = None

    def add(self, some: bytes) -> None:
        """Takes up what was read."""
        if self.why_not:
            return
        if self.size + len(some) > self.most:
            self.why_not = f"it has more than {self.most:,} bytes"
            return
        try:
            if self.file is None:
                self.file = TemporaryFile(buffering=0, prefix="memoracle-")  # noqa: SIM115 (it goes with this object)
            self.file.write(some)
        except OSError as fault:
            self.why_not = fault.strerror or str(fault)
            return
        self.size += len(some)

    def reader(self) -> io.BufferedReader:
        """What is kept so far, from its beginning. Several may read at once."""
        return io.BufferedReader(_Copy(self))


class _Copy(io.RawIOBase):
    """One reader of a spool, with a place of its own."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.place = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        if self.spool.file is None:
            return 0
        some = os.pread(self.spool.file.fileno(), min(len(view), self.spool.size - self.place), self.place)
        view[: len(some)] = some
        self.place += len(some)
        return len(some)
