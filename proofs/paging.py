"""Proofs of paging: entries, what is mapped, and the tables that say so."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs import laws, paging_answers, paging_code, paging_exit, paging_law, pte
from memoracle.proofs.obligations import Obligation

LAW = paging_law.LAW


def obligations() -> Iterator[Obligation]:
    yield from pte.obligations()
    yield from laws.obligations(LAW)
    yield from paging_law.THEOREMS
    yield from paging_code.THEOREMS
    yield from paging_code.CODE
    yield from paging_answers.CODE
    yield from paging_exit.exit_refines
