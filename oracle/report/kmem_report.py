"""What is said of the lines of a kmem log that are no allocations or frees of pages."""

from __future__ import annotations

from collections import Counter

from memoracle.console.counted import counted
from memoracle.trace.kmem import KmemLog

MOST_NAMES = 6  # that a warning lists


def passed_over(log: KmemLog) -> list[str]:
    """What was passed over, in words."""
    said = []
    if log.slab:
        said.append(f"{counted_by_name(log.slab)} of the slab allocator, not judged")
    if log.others:
        said.append(f"{counted_by_name(log.others)} of other kinds")
    if log.no_events:
        said.append(f"{counted(log.no_events, 'line')} without an event")
    return [f"passed over {words}" for words in said]


def counted_by_name(events: Counter[str]) -> str:
    """How many events there were, and of which names: the most frequent ones."""
    names = [f"{count:,} {name}" for name, count in events.most_common(MOST_NAMES)]
    names += ["..."] * (len(events) > MOST_NAMES)
    return f"{counted(events.total(), 'event')} ({', '.join(names)})"
