"""Within which limits a run of pages is asked for."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import UNSET

from memoracle.spec.boot import TOP
from memoracle.trace import events
from memoracle.trace.numbers import number


class RunLimits(NamedTuple):
    """What a request names, in bytes: the last is 2^64 where none is named."""

    alignment: int = 1
    lowest: int = 0
    below: int = TOP

    @property
    def words(self) -> str:
        """Which runs may be given; nothing if all may."""
        named = (
            f" at a multiple of {self.alignment:#x}" if self.alignment != 1 else "",
            f" from {self.lowest:#x} on" if self.lowest else "",
            f" below {self.below:#x}" if self.below < TOP else "",
        )
        return "".join(named)


NONE = RunLimits()


def limits_of(event: events.RangeAllocate) -> RunLimits:
    """Raises BadNumber."""
    alignment = 1 if event.alignment is UNSET else number(event.alignment)
    lowest = 0 if event.from_ is UNSET else max(number(event.from_), 0)
    below = TOP if event.below is UNSET else min(max(number(event.below), 0), TOP)
    return RunLimits(alignment, lowest, below)
