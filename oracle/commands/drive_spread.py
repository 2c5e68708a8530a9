"""`drive` by many workers: each makes calls of its own, by a seed, of a target that it starts itself."""

from __future__ import annotations

import argparse
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from memoracle.commands.drive import session_of
from memoracle.drive.sessions.session import Share, Spread
from memoracle.drive.trial import Trial
from memoracle.scaling.workers import Lost, Workers
from memoracle.trace.inputs import InputError

OF_TARGET = ("target", "binding", "geometry", "level", "call_time", "fill", "no_misuse", "time")  # options


@dataclass(frozen=True)
class Calls:
    """A unit of work: what is called, as the options of `drive` say it, by which seed, and how often."""

    options: dict[str, Any]
    share: Share


def run_calls(unit: Calls) -> Trial:
    """One run, neither shrunk nor kept. It is what a worker does. Raises InputError and GeometryError."""
    share = unit.share
    once = {"seed": share.seed, "ops": share.calls, "jobs": None, "cover": False, "quiet": True}
    with session_of(argparse.Namespace(**unit.options, **once)) as drive:
        return drive.once()


def is_trial(_: Calls, found: object) -> bool:
    return isinstance(found, Trial)


def spread_over(args: argparse.Namespace, workers: Workers) -> Spread:
    """Has these workers make the calls that the options ask for."""
    return partial(_spread, {name: getattr(args, name) for name in OF_TARGET}, workers)


def _spread(
    options: dict[str, Any], workers: Workers, shares: Sequence[Share]
) -> Generator[tuple[int, Trial], None, None]:
    """What comes of each share, as it comes; raises InputError at the end if one of them was lost."""
    units = [Calls(options, share) for share in shares]
    lost: InputError | None = None
    with closing(workers.done(run_calls, units, is_trial)) as coming:
        for job, outcome in coming:
            if isinstance(outcome, Lost):
                words = f"the calls of seed {shares[job].seed} came to nothing: {outcome.reason}"
                lost = InputError(options["target"], None, words)
            else:
                yield job, outcome
    if lost is not None:
        raise lost
