"""Proofs of the buddy system: of its law, of the code of `impl/buddy.py`, and of the spaces of all processes.

`law.py` proves the law one step at a time (one split, one merge), and `page_moves.py` which pages each step and each
operation moves. `coalescing.py` proves that no run of free pages is divided. `symbolic_buddy.py` is the reference with
unknown contents, on which `code.py` and `listing.py` run the code; `adding.py` is about pages that turn up. `start.py`
constructs one of each size, and `spaces.py` proves the class that keeps one for each process.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.buddy import adding as buddy_adding
from memoracle.proofs.components.buddy import coalescing as buddy_coalescing
from memoracle.proofs.components.buddy import code as buddy_code
from memoracle.proofs.components.buddy import law as buddy_law
from memoracle.proofs.components.buddy import listing as buddy_listing
from memoracle.proofs.components.buddy import page_moves as buddy_pages
from memoracle.proofs.components.buddy import spaces as buddy_spaces
from memoracle.proofs.components.buddy import start as buddy_start
from memoracle.proofs.obligations import shift_laws
from memoracle.proofs.obligations.obligation import Obligation

LAW = buddy_law.LAW


def obligations() -> Iterator[Obligation]:
    yield from buddy_law.LAWS
    yield from shift_laws.obligations(buddy_law.proved)
    yield from buddy_pages.MOVES
    yield from buddy_coalescing.RUNS
    yield from buddy_code.CODE
    yield from buddy_adding.CODE
    yield from buddy_listing.CODE
    yield from buddy_start.CODE
    yield from buddy_spaces.CODE
