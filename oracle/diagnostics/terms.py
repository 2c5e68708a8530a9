"""What the law of runs says, in the words of those who record frames, blocks of frames or pages.

That law is about places, so that it holds of frames and of the pages of a range alike; whoever reads of a trace knows
one of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from memoracle.spec.clauses import Clause, Operation, part_of
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY, RUNS, SINGLE
from memoracle.trace import events


@dataclass(frozen=True)
class Terms:
    """What a place is called, several neighbouring ones that are handed out together, and where all of them lie."""

    place: str
    run: str
    reach: str

    def of(self, says: str) -> str:
        """A sentence of the law of runs in these terms."""
        if self.run == self.place:  # one is handed out at a time
            says = says.replace("all of the run", "the run").replace("run of so many free places", "free place")
        says = says.replace("the reach", self.reach)
        return re.sub(r"\b(place|run)(?=s?\b)", lambda word: self.named(word[0]), says, flags=re.IGNORECASE)

    def named(self, word: str) -> str:
        """What a word of the law is called, as large as it is written."""
        term: str = vars(self)[word.lower()]
        return term.capitalize() if word[0].isupper() else term


REACH_OF_FRAMES = "the bitmap's reach"
ONE_FRAME = Terms("frame", "frame", REACH_OF_FRAMES)
FRAMES = Terms("frame", "run", REACH_OF_FRAMES)
BLOCKS = Terms("frame", "block", REACH_OF_FRAMES)
PAGES = Terms("page", "run", "the range")
PAGES_OF_LOG = Terms("page", "block", "memory")  # of kmem logs, where frames are called pages


def terms_of(geometry: Geometry) -> Mapping[type, Terms]:
    """By the kind of an event, the terms of what the law of runs says of it; of no other kind it says anything."""
    terms = dict[type, Terms]()
    if geometry.has_runs_of_frames:
        given = {SINGLE: ONE_FRAME, RUNS: FRAMES, BUDDY: BLOCKS}[geometry.frame_allocator]
        terms |= {
            events.FrameAllocate: given,
            events.FrameReserve: FRAMES,
            events.FrameFree: given if geometry.frees_whole_runs else FRAMES,
            events.FrameFreeCount: FRAMES,
        }
    if geometry.range_allocator == RUNS:
        of_ranges = (events.RangeAllocate, events.RangeReserve, events.RangeFree, events.RangeSize, events.RangeList)
        of_kernel_pages = (events.KernelPagesAllocate, events.KernelPagesFree)
        terms |= dict.fromkeys((*of_ranges, *of_kernel_pages), PAGES)
    return terms


def reported(of: Clause | Operation) -> list[str]:
    """The words of traces for what stands in the law of runs; of what stands elsewhere there are none."""
    text = of.holds if isinstance(of, Clause) else of.effect
    if part_of(text) != RUNS:
        return []
    return list(dict.fromkeys(terms.of(of.says) for terms in (FRAMES, BLOCKS, PAGES)))
