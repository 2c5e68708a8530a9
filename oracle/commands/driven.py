"""What `drive` reports of a session, whether its calls were made by one thread or by several."""

from __future__ import annotations

import argparse

from memoracle.drive.sessions.session import Session
from memoracle.drive.sessions.threaded import Threaded
from memoracle.drive.trial import Trial
from memoracle.report.drive_report import DriveRun
from memoracle.timeline.past import Past


def run_of(args: argparse.Namespace, drive: Session | Threaded, trial: Trial, past: Past) -> DriveRun:
    """What is reported of a session and the trial that it found. past: what led to its divergence."""
    kept = drive.failures.last if trial.result.divergences else None
    return DriveRun(
        args.target,
        trial.result,
        trial.lines,
        drive.seed,
        drive.calls,
        drive.said,
        kept=None if kept is None else str(kept),
        seconds=trial.seconds,
        quiet=args.quiet,
        past=past,
        shrunk=None if drive.fewer is None else drive.fewer.document(),
    )
