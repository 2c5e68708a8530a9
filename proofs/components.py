"""All components and their obligations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from memoracle.proofs import bitmap, boot, buddy, kernel_half
from memoracle.proofs.obligations import Computation, Obligation

COMPONENTS: dict[str, Callable[[], Iterator[Obligation | Computation]]] = {
    "bitmap": bitmap.obligations,
    "buddy": buddy.obligations,
    "boot": boot.obligations,
    "kernel_half": kernel_half.obligations,
}


def obligations(components: list[str]) -> list[Obligation | Computation]:
    """Those of the named components; of all, if none is named."""
    return [obligation for name in components or COMPONENTS for obligation in COMPONENTS[name]()]
