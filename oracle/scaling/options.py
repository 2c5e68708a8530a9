"""--jobs and --executor: who does the work of a command."""

from __future__ import annotations

import argparse

from memoracle.console.options import named, note, positive
from memoracle.scaling.clusters import DASK, OPTION, of_cluster
from memoracle.scaling.workers import Workers, of_processes
from memoracle.trace.inputs import InputError


def add_worker_options(parser: argparse.ArgumentParser, jobs: str) -> None:
    """Adds --jobs and --executor, read as `jobs`, `executor`. jobs: what --jobs says."""
    parser.add_argument("--jobs", metavar="N", type=positive, help=jobs)
    words = "have the workers of a Dask cluster that runs already do it, which read the same files"
    parser.add_argument(OPTION, metavar=f"{DASK}tcp://HOST:PORT", type=named, help=words)


def workers_of(args: argparse.Namespace) -> Workers | None:
    """Whom the options name, or None where this process does all itself; raises InputError and MissingExtraError."""
    if args.executor is not None:
        return of_cluster(args.executor)
    if args.jobs is None or args.jobs == 1:
        return None
    return of_processes(args.jobs, lambda words: note(args, f"memoracle: {words}"))


def refuse_both(args: argparse.Namespace) -> None:
    """Raises InputError where both options are given: where a scheduler shares the work out, it needs no number."""
    if args.executor is not None and args.jobs is not None:
        raise InputError(
            "--jobs", None, f"the scheduler decides how many units its workers do at once: {OPTION} needs none"
        )
