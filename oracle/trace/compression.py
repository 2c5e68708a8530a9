"""Compressed input, known by its first bytes, and expanded by no more at a time than a buffer holds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from abc import abstractmethod
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER_BYTES = 1 << 18
DICTIONARY_BYTES = 1 << 28  # of xz, whose headers may ask for 4 GiB; its highest preset takes 65 MiB
MOST_TIMES = 500  # what is said may be as many times the bytes that say it; gzip can reach 1,032, the others more
UNBOUNDED_BYTES = 1 << 26  # of what is said, however few bytes say it


class DamagedError(Exception):
    """A compressed stream that cannot be expanded; the text says which kind, and why."""


class Decoder(Protocol):
    """What Python's decompressors have in common, but for gzip's."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _zstd() -> Decoder:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        import backports.zstd as zstd
    return cast(Decoder, zstd.ZstdDecompressor())


def _xz() -> Decoder:
    return cast(Decoder, lzma.LZMADecompressor(memlimit=DICTIONARY_BYTES))


def _bzip2() -> Decoder:
    return cast(Decoder, bz2.BZ2Decompressor())


GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1
KINDS: dict[bytes, tuple[str, Callable[[], Decoder]]] = {
    b"\xfd7zXZ\x00": ("xz", _xz),
    b"BZh": ("bzip2", _bzip2),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),  # RFC 8878, 3.1.1
}
HEAD = max(map(len, (GZIP, *KINDS)))  # bytes by which the kind is known


def is_compressed(head: bytes) -> bool:
    """Whether input that begins so is compressed in a way that can be read."""
    return head.startswith((GZIP, *KINDS))


def expanded(head: bytes, source: io.BufferedReader) -> io.RawIOBase:
    """What a source, whose first bytes are `head`, holds before compression; raises DamagedError while it is read."""
    if head.startswith(GZIP):
        return _Gzip(source)
    kind, new = next(found for magic, found in KINDS.items() if head.startswith(magic))
    return _Expanded(kind, new, source)


def filled(buffer: WriteableBuffer, read: Callable[[int], bytes]) -> int:
    """Puts into a buffer what one read gives, and says how many bytes.

    `readinto1` would not do: it may wait for more although it has some.
    """
    view = memoryview(buffer).cast("B")
    found = read(len(view))
    view[: len(found)] = found
    return len(found)


class _Counted:
    """A source that counts the bytes which were taken from it."""

    def __init__(self, source: io.BufferedReader) -> None:
        self.source = source
        self.taken = 0

    def read(self, most: int) -> bytes:
        return self._counted(self.source.read(most))

    def read1(self, most: int) -> bytes:
        return self._counted(self.source.read1(most))

    def _counted(self, found: bytes) -> bytes:
        self.taken += len(found)
        return found


class _Bounded(io.RawIOBase):
    """What a source holds, which raises DamagedError where that is out of all proportion."""

    def __init__(self, kind: str, source: io.BufferedReader) -> None:
        self.kind = kind
        self.source = _Counted(source)
        self.given = 0

    @abstractmethod
    def some(self, most: int) -> bytes:
        """So many bytes at most; none at the end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        found = filled(buffer, self.some)
        self.given += found
        if self.given > max(UNBOUNDED_BYTES, MOST_TIMES * self.source.taken):
            words = f"the {self.kind} stream expands to more than {MOST_TIMES} times its size"
            raise DamagedError(f"{words}; one that is meant to must be expanded first")
        return found


class _Gzip(_Bounded):
    def __init__(self, source: io.BufferedReader) -> None:
        super().__init__("gzip", source)
        self.file = gzip.GzipFile(fileobj=cast(IO[bytes], self.source), mode="rb")

    def some(self, most: int) -> bytes:
        """Reads once only, so that lines come as they arrive and none before a fault is lost."""
        try:
            return self.file.read1(most)
        except EOFError:
            raise DamagedError("the gzip stream ends before its end marker") from None
        except gzip.BadGzipFile as fault:
            after = "what follows it is not gzip" if str(fault).startswith("Not a gzipped file") else str(fault)
            raise DamagedError(f"the gzip stream is damaged: {after}") from None
        except zlib.error as fault:
            raise DamagedError(f"the gzip stream is damaged: {fault}") from None


class _Expanded(_Bounded):
    """Streams in a row, as one."""

    def __init__(self, kind: str, new: Callable[[], Decoder], source: io.BufferedReader) -> None:
        super().__init__(kind, source)
        self.new = new
        self.decoder = new()
        self.rest = b""  # what was read behind the end of a stream

    def some(self, most: int) -> bytes:
        while True:
            data = b""
            if self.decoder.eof:
                read, self.rest = self.rest or self.source.read1(BUFFER_BYTES), b""
                if not read:
                    return b""
                data = read.lstrip(b"\0")  # between streams of xz, and behind them, there may be zeros
                if not data:
                    continue
                self.decoder = self.new()
            elif self.decoder.needs_input:
                data = self.source.read1(BUFFER_BYTES)
                if not data:
                    raise DamagedError(f"the {self.kind} stream ends before its end marker")
            try:
                found = self.decoder.decompress(data, most)
            except Exception as fault:  # each decompressor has its own
                raise DamagedError(f"the {self.kind} stream is damaged: {fault}") from None
            if self.decoder.eof:
                self.rest = self.decoder.unused_data
            if found:
                return found
