"""Input read line by line, from a file or standard input, plain or compressed; every fault names its file and line."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from memoracle.trace import compression
from memoracle.trace.compression import BUFFER_BYTES, DamagedError, expanded, filled, is_compressed
from memoracle.trace.interrupts import INTERRUPTS
from memoracle.trace.quoting import MOST_KEPT, shortened
from memoracle.trace.spool import Spool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Keep = Callable[[bytes], object]
STDIN = "-"
LINE_BYTES = 1 << 20  # of a line, at the most
POLL = 0.1  # seconds between two looks at a file that grows
UTF8_MARK = b"\xef\xbb\xbf"
# What some inputs begin with that are no text, and what to do with them.
NO_TEXT = {
    b"PERFILE2": "a binary recording of perf, of which `perf script` makes text",
    b"\x17\x08\x44tracing": "a binary recording of trace-cmd, of which `trace-cmd report` makes text",
    b"LPKSHHRH": "a file of systemd's journal, of which `journalctl` makes text",
    b"PK\x03\x04": "a zip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x04\x22\x4d\x18": "compressed by lz4, which is not read here",
    b"\x7fELF": "an ELF file",
    b"\x5d\0\0": "compressed by lzma alone, which is not read here: `xz -d` does it",
}
# Pipes of which the beginning was read already: what is still to be read of each, that beginning included.
BEGUN: dict[str, io.BufferedReader] = {}
HEAD = max(compression.HEAD, *map(len, NO_TEXT))  # bytes by which it is known what an input is


class InputError(Exception):
    """Input that cannot be read or makes no sense; its text is `file:line: message`.

    path: as the user gave it.  line: counted from 1, or None where the fault is the whole file's.
    """

    def __init__(self, path: str, line: int | None, message: str) -> None:
        where = shown(path) if line is None else f"{shown(path)}:{line}"
        super().__init__(f"{where}: {shortened(message, MOST_KEPT)}")
        self.path = path
        self.line = line
        self.message = message

    def __reduce__(self) -> tuple[type[InputError], tuple[str, int | None, str]]:
        return InputError, (self.path, self.line, self.message)


def shown(path: str) -> str:
    """The name by which messages call an input."""
    return "<stdin>" if path == STDIN else path or "''"


def open_lines(
    path: str, max_line: int = LINE_BYTES, follow: bool = False, spool: Spool | None = None
) -> Iterator[bytes]:
    """The lines of a file, or of standard input for `-`, each with its newline; nothing is opened before the first.

    A line is given once it has arrived, whatever else is still to come. Compression is recognised by the content; a
    mark of UTF-8 at the beginning is left out. max_line: the most bytes that a line may have. follow: at its end a file
    goes on when something is added to it.  spool: is handed all that is read. Raises InputError for what cannot be
    read, and for a compressed stream that is damaged or ends too early, after the lines that come before the fault;
    KeyboardInterrupt where the user wants to stop.
    """
    return _lines(path, _stream(path, follow, None if spool is None else spool.add), max_line)


def spooled_lines(path: str, spool: Spool, max_line: int = LINE_BYTES) -> Iterator[bytes]:
    """The lines of an input once more, as many as are whole in the spool that it was read into."""
    try:
        for line in _lines(path, nullcontext(_text(path, spool.reader())), max_line):
            if spool.why_not and not line.endswith(b"\n"):
                return
            yield line
    except InputError:
        if not spool.why_not:
            raise


def _lines(path: str, opened: AbstractContextManager[io.BufferedReader], max_line: int) -> Iterator[bytes]:
    line = 0
    try:
        with opened as stream:
            rest = bytearray()  # of the last block, where a line is not whole yet
            while block := stream.read1(BUFFER_BYTES):
                end = block.rfind(b"\n") + 1
                whole = bytes(rest) + block[:end] if end else b""
                if end:
                    rest.clear()
                rest += block[end:]
                for text in io.BytesIO(whole):
                    line += 1
                    if len(text) > max_line + 1:
                        raise _too_long(path, line, max_line)
                    if INTERRUPTS.asked:
                        raise KeyboardInterrupt
                    yield text
                if len(rest) > max_line:
                    raise _too_long(path, line + 1, max_line)
            if INTERRUPTS.asked:
                raise KeyboardInterrupt
            if rest:
                line += 1
                yield bytes(rest)
    except DamagedError as fault:
        raise InputError(path, line + 1, str(fault)) from None
    except OSError as fault:
        raise InputError(path, None, f"cannot read: {fault.strerror or fault}") from None


def open_blocks(path: str) -> Iterator[bytes]:
    """The same text as `open_lines`, many whole lines at once, however long they are."""
    try:
        with _stream(path) as stream:
            rest = b""
            while block := stream.read1(BUFFER_BYTES):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    yield whole + newline
            if rest:
                yield rest
    except (DamagedError, OSError) as fault:
        raise InputError(path, None, f"cannot read: {fault}") from None


def _too_long(path: str, line: int, max_line: int) -> InputError:
    return InputError(path, line, f"the line is longer than {max_line:,} bytes; --max-line sets another limit")


@contextmanager
def _stream(path: str, follow: bool = False, keep: Keep | None = None) -> Iterator[io.BufferedReader]:
    """The text of an input, as bytes; standard input is left open."""
    if path == STDIN:
        if sys.stdin is None:
            raise InputError(path, None, "cannot read: standard input is closed")
        yield _text(path, BEGUN.pop(path, sys.stdin.buffer), follow, keep)
        return
    with _opened(path) as file:
        yield _text(path, file, follow, keep)


def _opened(path: str) -> io.BufferedReader:
    if path in BEGUN:
        return BEGUN.pop(path)
    with INTERRUPTS.waited_for():  # for whoever writes into a pipe that is named
        return Path(path).open("rb")


@contextmanager
def begun(path: str) -> Iterator[Iterator[bytes]]:
    """The first lines of an input, as many as are asked for; whoever opens it next has them, too, be it a pipe."""
    if path == STDIN and sys.stdin is None:
        yield iter(())
        return
    file = cast(io.BufferedReader, sys.stdin.buffer) if path == STDIN else _opened(path)
    head = bytearray()
    start = file.tell() if file.seekable() else None
    try:
        yield _lines(path, nullcontext(_text(path, file, keep=head.extend)), LINE_BYTES)
    finally:
        if start is None:
            BEGUN[path] = io.BufferedReader(_Joined(bytes(head), _Source(file, False, None)), BUFFER_BYTES)
        elif path == STDIN:
            file.seek(start)
        else:
            file.close()


def _text(path: str, file: IO[bytes], follow: bool = False, keep: Keep | None = None) -> io.BufferedReader:
    """What a file says, compressed or not; raises InputError if that is no text that can be read."""
    head, source = _peeked(_Source(cast(io.BufferedReader, file), follow, keep))
    if is_compressed(head):
        head, source = _peeked(expanded(head, source))
        if is_compressed(head):
            raise InputError(path, None, "it is compressed twice")
    for magic, words in NO_TEXT.items():
        if head.startswith(magic):
            raise InputError(path, None, f"it is {words}")
    if coding := _other_coding(head):
        raise InputError(path, None, f"it is text in {coding}, and must be UTF-8: `iconv -f {coding} -t UTF-8` does it")
    if head.startswith(UTF8_MARK):
        source.read(len(UTF8_MARK))
    return source


def _peeked(raw: io.RawIOBase) -> tuple[bytes, io.BufferedReader]:
    """The first bytes of a stream, and the stream from its beginning."""
    head = b""
    while len(head) < HEAD and (more := raw.read(HEAD - len(head))):
        head += more
    return head, io.BufferedReader(_Joined(head, raw), BUFFER_BYTES)


def _other_coding(head: bytes) -> str | None:
    """The coding of text that is not in UTF-8; such text is nearly all ASCII, so every other byte of it is zero."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    zero = [byte == 0 for byte in head[:4]]
    return "UTF-16" if sum(zero) == 2 and zero[:2] == zero[2:] else None


