"""`memoracle drive --threads N`: several threads call a library at once, until an answer has no place in any order."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from memoracle.commands.driven import run_of
from memoracle.console.streams import say
from memoracle.drive.failures import Failures
from memoracle.drive.sessions.threaded import Threaded
from memoracle.report.check_report import TraceResult
from memoracle.report.destinations import reports_to
from memoracle.timeline.past import Again, Past
from memoracle.trace.inputs import InputError

MOST_THREADS = 64
MOST_CALLS = 100_000  # where no time is given
PATIENCE_WITH_THREADS = 5.0  # seconds
ONLY_LIBRARIES = "only a shared library is called by several threads: it needs a binding"
WITHOUT = {
    "cover": "the calls of several threads cover nothing",
    "coverage": "calls that overlap are replayed in orders that are looked for: what these take says nothing",
    "emit": "a test asks the same again, and what threads do depends on more",
}
Judge = Callable[[Iterator[bytes]], TraceResult]


def run(args: argparse.Namespace, seed: int, judge: Judge, again: Again) -> int:
    """Drives a library, writes the report, and returns the exit status; raises InputError and GeometryError.

    judge: what `check` says of a trace.  again: looks into it while it is judged once more.
    """
    with reports_to(args, "drive", args.target, args.binding) as report:
        drive = threaded(args, seed, judge)
        trial = drive.found()
        result = trial.result
        report(run_of(args, drive, trial, Past(again, tuple(trial.lines))))
    if result.fault is not None:
        say(f"memoracle: {result.fault}")
    return int(result.status)


def threaded(args: argparse.Namespace, seed: int, judge: Judge) -> Threaded:
    """What the options ask for; raises InputError."""
    path = args.binding or args.target
    if not path.endswith(".toml"):
        raise InputError("--threads", None, ONLY_LIBRARIES)
    for option, why in WITHOUT.items():
        if getattr(args, option, None):
            raise InputError("--threads", None, f"{why}: not with --{option}")
    if args.threads > MOST_THREADS:
        raise InputError("--threads", None, f"at most {MOST_THREADS} at once")
    from memoracle.drive.binding_file import load_binding
    from memoracle.drive.library import Library
    from memoracle.drive.sessions.threads import Threads

    binding = load_binding(path, None if args.binding is None else args.target)
    if not binding.says.thread_safe:
        raise binding.fault("thread_safe", "with --threads it must be true: the library may be called at once")
    if binding.in_turns:
        raise binding.fault("instances" if binding.says.instances > 1 else "reset", "not with --threads: leave it out")
    if binding.says.callbacks:
        raise binding.fault("callbacks", "not with --threads: they are Python's, and run in one thread at a time")
    patience = args.call_time or PATIENCE_WITH_THREADS
    start, head = Library(binding, threads=True).start, binding.head()
    misuse = not args.no_misuse
    threads = Threads(args.target, start, head, judge, binding.geometry, args.threads, patience, misuse)
    seconds = None if args.time is None else float(args.time)
    most = args.ops or (None if seconds is not None else MOST_CALLS)
    return Threaded(threads, Failures(f"{Path(path).with_suffix('')}.threads"), seed, most, seconds)
