"""What `check` is meant to reach, and what of it was reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.speed import Speeds
from benchmarks.workloads import FRAMES, RANGES, Workload
from memoracle.diagnostics.levels import LEGAL

MB = 10**6
# Events a second of one core, at level legal.
SPEED = {
    Workload(FRAMES, 11): 1_500_000,
    Workload(FRAMES, 20): 1_000_000,
    Workload(RANGES, 11): 1_500_000,
    Workload(RANGES, 20): 1_000_000,
}
# Bytes at the peak, while so many events come from a pipe.
MEMORY = {Workload(FRAMES, 20): 100 * MB, Workload(FRAMES, 26, scattered=True): 200 * MB}
PIPED = 10_000_000


@dataclass(frozen=True)
class Reached:
    """What was asked for, and reached: in words. why: what it is made of, where it was not met."""

    what: str
    target: str
    reached: str
    met: str
    why: str | None = None


def speed_reached(measured: Iterable[Speeds]) -> Iterator[Reached]:
    for found in measured:
        target = SPEED.get(found.workload)
        if target is None or found.level != LEGAL:
            continue
        compiled = found.compiled or 0
        met = "yes" if found.check >= target else "compiled" if compiled >= target else "no"
        told = f"{found.check:,.0f}" + (f"; {compiled:,.0f} compiled" if compiled else "")
        why = why_missed(found, max(found.check, compiled)) if met == "no" else None
        yield Reached(f"{found.workload.name}, events a second", f"{target:,}", told, met, why)


def why_missed(found: Speeds, reached: float) -> str:
    event, decoding, plain = (f"{1e9 / rate:,.0f}" for rate in (reached, found.decoding, found.plain))
    return (
        f"{found.workload.name}: an event takes {event} ns. To decode its line takes {decoding}, where what is "
        f"known of the line does not say the same. A plain model, which says no more than that something is wrong, "
        f"takes {plain} with decoding. What is more goes to the reference, whose code is proved, and to remembering "
        "what explains a fault."
    )


def memory_reached(peaks: Mapping[Workload, int], events: int) -> Iterator[Reached]:
    for workload, target in MEMORY.items():
        peak = peaks[workload]
        met = "no" if peak > target else "yes" if events >= PIPED else f"with {events:,} events"
        yield Reached(f"{workload.name}, MB", f"{target // MB:,}", f"{peak / MB:,.0f}", met)
