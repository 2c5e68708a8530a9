"""What is reported while an input is followed: each divergence, when its line has arrived."""

from __future__ import annotations

import argparse
import sys

from memoracle.console.console import console_on
from memoracle.console.options import TEXT, note
from memoracle.console.output import Draft, write_out
from memoracle.diagnostics.divergence import Divergence
from memoracle.report.check_report import show, subject_of
from memoracle.trace.inputs import shown


def report_now(args: argparse.Namespace, divergence: Divergence) -> bool:
    """Whether somebody reads the report still.

    A report as text goes to standard output bit by bit. One that must be whole, as a document or a file, is written at
    the end, and standard error has a line of each divergence before. Raises OutputError.
    """
    if args.format == TEXT and args.output is None:
        draft = Draft(sys.stdout)
        show(divergence, console_on(draft))
        return write_out(draft.getvalue())
    finding = divergence.finding
    where = f"{shown(divergence.file)}:{divergence.line}"
    note(args, f"memoracle: {where}: {subject_of(divergence)}: {finding.message} [{finding.clause}]")
    return True
