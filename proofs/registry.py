"""All components and their obligations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from memoracle.proofs.components import bitmap, boot, buddy, heap, kernel_half, manager, paging, pat, runs
from memoracle.proofs.components.manager import law as manager_law
from memoracle.proofs.counting import counts
from memoracle.proofs.exhaustive import computations as small_runs
from memoracle.proofs.exhaustive import hazards
from memoracle.proofs.obligations import law_obligations, vacuity
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.proofs.rules import computations as rules

PROOFS: dict[str, Callable[[], Iterable[Obligation | Computation]]] = {
    "bitmap": bitmap.obligations,
    "boot": boot.obligations,
    "buddy": buddy.obligations,
    "kernel_half": kernel_half.obligations,
    "pat": pat.obligations,
    "paging": paging.obligations,
    "heap": heap.obligations,
    "runs": runs.obligations,
    "manager": manager.obligations,
}
LAWS: dict[str, law_obligations.Law[Any]] = {
    law.component: law
    for law in (bitmap.LAW, buddy.LAW, kernel_half.LAW, paging.LAW, heap.LAW, runs.LAW, manager_law.LAW)
}


def _all_of(component: str) -> Callable[[], list[Obligation | Computation]]:
    def obligations() -> list[Obligation | Computation]:
        law: law_obligations.Law[Any] | None = LAWS.get(component)
        return [
            *PROOFS[component](),
            *(vacuity.load_bearing(law) if law else ()),
            *(replace(each, together=component) for each in small_runs.computations(component)),
            *counts.computations(component),
            *hazards.computations(component),
            *rules.computations(component),
        ]

    return obligations


COMPONENTS = {component: _all_of(component) for component in PROOFS}


def obligations(components: list[str]) -> list[Obligation | Computation]:
    """Those of the named components; of all, if none is named."""
    return [obligation for name in components or COMPONENTS for obligation in COMPONENTS[name]()]
