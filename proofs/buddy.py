"""Proofs of the buddy system: of its law, of the code of `impl/buddy.py`, and of the spaces of all processes."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs import buddy_code, buddy_law, buddy_pages, buddy_spaces
from memoracle.proofs.obligations import Obligation

LAW = buddy_law.LAW


def obligations() -> Iterator[Obligation]:
    yield from buddy_law.LAWS
    yield from buddy_pages.MOVES
    yield from buddy_code.CODE
    yield from buddy_spaces.CODE
