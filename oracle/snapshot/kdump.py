"""Dumps in kdump's compressed format, as makedumpfile and QEMU's `dump-guest-memory -z` write them.

A header, a second one, two bitmaps (which frames are memory, and which are in the dump), a descriptor for each of the
latter, and their bytes (`disk_dump_header`, `kdump_sub_header` and `page_desc` of makedumpfile, and QEMU's
include/sysemu/dump.h). Pages are compressed each for itself; only those that hold tables are expanded.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import accumulate

from memoracle.diagnostics.warned import Warned
from memoracle.snapshot.elf_core import MOST_READ, of_note
from memoracle.snapshot.flattened import Bytes, Flattened, Plain
from memoracle.snapshot.memory import TABLE
from memoracle.snapshot.registers import Registers
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

MAGIC = b"KDUMP   "
# version, machine; status, bytes of a block, blocks of the second header and of the bitmaps, frames
HEADER = struct.Struct("<8sI260x65s65x22xIIIII")
SECOND = struct.Struct(
    "<8xII8x8x8x8xQQ8x8x8x8xQ"
)  # level, parts; where notes are, their bytes; frames, of version 6 on
PAGE = struct.Struct("<QII8x")  # where its bytes are, how many, how they are compressed
NOTE = struct.Struct("<III")
COMPRESSED = {2: "lzo", 4: "snappy", 32: "zstd"}
ZLIB = 1
LARGE_NUMBERS = 6  # the version from which on frames have numbers of 64 bits
CHUNK = 1 << 12  # bytes of a bitmap that are counted at once
MOST_BITMAP = 1 << 28  # bytes: 8 TiB of memory


class Pages:
    """Memory of which each page is compressed for itself. damaged: how many could not be expanded."""

    def __init__(self, path: str, file: Bytes, bitmap: bytes, descriptors: int) -> None:
        """bitmap: which frames there are.  descriptors: where in the file the first of their descriptors is."""
        self.path, self.file, self.bitmap, self.descriptors = path, file, bitmap, descriptors
        counts = (int.from_bytes(bitmap[at : at + CHUNK], "little").bit_count() for at in range(0, len(bitmap), CHUNK))
        self.before = [0, *accumulate(counts)]  # pages before each chunk
        self.damaged = 0

    def table(self, address: int) -> Sequence[int] | None:
        """The entries of a table (see memory.Memory); raises InputError for one compressed in another way."""
        frame = address // TABLE.size
        byte, bit = divmod(frame, 8)
        if byte >= len(self.bitmap) or not self.bitmap[byte] >> bit & 1:
            return None
        chunk = byte // CHUNK
        earlier = int.from_bytes(self.bitmap[chunk * CHUNK : byte + 1], "little") & (1 << frame - chunk * CHUNK * 8) - 1
        place = self.descriptors + PAGE.size * (self.before[chunk] + earlier.bit_count())
        described = self.file.read(place, PAGE.size)
        page = self.expanded(*PAGE.unpack(described)) if len(described) == PAGE.size else None
        self.damaged += page is None
        return None if page is None else TABLE.unpack(page)

    def expanded(self, offset: int, size: int, flags: int) -> bytes | None:
        """The bytes of a page; None if they are damaged."""
        data = self.file.read(offset, size) if size <= TABLE.size else b""
        if len(data) != size:
            return None
        if names := [name for flag, name in COMPRESSED.items() if flags & flag]:
            words = f"its pages are compressed by {names[0]}: only zlib is read (makedumpfile -c, dump-guest-memory -z)"
            raise InputError(self.path, None, words)
        if flags & ZLIB:
            try:
                data = zlib.decompressobj().decompress(data, TABLE.size + 1)
            except zlib.error:
                return None
        return data if len(data) == TABLE.size else None


def read_kdump(path: str, file: mmap.mmap, flattened: bool) -> tuple[Pages, list[Registers], list[Warned]]:
    """The memory, the registers of its processors, and warnings; raises InputError."""
    source: Bytes = Plain(file)
    warnings: list[Warned] = []
    if flattened:
        source = pieces = Flattened(path, file)
        if not pieces.ends:
            warnings.append(Warned(path, None, "the file is cut: the mark at its end is not there"))
    head = source.read(0, HEADER.size)
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise InputError(path, None, "it is a dump in kdump's format, damaged or cut: it has no whole header")
    _, version, machine, _, block, second_blocks, bitmap_blocks, frames = HEADER.unpack(head)
    machine = machine.rstrip(b"\0")
    if machine not in (b"x86_64", b""):
        raise InputError(
            path, None, f"it is a dump of {quoted(machine)}: only a machine in 64-bit mode (x86_64) is read"
        )
    second = source.read(TABLE.size, SECOND.size)
    bitmaps = bitmap_blocks * block
    if block != TABLE.size or not second_blocks or bitmaps > 2 * MOST_BITMAP or len(second) < SECOND.size:
        raise InputError(path, None, "it is a dump in kdump's format, damaged or cut: its headers state what cannot be")
    _, parts, notes, notes_size, all_frames = SECOND.unpack(second)
    if parts:
        raise InputError(
            path, None, "it is a part of a dump that was split: `makedumpfile --reassemble` joins the parts"
        )
    frames = all_frames if version >= LARGE_NUMBERS else frames
    start = (1 + second_blocks) * block
    bitmap = source.read(start + bitmaps // 2, min(bitmaps // 2, frames + 7 >> 3))
    if not bitmap:
        raise InputError(path, None, "it is a dump in kdump's format that holds no memory")
    memory = Pages(path, source, bitmap, start + bitmaps)
    found = list(of_notes(path, source.read(notes, min(notes_size, MOST_READ))))
    return memory, found, warnings


def of_notes(path: str, notes: bytes) -> Iterator[Registers]:
    """The registers in QEMU's notes."""
    at = 0
    while at + NOTE.size <= len(notes):
        name_size, size, _ = NOTE.unpack_from(notes, at)
        name = at + NOTE.size
        data = name + (name_size + 3 & ~3)
        yield from of_note(
            path, notes[name : name + name_size].rstrip(b"\0").decode("latin-1"), notes[data : data + size]
        )
        at = data + (size + 3 & ~3)
