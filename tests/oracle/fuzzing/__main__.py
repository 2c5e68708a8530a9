"""`make fuzz`: tries many inputs on every reader, in processes that may have 500 MB of memory each."""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.corpora import ROOT
from fuzzing.properties import Property, properties
from fuzzing.smaller import Shrinking

MEMORY = 500_000_000  # bytes that a process may have
# What is large goes back to the system when it is freed; else thousands of inputs leave a heap that is full of holes.
MMAP_THRESHOLD, LARGE = -3, 1 << 20  # as malloc.h of the GNU C library has it, and bytes
MOST_SAID = 2000  # characters of what is wrong
MOST_FAULTS = 3  # of a reader, which is then left alone
FAILED = ROOT / ".fuzz"
ROUND = 100  # inputs of one reader, before those of the next one
# Readers that take long, of which one input in so many is tried.
FEWER = {"emitted tests": 10, "headers": 4, "events that overlap": 2, "budgets": 3, "geometries of proofs": 4}
FEWER |= {"vectors": 4, "answers of workers": 6, "sessions of a program": 10, "names to explain": 10}
FEWER |= {"what git says": 10}
SAID_EACH = 60  # seconds
IN_MEMORY = Path("/dev/shm")  # where files of inputs are written: a disk would take most of the time


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many there are of all (default: 1,000,000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    parser.add_argument("--seed", type=int, default=0, help="other inputs for another seed (default: 0)")
    parser.add_argument("--only", metavar="READER", help="one reader alone")
    parser.add_argument("--from", type=int, default=0, dest="first", help="number of the first input of each")
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
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)
        with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
            status = Run(args, job, Path(folder)).tried()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Run:
    """One process's part: the inputs of each reader whose numbers are its own, each from a seed of its number."""

    def __init__(self, args: argparse.Namespace, job: int, folder: Path) -> None:
        self.args, self.job = args, job
        self.chosen = {name: each for name, each in properties(folder).items() if args.only in (None, name)}
        self.done, self.broken, self.slowest = Counter[str](), Counter[str](), Counter[str]()
        self.said_at = time.monotonic()

    def tried(self) -> int:
        """Tries them; 1 if something failed."""
        share = max(1, round(self.args.inputs / sum(1 / FEWER.get(name, 1) for name in self.chosen)))
        for start in range(0, share, ROUND * self.args.jobs):
            for name, each in self.chosen.items():
                end = min(share, start + ROUND * self.args.jobs)
                for number in range(start + self.job, end, self.args.jobs * FEWER.get(name, 1)):
                    if self.broken[name] < MOST_FAULTS:
                        self.try_one(name, each, self.args.first + number)
            if time.monotonic() - self.said_at > SAID_EACH:
                self.say()
        self.say()
        return 1 if self.broken else 0

    def try_one(self, name: str, tried: Property, number: int) -> None:
        seed = f"{self.args.seed} {name} {number}"
        began = time.process_time_ns()
        fault = fault_of(tried, tried.make(Random(seed)))
        if "MemoryError" in fault:  # what earlier inputs have left counts, too, until it is collected
            gc.collect()
            fault = fault_of(tried, tried.make(Random(seed)))
        self.done[name] += 1
        self.slowest[name] = max(self.slowest[name], time.process_time_ns() - began)
        if fault:
            self.broken[name] += 1
            case = least(tried, tried.make(Random(seed)), fault)
            sys.stderr.write(f"{seed}: {fault}\nof an input that is kept in {kept(case, seed)}\n")
            sys.stderr.flush()

    def say(self) -> None:
        """How far it is."""
        self.said_at = time.monotonic()
        used = resource.getrusage(resource.RUSAGE_SELF)
        inputs = self.done.total()
        name, longest = self.slowest.most_common(1)[0]
        sys.stdout.write(
            f"{inputs:,} inputs, {len(self.broken)} readers failed, {used.ru_maxrss >> 10:,} MiB at the most, "
            f"{(used.ru_utime + used.ru_stime) / inputs * 1e3:.2f} ms of a processor each, "
            f"{longest / 1e9:.2f} s at the most ({name})\n"
        )
        sys.stdout.flush()


def fault_of(tried: Property, case: Any) -> str:
    """What is wrong with an input; empty if nothing is."""
    try:
        tried.hold(case)
    except KeyboardInterrupt:
        raise
    except BaseException as fault:
        return f"{type(fault).__name__}: {fault}"[:MOST_SAID]
    return ""


def least(tried: Property, case: Any, fault: str) -> Any:
    """The least input that fails by the same exception."""
    kind = fault.partition(":")[0]
    return Shrinking(lambda each: fault_of(tried, each).startswith(f"{kind}:")).least(case)


def kept(case: object, seed: str) -> Path:
    """A file with an input that fails, as Python writes it."""
    FAILED.mkdir(exist_ok=True)
    path = FAILED / f"{seed.replace(' ', '-')}.txt"
    path.write_text(f"{case!r}\n", encoding="utf-8", errors="backslashreplace")
    return path


if __name__ == "__main__":
    sys.exit(main())
