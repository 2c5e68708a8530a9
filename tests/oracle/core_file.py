"""ELF cores made for tests, as QEMU writes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

HEADER, PROGRAM = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
LOAD, NOTE = 1, 4
CORE, X86_64 = 4, 62


def note(cr3: int, cr0: int = 0x80000011, cr4: int = 0x20, name: bytes = b"QEMU\0") -> bytes:
    """QEMU's note of one processor."""
    data = struct.pack("<II144x240x5Q", 1, 432, cr0, 0, 0, cr3, cr4)
    return struct.pack("<III", len(name), len(data), 0) + name.ljust(8, b"\0") + data


def core(pieces: Sequence[tuple[int, bytes]], notes: bytes = b"", kind: int = CORE, machine: int = X86_64) -> bytes:
    """A core of these pieces of memory, each with its physical address."""
    offset = HEADER.size + PROGRAM.size * (len(pieces) + 1)
    programs, body = [PROGRAM.pack(NOTE, 0, offset, 0, 0, len(notes), len(notes), 0)], notes
    for physical, data in pieces:
        programs.append(PROGRAM.pack(LOAD, 0, offset + len(body), 0, physical, len(data), len(data), 0))
        body += data
    ident = b"\x7fELF\2\1\1".ljust(16, b"\0")
    count = len(programs)
    header = HEADER.pack(ident, kind, machine, 1, 0, HEADER.size, 0, 0, HEADER.size, PROGRAM.size, count, 0, 0, 0)
    return header + b"".join(programs) + body
