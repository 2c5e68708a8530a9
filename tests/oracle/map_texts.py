"""Texts of memory maps that several tests read, and how they do."""

from __future__ import annotations

from memoracle.impl.boot import Record
from memoracle.logs.memory_maps import MemoryMap, read_maps

USABLE = 1
MEMORY = Record(0x100000, 0xF00000, USABLE)
IOMEM = """00000000-00000fff : Reserved
00001000-0009fbff : System RAM
000f0000-000fffff : Reserved
  000f0000-000fffff : System ROM
00100000-3ffdefff : System RAM
  01000000-01a031d0 : Kernel code
  01c00000-01ffffff : Kernel data
  2b000000-33ffffff : Crash kernel
3ffdf000-3fffffff : Reserved
40000000-afffffff : PCI Bus 0000:00
  80000000-800fffff : PCI Bus 0000:01
    80000000-80003fff : 0000:01:00.0
"""


def maps(text: str) -> list[MemoryMap]:
    """The maps that are found in a boot log."""
    return read_maps("boot.log", text.encode().splitlines(keepends=True))
