"""Replays the events of a Linux `kmem` log: blocks of pages, by the law of runs of frames; of objects see `slab.py`.

A log that starts mid-run is checked at the level `safe`, whatever memory the machine has. One that begins with the
machine comes with its memory map: pages outside of it are never handed out. At `legal` none is given back either; at
`safe` it may be memory that turned up later, as no event of the log says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from memoracle.diagnostics.divergence import Divergence, Finding, broken
from memoracle.diagnostics.levels import SAFE
from memoracle.diagnostics.terms import PAGES_OF_LOG
from memoracle.impl.boot import Record, usable_pages
from memoracle.replay.common.owed_frees import OwedFrees
from memoracle.replay.containers.place_map import Spans
from memoracle.replay.kmem.kmem_words import KmemWords
from memoracle.replay.kmem.seen_frames import SeenFrames
from memoracle.replay.kmem.slab import SlabReplay
from memoracle.spec import runs as law
from memoracle.spec.clauses import Clause
from memoracle.trace.kmem import PFN_BITS, KmemEvent, KmemLog
from memoracle.trace.kmem_lines import ALLOC
from memoracle.trace.slab_events import SlabEvent

LARGEST = 1 << PFN_BITS  # page numbers of 64-bit addresses are below this
PAGE_SHIFT = 12  # of the page that a kmem log counts in, where a memory map says how many there are
MOST_OWED = 1 << 10  # pages of which a fault is remembered, so that what follows from it is not named, too


class KmemReplay:
    """The pages and objects of one log.

    events: how many were read.  slab: the objects.  owed: of pages that were handed out although they were in use,
    the frees that follow.
    """

    def __init__(self, path: str, records: Sequence[Record] | None = None, level: str = SAFE) -> None:
        """path is for messages. records: the memory map, if the log begins with the machine."""
        self.path = path
        self.has_map = records is not None
        self.memory_turns_up = level == SAFE
        self.events = 0
        self.slab = SlabReplay(path)
        self.memory = Spans(LARGEST)
        for first, last in [(0, LARGEST)] if records is None else usable_pages(records, PAGE_SHIFT):
            self.memory.add(first, last)
        self.forget()

    def forget(self) -> None:
        """Of no page and no object it is known any more whether it is free."""
        self.slab.forget()
        self.frames = SeenFrames(self.memory)
        self.words = KmemWords(self.frames, self.has_map)
        self.owed: OwedFrees[int] = OwedFrees()

    def divergences(self, log: KmemLog) -> Iterator[Divergence]:
        """The divergences of a log's events; raises InputError."""
        gaps = 0
        for event in log:
            self.events += 1
            if log.lost + log.restarts > gaps:  # whatever happened meanwhile, nothing is known any more
                gaps = log.lost + log.restarts
                self.forget()
            if isinstance(event, SlabEvent):
                yield from self.slab.divergences(event)
                continue
            if event.failed:
                continue
            finding = self.replay(event)
            if finding is not None:
                yield Divergence(self.path, event.line, event.told, finding)
        yield from self.slab.end()

    def end(self) -> None:
        """Nothing more is replayed: what is large goes at once."""
        self.slab.let_go()

    def replay(self, event: KmemEvent) -> Finding | None:
        frames, first, count = self.frames, event.pfn, 1 << event.order
        frames.seen.line = event.line
        if event.kind == ALLOC:
            taken = not first & count - 1 and (frames.take_run(first, count) or self.take_unseen(first, count))
            return None if taken else self.handed_out_wrongly(event)
        if frames.free_run(first, count) or self.free_unseen(first, count):
            return None
        return self.freed_wrongly(event)

    def take_unseen(self, first: int, count: int) -> bool:
        """Whether a block may be given since pages of it that were not seen yet were free."""
        frames = self.frames
        if frames.are_seen(first, first + count):
            return False
        frames.turn_up(first, first + count, in_use=False)
        return frames.take_run(first, count)

    def free_unseen(self, first: int, count: int) -> bool:
        """Whether a block may be given back since it was not seen yet, and was in use, or is part of a larger one."""
        frames = self.frames
        if frames.are_seen(first, first + count):
            return frames.halve_to(first, count) and frames.free_run(first, count)
        if self.memory_turns_up:
            frames.add_memory(first, first + count)
        frames.turn_up(first, first + count, in_use=True)
        return frames.free_run(first, count)

    def handed_out_wrongly(self, event: KmemEvent) -> Finding:
        frames, first, count = self.frames, event.pfn, 1 << event.order
        frames.turn_up(first, first + count, in_use=False)
        frames.seen.below = first + count
        clause = broken(frames.refuses_to_give(first, count, count, 0, frames.frames))
        message, before = self.words.why_not(clause, first, count), self.words.before(first, first + count)
        in_use = frames.stretches(first, first + count, free=False)
        for page in islice(chain.from_iterable(range(start, end) for start, end in in_use), MOST_OWED):
            self.owed.add(page)
        frames.take_anyhow(first, count)
        return self.finding(event, clause, message, before)

    def freed_wrongly(self, event: KmemEvent) -> Finding | None:
        frames, first, count = self.frames, event.pfn, 1 << event.order
        frames.seen.below = first + count
        clause = broken(self.refuses_to_free(first, count))
        message, before = self.words.why_not(clause, first, count), self.words.before(first, first + count)
        explained = clause is law.frees_only_allocated and self.settles(
            frames.stretches(first, first + count, free=True)
        )
        frames.free_anyhow(first, count)
        return None if explained else self.finding(event, clause, message, before)

    def refuses_to_free(self, first: int, count: int) -> Clause | None:
        """The clause that keeps a block from being given back; of one that must have been handed out as it is, too."""
        refused = self.frames.refuses_to_free(first, count)
        if refused is None and not law.run_is_aligned(None, count, first):
            return law.run_is_aligned
        return refused or self.frames.refuses_a_part(first, count)

    def settles(self, stretches: list[tuple[int, int]]) -> bool:
        """Whether frees of all these pages follow from faults that were named; from now on they have been made."""
        if sum(end - start for start, end in stretches) > len(self.owed):
            return False
        pages = [page for start, end in stretches for page in range(start, end)]
        if not all(page in self.owed for page in pages):
            return False
        for page in pages:
            self.owed.settle(page)
        return True

    def finding(self, event: KmemEvent, clause: Clause, message: str, before: dict[str, object]) -> Finding:
        after = self.words.around(event.pfn, event.pfn + (1 << event.order))
        return Finding(clause.name, PAGES_OF_LOG.of(clause.says), message, self.words.legal(event), before, after)
