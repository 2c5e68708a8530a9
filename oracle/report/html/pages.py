"""A report as a page, of whichever command it is."""

from __future__ import annotations

import io
from typing import TextIO

from memoracle.report import branches_report
from memoracle.report.check_report import CheckRun
from memoracle.report.drive_report import DriveRun
from memoracle.report.html.snapshot_page import snapshot_page
from memoracle.report.html.trace_page import trace_page
from memoracle.report.proof_report import ProofRun
from memoracle.report.run import Run
from memoracle.report.snapshot_report import SnapshotRun
from memoracle.trace.inputs import shown


def write(run: Run, out: TextIO) -> None:
    """Writes a page, which says all."""
    out.write(text_of(run))


def text_of(run: Run) -> str:
    if isinstance(run, CheckRun):
        paths = list(dict.fromkeys(shown(each.path) for each in run.outcomes))
        title = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1:,} more"
        return trace_page("check", title, run.outcomes, run.past)
    if isinstance(run, DriveRun):
        return trace_page(
            "drive", run.target, [run.result], run.past, run.said, branches_of(run), run.kept or "the run"
        )
    if isinstance(run, SnapshotRun):
        return snapshot_page(run.result)
    assert isinstance(run, ProofRun), "no other command has reports"
    from memoracle.report.html.proof_page import proof_page  # what it needs is there where proofs are

    return proof_page(run)


def branches_of(run: DriveRun) -> str:
    """Which branches of the reference were taken, if that was looked at."""
    if run.branches is None:
        return ""
    out = io.StringIO()
    branches_report.write_text(run.result.coverage, run.branches, run.whole, out)
    return out.getvalue()
