"""What a run comes to, of whichever command it is."""

from __future__ import annotations

from memoracle.report.check_report import CheckRun
from memoracle.report.ci.cases import Findings
from memoracle.report.ci.of_check import of_check, of_drive, of_fault
from memoracle.report.ci.of_proofs import of_proofs
from memoracle.report.ci.of_snapshot import of_snapshot
from memoracle.report.drive_report import DriveRun
from memoracle.report.proof_report import ProofRun
from memoracle.report.run import FaultRun, Run
from memoracle.report.snapshot_report import SnapshotRun


def findings_of(run: Run | FaultRun) -> Findings:
    match run:
        case FaultRun():
            return of_fault(run)
        case CheckRun():
            return of_check(run)
        case DriveRun():
            return of_drive(run)
        case ProofRun():
            return of_proofs(run)
        case SnapshotRun():
            return of_snapshot(run)
    raise AssertionError(f"no cases of {run.command}")
