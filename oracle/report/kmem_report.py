"""What is said of a kmem log besides its divergences: what was passed over in it, and what it does not tell."""

from __future__ import annotations

from collections import Counter

from memoracle.console.counted import agreeing, counted
from memoracle.replay.kmem.objects import FREES
from memoracle.replay.kmem.slab import SlabReplay
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


def gaps(log: KmemLog) -> list[str]:
    """Where what was known before is forgotten, in words."""
    said = []
    if log.lost:
        lines = f"{counted(log.lost, 'line')} {agreeing(log.lost, 'says', 'say')}"
        said.append(f"{lines} that events were lost; what was known before each is forgotten")
    if log.restarts:
        said.append(f"{counted(log.restarts, 'time')} another log begins; what was known before is forgotten")
    return said


def not_told(slab: SlabReplay) -> list[str]:
    """What a log does not tell of objects, in words."""
    said = []
    if slab.hashed:
        words = "neither where objects lie nor how they are aligned is judged"
        said.append(
            f"{counted(slab.hashed, 'pointer')} of objects {agreeing(slab.hashed, 'is a hash', 'are hashes')}: {words}"
        )
    if slab.withheld:
        words = "what was known of objects before each is forgotten"
        said.append(
            f"{counted(slab.withheld, 'event')} of objects {agreeing(slab.withheld, 'has', 'have')} no pointer: {words}"
        )
    for event, findings in slab.premises.dropped.items():  # of allocations or of frees
        if event in slab.premises.shown:
            said.append(
                f"{counted(findings, 'finding')} before the first {event} {agreeing(findings, 'is', 'are')} left out"
            )
            continue
        unseen, done = ("freed", "handed out") if event == FREES else ("handed out", "freed")
        words = f"no {event} is recorded, so objects may be {unseen} unseen"
        said.append(f"{words}; that some were {done} twice is no fault ({findings:,})")
    return said


def counted_by_name(events: Counter[str]) -> str:
    """How many events there were, and of which names: the most frequent ones."""
    names = [f"{count:,} {name}" for name, count in events.most_common(MOST_NAMES)]
    names += ["..."] * (len(events) > MOST_NAMES)
    return f"{counted(events.total(), 'event')} ({', '.join(names)})"
