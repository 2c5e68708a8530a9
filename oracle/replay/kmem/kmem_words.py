"""What is said of a block of pages that a kmem log shows handed out, or given back, against the law."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

from memoracle.console.counted import counted
from memoracle.diagnostics.divergence import REFUSAL
from memoracle.replay.kmem.seen_frames import SeenFrames
from memoracle.spec import given_runs
from memoracle.spec import runs as law
from memoracle.spec.clauses import Clause
from memoracle.trace.kmem import KmemEvent
from memoracle.trace.kmem_lines import ALLOC

MOST_ROWS = 64  # that a finding has


@dataclass(frozen=True)
class KmemWords:
    """frames: those of one log.  has_map: whether it is known which are memory."""

    frames: SeenFrames
    has_map: bool

    def why_not(self, clause: Clause, first: int, count: int) -> str:
        """What was seen where a clause refuses a block."""
        block = f"a block of {counted(count, 'page')} at page {first:#x}"
        if clause is law.run_is_aligned:
            return f"{block}, which is not a multiple of as many"
        if clause is given_runs.frees_a_whole_run:
            return f"{block}, of which {self.other_block(first, first + count)}"
        seen, last = self.frames.seen, first + count
        if clause is law.frees_only_allocated:
            page = next(start for start, _ in self.frames.stretches(first, last, free=True))
            return f"page {page:#x} is already free{self.since(page)}"
        page = seen.end(first, None if clause is law.frees_only_existing else True)
        if not seen.are(page, page + 1):
            return f"page {page:#x} is not usable memory, by the memory map"
        return f"page {page:#x} is already allocated{self.since(page)}"

    def since(self, page: int) -> str:
        _, row = next(self.frames.seen.among(page, page + 1))
        return f" (by line {row.line})"

    def other_block(self, first: int, last: int) -> str:
        """A page of these, and the block that it is of: one that the log has shown before."""
        seen = self.frames.seen
        rows = seen.among(first, last)
        page, line = next((max(start, first), row.line) for start, row in rows if row.line != seen.line)
        run = self.frames.run_of(page)
        pages = counted(self.frames.given_at(page if run is None else run), "page")
        return f"page {page:#x} is of a block of {pages} (by line {line})"

    def legal(self, event: KmemEvent) -> str:
        """What would have been right."""
        if event.kind != ALLOC:
            return REFUSAL
        memory = " of usable memory" if self.has_map else ""
        if event.order == 0:
            return f"a page{memory} that is not allocated, or a failure"
        pages = 1 << event.order
        return f"{pages:,} pages{memory}, none of them allocated, the first at a multiple of {pages:,}; or a failure"

    def before(self, first: int, last: int) -> dict[str, Any]:
        """What was known of these pages before the line that is read."""
        return self.around(first, last, self.frames.seen.line)

    def around(self, first: int, last: int, but: int | None = None) -> dict[str, Any]:
        """What is known of these pages, in rows; but: the line of which nothing is said."""
        rows: list[dict[str, Any]] = [
            {"pfn": start, "pages": row.end - start, "allocated": not row.free, "line": row.line}
            for start, row in self.frames.seen.among(first, last)
            if row.line != but
        ]
        missing = [
            {"pfn": start, "pages": end - start, "exists": False}
            for start, end in self.frames.outside_memory(first, last)
        ]
        return {"rows": list(islice(sorted(rows + missing, key=lambda row: int(row["pfn"])), MOST_ROWS))}
