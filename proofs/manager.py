"""Proofs of the whole."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs import laws
from memoracle.proofs.manager_code import CODE
from memoracle.proofs.manager_law import LAW, THEOREMS
from memoracle.proofs.manager_loops import CODE as LOOPS
from memoracle.proofs.manager_pages import PAGES
from memoracle.proofs.manager_start import starts_refines
from memoracle.proofs.obligations import Obligation


def obligations() -> Iterator[Obligation]:
    yield from laws.obligations(LAW)
    yield from THEOREMS
    yield from PAGES
    yield starts_refines
    yield from CODE
    yield from LOOPS
