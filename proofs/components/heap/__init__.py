"""Proofs of the heap: of its law, and of the code of `impl/heap.py` and `impl/slab.py`.

`law.py` proves the law, and `room.py` what a heap with an arena must serve. `symbolic_heap.py` is the reference with
stand-ins for its containers, which `models.py` has, and `unknown_heap.py` any such heap that satisfies `invariants.py`.
`code.py` and `getting.py` prove `new` and `delete`, with the claims of `claims.py`, and `resizing.py` proves `resize`;
`notes.py` proves the heap's notes, `slabs.py` a slab, `start.py` a new heap, `arena.py` an arena that pages come from.
The code divides addresses into pages and slots; `address_arithmetic.py` proves the lemmas that this needs with bit
vectors, and `places.py` says which of them the proofs of the code assume at which addresses.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.heap import arena as heap_arena
from memoracle.proofs.components.heap import code as heap_code
from memoracle.proofs.components.heap import law as heap_law
from memoracle.proofs.components.heap import notes as heap_notes
from memoracle.proofs.components.heap import resizing as heap_resizing
from memoracle.proofs.components.heap import room as heap_room
from memoracle.proofs.components.heap import slabs as heap_slabs
from memoracle.proofs.components.heap import start as heap_start
from memoracle.proofs.obligations.obligation import Computation, Obligation

LAW = heap_law.LAW


def obligations() -> Iterator[Obligation | Computation]:
    yield from heap_law.obligations()
    yield from heap_room.obligations()
    yield from heap_start.obligations()
    yield from heap_code.obligations()
    yield from heap_resizing.obligations()
    yield from heap_notes.obligations()
    yield from heap_slabs.obligations()
    yield from heap_arena.obligations()
