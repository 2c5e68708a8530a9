"""Functions that a kernel calls when it gives up (`panic`, `abort`), as an end of the call that came to it.

A panic does not return, so each call of the library notes where it returns to, and a panic returns there, as `longjmp`
does. That is machine code: between the call and the panic there is nothing but frames of the library.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
from collections.abc import Sequence

MACHINES = ("x86_64", "AMD64")
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # a target may be forked, and each has notes of its own
EXECUTABLE = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
MOST_TEXT = 200  # bytes of a message that is shown
# Where a call notes the registers that it must find again, and a panic which it is and its first arguments.
RBX, RBP, R12, R13, R14, R15, RSP, RETURN, WHICH, FIRST, SECOND, THIRD, BYTES = range(0, 104, 8)
TO_R11 = b"\x49\xbb"  # mov r11, the 8 bytes that follow


def _entry(notes: int, function: int) -> bytes:
    """Notes the caller's registers, and goes on in a function of the library, whose arguments are where they were."""
    return b"".join(
        [
            TO_R11 + struct.pack("<Q", notes),
            bytes([0x49, 0x89, 0x5B, RBX]),  # mov [r11 + RBX], rbx
            bytes([0x49, 0x89, 0x6B, RBP]),
            bytes([0x4D, 0x89, 0x63, R12]),
            bytes([0x4D, 0x89, 0x6B, R13]),
            bytes([0x4D, 0x89, 0x73, R14]),
            bytes([0x4D, 0x89, 0x7B, R15]),
            bytes([0x49, 0x89, 0x63, RSP]),
            bytes([0x4C, 0x8B, 0x14, 0x24]),  # mov r10, [rsp]
            bytes([0x4D, 0x89, 0x53, RETURN]),
            TO_R11 + struct.pack("<Q", function),
            b"\x41\xff\xe3",  # jmp r11
        ]
    )


def _panic(notes: int, which: int) -> bytes:
    """Notes what was called and with what, and returns 0 where the last entry was called."""
    return b"".join(
        [
            TO_R11 + struct.pack("<Q", notes),
            bytes([0x49, 0x89, 0x7B, FIRST]),  # mov [r11 + FIRST], rdi
            bytes([0x49, 0x89, 0x73, SECOND]),
            bytes([0x49, 0x89, 0x53, THIRD]),
            b"\xb8" + struct.pack("<I", which),  # mov eax, which
            bytes([0x49, 0x89, 0x43, WHICH]),
            bytes([0x49, 0x8B, 0x5B, RBX]),
            bytes([0x49, 0x8B, 0x6B, RBP]),
            bytes([0x4D, 0x8B, 0x63, R12]),
            bytes([0x4D, 0x8B, 0x6B, R13]),
            bytes([0x4D, 0x8B, 0x73, R14]),
            bytes([0x4D, 0x8B, 0x7B, R15]),
            bytes([0x49, 0x8B, 0x63, RSP]),
            bytes([0x4D, 0x8B, 0x53, RETURN]),
            b"\x4c\x89\x14\x24",  # mov [rsp], r10
            b"\x31\xc0\xfc\xc3",  # xor eax, eax; cld; ret
        ]
    )


def why_not_caught(threads: bool) -> str | None:
    """Why calls that never return cannot be caught; None if they can."""
    if threads:
        return "with --threads it is not known whose call came to it"
    machine = platform.machine()
    return None if machine in MACHINES else f"this is done on {MACHINES[0]} only, and this machine is {machine}"


def ending(names: Sequence[str]) -> dict[str, int]:
    """By name, what to give in the place of panics that are not caught: a function that ends the process."""
    abort = ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value or 0
    return dict.fromkeys(names, abort)


class Panics:
    """The panics of one library.

    addresses: by name, the function to give to the library in its place.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Raises OSError where there can be none."""
        self.names = names
        self.notes = mmap.mmap(-1, mmap.PAGESIZE, PRIVATE)
        self.words = memoryview(self.notes).cast("Q")
        self.at_notes = _address(self.notes)
        self.code: list[mmap.mmap] = []
        self.addresses = {name: self._made(_panic(self.at_notes, place + 1)) for place, name in enumerate(names)}

    def entry(self, function: int) -> int:
        """The address of what calls a function of the library, and returns when it panics."""
        return self._made(_entry(self.at_notes, function))

    def said(self) -> str | None:
        """Which panic ended the last call, and its message as far as there is one; None if it returned."""
        which = self.words[WHICH // 8]
        if not which:
            return None
        self.words[WHICH // 8] = 0
        message = _text_at(self.words[FIRST // 8])
        return f"{self.names[which - 1]}{f': {message}' if message else ''}"

    def _made(self, code: bytes) -> int:
        if not self.code or self.code[-1].tell() + len(code) > mmap.PAGESIZE:
            try:
                self.code.append(mmap.mmap(-1, mmap.PAGESIZE, PRIVATE, EXECUTABLE))
            except OSError as fault:
                raise OSError(f"memory that can be run: {fault.strerror}") from None
        room = self.code[-1]
        at = room.tell()
        room.write(code)
        return _address(room) + at


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _text_at(address: int) -> str:
    """The text that a panic was called with, if its first argument is one."""
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError:
        return ""
    try:
        found = os.pread(memory, MOST_TEXT, address) if 0 < address < 1 << 47 else b""
    except OSError:
        found = b""
    finally:
        os.close(memory)
    text, end, _ = found.partition(b"\0")
    printable = text.decode(errors="replace").strip()
    return printable if end and printable.isprintable() else ""
