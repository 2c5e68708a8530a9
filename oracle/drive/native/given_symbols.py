"""Symbols that a library needs and others do not have, given to it without a linker: functions of ours, and `end`.

A small library is written that has nothing but a table of symbols with absolute addresses, and is loaded first.
What has a symbol of such a name already (the C library's `abort`, or the library's own `panic`) would win over ours, so
the places in the loaded library that have its address are written over.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping
from typing import Any

from memoracle.drive.native.elf import Elf

PAGE = 4096
HEADER, PROGRAM, SYMBOL = struct.Struct("<HHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), struct.Struct("<IBBHQQ")
LOADED, DYNAMIC, STACK = 1, 2, 0x6474E551
READ_WRITE = 6
ABSOLUTE, GLOBAL = 0xFFF1, 1 << 4
HASH, STRINGS, SYMBOLS, STRING_BYTES, SYMBOL_BYTES = 4, 5, 6, 10, 11
LINK_MAP = 2  # of dlinfo


def library_of(symbols: Mapping[str, int], head: bytes) -> bytes:
    """The bytes of a library that has just these symbols. head: of one for the same machine."""
    names, table = b"\0", SYMBOL.pack(0, 0, 0, 0, 0, 0)
    for name, address in symbols.items():
        table += SYMBOL.pack(len(names), GLOBAL, 0, ABSOLUTE, address & (1 << 64) - 1, 0)
        names += name.encode() + b"\0"
    count = len(symbols) + 1
    chain = [*range(2, count), 0] if symbols else []
    hashed = struct.pack(f"<{3 + count}I", 1, count, 1 if symbols else 0, *[0, *chain][:count])
    first = 64 + 3 * PROGRAM.size
    at_table = first + 6 * 16
    at_hash = at_table + len(table)
    at_names = at_hash + len(hashed)
    entries = [
        (HASH, at_hash),
        (SYMBOLS, at_table),
        (STRINGS, at_names),
        (STRING_BYTES, len(names)),
        (SYMBOL_BYTES, SYMBOL.size),
        (0, 0),
    ]
    size = at_names + len(names)
    machine, flags = struct.unpack_from("<H", head, 18)[0], struct.unpack_from("<I", head, 48)[0]
    return b"".join(
        [
            head[:16],
            HEADER.pack(3, machine, 1, 0, 64, 0, flags, 64, PROGRAM.size, 3, 0, 0, 0),
            PROGRAM.pack(LOADED, READ_WRITE, 0, 0, 0, size, size, PAGE),
            PROGRAM.pack(DYNAMIC, READ_WRITE, first, first, first, 6 * 16, 6 * 16, 8),
            PROGRAM.pack(STACK, READ_WRITE, 0, 0, 0, 0, 0, 16),
            *(struct.pack("<QQ", *each) for each in entries),
            table,
            hashed,
            names,
        ]
    )


def give(ffi: Any, symbols: Mapping[str, int], head: bytes) -> Any:
    """Loads symbols for every library that is loaded later, as long as what is returned lives; raises OSError."""
    file = os.memfd_create("symbols")
    try:
        os.write(file, library_of(symbols, head))
        return ffi.dlopen(f"/proc/self/fd/{file}", ffi.RTLD_NOW | ffi.RTLD_GLOBAL)
    finally:
        os.close(file)


def replace(path: str, elf: Elf, symbols: Mapping[str, int]) -> None:
    """Writes our addresses wherever a loaded library has another of these names; raises OSError."""
    places = [
        (place, address + added) for name, address in symbols.items() for place, added in elf.places.get(name, ())
    ]
    if not places:
        return
    base = _base(path)
    for place, address in places:
        slot = ctypes.c_uint64.from_address(base + place)
        if slot.value != address:
            _make_writable(base + place)
            slot.value = address


def _base(path: str) -> int:
    """Where a library is loaded."""
    program = ctypes.CDLL(None)
    program.dlinfo.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    found = ctypes.c_void_p()
    if program.dlinfo(ctypes.CDLL(path)._handle, LINK_MAP, ctypes.byref(found)) or not found.value:
        raise OSError("dlinfo: the library is not loaded")
    return ctypes.c_uint64.from_address(found.value).value


def _make_writable(address: int) -> None:
    """The page of it, which the loader may have made read-only once it had filled it in."""
    program = ctypes.CDLL(None, use_errno=True)
    start = address & -PAGE
    if program.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(PAGE * (1 + (address + 7 - start) // PAGE)), 3):
        raise OSError(ctypes.get_errno(), "mprotect")
