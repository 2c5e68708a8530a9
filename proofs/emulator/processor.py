"""An emulated x86 that walks the reference's page tables: a processor that this project did not write.

The tables lie in its physical memory where the reference says they lie; it loads, stores and fetches instructions as
the kernel (ring 0) and as a user (ring 3), and either sees a byte of physical memory or takes an exception. The code
that it runs, and nothing else, is mapped through one entry of the PML4 that the reference leaves empty.

Physical memory is sparse: some windows of 4 KiB. Every 16 bytes of it say where they are: they hold an instruction
`mov rax, ADDRESS`, where ADDRESS is the physical address at which ADDRESS itself stands. To load it, or to run the
instruction, tells which byte of physical memory a virtual address leads to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import unicorn
from unicorn import x86_const as x86

from memoracle.impl.paging import Paging

PHYSICAL_ADDRESS_BITS = 40  # the emulated processor has no more
WINDOW = 4096
SLOT = 16
PROBED = 3  # the byte of a slot that probes are at: the address of that byte stands there
OPCODE = 2  # the length of what comes before, in the instruction
OWN = (1 << PHYSICAL_ADDRESS_BITS) - (1 << 30)  # where its own tables and code lie: in the last GiB

PAGE_FAULT, PROTECTION, NO_MEMORY = "page fault", "general protection fault", "no such memory"
EXCEPTIONS = {14: PAGE_FAULT, 13: PROTECTION}
PRESENT, WRITABLE, USER = 1, 2, 4
ACCESSED, DIRTY = 1 << 5, 1 << 6  # the bits of an entry that the processor sets (Intel SDM volume 3, 4.8)

LOAD, STORE, FETCH = "load", "store", "fetch"
LOADS = bytes.fromhex("488b03")  # mov rax, [rbx]
STORES = bytes.fromhex("48890b")  # mov [rbx], rcx
RETURNS = bytes.fromhex("480f07")  # sysretq: to ring 3, at rcx
CODE = LOADS + STORES + RETURNS
LENGTH = 10  # of the instruction in a slot, in bytes
TOKEN = 0x0123456789ABCDEF  # what is stored

# CR0: paging, write protection in ring 0, protected mode. CR4: physical address extension. EFER: long mode, active,
# execute-disable, sysret.
CR0, CR4, EFER = 1 << 31 | 1 << 16 | 1, 1 << 5, 1 << 8 | 1 << 10 | 1 << 11 | 1
EFER_MSR, STAR_MSR = 0xC0000080, 0xC0000081


class Access(NamedTuple):
    """What the processor does at an address, and in which ring."""

    kind: str
    user: bool

    def __str__(self) -> str:
        return f"{self.kind} as a user" if self.user else f"{self.kind} as the kernel"


class TakenEntryError(ValueError):
    """An entry of a PML4 that maps nothing is not 0."""


class Processor:
    """The emulated processor, and its physical memory: a window at each of these physical addresses."""

    def __init__(self, page_shift: int, windows: Iterable[int]) -> None:
        self.page_shift = page_shift
        self.engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        self.engine.ctl_set_tlb_mode(unicorn.UC_TLB_CPU)
        self.engine.hook_add(unicorn.UC_HOOK_INTR, self._except)
        self.windows = sorted(set(windows))
        for window in self.windows:
            self.engine.mem_map(window, WINDOW)
        self.exception: int | None = None
        self.index = 0  # the entry of each PML4 through which its own code is mapped
        self.laid: dict[int, list[int]] = {}  # by frame, the entries of each table as they were when they were laid
        self.bytes: dict[int, bytes] = {}  # by frame, the table as it is in the emulated memory
        self.reset()
        self._prepare()
        self.here = self.engine.context_save()
        self.contexts = {user: self._context(user) for user in (False, True)}

    # Physical memory

    def reset(self) -> None:
        """Fills every window with slots that say where they are; none holds a table."""
        for window in self.windows:
            self.engine.mem_write(window, marked(window))
        self.laid.clear()
        self.bytes.clear()

    def lay(self, paging: Paging, index: int) -> None:
        """Writes the tables into physical memory; what is no longer a table is filled with slots again.

        index: an entry of the PML4 that no process uses. Raises TakenEntryError if one does.
        """
        tops = {frame: paging.halves.tables[process] for process, frame in paging.roots.items()}
        tables = tops | paging.memory
        if index != self.index:
            self.index = index
            self.laid.clear()
        for frame in [frame for frame in self.bytes if frame not in tables]:
            self.engine.mem_write(frame << self.page_shift, marked(frame << self.page_shift))
            del self.bytes[frame]
            self.laid.pop(frame, None)
        for frame, entries in tables.items():
            if self.laid.get(frame) != entries:
                self._write(frame, entries, frame in tops)

    def _write(self, frame: int, entries: list[int], top: bool) -> None:
        written = entries
        if top:
            if entries[self.index]:
                raise TakenEntryError(f"entry {self.index} of the PML4 in frame {frame:#x} is {entries[self.index]:#x}")
            written = entries.copy()
            written[self.index] = (OWN + WINDOW) | PRESENT | WRITABLE | USER
        self.bytes[frame] = struct.pack("<512Q", *written)
        self.laid[frame] = entries.copy()
        self.engine.mem_write(frame << self.page_shift, self.bytes[frame])

    def walked(self, paging: Paging) -> str | None:
        """Copies entries that the processor has written back to the reference, as if they shared the memory.

        The processor sets "accessed" and "dirty"; any other change is returned. Entries of the kernel half are not
        copied back, since the reference keeps them equal.
        """
        tops = {frame: process for process, frame in paging.roots.items()}
        for frame, before in self.bytes.items():
            after = bytes(self.engine.mem_read(frame << self.page_shift, WINDOW))
            if after == before:
                continue
            self.bytes[frame] = after
            held = paging.halves.tables[tops[frame]] if frame in tops else paging.memory[frame]
            for index, entry in enumerate(struct.unpack("<512Q", after)):
                if entry == held[index] or (frame in tops and index == self.index):
                    continue
                if (entry ^ held[index]) & ~(ACCESSED | DIRTY) or not entry & PRESENT:
                    return f"entry {index} of the table in frame {frame:#x} became {entry:#x}"
                if frame not in tops or index < 256:
                    held[index] = self.laid[frame][index] = entry
        return None

    # What it does

    def enter(self, process_root: int, user: bool) -> None:
        """Walks the PML4 in this frame from now on, in ring 3 or 0, and forgets all translations."""
        self.engine.context_restore(self.contexts[user])
        self.engine.reg_write(x86.UC_X86_REG_CR3, process_root << self.page_shift)
        self.engine.context_update(self.here)
        self.code = self.index << 39 | (0xFFFF << 48 if self.index >= 256 else 0) | (0 if user else WINDOW)

    def does(self, kind: str, virtual: int) -> int | str:
        """The physical address of the byte that an access to a virtual address reached, or why it reached none.

        virtual: at a probe's place in a slot.
        """
        return {LOAD: self.load, STORE: self.store, FETCH: self.fetch}[kind](virtual)

    def load(self, virtual: int) -> int | str:
        """Loads from an address: the value is the physical address of the byte."""
        self.engine.reg_write(x86.UC_X86_REG_RBX, virtual)
        return self._run(self.code, len(LOADS)) or self._rax()

    def fetch(self, virtual: int) -> int | str:
        """Runs the instruction at an address: it loads the physical address of the byte."""
        return self._run(virtual - OPCODE & (1 << 64) - 1, LENGTH) or self._rax()

    def store(self, virtual: int, physical: int | None = None) -> int | str:
        """Stores, and looks where the value arrived: at this physical address first, then anywhere."""
        self.engine.reg_write(x86.UC_X86_REG_RBX, virtual)
        self.engine.reg_write(x86.UC_X86_REG_RCX, TOKEN)
        failed = self._run(self.code + len(LOADS), len(STORES))
        if failed is not None:
            return failed
        if physical is not None and self._stored(physical):
            return physical
        places = (window + offset for window in self.windows for offset in range(PROBED, WINDOW, SLOT))
        return next(filter(self._stored, places), NO_MEMORY)

    def _stored(self, place: int) -> bool:
        """Whether the token is there; if so, the slot is filled again."""
        if int.from_bytes(self.engine.mem_read(place, 8), "little") != TOKEN:
            return False
        self.engine.mem_write(place, place.to_bytes(8, "little"))
        return True

    def _rax(self) -> int:
        return int(self.engine.reg_read(x86.UC_X86_REG_RAX))

    def _run(self, begin: int, length: int) -> str | None:
        """Runs one instruction; None if it completes."""
        self.exception = None
        try:
            self.engine.emu_start(begin, begin + length, count=1)
        except unicorn.UcError as fault:
            unbacked = (unicorn.UC_ERR_READ_UNMAPPED, unicorn.UC_ERR_WRITE_UNMAPPED, unicorn.UC_ERR_FETCH_UNMAPPED)
            if fault.errno not in unbacked:
                raise
            self.engine.context_restore(self.here)
            return NO_MEMORY
        if self.exception is None:
            return None
        # The exception isn't delivered: without this, the next would be one while this is handled.
        self.engine.context_restore(self.here)
        return EXCEPTIONS.get(self.exception, f"exception {self.exception}")

    def _except(self, engine: unicorn.Uc, number: int, _: object) -> None:
        self.exception = number
        engine.emu_stop()

    # Its own code

    def _prepare(self) -> None:
        """Lays out the processor's own PML4 and tables, and its code: a page for ring 3, and one for ring 0."""
        own = [OWN + WINDOW * turn for turn in range(6)]
        self.engine.mem_map(OWN, WINDOW * len(own))
        for table, below in pairwise(own[:4]):
            self.engine.mem_write(table, struct.pack("<Q", below | PRESENT | WRITABLE | USER))
        self.engine.mem_write(own[3], struct.pack("<QQ", own[4] | PRESENT | USER, own[5] | PRESENT))
        for page in own[4:]:
            self.engine.mem_write(page, CODE)

    def _context(self, user: bool) -> unicorn.UcContext:
        """The processor's registers just before it runs code in ring 3 or 0."""
        for register, value in ((x86.UC_X86_REG_CR3, OWN), (x86.UC_X86_REG_CR4, CR4), (x86.UC_X86_REG_CR0, CR0)):
            self.engine.reg_write(register, value)
        self.engine.reg_write(x86.UC_X86_REG_MSR, (EFER_MSR, EFER))
        if user:
            self.engine.reg_write(x86.UC_X86_REG_MSR, (STAR_MSR, 0x10 << 48 | 0x08 << 32))
            self.engine.reg_write(x86.UC_X86_REG_RCX, 0)
            self.engine.reg_write(x86.UC_X86_REG_R11, 2)
            self.engine.reg_write(x86.UC_X86_REG_RBX, 0)
            # It returns to ring 3, and loads there: it stops in order only after an instruction that goes on.
            self.engine.emu_start(WINDOW + len(LOADS + STORES), len(LOADS))
        return self.engine.context_save()


def look(paging: Paging, process: int, access: Access, virtual: int, windows: Iterable[int]) -> int | str:
    """The byte that an access to an address under a process's PML4 reaches, or why it reaches none.

    windows: the windows of physical memory, besides those that hold the tables.
    """
    tables = (*paging.roots.values(), *paging.memory)
    processor = Processor(paging.page_shift, [*(frame << paging.page_shift for frame in tables), *windows])
    used = {index for table in paging.halves.tables.values() for index in range(512) if table[index]}
    processor.lay(paging, min(set(range(512)) - used - {virtual >> 39 & 511}))
    processor.enter(paging.roots[process], access.user)
    return processor.does(access.kind, virtual)


def marked(window: int) -> bytes:
    """The bytes of a window that hold no table."""
    slots = range(window + PROBED, window + WINDOW, SLOT)
    return b"".join(b"\x90\x48\xb8" + slot.to_bytes(8, "little") + b"\xf4\x90\x90\x90\x90" for slot in slots)
