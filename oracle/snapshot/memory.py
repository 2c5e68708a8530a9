"""Guest-physical memory, as far as a dump of it goes. Only the tables that are asked for are read."""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from memoracle.impl import pte
from memoracle.trace.inputs import InputError

TABLE = struct.Struct(f"<{pte.ENTRIES}Q")


class Memory(Protocol):
    """What page tables are read from."""

    def table(self, address: int) -> Sequence[int] | None:
        """The 512 entries of a table at a physical address, a multiple of 4 KiB; None where it cannot be read."""


class Segment(NamedTuple):
    """Bytes of memory that a file holds. physical: where in memory they are.  offset: where in the file."""

    physical: int
    offset: int
    bytes: int


class Dump:
    """A file that holds pieces of memory. Where pieces overlap, the one that begins first counts."""

    def __init__(self, file: mmap.mmap, segments: Sequence[Segment]) -> None:
        self.file = file
        self.segments = list(disjoint(segments))
        self.starts = [segment.physical for segment in self.segments]

    def table(self, address: int) -> Sequence[int] | None:
        place = bisect_right(self.starts, address) - 1
        if place < 0:
            return None
        segment = self.segments[place]
        within = address - segment.physical
        if within + TABLE.size > segment.bytes:
            return None
        return TABLE.unpack_from(self.file, segment.offset + within)


def disjoint(segments: Sequence[Segment]) -> Iterator[Segment]:
    """The same bytes of memory, each of them once, in order of their addresses."""
    end = 0
    for physical, offset, size in sorted(segments):
        known = max(0, end - physical)
        if known < size:
            yield Segment(physical + known, offset + known, size - known)
            end = physical + size


@contextmanager
def mapped(path: str) -> Iterator[mmap.mmap]:
    """A file's bytes, none of which is read before it is asked for; raises InputError."""
    with opened(path) as file:
        try:
            if os.fstat(file.fileno()).st_size == 0:
                raise InputError(path, None, "it is empty: a dump of memory was expected")
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as fault:
            raise InputError(path, None, f"cannot be mapped into memory: {fault}") from None
        with whole:
            yield whole


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Raises InputError."""
    try:
        file = Path(path).open("rb")  # noqa: SIM115  # closed below; faults of the block are none of the opening
    except (OSError, ValueError) as fault:
        raise InputError(path, None, f"cannot read: {getattr(fault, 'strerror', None) or fault}") from None
    with file:
        yield file


def head(path: str, size: int) -> bytes:
    """The first bytes of a file; raises InputError."""
    with opened(path) as file:
        try:
            return file.read(size)
        except OSError as fault:
            raise InputError(path, None, f"cannot read: {fault.strerror or fault}") from None


def raw(file: mmap.mmap, base: int) -> Dump:
    """Memory from this physical address on, as `pmemsave` writes it."""
    return Dump(file, [Segment(base, 0, len(file))])
