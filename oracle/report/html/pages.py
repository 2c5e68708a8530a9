"""The pages of a report, by their names in its folder."""

from __future__ import annotations

import io
from collections.abc import Mapping

from memoracle.report import branches_report
from memoracle.report.check_report import CheckRun
from memoracle.report.drive_report import DriveRun
from memoracle.report.html.page import NAME
from memoracle.report.html.snapshot_page import snapshot_page
from memoracle.report.html.trace_page import trace_page
from memoracle.report.proof_report import ProofRun
from memoracle.report.run import Run
from memoracle.report.snapshot_report import SnapshotRun
from memoracle.trace.inputs import shown


def pages(run: Run) -> Mapping[str, str]:
    """One page, which says all."""
    return {NAME: text_of(run)}


def text_of(run: Run) -> str:
    if isinstance(run, CheckRun):
        paths = list(dict.fromkeys(shown(each.path) for each in run.outcomes))
        title = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1:,} more"
        return trace_page("check", title, run.outcomes, run.past)
    if isinstance(run, DriveRun):
        return trace_page("drive", run.target, [run.result], run.past, f"{branches_of(run)}{run.said}")
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
