"""4-level page tables in physical memory (Intel SDM volume 3, 4.5): map, unmap and translate, for leaves of one size.

A table lies at the start of a frame of its own. It is allocated when a mapping first needs it, zeroed before it is
linked, and freed as soon as it is empty; so a process that maps nothing has its PML4 and no other table. The tables of
the upper half are the kernel's: every process's PML4 links the same ones (see kernel_half). A refused operation returns
None or False and changes nothing. The state is at rest: no update of the kernel half is in flight.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.pte import (
    ADDRESS,
    ENTRIES,
    EXECUTE_DISABLE,
    GLOBAL,
    PRESENT,
    USER,
    WRITABLE,
    Fields,
    Layout,
    decode,
    encode,
)

TOP = 4  # the level of a PML4
LOWER_END = 1 << 47  # of the lower half's addresses
MOST_USES = (1 << 64) - 1  # what a counter of 64 bits can hold


class TableFrames(Protocol):
    """Where the frames of tables come from; a Bitmap is one."""

    def allocate(self) -> int | None: ...
    def free(self, frame: int) -> bool: ...


class Leaf(NamedTuple):
    """What a page is mapped to: a physical address in bytes, a memory type (see pat), and what is allowed there."""

    physical: int
    cache: int
    writable: bool = True
    executable: bool = True
    global_: bool = False


class Attributes(NamedTuple):
    """What the walk to a page combines: a memory type (see pat), and what is allowed there."""

    cache: int
    writable: bool
    user: bool
    executable: bool
    global_: bool


class Unmapped(NamedTuple):
    """The frame that a page was mapped to, and whether nothing maps it any more (False if its uses aren't counted)."""

    frame: int
    last: bool


class Paging:
    """The page tables of all live processes; process 0 is the kernel and always exists.

    frames: the allocator of tables.  counted: the uses of frames below this one are counted.  direct_start, direct_end:
    pages of the upper half at the first of these addresses or above, and below the second, are no uses of their frames.

    inv: self.roots.keys() == self.halves.live and self.roots.keys() == self.mapped.keys()
    inv: all(len(entries) == ENTRIES and any(entries) for entries in self.memory.values())
    inv: all(self.halves.tables[process][256:] == self.halves.tables[0][256:] for process in self.roots)
    """

    def __init__(
        self,
        frames: TableFrames,
        halves: KernelHalf,
        layout: Layout,
        leaf_level: int,
        counted: int,
        direct_start: int = 0,
        direct_end: int = 0,
    ) -> None:
        """Nothing is mapped. The kernel's PML4 is frame 0, which is never free.

        Shared on purpose: frames, halves.

        pre: 1 <= leaf_level <= 3
        post: (self.roots, self.memory, self.uses, self.mapped) == ({0: 0}, {}, {}, {0: set()})
        post: 2**self.page_shift == 4096 * 512 ** (leaf_level - 1) and self.counted == counted
        """
        self.frames = frames
        self.halves = halves
        self.layout = layout
        self.leaf_level = leaf_level
        self.page_shift = 9 * leaf_level + 3
        self.counted = counted
        self.direct_start = direct_start
        self.direct_end = direct_end
        self.memory: dict[int, list[int]] = {}  # by its frame, the entries of each table below the PML4s
        self.roots = {0: 0}  # by process, the frame of its PML4
        self.uses: dict[int, int] = {}  # by frame, how many leaves map it; only of frames that some leaf maps
        self.mapped: dict[int, set[int]] = {0: set()}  # by process, the addresses of its pages in the lower half

    def create(self, process: int) -> bool:
        """A new process: a PML4 with an empty lower half.

        False if the process is live, its number does not have 64 bits, or no frame is left.

        post: not __return__ or process not in __old__.self.roots and 0 <= process < 2**64
        post: __return__ or process in __old__.self.roots or not 0 <= process < 2**64 or __old__.self.frames.count() == 0
        post: self.roots.keys() == __old__.self.roots.keys() | ({process} if __return__ else set())
        post: not __return__ or self.halves.tables[process] == [0] * 256 + self.halves.tables[0][256:]
        post: (self.memory, self.uses) == (__old__.self.memory, __old__.self.uses)
        post: self.frames.count() == __old__.self.frames.count() - __return__
        """  # noqa: E501
        if process in self.roots or not 0 <= process < 1 << 64:
            return False
        root = self.frames.allocate()
        if root is None:
            return False
        self.halves.create(process)
        self.roots[process] = root
        self.mapped[process] = set()
        return True

    def exit(self, process: int) -> list[int] | None:
        """Unmaps all of a process's lower half and frees its PML4; returns the frames that nothing maps any more.

        None if the process is not live, or is the kernel.

        post: (__return__ is None) == (process == 0 or process not in __old__.self.roots)
        post: self.roots.keys() == __old__.self.roots.keys() - (set() if __return__ is None else {process})
        post: __return__ is None or all(frame in __old__.self.uses and frame not in self.uses for frame in __return__)
        post: __return__ is None or len(__return__) == len(set(__return__)) == len(__old__.self.uses) - len(self.uses)
        post: all(self.translate(p, v) == __old__.self.translate(p, v) for p in self.roots for v in self.mapped[p])
        post: self.halves.tables[0] == __old__.self.halves.tables[0]
        """
        if process == 0 or process not in self.roots:
            return None
        released: list[int] = []
        while self.mapped[process]:
            self._unmap_one(process, released)
        self.halves.exit(process)
        del self.mapped[process]
        self.frames.free(self.roots.pop(process))
        return released

    def map(self, process: int, virtual: int, leaf: Leaf) -> bool:
        """Maps the page at this virtual address; one in the upper half is mapped in every process.

        False if the process is not live, the address is not canonical, not that of a page or mapped already, the leaf
        cannot be encoded, or too few frames are left for the tables that it needs.

        post: not __return__ or __old__.self.translate(process, virtual) is None and virtual % 2**self.page_shift == 0
        post: not __return__ or self.attributes(process, virtual) == (*leaf[1:3], virtual < LOWER_END, *leaf[3:])
        post: not __return__ or all(self.translate(p, virtual) == leaf.physical for p in self.roots if virtual >= LOWER_END or p == process)
        post: all(self.translate(p, v) == __old__.self.translate(p, v) for p, pages in __old__.self.mapped.items() for v in pages)
        post: __return__ or (self.memory, self.uses, self.mapped) == (__old__.self.memory, __old__.self.uses, __old__.self.mapped)
        post: __return__ or self.halves.tables == __old__.self.halves.tables and self.frames.count() == __old__.self.frames.count()
        post: __return__ or process not in self.roots or virtual % 2**self.page_shift or not is_canonical(virtual) or self._leaf_value(virtual, leaf) is None or self.translate(process, virtual) is not None or self.frames.count() < TOP - self.leaf_level
        """  # noqa: E501
        if process not in self.roots or not self._is_page(virtual):
            return False
        value = self._leaf_value(virtual, leaf)
        if value is None or not self._is_countable(leaf.physical >> self.page_shift):
            return False
        tables = self._tables(process, virtual)
        taken = self._take(TOP - self.leaf_level - len(tables))
        if taken is None or (not taken and self._read(process, virtual, tables)):
            return False
        for table in taken:
            self.memory[table] = [0] * ENTRIES
            self._write(process, virtual, tables, self._link(table, virtual))
            tables.append(table)
        self._write(process, virtual, tables, value)
        self._count(virtual, leaf.physical >> self.page_shift)
        if virtual < LOWER_END:
            self.mapped[process].add(virtual)
        return True

    def unmap(self, process: int, virtual: int) -> Unmapped | None:
        """Unmaps the page at this virtual address; None if the process is not live or no page is mapped there.

        post: (__return__ is None) == (__old__.self.translate(process, virtual) is None or virtual % 2**self.page_shift != 0)
        post: __return__ is None or __return__.frame << self.page_shift == __old__.self.translate(process, virtual)
        post: __return__ is None or self.translate(process, virtual) is None and __return__.last == (self._is_use(virtual, __return__.frame) and __return__.frame not in self.uses)
        post: sum(self.uses.values()) == sum(__old__.self.uses.values()) - (__return__ is not None and self._is_use(virtual, __return__.frame))
        post: all(self.translate(p, v) == __old__.self.translate(p, v) for p, pages in self.mapped.items() for v in pages)
        post: all(any(entries) for entries in self.memory.values())
        """  # noqa: E501
        if process not in self.roots or not self._is_page(virtual):
            return None
        tables = self._tables(process, virtual)
        value = self._read(process, virtual, tables)
        if not value:
            return None
        self._write(process, virtual, tables, 0)
        while tables and self.memory[tables[-1]] == [0] * ENTRIES:
            table = tables.pop()
            self._write(process, virtual, tables, 0)
            del self.memory[table]
            self.frames.free(table)
        if virtual < LOWER_END:
            self.mapped[process].remove(virtual)
        return self._uncount(virtual, self._target(value))

    def translate(self, process: int, virtual: int) -> int | None:
        """The physical address of a byte; None if the process is not live or nothing is mapped there.

        post: __return__ is None or (__return__ ^ virtual) % 2**self.page_shift == 0
        post: virtual >= LOWER_END or (__return__ is not None) == (virtual >> self.page_shift << self.page_shift in self.mapped.get(process, ()))
        post: __return__ is None or process in self.roots and is_canonical(virtual)
        """  # noqa: E501
        if process not in self.roots or not is_canonical(virtual):
            return None
        value = self._read(process, virtual, self._tables(process, virtual))
        if not value:
            return None
        return self._target(value) << self.page_shift | virtual & (1 << self.page_shift) - 1

    def attributes(self, process: int, virtual: int) -> Attributes | None:
        """What the entries of the walk to a byte allow together; None if nothing is mapped there.

        Writable and user combine by AND along the walk, execute-disable by OR (Intel SDM volume 3, 4.6).

        post: (__return__ is None) == (self.translate(process, virtual) is None)
        post: __return__ is None or __return__.user == (virtual < LOWER_END)
        """
        if process not in self.roots or not is_canonical(virtual):
            return None
        tables = self._tables(process, virtual)
        value = self._read(process, virtual, tables)
        leaf = decode(self.layout, value, self.leaf_level)
        if not value or leaf is None:
            return None
        every = some = value
        for above in range(len(tables)):
            entry = self._read(process, virtual, tables[:above])
            every &= entry
            some |= entry
        return Attributes(
            leaf.cache,
            every & WRITABLE != 0,
            every & USER != 0,
            some & EXECUTE_DISABLE == 0,
            value & GLOBAL != 0,
        )

    def is_shown(self, frame: int) -> bool:
        """Whether a page shows this frame; False if its uses aren't counted.

        post: __return__ == any(self.translate(p, v) == frame << self.page_shift for p in self.roots for v in self.mapped[p]) or frame in self.uses
        """  # noqa: E501
        return frame in self.uses

    def _unmap_one(self, process: int, released: list[int]) -> None:
        """Unmaps any page of a process's lower half, and adds its frame to `released` if nothing maps it any more."""
        unmapped = self.unmap(process, next(iter(self.mapped[process])))
        if unmapped is not None and unmapped.last:
            released.append(unmapped.frame)

    def _is_page(self, virtual: int) -> bool:
        return is_canonical(virtual) and virtual & (1 << self.page_shift) - 1 == 0

    def _leaf_value(self, virtual: int, leaf: Leaf) -> int | None:
        """The entry that encodes a leaf, None if there is none; pages of the lower half are the user's."""
        lower = virtual < LOWER_END
        fields = Fields(leaf.physical, True, leaf.writable, lower, True, leaf.cache)
        value = encode(self.layout, fields, self.leaf_level)
        if value is None:
            return None
        value |= GLOBAL if leaf.global_ else 0
        return value if leaf.executable else value | EXECUTE_DISABLE

    def _tables(self, process: int, virtual: int) -> list[int]:
        """The tables below the PML4 on the walk to an address, from the top, as far as there are any."""
        tables: list[int] = []
        while len(tables) < TOP - self.leaf_level:
            entry = self._read(process, virtual, tables)
            if not entry:
                break
            tables.append(self._target(entry))
        return tables

    def _read(self, process: int, virtual: int, tables: list[int]) -> int:
        """The entry for an address in the last of these tables, or in the PML4 if there is none."""
        index = index_of(virtual, TOP - len(tables))
        return self.memory[tables[-1]][index] if tables else self.halves.tables[process][index]

    def _write(self, process: int, virtual: int, tables: list[int], value: int) -> None:
        index = index_of(virtual, TOP - len(tables))
        if tables:
            self.memory[tables[-1]][index] = value
        else:
            self.halves.write(process, index, value)

    def _link(self, table: int, virtual: int) -> int:
        return link(table << self.page_shift, virtual)

    def _target(self, entry: int) -> int:
        """The frame that an entry points to."""
        return (entry & ADDRESS) >> self.page_shift

    def _take(self, missing: int) -> list[int] | None:
        """Allocates frames for this many tables; None, and nothing changes, if too few are left."""
        taken: list[int] = []
        for _ in range(missing):
            frame = self.frames.allocate()
            if frame is None:
                for table in taken:
                    self.frames.free(table)
                return None
            taken.append(frame)
        return taken

    def _is_countable(self, frame: int) -> bool:
        return frame not in self.uses or self.uses[frame] < MOST_USES

    def _is_use(self, virtual: int, frame: int) -> bool:
        return frame < self.counted and (virtual < LOWER_END or not self.direct_start <= virtual < self.direct_end)

    def _count(self, virtual: int, frame: int) -> None:
        if self._is_use(virtual, frame):
            self.uses[frame] = self.uses[frame] + 1 if frame in self.uses else 1

    def _uncount(self, virtual: int, frame: int) -> Unmapped:
        if not self._is_use(virtual, frame):
            return Unmapped(frame, False)
        if self.uses[frame] > 1:
            self.uses[frame] -= 1
            return Unmapped(frame, False)
        del self.uses[frame]
        return Unmapped(frame, True)


def is_canonical(virtual: int) -> bool:
    """Whether bits 63 to 47 of a 64-bit address are equal (Intel SDM volume 1, 3.3.7.1).

    post: __return__ == (0 <= virtual < 2**47 or 2**64 - 2**47 <= virtual < 2**64)
    """
    return virtual >> 47 in (0, (1 << 17) - 1)


def index_of(virtual: int, level: int) -> int:
    """The index of the entry for an address in a table of this level, 1 to 4 (Intel SDM volume 3, 4.5.4).

    pre: 1 <= level <= 4
    post: 0 <= __return__ < 512
    post: (virtual - (__return__ << 3 + 9 * level)) % 2 ** (12 + 9 * level) < 2 ** (3 + 9 * level)
    """
    return virtual >> 3 + 9 * level & ENTRIES - 1


def link(table: int, virtual: int) -> int:
    """The entry that links a table at this physical address: it leaves every restriction to the leaf.

    pre: table % 4096 == 0 and 0 <= table < 2**52
    post: __return__ == table + PRESENT + WRITABLE + (USER if virtual < LOWER_END else 0)
    """
    return table | PRESENT | WRITABLE | (USER if virtual < LOWER_END else 0)
