"""Operations of eight threads that overlap, decided a second; the peer is a check of the same events in one order."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random

from benchmarks.speed import agree
from benchmarks.workloads import BLOCKS, FRAMES, RANGES, Workload
from memoracle import check

PROCESSORS = 8
STEP = 10  # of the clock, between the moments at which two operations take effect
LONGEST = PROCESSORS * STEP  # that one is under way before that moment, or after it
WORKLOADS = (Workload(FRAMES, 11, scattered=True), Workload(BLOCKS, 11), Workload(RANGES, 11))


@dataclass(frozen=True)
class OverlappingSpeeds:
    """Operations a second."""

    name: str
    overlapping: float
    in_order: float


def overlapping_speeds(events: int) -> Iterator[OverlappingSpeeds]:
    for workload in WORKLOADS:
        lines = list(islice(workload.lines(events), events))
        rates = (rate(workload, each) for each in (overlapping(lines), lines))
        yield OverlappingSpeeds(workload.name, *rates)


def rate(workload: Workload, lines: Sequence[bytes]) -> float:
    began = time.perf_counter()
    found = check([workload.header(), *lines])
    seconds = time.perf_counter() - began
    agree(workload, int(found.verdict != "conforms"))
    return len(lines) / seconds


def overlapping(lines: Sequence[bytes]) -> list[bytes]:
    """The same events, each of some processor, and under way around the moment at which it took effect."""
    chance = Random(PROCESSORS)
    made_by = [cpu for _ in range(-(-len(lines) // PROCESSORS)) for cpu in chance.sample(range(PROCESSORS), PROCESSORS)]
    following = {cpu: len(lines) * STEP + LONGEST for cpu in range(PROCESSORS)}
    ends = []
    for place in reversed(range(len(lines))):
        moment, cpu = place * STEP, made_by[place]
        ends.append(min(following[cpu], moment + chance.randint(0, LONGEST)))
        following[cpu] = moment
    ends.reverse()
    returned, found = [0] * PROCESSORS, []
    for place, line in enumerate(lines):
        cpu = made_by[place]
        call = max(returned[cpu], place * STEP - chance.randint(0, LONGEST))
        returned[cpu] = ends[place]
        found.append(line.rstrip()[:-1] + b',"_cpu":%d,"_call":%d,"_return":%d}\n' % (cpu, call, ends[place]))
    return found
