"""What a component's proof costs as the largest size that it speaks of grows; and the peer, which tries every state.

A proof is about every size up to the largest, and tries none: only the bits of its unknown numbers become more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import ModuleType
from unittest.mock import patch

from memoracle.proofs import bitmap, buddy_code, buddy_law, buddy_spaces, components
from memoracle.proofs.buddy_census import census
from memoracle.proofs.counts import bitmap_run
from memoracle.proofs.hazards import DOMAIN
from memoracle.proofs.law_runs import Variant, reached
from memoracle.proofs.obligations import Obligation
from memoracle.proofs.runner import discharge
from memoracle.spec import kernel_half

BITS = (4, 13, 26, 52)


class NotProvedError(AssertionError):
    """An obligation that holds of every size was not proved of a smaller one."""


@dataclass(frozen=True)
class Growth:
    """One component's proofs.

    of: what their size is.  obligations: which are measured, by the beginning of their names.  bound: where the largest
    size stands.  largest: those that are set; none if the proofs have none.  states: the peer, which returns how many
    states there are of one size.  tried: its sizes.
    """

    component: str
    of: str
    obligations: tuple[str, ...]
    bound: Sequence[tuple[ModuleType, str]]
    largest: Sequence[int]
    states: Callable[[int], int]
    tried: Sequence[int]


@dataclass(frozen=True)
class Cost:
    """rlimit: the solver's own count of what it did.  states: those tried. Each is None where there is none."""

    size: str
    seconds: float
    rlimit: int | None = None
    states: int | None = None


def half_states(processes: int) -> int:
    """The states of the kernel half that so many processes reach, with one entry of two values."""
    named = ("process", "other", "anyone")
    domain = replace(DOMAIN, points={**DOMAIN.points, **dict.fromkeys(named, range(processes))})
    run = Variant(kernel_half.blank(), kernel_half.OPERATIONS, kernel_half.INVARIANTS, domain)
    return sum(1 for _ in reached(run))


GROWTHS = (
    Growth(
        "buddy",
        "depth",
        ("buddy.split.", "buddy.merge."),
        [(module, "DEEPEST") for module in (buddy_law, buddy_code, buddy_spaces)],
        BITS,
        lambda depth: census(depth).states,
        (1, 2, 3),
    ),
    Growth(
        "bitmap",
        "frames",
        ("bitmap.allocate.keeps-", "bitmap.free.keeps-"),
        [(bitmap, "MOST_FRAMES")],
        [1 << bits for bits in BITS],
        lambda frames: bitmap_run(frames)[0],
        (4, 8, 12),
    ),
    Growth(
        "kernel_half",
        "processes",
        ("kernel_half.create.", "kernel_half.copy-to-one."),
        [],
        [],
        half_states,
        (1, 2, 3, 4),
    ),
)


def costs(growth: Growth) -> Iterator[Cost]:
    """Of the proofs for each largest size, then of the peer for each of its sizes; raises NotProvedError."""
    for size in growth.largest:
        with ExitStack() as bounds:
            for module, name in growth.bound:
                bounds.enter_context(patch.object(module, name, size))
            yield proved(growth, f"any up to {size:,}")
    if not growth.largest:
        yield proved(growth, "any")
    for size in growth.tried:
        started = time.perf_counter()
        states = growth.states(size)
        yield Cost(f"{size:,}", time.perf_counter() - started, states=states)


def proved(growth: Growth, size: str) -> Cost:
    """What the obligations cost where nothing is remembered of earlier proofs."""
    started, rlimit = time.perf_counter(), 0
    for obligation in components.obligations([growth.component]):
        if isinstance(obligation, Obligation) and obligation.name.startswith(growth.obligations):
            result = discharge(obligation, use_cache=False)
            if result.verdict != "proved":
                raise NotProvedError(f"{result.name} is {result.verdict} of {size} {growth.of}")
            rlimit += result.rlimit
    return Cost(size, time.perf_counter() - started, rlimit=rlimit)
