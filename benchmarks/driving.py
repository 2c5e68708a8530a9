"""Calls a second that are made of a shared library and held to the law; the peer is a Hypothesis state machine.

The peer calls the same allocator through ctypes, and compares with a set of pages in use: less than the law asks.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule, run_state_machine_as_test

from memoracle.cli import parser
from memoracle.commands.drive import session_of

TARGETS = Path(__file__).parents[1] / "examples" / "targets"
ORDERS, STEPS = 7, 50  # of buddy.c; steps of one run of the state machine


@dataclass(frozen=True)
class DrivingSpeeds:
    """Calls a second."""

    name: str
    driven: float
    hypothesis: float


def driving_speeds(calls: int) -> Iterator[DrivingSpeeds]:
    with tempfile.TemporaryDirectory() as folder:
        source, library = TARGETS / "buddy.c", Path(folder) / "buddy.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        binding = shutil.copy(TARGETS / "buddy.toml", folder)
        yield DrivingSpeeds(
            "blocks of a buddy system in C", driven(binding, calls), by_hypothesis(library, calls // 20)
        )


def driven(binding: str, calls: int) -> float:
    args = parser().parse_args(["drive", "--quiet", "--seed", "1", "--ops", str(calls), binding])
    with session_of(args) as drive:
        trial = drive.found()
    if trial.clause:
        raise AssertionError(trial.clause)
    return trial.calls / trial.seconds


def by_hypothesis(library: Path, calls: int) -> float:
    target = ctypes.CDLL(str(library))
    target.buddy_allocate.restype = ctypes.c_long
    made = 0

    class Machine(RuleBasedStateMachine):
        blocks = Bundle("blocks")

        def __init__(self) -> None:
            super().__init__()
            target.buddy_init()
            self.used: set[int] = set()

        @rule(target=blocks, order=st.integers(0, ORDERS - 1))
        def allocate(self, order: int) -> tuple[int, int]:
            nonlocal made
            made += 1
            page = target.buddy_allocate(order)
            if page >= 0:
                pages = set(range(page, page + (1 << order)))
                assert self.used.isdisjoint(pages)
                self.used |= pages
            return page, order

        @rule(block=consumes(blocks))
        def free(self, block: tuple[int, int]) -> None:
            nonlocal made
            page, order = block
            if page >= 0:
                made += 1
                assert target.buddy_free(ctypes.c_ulong(page), order) == 0
                self.used -= set(range(page, page + (1 << order)))

    run = settings(
        max_examples=max(1, calls // STEPS),
        stateful_step_count=STEPS,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    began = time.perf_counter()
    run_state_machine_as_test(Machine, settings=run)
    return made / (time.perf_counter() - began)
