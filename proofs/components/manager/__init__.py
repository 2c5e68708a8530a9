"""Proofs of the whole."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.manager.code import CODE
from memoracle.proofs.components.manager.kernel_pages import PAGES
from memoracle.proofs.components.manager.law import LAW
from memoracle.proofs.components.manager.loops import CODE as LOOPS
from memoracle.proofs.components.manager.start import starts_refines
from memoracle.proofs.components.manager.theorems import THEOREMS
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(LAW)
    yield from THEOREMS
    yield from PAGES
    yield starts_refines
    yield from CODE
    yield from LOOPS
