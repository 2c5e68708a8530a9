"""The live blocks of a heap, as one trace tells of them, and the law's state that they are."""

from __future__ import annotations

from typing import Any

from memoracle.replay.containers.sorted_addresses import SortedAddresses
from memoracle.replay.heap.heap_gaps import Gaps
from memoracle.spec import heap as law
from memoracle.spec import heap_room
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import NATURAL

REMEMBERED = 1 << 16  # sizes, at the most, whose alignment is known without asking the law


class LiveBlocks:
    """sizes, lines: by the address of each live block, the bytes asked for, and in which line.

    starts: the addresses of those that have bytes, which are disjoint.  empty: those of the others.  aligned: the
    alignment that was named, if one was.  room: what the arena must serve, and the gaps there; None without an arena.
    held: of the blocks there that were resized where they are, and became smaller, the bytes that they may have kept.
    """

    __deletable__ = ("state", "room", "gaps")  # mypyc deletes no other attribute

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
        self.held: dict[int, int] = {}
        self.room: heap_room.Room | None = None
        self.gaps: Gaps | None = None
        if arena is not None:
            start, end = max(arena.start, 1), arena.start + arena.bytes  # nothing lies at address 0
            self.state = law.Heap(**vars(self.state) | {"start": start, "end": end})
            self.room = heap_room.Room(
                self.state, arena.overhead, arena.minimum, not geometry.heap_fragments, self.held_by
            )
            self.gaps = Gaps(start, end, (self.starts, self.end_of), (self.empty, self.end_of))

    def end(self) -> None:
        """Nothing more is asked: lets go of what knows these blocks."""
        del self.state, self.room, self.gaps

    def __len__(self) -> int:
        return len(self.sizes)

    def __contains__(self, address: int) -> bool:
        return address in self.sizes

    def size(self, address: Any) -> int:
        return self.sizes.get(address, 0)

    def alignment_at(self, address: Any) -> int:
        """The alignment that was asked for when the block there was made."""
        return self.aligned[address] if address in self.aligned else self.alignment_of(self.size(address))

    def held_by(self, address: Any) -> int:
        return self.held.get(address, 0)

    def end_of(self, address: int) -> int:
        """Up to where a live block may take bytes."""
        return address + (
            self.sizes[address] if self.room is None else number_of(heap_room.room_of(self.room, address))
        )

    def may_keep(self, address: int, end: int) -> None:
        """A block that was resized where it is may keep the room that it had there, up to this end."""
        if self.gaps is None:
            return
        after = [next_one for layer in (self.starts, self.empty) if (next_one := layer.around(address)[1]) is not None]
        room = min([end, *after]) - address
        if room > self.sizes[address]:
            self.held[address] = room

    def cut_room(self, address: int) -> None:
        """What begins at this address was not kept by the blocks before it."""
        for layer in (self.starts, self.empty):
            before, _ = layer.around(address)
            if before is not None and before + self.held.get(before, 0) > address:
                self.held[before] = address - before

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
        if self.held:
            self.cut_room(address)
        self.sizes[address] = size
        self.lines[address] = line
        if size:
            self.starts.add(address)
        else:
            self.empty.add(address)
        if self.gaps is not None:
            self.changes(self.gaps, address)

    def remove(self, address: int) -> None:
        if self.gaps is not None:
            self.changes(self.gaps, address)
        del self.lines[address]
        size = self.sizes.pop(address)
        if size:
            self.starts.remove(address)
        else:
            self.empty.remove(address)
        if self.aligned:
            self.aligned.pop(address, None)
        if self.held:
            self.held.pop(address, None)

    def changes(self, gaps: Gaps, address: int) -> None:
        """A block has just been added, or is about to be removed."""
        if self.empty.pieces[0] or gaps.doubted.pieces[0]:
            gaps.changes_over(address, self.end_of(address))
        else:
            gaps.changes(address)


def number_of(value: object) -> int:
    """A number of the law, which is one of Python's here."""
    assert isinstance(value, int)
    return value
