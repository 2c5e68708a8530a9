"""What kernel pages hold as far as a trace tells, in the words of the law (see manager)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from memoracle.spec.manager import GIVEN


@dataclass(frozen=True)
class Holdings:
    """As much of the law's state as a rule asks for; the rest is as if there were no kernel pages."""

    use: Callable[[int], int] = lambda frame: GIVEN
    kernel_start: int = 0
    page_shift: int = 0
    uses: Callable[[int], int] = lambda physical: 0
    gets: Callable[[int], int] = lambda frame: 0
    exists: Callable[[int], bool] = lambda frame: True
    is_free: Callable[[int], bool] = lambda frame: False
    free_frames: int = 0
    block_at: Callable[[int], int] = lambda first: 0
    pages_at: Callable[[int], int] = lambda first: 0
    block_of: Callable[[int, int], int] = lambda process, page: -1
