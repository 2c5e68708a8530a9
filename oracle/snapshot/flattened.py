"""makedumpfile's flattened format: pieces of a file, each with its place in it, as they were sent through a pipe.

QEMU's `dump-guest-memory -z` writes it. The layout is makedumpfile's (`makedumpfile_header` in its source): numbers
are big-endian, a header of 4 KiB is followed by pieces, and one at -1 ends them.
"""

from __future__ import annotations

import mmap
import struct
from typing import Protocol

from sortedcontainers import SortedDict

from memoracle.trace.inputs import InputError

MAGIC = b"makedumpfile\0\0\0\0"
HEADER, FIRST_PIECE = struct.Struct(">16sqq"), 4096
PIECE = struct.Struct(">qq")
FLAT, VERSION = 1, 1
MOST_PIECES = 1 << 22


class Bytes(Protocol):
    """What a dump is read from."""

    def read(self, offset: int, size: int) -> bytes:
        """These bytes, or fewer where the file ends before, or lacks some."""


class Plain:
    """A file as it is."""

    def __init__(self, file: mmap.mmap) -> None:
        self.file = file

    def read(self, offset: int, size: int) -> bytes:
        return self.file[offset : offset + size]


class Flattened:
    """A file in pieces, of which a later one replaces an earlier one. ends: whether the last one is there."""

    def __init__(self, path: str, file: mmap.mmap) -> None:
        """Raises InputError."""
        self.file = file
        self.pieces: SortedDict[int, tuple[int, int]] = SortedDict()  # by place: the end, and where in the file it is
        self.ends = False
        if len(file) < FIRST_PIECE or HEADER.unpack_from(file)[1:] != (FLAT, VERSION):
            raise InputError(path, None, "it is a dump in makedumpfile's flattened format, damaged or cut")
        at = FIRST_PIECE
        for _ in range(MOST_PIECES):
            if at + PIECE.size > len(file):
                return
            offset, size = PIECE.unpack_from(file, at)
            at += PIECE.size
            if offset < 0:
                self.ends = True
                return
            if size <= 0:
                raise InputError(path, None, f"the piece at {at - PIECE.size:#x} of the file states {size} bytes")
            self.put(offset, min(size, len(file) - at), at)
            at += size
        raise InputError(path, None, f"it has more than {MOST_PIECES:,} pieces")

    def put(self, start: int, size: int, at: int) -> None:
        """Notes one piece, in the place of what was there."""
        pieces, end = self.pieces, start + size
        place = max(0, pieces.bisect_right(start) - 1)
        overlapping = [(key, *pieces[key]) for key in pieces.islice(place) if key < end] if pieces else []
        for key, last, where in overlapping:
            if last <= start:
                continue
            del pieces[key]
            if key < start:
                pieces[key] = start, where
            if end < last:
                pieces[end] = last, where + end - key
        if size > 0:
            pieces[start] = end, at

    def read(self, offset: int, size: int) -> bytes:
        found, end = bytearray(), offset + size
        while offset < end:
            place = self.pieces.bisect_right(offset) - 1
            if place < 0:
                break
            start, (last, at) = self.pieces.peekitem(place)
            if last <= offset:
                break
            upto = min(end, last)
            found += self.file[at + offset - start : at + upto - start]
            offset = upto
        return bytes(found)
