"""Proofs of the heap: its law, and that the code of `impl/heap.py` and `impl/slab.py` is the law's."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.heap import code as heap_code
from memoracle.proofs.components.heap import law as heap_law
from memoracle.proofs.components.heap import notes as heap_notes
from memoracle.proofs.components.heap import slabs as heap_slabs
from memoracle.proofs.components.heap import start as heap_start
from memoracle.proofs.obligations.obligation import Computation, Obligation

LAW = heap_law.LAW


def obligations() -> Iterator[Obligation | Computation]:
    yield from heap_law.obligations()
    yield from heap_start.obligations()
    yield from heap_code.obligations()
    yield from heap_notes.obligations()
    yield from heap_slabs.obligations()
