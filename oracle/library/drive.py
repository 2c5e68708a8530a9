"""`memoracle.drive_target`: a live target held to the law, as the command `drive` does it."""

from __future__ import annotations

import io
import os
from concurrent.futures import Executor
from dataclasses import dataclass

from memoracle import cli
from memoracle.commands.drive import checking, session_of
from memoracle.commands.drive_spread import spread_over
from memoracle.commands.driven import run_of
from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import LEVELS
from memoracle.library.check import Level
from memoracle.report import check_report
from memoracle.scaling.workers import of_executor, refuse_no_workers
from memoracle.timeline.past import Past


@dataclass(frozen=True)
class DriveResult:
    """What came of driving a target; `str()` of it is the report that `memoracle drive` prints.

    verdict: "conforms", "diverges", "nothing" (no call was made) or "unknown" (a run was not read to its end).  seed:
    of the choice of calls.  calls: that were answered.  trace: the lines of the run that failed, shrunk, or of one in
    which nothing did.  kept: the file in which what failed is kept.  fault: why the run was not read to its end.
    """

    verdict: str
    seed: int
    calls: int
    divergences: tuple[Divergence, ...]
    trace: tuple[bytes, ...]
    kept: str | None
    fault: str | None
    report: str

    def __str__(self) -> str:
        return self.report


def drive_target(
    target: str,
    *,
    binding: str | os.PathLike[str] | None = None,
    geometry: str | None = None,
    level: Level = "legal",
    ops: int | None = None,
    seconds: int | None = None,
    seed: int | None = None,
    misuse: bool = True,
    jobs: int | None = None,
    executor: Executor | None = None,
) -> DriveResult:
    """Calls a target at random until an answer breaks the law, as `memoracle drive` does it; shrinks and keeps that.

    target, binding: as of the command.  geometry: a preset's name, or the path of a TOML file.  ops, seconds: how many
    calls, 100,000 if neither is given, or for how long.  seed: of the choice of calls; None: any.  misuse: whether to
    make calls that must be refused.  jobs: processes that call at once, each with calls of its own (1).  executor: what
    makes the calls instead, where this package and the target are; there `jobs` runs are made, by seeds from `seed` on.

    Raises ValueError for an unknown level or `jobs` below 1, GeometryError for a geometry that cannot be, and
    InputError for a target that cannot be driven, or workers of an executor that are unfit.
    """
    if level not in LEVELS:
        raise ValueError(f"level: {level!r} is none of {', '.join(LEVELS)}")
    refuse_no_workers(jobs)
    args = cli.parser(["drive"]).parse_args(["drive", "--quiet", "--", target])
    args.binding = None if binding is None else os.fspath(binding)
    args.geometry, args.level, args.ops, args.time, args.seed = geometry, level, ops, seconds, seed
    args.no_misuse, args.jobs = not misuse, jobs
    with session_of(args) as drive:
        if executor is not None:
            drive.spread = spread_over(args, of_executor(executor, jobs))
        trial = drive.found()
        run = run_of(args, drive, trial, Past(checking(level).watched, tuple(trial.lines)))
    report, result = io.StringIO(), trial.result
    run.write_text(report)
    return DriveResult(
        check_report.verdict([result]),
        drive.seed,
        drive.calls,
        tuple(result.divergences),
        tuple(trial.lines),
        run.kept,
        None if result.fault is None else str(result.fault),
        report.getvalue(),
    )
