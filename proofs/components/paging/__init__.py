"""Proofs of paging: entries, what is mapped, and the tables that say so."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.paging import code as paging_code
from memoracle.proofs.components.paging import entries as pte
from memoracle.proofs.components.paging import exit as paging_exit
from memoracle.proofs.components.paging import law as paging_law
from memoracle.proofs.components.paging import queries as paging_answers
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation

LAW = paging_law.LAW


def obligations() -> Iterator[Obligation]:
    yield from pte.obligations()
    yield from law_obligations.obligations(LAW)
    yield from paging_law.THEOREMS
    yield from paging_code.THEOREMS
    yield from paging_code.CODE
    yield from paging_answers.CODE
    yield from paging_exit.exit_refines
