"""Proofs of runs: of their law, and of the code in the modules of `impl/` that make it up."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.components.runs import code as runs_code
from memoracle.proofs.components.runs import counting, given_runs, index_start, place_set, run_index, run_lists, zones
from memoracle.proofs.components.runs import law as runs_law
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation

LAW = runs_law.LAW


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(LAW)
    yield from runs_law.LAWS
    yield from given_runs.LAWS
    yield from run_lists.LAWS
    yield from run_index.CODE
    yield index_start.start_refines
    yield from place_set.CODE
    yield from runs_code.CODE
    yield from zones.CODE
    yield from counting.CODE
