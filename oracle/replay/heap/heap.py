"""Replays `heap.*` on the law itself: where a block lies is the implementation's choice, so no reference is asked.

The clauses speak of every byte of a new block. That it is enough to look at the blocks next to it is proved
(`heap.neighbours-decide`); where that does not tell, one byte is asked for: the first that may belong to a live block.
"""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from memoracle.diagnostics.divergence import REFUSAL, Finding, broken, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.replay.common.owed_frees import OwedFrees
from memoracle.replay.common.ways import Plain, PlainHandlers
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.heap.heap_words import HeapWords, Request
from memoracle.replay.heap.live_blocks import LiveBlocks
from memoracle.replay.ranges.exhaustion import exhausted
from memoracle.replay.ranges.process_ranges import AnyRanges
from memoracle.spec import heap as law
from memoracle.spec import heap_room
from memoracle.spec.bitmap import alignment_is_a_power_of_two
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.numbers import number

Number = int | str
REMEMBERED = 1 << 16  # deleted blocks, at the most, whose line is known
WITHIN, IN_ARENA, IS_ALIGNED = law.lies_within_addresses.holds, law.lies_in_the_arena.holds, law.is_aligned.holds
LIES_BETWEEN, IS_LIVE = law.lies_between.holds, law.deletes_a_live_block.holds
IS_POWER_OF_TWO = alignment_is_a_power_of_two.holds


