"""The memory types (see pat) by the names that they have in a trace."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

CacheName: TypeAlias = Literal[
    "uncacheable", "write-combining", "write-through", "write-protected", "write-back", "uncached"
]
NUMBERS: Final[dict[CacheName, int]] = {
    "uncacheable": 0,
    "write-combining": 1,
    "write-through": 4,
    "write-protected": 5,
    "write-back": 6,
    "uncached": 7,  # UC-
}
NAMES: Final[dict[int, CacheName]] = {kind: name for name, kind in NUMBERS.items()}
