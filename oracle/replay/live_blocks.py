"""The live blocks of a heap, as one trace tells of them, and the law's state that they are."""

from __future__ import annotations

from typing import Any

from memoracle.replay.heap_gaps import Gaps
from memoracle.replay.sorted_addresses import SortedAddresses
from memoracle.spec import heap as law
from memoracle.spec import heap_room
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import NATURAL

REMEMBERED = 1 << 16  # sizes, at the most, whose alignment is known without asking the law


class LiveBlocks:
    """sizes, lines: by the address of each live block, the bytes asked for, and in which line.

    starts: the addresses of those that have bytes, which are disjoint.  empty: those of the others.  aligned: the
    alignment that was named, if one was.  room: what the arena must serve, and the gaps there; None without an arena.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.sizes: dict[int, int] = {}
        self.lines: dict[int, int] = {}
        self.starts = SortedAddresses()
        self.empty = SortedAddresses()
        self.aligned: dict[int, int] = {}
        self.alignments: dict[int, int] = {}
        arena = geometry.heap_arena
        alignment = law.NATURAL if geometry.heap_alignment == NATURAL else int(geometry.heap_alignment)
        self.state = law.Heap(
            page_shift=geometry.page_shift,
            alignment=alignment,
            is_live=self.sizes.__contains__,
            size=self.size,
            block_at=self.block_at,
            aligned_to=self.alignment_at,
        )
        self.room: heap_room.Room | None = None
        self.gaps: Gaps | None = None
        if arena is not None:
            start, end = max(arena.start, 1), arena.start + arena.bytes  # nothing lies at address 0
            self.state = law.Heap(**vars(self.state) | {"start": start, "end": end})
            self.room = heap_room.Room(self.state, arena.overhead, arena.minimum, not geometry.heap_fragments)
            self.gaps = Gaps(start, end, (self.starts, self.end_of), (self.empty, self.end_of))

    def __len__(self) -> int:
        return len(self.sizes)

    def __contains__(self, address: int) -> bool:
        return address in self.sizes

    def size(self, address: Any) -> int:
        return self.sizes.get(address, 0)

    def alignment_at(self, address: Any) -> int:
        """The alignment that was asked for when the block there was made."""
        return self.aligned[address] if address in self.aligned else self.alignment_of(self.size(address))

    def end_of(self, address: int) -> int:
        """Up to where a live block takes bytes at the least."""
        return address + (self.sizes[address] if self.room is None else self.taken(self.sizes[address]))

    def taken(self, size: int) -> int:
        """The bytes that a block of this size takes at the least."""
        return size if self.room is None else number_of(heap_room.taken(self.room, size))

    def alignment_of(self, size: int) -> int:
        """The alignment of a block of this size, where none is named."""
        due = self.alignments.get(size)
        if due is None:
            due = number_of(law.alignment_of(self.state, size))
            if len(self.alignments) < REMEMBERED:
                self.alignments[size] = due
        return due

    def block_at(self, byte: Any) -> int:
        """The last address at or below a byte where a block that has bytes starts; 0 if there is none."""
        return self.starts.around(byte)[0] or 0

    def contested(self, address: int, size: int) -> int:
        """The lowest of some bytes that belongs to a live block, if one does; else any of them."""
        before, after = self.starts.around(address)
        if before is not None and law.has_byte(self.state, before, address):
            return address
        return after if after is not None and after < address + size else address

    def add(self, address: int, size: int, line: int) -> None:
        self.sizes[address] = size
        self.lines[address] = line
        if size:
            self.starts.add(address)
        else:
            self.empty.add(address)
        if self.gaps is not None:
            self.changes(self.gaps, address, size)

    def remove(self, address: int) -> None:
        del self.lines[address]
        size = self.sizes.pop(address)
        if size:
            self.starts.remove(address)
        else:
            self.empty.remove(address)
        if self.aligned:
            self.aligned.pop(address, None)
        if self.gaps is not None:
            self.changes(self.gaps, address, size)

    def changes(self, gaps: Gaps, address: int, size: int) -> None:
        """A block is there, or no longer."""
        if self.empty or gaps.doubted:
            gaps.changes_over(address, address + self.taken(size))
        else:
            gaps.changes(address)


def number_of(value: object) -> int:
    """A number of the law, which is one of Python's here."""
    assert isinstance(value, int)
    return value