class HeapReplay:
    """The live blocks of one trace.

    deleted, moved: by address, the line that last deleted a block there, or moved it away, of the latest.
    owed: the addresses of blocks that were handed out and are not among the live ones, since another one overlaps them
    or they cannot be there.  disputed: the addresses of live blocks that were handed out wrongly.
    """

    def __init__(self, rules: Rules, frames: FrameReplay, ranges: AnyRanges) -> None:
        self.rules = rules
        self.frames = frames
        self.ranges = ranges
        self.live = LiveBlocks(rules.geometry)
        self.state = self.live.state
        self.deleted: dict[int, int] = {}
        self.moved: dict[int, int] = {}
        self.owed = OwedFrees[int]()
        self.disputed: set[int] = set()
        self.words = HeapWords(self.live, frames, self.deleted, self.moved, self.owed)

    def end(self) -> None:
        """Nothing more is replayed: lets go of what knows these blocks."""
        self.live.end()

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.HeapNew: self.new, events.HeapDelete: self.delete, events.HeapResize: self.resize}

    def plain(self) -> PlainHandlers:
        """What replays most of these operations, at less cost."""
        return {
            events.HeapNew: Plain(self.new_block, ("bytes", "result")),
            events.HeapDelete: Plain(self.delete_block, ("address",)),
        }

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {
            events.HeapNew: self.violated_by_new,
            events.HeapDelete: lambda event, line: law.delete.broken(self.state, address=number(event.address)),
            events.HeapResize: self.violated_by_resize,
        }

    def violated_by_new(self, event: events.HeapNew, line: int) -> Clause | None:
        return law.new.broken(self.state, alignment=self.alignment(event.alignment, number(event.bytes)))

    def violated_by_resize(self, event: events.HeapResize, line: int) -> Clause | None:
        alignment = self.alignment(event.alignment, number(event.bytes))
        return law.resize.broken(self.state, block=number(event.address), alignment=alignment)

    def alignment(self, named: Number | UnsetType, size: int) -> int:
        """The alignment that is named, or else that of the size."""
        return self.live.alignment_of(size) if named is UNSET else number(named)

    # heap.new

    def new_block(self, event: events.HeapNew, line: int) -> Finding | None:
        """A request that names no alignment, and was served."""
        assert event.result is not None, "it was served"
        size, address, live = number(event.bytes), number(event.result), self.live
        alignment = live.alignments.get(size)
        if alignment is None or not self.fits(size, alignment, address):
            return self.new(event, line)
        live.add(address, size, line)
        return None

    def new(self, event: events.HeapNew, line: int) -> Finding | None:
        size = number(event.bytes)
        alignment = self.alignment(event.alignment, size)
        if event.result is None:
            return self.failed(Request(law.new, size, alignment), event.error)
        address = number(event.result)
        named = event.alignment is not UNSET
        if (not named or IS_POWER_OF_TWO(None, alignment)) and self.fits(size, alignment, address):
            self.live.add(address, size, line)
            if named:
                self.live.aligned[address] = alignment
            return None
        byte = self.live.contested(address, size)
        clause = law.new.broken(self.state, size=size, alignment=alignment, address=address, byte=byte)
        return self.made(Request(law.new, size, alignment), address, byte, clause, line)

    def fits(self, size: int, alignment: int, address: int) -> bool:
        """Whether a block, whose alignment is a power of two, may be made there: then its neighbours tell so."""
        state, live = self.state, self.live
        before, after = live.starts.around(address)
        return bool(
            address not in live.sizes
            and LIES_BETWEEN(state, size, address, before or 0, law.ADDRESSES if after is None else after)
            and WITHIN(state, size, address)
            and (live.gaps is None or IN_ARENA(state, size, address))
            and IS_ALIGNED(state, alignment, address)
        )

    def made(self, asked: Request, address: int, byte: int, clause: Clause | None, line: int) -> Finding | None:
        """What comes of a block that was made, in the place of the one that was resized.

        clause: what the law has against it.
        """
        finding, before, kept = None, None, 0
        if clause is not None:
            before, message = self.words.around(address), self.words.describe(clause, asked, address, byte)
        if asked.block in self.live:
            kept = self.live.end_of(asked.block) if asked.block == address else 0
            self.live.remove(asked.block)
            self.disputed.discard(asked.block)
            if asked.block != address:
                remember(self.moved, asked.block, line)
        if clause is None:
            self.live.add(address, asked.size, line)
        else:
            self.adopt(clause, asked.size, address, line)
            legal, after = self.words.choices(asked), self.words.around(address)
            finding = Finding(clause.name, clause.says, message, legal, before or {}, after)
        if address in self.live:
            self.live.aligned[address] = asked.alignment
            self.live.may_keep(address, kept)
        return finding

    def adopt(self, clause: Clause, size: int, address: int, line: int) -> None:
        """The block is there now, and whoever has live ones in its place deletes them, too."""
        if not law.lies_within_addresses(self.state, size, address):
            self.owed.add(address)
            return
        byte = self.live.contested(address, size)
        while not law.is_disjoint(self.state, size, address, byte):
            self.displace(self.live.block_at(byte))
            byte = self.live.contested(address, size)
        if address in self.live:
            self.displace(address)
        self.live.add(address, size, line)
        self.disputed.add(address)

    def displace(self, address: int) -> None:
        self.doubt(address)
        self.remove(address)
        self.owed.add(address)

    def doubt(self, address: int) -> None:
        """A live block will be among these no longer, but may still have its bytes."""
        if self.live.gaps is not None:
            self.live.gaps.doubt(address, self.live.end_of(address))

    def remove(self, address: int) -> None:
        self.disputed.discard(address)
        self.live.remove(address)

    # What fails

    def failed(self, asked: Request, error: object) -> Finding | None:
        """A request that failed although nothing is wrong with it."""
        if asked.size <= 0 or self.rules.safe:
            return None
        if self.live.room is not None:
            return self.failed_in_arena(self.live.room, asked, error)
        pages = -(-asked.size // self.rules.geometry.page_size)
        if self.rules.lacking_passes or exhausted(self.frames, self.ranges, pages):
            return None
        says = "a block is found as long as frames and kernel range are left"
        return wrongly_failed(asked.operation.name, error, self.words.choices(asked), says, self.words.totals())

    def failed_in_arena(self, room: heap_room.Room, asked: Request, error: object) -> Finding | None:
        """The first such failure may be of a leak; later ones of the same stretches are of the same."""
        gaps = self.live.gaps
        assert gaps is not None, "an arena has gaps"
        gap = largest = gaps.largest()
        while heap_room.gap_holds_it(room, asked.size, asked.alignment, *gap):
            gaps.doubt(*gap)
            gap = gaps.largest()
        clause = heap_room.gap_holds_it
        if gap == largest:
            if self.live or gaps.doubted or not heap_room.arena_holds_it(room, asked.size, asked.alignment):
                return None
            clause = heap_room.arena_holds_it
            gaps.doubt(gaps.start, gaps.end)
        state = self.words.lacking(room, asked, largest)
        return wrongly_failed(asked.operation.name, error, self.words.choices(asked), clause.says, state)

    # heap.delete

    def delete(self, event: events.HeapDelete, line: int) -> Finding | None:
        if event.error is not UNSET:
            return self.delete_failed(number(event.address), event.error)
        return self.delete_block(event, line)

    def delete_block(self, event: events.HeapDelete, line: int) -> Finding | None:
        """A delete that succeeded."""
        address = number(event.address)
        if address in self.live.sizes:
            if self.disputed:
                self.disputed.discard(address)
            self.live.remove(address)
            remember(self.deleted, address, line)
            return None
        if IS_LIVE(self.state, address):
            return None
        if self.owed.settle(address):
            remember(self.deleted, address, line)
            return None
        clause, around = broken(law.delete.broken(self.state, address=address)), self.words.around(address)
        return Finding(clause.name, clause.says, self.words.describe_place(address), REFUSAL, around, around)

    def delete_failed(self, address: int, error: object) -> Finding | None:
        if address in self.disputed:
            self.doubt(address)
            self.remove(address)
            return None
        if self.rules.safe:
            return None
        return wrongly_failed(law.delete.name, error, "success", law.delete.says, self.words.around(address))

    def refused_rightly(self, event: events.HeapDelete) -> None:
        """If this delete was owed, it has been tried."""
        self.owed.settle(number(event.address))

    # heap.resize

    def resize(self, event: events.HeapResize, line: int) -> Finding | None:
        block, size = number(event.address), number(event.bytes)
        asked = Request(law.resize, size, self.alignment(event.alignment, size), block)
        if event.result is None:
            return self.resize_failed(asked, event.error)
        address = number(event.result)
        if event.alignment is UNSET and block in self.live.sizes and self.resized(asked, address, line):
            return None
        if not IS_LIVE(self.state, block) and not self.owed.settle(block):
            return self.resized_what_is_not_live(asked, address, line)
        if block in self.live:
            byte = self.contested_by_others(asked, address)
            clause = law.resize.broken(
                self.state, block=block, size=size, alignment=asked.alignment, address=address, byte=byte
            )
        else:
            byte = self.live.contested(address, size)
            clause = law.new.broken(self.state, size=size, alignment=asked.alignment, address=address, byte=byte)
        return self.made(asked, address, byte, clause, line)

    def resized(self, asked: Request, address: int, line: int) -> bool:
        """Whether a live block, which has no alignment of its own, may become one there; then it has."""
        live, block = self.live, asked.block
        size, made_by, end = live.sizes[block], live.lines[block], live.end_of(block)
        if block in live.aligned or block in self.disputed:
            return False
        live.remove(block)
        if not self.fits(asked.size, asked.alignment, address):
            live.add(block, size, made_by)
            live.may_keep(block, end)
            return False
        live.add(address, asked.size, line)
        if address == block:
            live.may_keep(block, end)
        else:
            remember(self.moved, block, line)
        return True

    def contested_by_others(self, asked: Request, address: int) -> int:
        """The lowest of the bytes that were given that belongs to another block than the one that is resized."""
        byte = self.live.contested(address, asked.size)
        if law.has_byte(self.state, asked.block, byte):
            end = asked.block + self.live.sizes[asked.block]
            byte = self.live.contested(end, address + asked.size - end) if end < address + asked.size else byte
        return byte

    def resized_what_is_not_live(self, asked: Request, address: int, line: int) -> Finding:
        around, message = self.words.around(asked.block), self.words.describe_place(asked.block)
        clause = law.resizes_a_live_block
        self.adopt(clause, asked.size, address, line)
        return Finding(clause.name, clause.says, message, REFUSAL, around, self.words.around(address))

    def resize_failed(self, asked: Request, error: object) -> Finding | None:
        if asked.block in self.disputed or self.rules.safe or asked.size <= 0:
            return None
        if not law.may_stay(self.state, asked.block, asked.size, asked.alignment):
            return self.failed(asked, error)
        legal, around = self.words.choices(asked), self.words.around(asked.block)
        return wrongly_failed(law.resize.name, error, legal, law.may_stay.says, around)


def remember(lines: dict[int, int], address: int, line: int) -> None:
    """Notes what happened last at an address, and forgets the oldest notes."""
    lines.pop(address, None)
    lines[address] = line
    if len(lines) > REMEMBERED:
        del lines[next(iter(lines))]
