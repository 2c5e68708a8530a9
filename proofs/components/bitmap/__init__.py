"""Proofs of the bitmap: of its law, and of the code of `impl/bitmap.py`."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.bitmap import code as bitmap_code
from memoracle.proofs.components.bitmap import law as bitmap_law
from memoracle.proofs.components.bitmap import rows, search
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation

LAW = bitmap_law.LAW


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(LAW)
    yield from bitmap_law.LAWS
    yield from bitmap_code.CODE
    yield from search.CODE
    yield from rows.CODE
