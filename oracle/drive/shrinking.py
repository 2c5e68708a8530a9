"""The shortest sequence that still fails, as far as leaving calls out finds it (delta debugging, Zeller 2002)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from memoracle.drive.requests import Request, with_fixed_addresses, without

Fails = Callable[[Sequence[Request]], bool]


def shortest(requests: Sequence[Request], fails: Fails, seconds: float) -> list[Request]:
    """Leaves out ever smaller stretches, from the end on, each with what depends on it, while it still fails.

    seconds: after so many it is content with what it has.
    """
    until = time.monotonic() + seconds
    fixed = with_fixed_addresses(requests)
    kept = fixed if fails(fixed) else list(requests)
    size = len(kept) // 2
    while size and time.monotonic() < until:
        end, smaller = len(kept), False
        while end > 0 and time.monotonic() < until:
            start = max(0, end - size)
            candidate = without(kept, set(range(start, end)))
            if len(candidate) < len(kept) and fails(candidate):
                kept, smaller = candidate, True
            end = min(start, len(kept))
        if size > 1 or not smaller:
            size //= 2
    return kept
