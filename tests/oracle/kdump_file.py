"""Dumps in kdump's compressed format made for tests, plain and flattened."""

from __future__ import annotations

import random
import struct
import zlib

PAGE = 4096
ZLIB, LZO, SNAPPY, ZSTD = 1, 2, 4, 32


def kdump(
    memory: bytes, notes: bytes = b"", flags: int = ZLIB, version: int = 6, parts: int = 0, machine: bytes = b"x86_64"
) -> bytes:
    """A dump of the pages of memory that are not empty, those that zlib does not make smaller as they are."""
    pages = {at // PAGE: memory[at : at + PAGE] for at in range(0, len(memory), PAGE)}
    frames, kept = len(pages), {frame: page for frame, page in pages.items() if any(page)}
    half = -(-(frames + 7) // 8 // PAGE) * PAGE
    exist, dumped = bytearray(half), bytearray(half)
    for frame in pages:
        exist[frame // 8] |= 1 << frame % 8
        dumped[frame // 8] |= (frame in kept) << frame % 8
    head = b"KDUMP   " + struct.pack("<I", version) + b"\0" * 260 + machine.ljust(65, b"\0") + b"\0" * (65 + 22)
    head += struct.pack("<IIIIIIIIII", flags, PAGE, 1, 2 * half // PAGE, min(frames, 1 << 31), 0, 0, 0, 0, 1)
    second = struct.pack("<QIIQQQQQQQQQQQ", 0, 1, parts, 0, 0, 0, 0, PAGE + 104, len(notes), 0, 0, 0, 0, frames) + notes
    described, data, start = b"", b"", 2 * PAGE + 2 * half + 24 * len(kept)
    for page in kept.values():
        small = zlib.compress(page) if flags & ZLIB else page
        is_smaller = len(small) < PAGE
        how = flags if is_smaller or not flags & ZLIB else 0
        written = small if is_smaller else page
        described += struct.pack("<QIIQ", start + len(data), len(written), how, 0)
        data += written
    return head.ljust(PAGE, b"\0") + second.ljust(PAGE, b"\0") + exist + dumped + described + data


def flattened(whole: bytes, size: int = 1000) -> bytes:
    """The same, in pieces out of order of which the first is replaced by a later one."""
    places = list(range(0, len(whole), size))
    random.Random(5).shuffle(places)
    pieces = [(places[0], b"\xff" * 200), *((at, whole[at : at + size]) for at in places)]
    body = b"".join(struct.pack(">qq", at, len(piece)) + piece for at, piece in pieces)
    head = struct.pack(">16sqq", b"makedumpfile", 1, 1).ljust(PAGE, b"\0")
    return head + body + struct.pack(">qq", -1, -1)
