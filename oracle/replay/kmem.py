"""Replays the page events of a Linux `kmem` log, at the level `safe`.

Such a log starts mid-run: a page that it has not told of yet may be free or allocated. A block may be freed in parts,
but never together with what lies beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sortedcontainers import SortedDict

from memoracle.console.counted import counted
from memoracle.diagnostics.divergence import REFUSAL, Divergence, Finding
from memoracle.spec import bitmap as law
from memoracle.spec.buddy import block_is_aligned, block_is_allocated
from memoracle.spec.clauses import Clause, Operation
from memoracle.trace.kmem import KmemEvent, KmemLog
from memoracle.trace.kmem_lines import ALLOC

LARGEST = 1 << 52  # page numbers of 64-bit addresses are below this


class Pages(NamedTuple):
    """Pages in a row, up to but not including `end`, and the line that last allocated or freed them, with its order."""

    end: int
    live: bool
    line: int
    order: int


class KmemReplay:
    """The pages of one log: those it has spoken of, by the first of each row.

    events: how many were read.
    """

    def __init__(self, path: str) -> None:
        """path is for messages."""
        self.path = path
        self.events = 0
        self.known = SortedDict()

    def divergences(self, log: KmemLog) -> Iterator[Divergence]:
        """The divergences of a log's events; raises InputError."""
        gaps = 0
        for event in log:
            self.events += 1
            if log.lost + log.restarts > gaps:  # whatever happened meanwhile, nothing is known any more
                gaps = log.lost + log.restarts
                self.known.clear()
            if event.failed:
                continue
            finding = self.replay(event)
            if finding is not None:
                op = f"mm_page_{event.kind}"
                yield Divergence(self.path, event.line, {"op": op, "pfn": event.pfn, "order": event.order}, finding)

    def replay(self, event: KmemEvent) -> Finding | None:
        first, end = event.pfn, event.pfn + (1 << event.order)
        allocates = event.kind == ALLOC
        # The law refuses to allocate what is live, and to free what is free.
        conflict = next(((start, row) for start, row in self.rows(first, end) if row.live == allocates), None)
        smaller = (
            None if allocates else next((each for each in self.rows(first, end) if each[1].order < event.order), None)
        )
        before = self.around(first, end)
        self.cut(first, end)
        self.known[first] = Pages(end, allocates, event.line, event.order)
        pages = counted(1 << event.order, "page")
        legal = f"{pages} of which none is allocated, at a multiple of as many, or a failure" if allocates else REFUSAL

        def broken(rule: Clause, message: str) -> Finding:
            return Finding(rule.name, rule.says, message, legal, before, self.around(first, end))

        if not block_is_aligned(None, first, event.order):
            message = f"a block of {pages} at page {first:#x}, which is not a multiple of as many"
            return broken(block_is_aligned, message)
        if conflict is None:
            if smaller is None:
                return None
            start, row = smaller
            page = max(start, first)
            owned = f"page {page:#x} is of a block of {counted(1 << row.order, 'page')} (by line {row.line})"
            return broken(block_is_allocated, f"a block of {pages} at page {first:#x}, of which {owned}")
        start, row = conflict
        page = max(start, first)
        operation: Operation = law.allocate if allocates else law.free
        clause = operation.broken(self.as_frames(row.live), frame=page)
        if clause is None:
            raise AssertionError("the pages and the law disagree")
        message = f"page {page:#x} is already {'allocated' if allocates else 'free'} (by line {row.line})"
        return broken(clause, message)

    def as_frames(self, live: bool) -> law.Frames:
        """The state of the law in which a page is live, or is free."""
        return law.Frames(
            reach=LARGEST,
            count=0,
            never_free=lambda frame: False,
            exists=lambda frame: True,
            is_free=lambda frame: not live,
            in_use=lambda frame: live,
            free_below=lambda frame: 0,
        )

    def rows(self, first: int, end: int) -> Iterator[tuple[int, Pages]]:
        """The rows that share a page with these pages, in order."""
        place = max(self.known.bisect_right(first) - 1, 0)
        for start in self.known.islice(place):
            row: Pages = self.known[start]
            if start >= end:
                return
            if row.end > first:
                yield start, row

    def cut(self, first: int, end: int) -> None:
        """Forgets these pages, but not what lies beside them in the same row."""
        for start, row in list(self.rows(first, end)):
            del self.known[start]
            if start < first:
                self.known[start] = row._replace(end=first)
            if end < row.end:
                self.known[end] = row

    def around(self, first: int, end: int) -> dict[str, Any]:
        rows = [
            {"pfn": start, "pages": row.end - start, "allocated": row.live, "line": row.line}
            for start, row in self.rows(first, end)
        ]
        return {"rows": rows}