class _Source(io.RawIOBase):
    """The bytes of a file as they come. While it waits for them, an interrupt ends the waiting."""

    def __init__(self, file: io.BufferedReader, follow: bool, keep: Keep | None) -> None:
        """follow: a regular file has no end: what is added to it comes, too.  keep: is handed what comes."""
        self.file = file
        self.grows = follow and _is_regular(file)
        self.keep = keep

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        with INTERRUPTS.waited_for():
            while not (found := filled(buffer, self.file.read1)) and self.grows:
                if os.fstat(self.file.fileno()).st_size < self.file.tell():
                    raise OSError(errno.EIO, "it became shorter while it was followed")
                time.sleep(POLL)
            if self.keep is not None:
                self.keep(bytes(memoryview(buffer).cast("B")[:found]))
            return found


def _is_regular(file: io.BufferedReader) -> bool:
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except io.UnsupportedOperation:  # it is only in memory
        return False


class _Joined(io.RawIOBase):
    """Some bytes, and then a stream."""

    def __init__(self, head: bytes, raw: io.RawIOBase) -> None:
        self.head = head
        self.raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if not self.head:
            return self.raw.readinto(buffer)
        view = memoryview(buffer).cast("B")
        some, self.head = self.head[: len(view)], self.head[len(view) :]
        view[: len(some)] = some
        return len(some)
