"""Has an emulated processor agree with the reference's page tables on about a million loads.

`python -m memoracle.proofs.emulator.run` runs this for leaves of each size, in a process each.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

from memoracle.proofs.emulator.events import site_of
from memoracle.proofs.emulator.processor import FETCH, LOAD, STORE, Access, Processor
from memoracle.proofs.emulator.random_runs import Life
from memoracle.proofs.emulator.shrink import Failed, as_test
from memoracle.proofs.obligations.obligation import Computation
from memoracle.proofs.obligations.process_pool import Failure, run_each

LEVELS = {1: "4 KiB", 2: "2 MiB", 3: "1 GiB"}  # of leaves, with what they map
CALLS, LOADS = 34_000, 334_000  # at least this many at each level
SEED = 1
PROCESSOR = f"unicorn {version('unicorn')}"
MUST_HAPPEN = [
    *("created", "not created", "exited", "not exited"),
    *("mapped", "not mapped", "out of frames", "unmapped", "not unmapped"),
    *(
        f"{Access(kind, user)}: {outcome}"
        for kind in (LOAD, STORE, FETCH)
        for user in (False, True)
        for outcome in ("done", "fault")
    ),
]


class Agreement(NamedTuple):
    """What happened until the reference failed, or to the end."""

    failed: Failed | None
    happened: Counter[str]
    seconds: float

    @property
    def calls(self) -> int:
        return sum(self.happened[each] for each in MUST_HAPPEN[:9])

    def __str__(self) -> str:
        done = ", ".join(
            f"{self.happened[kind]:,} {kind}{'es' if kind == FETCH else 's'}" for kind in (LOAD, STORE, FETCH)
        )
        faults = sum(count for what, count in self.happened.items() if what.endswith(": fault"))
        return f"{self.calls:,} operations; {done}, of which {faults:,} faulted"


def agree(level: int, calls: int, loads: int, seed: int) -> Agreement:
    """Runs one reference after the other, until there were this many calls and loads."""
    started = time.perf_counter()
    draw, site = random.Random(f"{seed} {level}"), site_of(level)
    processor = Processor(site.page_shift, site.windows)
    so_far = Agreement(None, Counter(), 0)
    while so_far.failed is None and (so_far.calls < calls or so_far.happened[LOAD] < loads):
        life = Life(draw, site, processor)
        failed = life.run()
        so_far = Agreement(failed, so_far.happened + life.trial.happened, time.perf_counter() - started)
    return so_far


def wrong(agreement: Agreement) -> str | None:
    """The shortest test that was found to fail, or what never happened and so was not tested; None if all agrees."""
    if agreement.failed is not None:
        return as_test(agreement.failed)
    never = [what for what in MUST_HAPPEN if not agreement.happened[what]]
    return f"never seen: {', '.join(never)}" if never else None


def computations() -> list[Computation]:
    """The claims that the emulated processor agrees, one for each size of leaves."""
    return [_computation(level) for level in LEVELS]


def _computation(level: int) -> Computation:
    return Computation(
        f"paging.machine.leaf-{level}",
        "paging",
        "refinement",
        "an emulated x86 that walks the tables reaches what was mapped, with the permissions asked for, or faults",
        lambda: wrong(agree(level, CALLS, LOADS, SEED)),
        f"bounded: leaves of {LEVELS[level]}; {CALLS:,} random operations and {LOADS:,} loads, or more; seed {SEED}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    words = "Holds the reference's page tables against an emulated processor that walks them."
    parser = argparse.ArgumentParser(prog="python -m memoracle.proofs.emulator.run", description=words)
    parser.add_argument(
        "--loads", type=int, default=3 * LOADS, metavar="N", help="how many at least (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, metavar="N", help="of the random operations (default: %(default)s)"
    )
    args = parser.parse_args(arguments)
    loads = -(-args.loads // len(LEVELS))
    tasks: list[Callable[[], tuple[Agreement, str | None]]] = [
        partial(_settled, level, loads * CALLS // LOADS, loads, args.seed) for level in LEVELS
    ]
    disagrees, total = False, 0
    for place, found in run_each(tasks):
        size = list(LEVELS.values())[place]
        fault: str | None
        if isinstance(found, Failure):
            fault = found.reason
        else:
            agreement, fault = found
            say(f"leaves of {size}: {agreement}, in {agreement.seconds:.1f} s")
            total += agreement.happened[LOAD]
        if fault is not None:
            disagrees = True
            say(f"leaves of {size}:\n{fault}")
    say(f"{'disagrees' if disagrees else 'agrees'}: {PROCESSOR} and the reference, {total:,} loads")
    return 1 if disagrees else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _settled(level: int, calls: int, loads: int, seed: int) -> tuple[Agreement, str | None]:
    found = agree(level, calls, loads, seed)
    return Agreement(None, found.happened, found.seconds), wrong(found)


if __name__ == "__main__":
    sys.exit(main())
