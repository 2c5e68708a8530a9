"""Proofs of the memory map: of its law, and of the code of `impl/boot.py`."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.boot import cuts, records, start, usable_pages
from memoracle.proofs.components.boot import law as boot_law
from memoracle.proofs.obligations import shift_laws
from memoracle.proofs.obligations.obligation import Computation, Obligation


def obligations() -> Iterator[Obligation | Computation]:
    yield from boot_law.BY_RULE
    yield from shift_laws.obligations(boot_law.proved)
    for part in (cuts, records, usable_pages, start):
        yield from part.CODE
    yield from boot_law.NEEDED
