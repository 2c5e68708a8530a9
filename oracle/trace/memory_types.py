"""The memory types by the names that they have in a trace."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from memoracle.spec import pat

CacheName: TypeAlias = Literal[
    "uncacheable", "write-combining", "write-through", "write-protected", "write-back", "uncached"
]
NUMBERS: Final[dict[CacheName, int]] = {
    "uncacheable": pat.UNCACHEABLE,
    "write-combining": pat.WRITE_COMBINING,
    "write-through": pat.WRITE_THROUGH,
    "write-protected": pat.WRITE_PROTECTED,
    "write-back": pat.WRITE_BACK,
    "uncached": pat.UNCACHED,  # UC-
}
NAMES: Final[dict[int, CacheName]] = {kind: name for name, kind in NUMBERS.items()}
