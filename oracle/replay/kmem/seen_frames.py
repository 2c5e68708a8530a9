"""The frames that a log has told of, on the reference's `Runs`: one that begins mid-run does not say which were free.

A frame that was not seen yet may be free or in use. So what is handed out first was free, and what is given back first
was in use: it exists from then on, as the law lets memory turn up, and was allocated where it is freed. Whether the
blocks make sense that are handed out and given back then, the law says as it does of any other.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.replay.containers.block_map import blocks_between
from memoracle.replay.containers.place_map import Spans
from memoracle.replay.containers.seen_places import Changing, Existing, Free, SeenPlaces
from memoracle.replay.frames.runs_in_use import RunsInUse
from memoracle.spec import given_runs


class SeenFrames(RunsInUse[Existing]):
    """memory: the frames that there may be; what lies outside does not exist.  blocks: what is given of them."""

    def __init__(self, memory: Spans) -> None:
        """No frame was seen yet."""
        self.seen = SeenPlaces()
        self.memory = memory
        self.blocks: dict[int, int] = {}
        existing = Existing(self.seen)
        self.are_seen = existing.covers
        super().__init__(memory.places, existing, Changing(self.seen), Free(self.seen), self.blocks)

    def turn_up(self, first: int, last: int, in_use: bool) -> None:
        """Those of these frames that are memory and were not seen yet exist from now on; in use, or free."""
        whole = not self.seen.meets(first, last) and self.memory.covers(first, last)
        unseen = [(first, last)] if whole else list(self.unseen_memory(first, last))
        for start, end in unseen:
            self.runs.add(start, end - start)
            for block, count in blocks_between(start, end) if in_use else ():
                self.take_run(block, count)

    def unseen_memory(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The stretches of these frames that are memory and were not seen yet."""
        for start, row in self.seen.among(first, last):
            yield from self.within_memory(first, start)
            first = row.end
        yield from self.within_memory(first, last)

    def within_memory(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The stretches of these frames that are memory."""
        while (start := self.memory.next_in(first)) < last:
            first = min(self.memory.next_out(start), last)
            yield start, first

    def outside_memory(self, first: int, last: int) -> list[tuple[int, int]]:
        """The other stretches."""
        gaps: list[tuple[int, int]] = []
        for start, end in [*self.within_memory(first, last), (last, last)]:
            if first < start:
                gaps.append((first, start))
            first = end
        return gaps

    def add_memory(self, first: int, last: int) -> None:
        """Those of these frames that are not memory are from now on."""
        for start, end in self.outside_memory(first, last):
            self.memory.add(start, end)

    def stretches(self, first: int, last: int, free: bool) -> list[tuple[int, int]]:
        """The stretches of these frames that were seen, and are free, or are in use."""
        rows = self.seen.among(first, last)
        return [(max(start, first), min(row.end, last)) for start, row in rows if row.free == free]

    # What was given

    def run_of(self, frame: int) -> int | None:
        """The first frame of the block, given by one allocation, that this frame lies in."""
        starts = (frame >> order << order for order in range(self.frames.bit_length()))
        return next((start for start in starts if start + self.given_at(start) > frame), None)

    def halve_to(self, first: int, count: int) -> bool:
        """Halves what was given until these frames are a block of it; False if they lie in no larger one."""
        run = self.run_of(first)
        if run is None or first + count > run + self.blocks[run]:
            return False
        while count < (length := self.blocks[run]):
            half = length >> 1
            if given_runs.halve.broken(self.as_given(), first=run, half=half):
                return False
            self.blocks[run] = self.blocks[run + half] = half
            run += half if run + half <= first else 0
        return run == first

    def take_anyhow(self, first: int, count: int) -> None:
        """Takes what can be taken of a block that was handed out wrongly, which is given from now on."""
        last = first + count
        self.add_memory(first, last)
        self.turn_up(first, last, in_use=False)
        for start, end in self.stretches(first, last, free=True):
            self.runs.reserve(start, end - start)
        self.seen.join(first, last, free=False)
        self.blocks[first] = max(count, self.given_at(first))

    def free_anyhow(self, first: int, count: int) -> None:
        """Frees those of these frames that are in use; what is left of their blocks are blocks of their own."""
        last = first + count
        self.add_memory(first, last)
        self.turn_up(first, last, in_use=False)
        for start, end in self.stretches(first, last, free=False):
            self.divide(start, end)
            self.runs.free(start, end - start)
        self.seen.join(first, last, free=True)

    def divide(self, first: int, last: int) -> None:
        """What was given of these frames, all of them in use, is given no more."""
        run = self.run_of(first)
        while run is not None and run < last:
            end = run + self.blocks.pop(run)
            for start, stop in ((run, min(end, first)), (max(run, last), end)):
                self.blocks.update(blocks_between(start, stop))
            run = end if end < last and end in self.blocks else None
