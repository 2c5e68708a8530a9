"""Proofs of the manager: of its law, of what follows from it, and of the code of `impl/manager.py`.

The code runs on stand-ins for the components that it calls (`component_models.py`, `range_models.py`), which do what
these components' laws say. `code.py` proves its methods but those that have loops; these are in `loops.py`, with the
states that many steps of the law lead to (`repeated_steps.py`). `start.py` proves its constructor. `law.py`,
`theorems.py` and `kernel_pages.py` prove the law.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.manager.code import CODE
from memoracle.proofs.components.manager.kernel_pages import PAGES
from memoracle.proofs.components.manager.law import LAW
from memoracle.proofs.components.manager.loops import CODE as LOOPS
from memoracle.proofs.components.manager.start import machine_defaults, starts_refines
from memoracle.proofs.components.manager.theorems import THEOREMS
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(LAW)
    yield from THEOREMS
    yield from PAGES
    yield machine_defaults
    yield starts_refines
    yield from CODE
    yield from LOOPS
