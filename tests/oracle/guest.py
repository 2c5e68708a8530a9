"""A machine of the tests' own: a ROM that writes page tables, pages with them and halts; QEMU runs it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from memoracle.snapshot.qmp import connected
from memoracle.trace.inputs import InputError

QEMU = shutil.which("qemu-system-x86_64")
ROM, ROM_BYTES = 0xFFFF0000, 1 << 16
RESET = 0xFFF0  # in the ROM, where the processor begins
INPUTS = 0x1000  # in the ROM: CR3 and bits of CR4, the number of words, and for each its address and its value
PAE, LA57 = 0x20, 0x1000  # of CR4
MEMORY = 2 << 20
SECONDS = 120.0  # for a busy machine
SOURCE = """
.code16
start:
    cli
    lgdtl %cs:gdt_register - start
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $8, $protected
.code32
protected:
    movw $16, %ax
    movw %ax, %ds
    movl $start + 0x1010, %esi
    movl start + 0x1008, %ecx
1:  movl (%esi), %edi
    movl 8(%esi), %eax
    movl %eax, (%edi)
    movl 12(%esi), %eax
    movl %eax, 4(%edi)
    addl $16, %esi
    loop 1b
    movl %cr4, %eax
    orl start + 0x1004, %eax    # PAE, and LA57 if asked for
    movl %eax, %cr4
    movl start + 0x1000, %eax
    movl %eax, %cr3
    movl $0xC0000080, %ecx      # EFER
    rdmsr
    orl $0x900, %eax            # LME, NXE
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax       # PG
    movl %eax, %cr0
    ljmpl $24, $halt
halt:                           # these two are the same bytes in 64-bit mode
    hlt
    jmp halt
gdt:
    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
gdt_register:
    .word 31
    .long gdt
"""


def assembled(folder: Path) -> bytes:
    """The machine code of the ROM."""
    source, code, linked = folder / "boot.s", folder / "boot.o", folder / "boot.bin"
    source.write_text(SOURCE, encoding="utf-8")
    subprocess.run(["as", "--32", str(source), "-o", str(code)], check=True)
    flags = ["-m", "elf_i386", "-Ttext", hex(ROM), "--oformat", "binary", "-e", hex(ROM)]
    subprocess.run(["ld", *flags, str(code), "-o", str(linked)], check=True)
    return linked.read_bytes()


def rom(code: bytes, root: int, words: Mapping[int, int], cr4: int = PAE) -> bytes:
    """The ROM that writes these words to memory and pages from this PML4 on."""
    whole = bytearray(ROM_BYTES)
    whole[: len(code)] = code
    whole[RESET : RESET + 3] = b"\xe9" + (ROM_BYTES - RESET - 3).to_bytes(2, "little")  # jump to the beginning
    inputs = [root | cr4 << 32, len(words), *(number for word in sorted(words.items()) for number in word)]
    for place, number in enumerate(inputs):
        whole[INPUTS + 8 * place : INPUTS + 8 * place + 8] = number.to_bytes(8, "little")
    return bytes(whole)


@contextmanager
def running(folder: Path, image: bytes, *more: str) -> Iterator[str]:
    """The QMP socket of a machine that has come to its end with this ROM. more: options of QEMU."""
    assert QEMU is not None
    path, monitor = folder / "rom.bin", str(folder / "qmp")
    path.write_bytes(image)
    options = ["-M", "pc", "-m", f"{MEMORY >> 20}M", "-smp", "2", "-bios", str(path), "-nodefaults", "-display", "none"]
    machine = subprocess.Popen([QEMU, "-accel", "tcg", *options, *more, "-qmp", f"unix:{monitor},server=on,wait=off"])
    try:
        end = time.monotonic() + SECONDS
        while not halted(monitor):
            assert machine.poll() is None
            assert time.monotonic() < end, "it does not come to its end"
            time.sleep(0.02)
        yield monitor
    finally:
        machine.kill()
        machine.wait()


def halted(monitor: str) -> bool:
    """Whether the first processor halts in 64-bit mode; false while nobody listens yet."""
    try:
        with connected(monitor) as link:
            says = link.says("info registers")
            return "HLT=1" in says and "EFER=0000000000000d00" in says
    except InputError:
        return False
