"""ELF cores as QEMU's `dump-guest-memory` writes them: pieces of physical memory, and notes with the registers."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any, Literal, cast

from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from memoracle.diagnostics.warned import Warned
from memoracle.snapshot.memory import Dump, Segment
from memoracle.snapshot.registers import Registers
from memoracle.trace.inputs import InputError

MOST_READ = 1 << 24  # bytes at a time: no note of a dump is larger
MOST_SEGMENTS = 1 << 16
# QEMU's own note (target/i386/arch_dump.c): version, size, 18 registers, 10 segments of 24 bytes, and CR0 to CR4.
QEMU = struct.Struct("<II144x240x5Q")


class LimitedFile:
    """A mapped file of which no reader takes much at once, whatever sizes the file states."""

    def __init__(self, file: mmap.mmap) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_READ:
            raise ValueError(f"it states a record of {size:,} bytes")
        return self.file.read(size)

    def seek(self, offset: int, whence: Literal[0, 1, 2] = 0) -> int:
        self.file.seek(offset, whence)
        return self.file.tell()

    def tell(self) -> int:
        return self.file.tell()


def read_core(path: str, file: mmap.mmap) -> tuple[Dump, list[Registers], list[Warned]]:
    """The memory, the registers of its processors, and warnings; raises InputError."""
    try:
        core = ELFFile(cast(IO[bytes], LimitedFile(file)))
        kind, machine = core["e_type"], core["e_machine"]
        segments = list(islice(core.iter_segments(), MOST_SEGMENTS + 1)) if kind == "ET_CORE" else []
        notes = [list(each.iter_notes()) for each in segments if isinstance(each, NoteSegment)]
    except Exception as fault:  # whatever a reader makes of a damaged file
        words = str(fault) or type(fault).__name__
        raise InputError(path, None, f"it is an ELF file that is damaged or cut: {words}") from None
    if kind != "ET_CORE":
        raise InputError(path, None, "it is an ELF file, but no core: dump-guest-memory writes cores")
    if machine != "EM_X86_64":
        raise InputError(path, None, f"it is a core of {machine}: only a machine in 64-bit mode (EM_X86_64) is read")
    if len(segments) > MOST_SEGMENTS:
        raise InputError(path, None, f"it has more than {MOST_SEGMENTS:,} segments")
    warnings: list[Warned] = []
    pieces = list(loaded(path, file, segments, warnings))
    if not pieces:
        raise InputError(path, None, "it is a core that holds no memory")
    registers = [each for some in notes for note in some for each in of_note(path, note["n_name"], note["n_descdata"])]
    return Dump(file, pieces), registers, warnings


def loaded(path: str, file: mmap.mmap, segments: list[Any], warnings: list[Warned]) -> Iterator[Segment]:
    """The pieces of memory that are there; a warning for each that the file should have, and has not."""
    for each in segments:
        if each["p_type"] != "PT_LOAD":
            continue
        physical, offset, size = each["p_paddr"], each["p_offset"], each["p_filesz"]
        there = min(size, max(0, len(file) - offset))
        if there < size:
            words = f"the file ends after {there:,} of the {size:,} bytes of memory from {physical:#x}"
            warnings.append(Warned(path, None, words))
        if there:
            yield Segment(physical, offset, there)


def of_note(path: str, name: object, data: bytes) -> Iterator[Registers]:
    """The registers in a note, if it is QEMU's: those of one processor."""
    if name == "QEMU" and len(data) >= QEMU.size:
        _, _, cr0, _, _, cr3, cr4 = QEMU.unpack_from(data)
        yield Registers(path, None, cr3, cr0, cr4)
