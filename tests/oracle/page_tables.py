"""Page tables made for tests, as the words of physical memory that hold them."""

from __future__ import annotations

from memoracle.impl import pte

LINK = pte.PRESENT | pte.WRITABLE
USER = LINK | pte.USER
UNCACHED = pte.CACHE_DISABLE  # of the geometry's table: write-combining
FIRST = 0x10000  # the first table
HIGH = 0xFFFF800000000000


class PageTables:
    """words: by physical address. Tables lie one after another, in the order in which they are needed.

    levels: 4, or 5.
    """

    def __init__(self, levels: int = 4) -> None:
        self.levels = levels
        self.words: dict[int, int] = {}
        self.next = FIRST

    def table(self) -> int:
        """A new table."""
        self.next += pte.TABLE
        return self.next - pte.TABLE

    def space(self, kernel: int | None = None) -> int:
        """A new PML4, or PML5, with the upper half of another."""
        root = self.table()
        for index in range(pte.ENTRIES // 2, pte.ENTRIES) if kernel is not None else ():
            if value := self.words.get(kernel + 8 * index):
                self.words[root + 8 * index] = value
        return root

    def entry(self, root: int, virtual: int, level: int) -> int:
        """The physical address of the entry for an address; tables on the way are made where there are none."""
        table = root
        for above in range(self.levels, level, -1):
            place = table + 8 * index(virtual, above)
            if place not in self.words:
                self.words[place] = self.table() | LINK | pte.USER * (virtual < HIGH)
            table = self.words[place] & pte.ADDRESS
        return table + 8 * index(virtual, level)

    def map(self, root: int, virtual: int, physical: int, flags: int = LINK, level: int = 1) -> int:
        """Maps a page, and returns the address of its entry."""
        place = self.entry(root, virtual, level)
        self.words[place] = physical | flags | (pte.LARGE if level > 1 else 0)
        return place

    def memory(self, base: int = 0, size: int = 0x100000) -> bytes:
        """As a dump of memory has it."""
        whole = bytearray(size)
        for address, value in self.words.items():
            whole[address - base : address - base + 8] = value.to_bytes(8, "little")
        return bytes(whole)


def index(virtual: int, level: int) -> int:
    return virtual >> 3 + 9 * level & pte.ENTRIES - 1
