"""Replays `heap.*` on the law itself: where a block lies is the implementation's choice, so no reference is asked.

The clauses speak of every byte of a new block, but it is enough to ask of one: the first that may belong to a live one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sortedcontainers import SortedList

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import REFUSAL, Finding, broken, since, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.replay.exhaustion import exhausted
from memoracle.replay.frames import FrameReplay
from memoracle.replay.owed_frees import OwedFrees
from memoracle.replay.process_ranges import AnyRanges
from memoracle.spec import heap as law
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import NATURAL
from memoracle.trace import events
from memoracle.trace.events import number

REMEMBERED = 1 << 16  # deleted blocks, at the most, whose line is known


@dataclass(frozen=True)
class Block:
    """How many bytes were asked for, and in which line."""

    size: int
    line: int


class HeapReplay:
    """The live blocks of one trace.

    blocks: by address.  starts: the addresses of those that have bytes, which are disjoint.  deleted: by address, the
    line that last deleted a block there, of the latest.  owed: the addresses of blocks that were handed out
    and are not among the live ones, since another one overlaps them or they cannot be there.  disputed: the addresses
    of live blocks that were handed out wrongly.
    """

    def __init__(self, rules: Rules, frames: FrameReplay, ranges: AnyRanges) -> None:
        self.rules = rules
        self.frames = frames
        self.ranges = ranges
        self.blocks: dict[int, Block] = {}
        self.starts: SortedList[int] = SortedList()
        self.deleted: dict[int, int] = {}
        self.owed = OwedFrees[int]()
        self.disputed: set[int] = set()
        geometry = rules.geometry
        alignment = law.NATURAL if geometry.heap_alignment == NATURAL else int(geometry.heap_alignment)
        self.state = law.Heap(
            page_shift=geometry.page_shift,
            alignment=alignment,
            is_live=self.blocks.__contains__,
            size=lambda address: self.blocks[address].size if address in self.blocks else 0,
            block_at=self.block_at,
        )

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.HeapNew: self.new, events.HeapDelete: self.delete}

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {
            events.HeapDelete: lambda event, line: law.delete.broken(self.state, address=number(event.address)),
        }

    def block_at(self, byte: Any) -> int:
        """The last address at or below a byte where a block that has bytes starts; 0 if there is none."""
        place = self.starts.bisect_right(byte)
        return self.starts[place - 1] if place else 0

    # heap.new

    def new(self, event: events.HeapNew, line: int) -> Finding | None:
        size = number(event.bytes)
        if event.result is None:
            return self.new_failed(event, size)
        address = number(event.result)
        byte = self.contested(address, size)
        clause = law.new.broken(self.state, size=size, address=address, byte=byte)
        if clause is None:
            self.add(address, Block(size, line))
            return None
        before, message = self.around(address), self.describe(clause, size, address, byte)
        self.adopt(clause, size, address, line)
        return Finding(clause.name, clause.says, message, self.choices(size), before, self.around(address))

    def new_failed(self, event: events.HeapNew, size: int) -> Finding | None:
        pages = -(-size // self.rules.geometry.page_size)
        if size <= 0 or self.rules.lacking_passes or exhausted(self.frames, self.ranges, pages):
            return None
        says = "a block is found as long as frames and kernel range are left"
        return wrongly_failed(law.new.name, event.error, self.choices(size), says, self.totals())

    def contested(self, address: int, size: int) -> int:
        """The lowest byte of those asked for that belongs to a live block, if one does; else any of them."""
        if law.has_byte(self.state, self.block_at(address), address):
            return address
        place = self.starts.bisect_right(address)
        return self.starts[place] if place < len(self.starts) and self.starts[place] < address + size else address

    def add(self, address: int, block: Block) -> None:
        self.blocks[address] = block
        if block.size:
            self.starts.add(address)

    def remove(self, address: int) -> None:
        self.disputed.discard(address)
        if self.blocks.pop(address).size:
            self.starts.remove(address)

    def adopt(self, clause: Clause, size: int, address: int, line: int) -> None:
        """The block is there now, and whoever has live ones in its place deletes them, too."""
        if clause is law.lies_within_addresses:
            self.owed.add(address)
            return
        byte = self.contested(address, size)
        while not law.is_disjoint(self.state, size, address, byte):
            self.displace(self.block_at(byte))
            byte = self.contested(address, size)
        if address in self.blocks:
            self.displace(address)
        self.add(address, Block(size, line))
        self.disputed.add(address)

    def displace(self, address: int) -> None:
        self.remove(address)
        self.owed.add(address)

    # heap.delete

    def delete(self, event: events.HeapDelete, line: int) -> Finding | None:
        address = number(event.address)
        clause = law.delete.broken(self.state, address=address)
        if not event.succeeded:
            if address in self.disputed:
                self.remove(address)
                return None
            if self.rules.safe:
                return None
            return wrongly_failed(law.delete.name, event.error, "success", law.delete.says, self.around(address))
        if clause is not None and self.owed.settle(address):
            self.remember(address, line)
            return None
        if clause is not None:
            around, clause = self.around(address), broken(clause)
            return Finding(clause.name, clause.says, self.describe_place(address), REFUSAL, around, around)
        if address in self.blocks:
            self.remove(address)
            self.remember(address, line)
        return None

    def refused_rightly(self, event: events.HeapDelete) -> None:
        """If this delete was owed, it has been tried."""
        self.owed.settle(number(event.address))

    def remember(self, address: int, line: int) -> None:
        self.deleted.pop(address, None)
        self.deleted[address] = line
        if len(self.deleted) > REMEMBERED:
            del self.deleted[next(iter(self.deleted))]

    # In words

    def describe(self, clause: Clause, size: int, address: int, byte: int) -> str:
        """What is wrong with a new block."""
        block = f"the {counted(size, 'byte')} at {address:#x}"
        if clause is law.is_aligned:
            return f"{block} {agreeing(size, 'is', 'are')} not aligned to {self.alignment(size):#x}"
        if clause is law.address_is_unique:
            return f"{address:#x} is the address of {self.named(address)}"
        if clause is law.is_disjoint:
            return f"{block} {agreeing(size, 'shares', 'share')} {byte:#x} with {self.named(self.block_at(byte))}"
        if size < 0:
            return f"{counted(size, 'byte')} were handed out"
        hint = "; a failed allocation is recorded with `error`" if address == 0 else ""
        return f"{block} {agreeing(size, 'does', 'do')} not lie between address 1 and 2^64{hint}"

    def describe_place(self, address: int) -> str:
        """What is known of an address at which no live block starts."""
        around = self.block_at(address)
        if law.has_byte(self.state, around, address):
            return f"{address:#x} lies inside {self.named(around)}"
        if address in self.deleted:
            return f"the block at {address:#x} was deleted already{since(self.deleted[address])}"
        return f"no block was made at {address:#x}"

    def named(self, address: int) -> str:
        block = self.blocks[address]
        return f"the live block of {counted(block.size, 'byte')} at {address:#x}{since(block.line, 'made by')}"

    def alignment(self, size: int) -> int:
        due = law.alignment_of(self.state, max(size, 1))
        assert isinstance(due, int)
        return due

    def choices(self, size: int) -> str:
        if size < 0:
            return REFUSAL
        if size == 0:
            return "an address that no live block has, or a refusal"
        belong = agreeing(size, "belongs", "belong")
        return f"{counted(size, 'byte')} aligned to {self.alignment(size):#x} that {belong} to no live block"

    def totals(self) -> dict[str, Any]:
        return self.frames.totals() | {"live_blocks": len(self.blocks)}

    def around(self, address: int) -> dict[str, Any]:
        """The live blocks next to an address: the last that starts at or below it, and the first above."""
        place = self.starts.bisect_right(address)
        below = address if address in self.blocks else self.block_at(address)
        near = {"block": [below] if below else [], "next": self.starts[place : place + 1]}
        told = {name: self.shown(found[0]) for name, found in near.items() if found}
        return {"address": f"{address:#x}"} | told | {"live_blocks": len(self.blocks)}

    def shown(self, address: int) -> dict[str, Any]:
        block = self.blocks[address]
        return {"address": f"{address:#x}", "bytes": block.size, "line": block.line}
