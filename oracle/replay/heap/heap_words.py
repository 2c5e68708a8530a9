"""Words for what a heap did wrong: the request, the block that it is about, and what lies next to that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from memoracle.console.counted import agreeing, counted
from memoracle.diagnostics.divergence import REFUSAL, since
from memoracle.replay.common.owed_frees import OwedFrees
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.heap.live_blocks import LiveBlocks, number_of
from memoracle.spec import heap as law
from memoracle.spec import heap_room
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Clause, Operation


class Request(NamedTuple):
    """What was asked for. block: the address of what is resized; 0 if a new block is made."""

    operation: Operation
    size: int
    alignment: int
    block: int = 0


class HeapWords:
    """deleted, moved: by address, the line that last deleted a block there, or moved it away.

    owed: the blocks that were handed out and not given back, but are not among the live ones.
    """

    def __init__(
        self,
        live: LiveBlocks,
        frames: FrameReplay,
        deleted: Mapping[int, int],
        moved: Mapping[int, int],
        owed: OwedFrees[int],
    ) -> None:
        self.live = live
        self.state = live.state
        self.frames = frames
        self.deleted = deleted
        self.moved = moved
        self.owed = owed

    def describe(self, clause: Clause, asked: Request, address: int, byte: int) -> str:
        """What is wrong with a block that was made."""
        size = asked.size
        block = f"the {counted(size, 'byte')} at {address:#x}"
        if clause is alignment_is_a_power_of_two:
            return f"{asked.alignment} is not a power of two"
        if clause is law.is_aligned:
            return f"{block} {agreeing(size, 'is', 'are')} not aligned to {asked.alignment:#x}"
        if clause is law.lies_in_the_arena:
            return f"{block} {agreeing(size, 'does', 'do')} not lie in the arena, {self.arena()}"
        if clause in (law.address_is_unique, law.is_unique_once_resized):
            return f"{address:#x} is the address of {self.named(address)}"
        if clause in (law.is_disjoint, law.is_disjoint_once_resized):
            return f"{block} {agreeing(size, 'shares', 'share')} {byte:#x} with {self.named(self.live.block_at(byte))}"
        if size < 0:
            return f"{counted(size, 'byte')} were handed out"
        hint = "; a failed allocation is recorded with `error`" if address == 0 else ""
        if address == 0 and asked.block and size == 0:
            hint = "; a resize that only deletes is recorded as `heap.delete`"
        return f"{block} {agreeing(size, 'does', 'do')} not lie between address 1 and 2^64{hint}"

    def describe_place(self, address: int) -> str:
        """What is known of an address at which no live block starts."""
        around = self.live.block_at(address)
        if law.has_byte(self.state, around, address):
            return f"{address:#x} lies inside {self.named(around)}"
        if self.moved.get(address, 0) > self.deleted.get(address, 0):
            return f"the block at {address:#x} was resized, and moved{since(self.moved[address])}"
        if address in self.deleted:
            return f"the block at {address:#x} was deleted already{since(self.deleted[address])}"
        return f"no block was made at {address:#x}"

    def named(self, address: int) -> str:
        size, line = self.live.sizes[address], self.live.lines[address]
        return f"the live block of {counted(size, 'byte')} at {address:#x}{since(line, 'made by')}"

    def arena(self) -> str:
        return f"{self.state.start:#x} to {number_of(self.state.end) - 1:#x}"

    def choices(self, asked: Request) -> str:
        size = asked.size
        if size < 0 or not alignment_is_a_power_of_two(None, asked.alignment):
            return REFUSAL
        of_others = "no other live block" if asked.block else "no live block"
        if size == 0:
            return f"an address that {of_others} has, or a refusal"
        place = "" if self.live.room is None else f" in the arena, {self.arena()},"
        belong = agreeing(size, "belongs", "belong")
        return f"{counted(size, 'byte')} aligned to {asked.alignment:#x}{place} that {belong} to {of_others}"

    # States

    @property
    def not_given_back(self) -> int:
        return len(self.live) + self.owed.total

    def totals(self) -> dict[str, Any]:
        return self.frames.totals() | {"live_blocks": self.not_given_back}

    def around(self, address: int) -> dict[str, Any]:
        """The live blocks next to an address: the last that starts at or below it, and the first above."""
        before, after = self.live.starts.around(address)
        below = address if address in self.live else before
        near = {"block": below, "next": after}
        told = {name: self.shown(found) for name, found in near.items() if found is not None}
        return {"address": f"{address:#x}"} | told | {"live_blocks": self.not_given_back}

    def lacking(self, room: heap_room.Room, asked: Request, gap: tuple[int, int]) -> dict[str, Any]:
        """What a request needs, the largest gap, and the live blocks next to that."""
        first, last = gap
        before, _ = self.live.starts.around(first)
        _, after = self.live.starts.around(last - 1)
        near = {"block": before, "next": after}
        told = {name: self.shown(found) for name, found in near.items() if found is not None}
        needed = heap_room.needed(room, asked.size, asked.alignment)
        largest = {"address": f"{first:#x}", "bytes": last - first}
        return {"needed_bytes": needed, "largest_gap": largest} | told | {"live_blocks": self.not_given_back}

    def shown(self, address: int) -> dict[str, Any]:
        return {"address": f"{address:#x}", "bytes": self.live.sizes[address], "line": self.live.lines[address]}
