"""Proofs of paging: of entries, of what is mapped, and of the page tables that map it.

`entries.py` proves single entries, and `law.py` the law of what is mapped. `symbolic_tables.py` is the reference on
unknown page tables, with the stand-ins of `models.py`; `claims.py` says what a call must leave of these. `code.py`
proves the methods that change tables, `exit.py` the exit of a process, `queries.py` the methods that change nothing,
and `given_tables.py` that only empty tables are given back.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.paging import code as paging_code
from memoracle.proofs.components.paging import entries as pte
from memoracle.proofs.components.paging import exit as paging_exit
from memoracle.proofs.components.paging import given_tables
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
    yield from given_tables.GIVEN_BACK
    yield from paging_code.CODE
    yield from paging_answers.CODE
    yield from paging_exit.exit_refines
