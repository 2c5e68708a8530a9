"""Input read line by line, from a file or standard input, plain or gzip; every fault names its file and line."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN = "-"
GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, 2.3.1
BUFFER_BYTES = 1 << 18


class InputError(Exception):
    """Input that cannot be read or makes no sense; its text is `file:line: message`.

    path: as the user gave it.  line: counted from 1, or None where the fault is the whole file's.
    """

    def __init__(self, path: str, line: int | None, message: str) -> None:
        where = shown(path) if line is None else f"{shown(path)}:{line}"
        super().__init__(f"{where}: {message}")
        self.path = path
        self.line = line
        self.message = message


def shown(path: str) -> str:
    """The name by which messages call an input."""
    return "<stdin>" if path == STDIN else path


def open_lines(path: str) -> Iterator[bytes]:
    """The lines of a file, or of standard input for `-`, each with its newline; nothing is opened before the first.

    Gzip is recognised by its content and decompressed. Raises InputError for what cannot be read, and for a gzip
    stream that is damaged or ends too early, after the lines that come before the fault.
    """
    line = 0
    try:
        with _stream(path) as stream:
            for line, text in enumerate(stream, 1):  # noqa: B007 (the fault's line is told below)
                yield text
    except EOFError:
        raise InputError(path, line + 1, "the gzip stream ends before its end marker") from None
    except (gzip.BadGzipFile, zlib.error) as fault:
        raise InputError(path, line + 1, f"the gzip stream is damaged: {fault}") from None
    except OSError as fault:
        raise InputError(path, None, f"cannot read: {fault.strerror or fault}") from None


@contextmanager
def _stream(path: str) -> Iterator[IO[bytes]]:
    """The decompressed bytes of an input; standard input is left open."""
    if path == STDIN:
        yield _decompressed(sys.stdin.buffer)
        return
    with Path(path).open("rb", buffering=BUFFER_BYTES) as raw:
        yield _decompressed(raw)


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    # Standard input may have been replaced by a stream that cannot peek.
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, raw))
    if not buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
        return buffered
    return io.BufferedReader(cast(io.RawIOBase, _Gunzip(fileobj=buffered)), BUFFER_BYTES)


class _Gunzip(gzip.GzipFile):
    """Fills a buffer by one read only, so that lines come as they arrive and none before a fault is lost."""

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self.readinto1(buffer)
