"""`make fuzz`: tries many inputs on every reader, in a process that may have 500 MB of memory."""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from fuzzing.properties import Property, properties
from fuzzing.readers import ROOT

MEMORY = 500_000_000  # bytes that a process may have
MOST_SAID = 2000  # characters of what is wrong
FAILED = ROOT / ".fuzz"
ROUND = 500  # inputs, after which Hypothesis begins again: it remembers all that it tried


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many there are of all (default: 1,000,000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    parser.add_argument("--seed", type=int, default=0, help="other inputs for another seed (default: 0)")
    parser.add_argument("--only", metavar="READER", help="one reader alone")
    args = parser.parse_args()
    children = [child(args, job) for job in range(args.jobs)]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in children]
    return max(map(abs, statuses))


def child(args: argparse.Namespace, job: int) -> int:
    """The number of a process that does its part."""
    process = os.fork()
    if process:
        return process
    status = 2
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        with tempfile.TemporaryDirectory() as folder:
            status = tried(args, job, Path(folder))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def tried(args: argparse.Namespace, job: int, folder: Path) -> int:
    """Tries this process's part of the inputs; 1 if something failed."""
    chosen = {name: each for name, each in properties(folder).items() if args.only in (None, name)}
    done, broken, turn = dict.fromkeys(chosen, 0), set[str](), 0
    share = max(1, args.inputs // args.jobs // len(chosen))
    while any(done[name] < share for name in chosen if name not in broken):
        for name, each in chosen.items():
            if name not in broken and done[name] < share:
                number = (args.seed << 32) + (job << 24) + turn
                count, fault = one_round(each, number, min(ROUND, share - done[name]))
                done[name] += count
                if fault:
                    broken.add(name)
                    sys.stderr.write(f"{name}: seed {number}:\n{fault}\n")
        turn += 1
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    sys.stdout.write(f"{sum(done.values()):,} inputs, {len(broken)} readers failed, {most:,} MiB at the most\n")
    return 1 if broken else 0


def one_round(tried: Property, number: int, inputs: int) -> tuple[int, str]:
    """How many inputs were tried, and what is wrong with the smallest that failed, which is kept."""
    cases, hold = tried
    count, failed = 0, None

    def counted(case: Any) -> None:
        nonlocal count, failed
        count += 1
        try:
            hold(case)
        except BaseException as fault:
            failed = case
            raise AssertionError(f"{type(fault).__name__}: {fault}"[:MOST_SAID]) from None

    check: Callable[[], None] = seed(number)(
        settings(
            max_examples=inputs,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=[*HealthCheck],
            verbosity=Verbosity.quiet,
        )(given(cases)(counted))
    )
    try:
        check()
    except BaseException as fault:
        return max(1, count), f"{fault}\nof an input that is kept in {kept(failed, number)}"
    return max(1, count), ""


def kept(case: object, number: int) -> Path:
    """A file with an input that fails, as Python writes it."""
    FAILED.mkdir(exist_ok=True)
    (FAILED / f"{number}.txt").write_text(f"{case!r}\n", encoding="utf-8")
    return FAILED / f"{number}.txt"


if __name__ == "__main__":
    sys.exit(main())
