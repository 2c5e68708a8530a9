"""Proofs of the heap: its law, and that the code of `impl/heap.py` and `impl/slab.py` is the law's."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs import heap_code, heap_law, heap_notes
from memoracle.proofs.obligations import Obligation

LAW = heap_law.LAW


def obligations() -> Iterator[Obligation]:
    yield from heap_law.obligations()
    yield from heap_code.obligations()
    yield from heap_notes.obligations()
