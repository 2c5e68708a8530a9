"""The report of `drive`: what `check` says of the run, what was asked if it failed, and what else is to be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TextIO

from memoracle.console.counted import counted
from memoracle.replay.branches import Exercised
from memoracle.report import branches_report, check_report
from memoracle.report.check_report import TraceResult
from memoracle.timeline.past import UNKNOWN_PAST, Past
from memoracle.trace.hexadecimal import line_in_hexadecimal
from memoracle.trace.quoting import escaped_in_json

MOST_SHOWN = 200  # lines of a sequence


@dataclass(frozen=True)
class DriveRun:
    """What came of `drive`.

    target: as the user named it.  result: what `check` says of the trace.  lines: the trace.  calls: that were
    answered.  said: what is to be said at the end.  kept: the file with the trace, if it failed.  seconds: that the run
    took.  cover: keys about what was covered.  quiet: without what the run exercised.  more: keys that a report for
    programs has besides.  branches: of the reference, as far as that was looked at.  whole: of every branch and every
    rule, in text, too.  past: what led to the divergence.  shrunk: from how many calls to how many, if it was.
    """

    command: ClassVar[str] = "drive"
    target: str
    result: TraceResult
    lines: Sequence[bytes]
    seed: int
    calls: int
    said: str
    kept: str | None
    seconds: float
    cover: Mapping[str, Any] | None = None
    quiet: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)
    branches: Exercised | None = None
    whole: bool = False
    past: Past = UNKNOWN_PAST
    shrunk: Mapping[str, int | bool] | None = None

    def document(self) -> dict[str, Any]:
        document = {**check_report.document([self.result]), "command": "drive", "seed": self.seed, "calls": self.calls}
        if self.cover is not None:
            document["cover"] = self.cover
        if self.branches is not None:
            document["branches"] = branches_report.document(self.branches)
        document["kept"], document["shrunk"] = self.kept, self.shrunk
        lines = self.lines if self.result.divergences else ()
        document["trace"] = [line_in_hexadecimal(line).decode() for line in lines]
        return {**document, **self.more}

    def write_text(self, out: TextIO) -> None:
        write_text(self.result, self.lines, self.said, out, self.quiet, self.branches, self.whole)


def write_text(
    result: TraceResult,
    lines: Sequence[bytes],
    said: str,
    out: TextIO,
    quiet: bool,
    branches: Exercised | None = None,
    whole: bool = False,
) -> None:
    """What `check` says of a run, what it exercised, what was asked if it failed, and what else is to be said."""
    check_report.write_text([result], out, quiet)
    if branches is not None and (whole or not (quiet or result.divergences or result.fault)):
        branches_report.write_text(result.coverage, branches, whole, out)
    if result.divergences:
        out.write("\n" + shown(lines))
    out.write(f"{said}\n")


def shown(lines: Sequence[bytes]) -> str:
    """The sequence, as a trace."""
    left = len(lines) - MOST_SHOWN
    some = map(line_in_hexadecimal, lines[:MOST_SHOWN])
    kept = [escaped_in_json(line.decode(errors="backslashreplace")) for line in some]
    return "\n".join([*kept, *([f"... and {counted(left, 'line')} more"] if left > 0 else [])]) + "\n\n"
