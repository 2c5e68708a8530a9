"""Proofs of the kernel half: of its law, and of the code of `impl/kernel_half.py`."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.kernel_half import code as kernel_half_code
from memoracle.proofs.components.kernel_half import law as kernel_half_law
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation

LAW = kernel_half_law.LAW


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(LAW)
    yield from kernel_half_law.THEOREMS
    yield from kernel_half_code.CODE
