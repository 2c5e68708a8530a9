"""`memoracle.check`: traces held to the law, as the command `check` does it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from memoracle import cli
from memoracle.commands.check_inputs import Check
from memoracle.commands.check_spread import outcomes_of_all
from memoracle.console.streams import say
from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import LEVELS
from memoracle.report import check_report
from memoracle.report.check_report import TraceResult
from memoracle.scaling.workers import of_executor, of_processes, refuse_no_workers
from memoracle.spec.geometry import Geometry
from memoracle.trace.geometry import geometry_from, load_geometry

Level: TypeAlias = Literal["safe", "legal", "exact"]
Line: TypeAlias = str | bytes | Mapping[str, Any]
LINES = "<trace>"  # what messages call a trace that is no file


@dataclass(frozen=True)
class CheckResult:
    """What came of one trace; `str()` of it is the report that `memoracle check` prints.

    verdict: "conforms", "diverges", "nothing" (there was nothing to check) or "unknown" (no divergence in what could be
    read, but not all could).  level: at which it was checked.  events: how many were read.  fault: why it was not read
    to its end.
    """

    verdict: str
    level: str
    events: int
    divergences: tuple[Divergence, ...]
    warnings: tuple[str, ...]
    fault: str | None
    report: str

    def __str__(self) -> str:
        return self.report


def check(
    trace: str | os.PathLike[str] | Iterable[Line],
    *,
    level: Level | None = None,
    geometry: str | Mapping[str, Any] | Geometry | None = None,
    memory_map: str | os.PathLike[str] | None = None,
    from_boot: bool = False,
    keep_going: bool = False,
    ignore_unknown: bool = False,
) -> CheckResult:
    """Holds one trace to the law, as `memoracle check` does.

    trace: the path of a file, or the lines of a trace, its header first; a line is text, or an event as a mapping.
    level: None is "legal", or for a kmem log that starts mid-run "safe".  geometry: a preset's name, the path of a TOML
    file, a table of a geometry's keys, or a `Geometry`; None: what the header says.  memory_map: the path of a boot
    log.  from_boot: whether a kmem log begins with the machine that has this map.  keep_going: whether to find every
    divergence, not only the first.  ignore_unknown: whether to skip events of unknown operations.

    Raises TypeError for what is not a trace or a line, ValueError for an unknown level, or a log from boot without a
    map, GeometryError (a ValueError) for a geometry that cannot be, and InputError for a memory map that cannot be
    read. A fault of the trace itself is no exception: see `CheckResult.fault`.
    """
    if not isinstance(trace, str | os.PathLike | Iterable):
        raise TypeError(f"trace: a path or lines were expected, not {type(trace).__name__}")
    path = os.fspath(trace) if isinstance(trace, str | os.PathLike) else LINES
    run = _asked([path], level, geometry, memory_map, from_boot, keep_going, ignore_unknown)
    return _result(run.outcomes_of(path, None if isinstance(trace, str | os.PathLike) else _lines(trace))[0])


def check_files(
    traces: Iterable[str | os.PathLike[str]],
    *,
    level: Level | None = None,
    geometry: str | Mapping[str, Any] | Geometry | None = None,
    memory_map: str | os.PathLike[str] | None = None,
    from_boot: bool = False,
    keep_going: bool = False,
    ignore_unknown: bool = False,
    jobs: int | None = None,
    executor: Executor | None = None,
) -> list[CheckResult]:
    """Holds many files to the law, several at once: what `check` says of each, in their order.

    jobs: processes that check at once; None: as many as there are processors.  executor: what checks instead, which
    needs this package where its workers are; `jobs` are then the files that it checks at once.  The others, and what is
    raised: as of `check`; ValueError also for `jobs` below 1, InputError where the workers of an executor are unfit.
    """
    refuse_no_workers(jobs)
    paths = [os.fspath(each) for each in traces]
    if not paths:
        return []
    run = _asked(paths, level, geometry, memory_map, from_boot, keep_going, ignore_unknown)
    count = jobs or os.cpu_count() or 1
    workers = of_processes(count, say) if executor is None else of_executor(executor, count)
    outcomes = outcomes_of_all(run, paths, workers)
    if any(each.interrupted for each in outcomes):  # which ends the list; whoever asked has handlers of its own
        raise KeyboardInterrupt
    return [_result(each) for each in outcomes]


def _asked(
    paths: list[str],
    level: Level | None,
    geometry: str | Mapping[str, Any] | Geometry | None,
    memory_map: str | os.PathLike[str] | None,
    from_boot: bool,
    keep_going: bool,
    ignore_unknown: bool,
) -> Check:
    """`check` of these files, with these options."""
    if level is not None and level not in LEVELS:
        raise ValueError(f"level: {level!r} is none of {', '.join(LEVELS)}")
    if from_boot and memory_map is None:
        raise ValueError("from_boot: it needs a memory_map")
    options = cli.parser(["check"]).parse_args(["check", "--quiet", "--", *paths])
    options.level, options.keep_going, options.ignore_unknown = level, keep_going, ignore_unknown
    options.from_boot = from_boot
    options.memory_map = None if memory_map is None else os.fspath(memory_map)
    run = Check(options)
    run.geometry = None if geometry is None else _geometry(geometry)
    return run


def _geometry(stated: str | Mapping[str, Any] | Geometry) -> Geometry:
    if isinstance(stated, Geometry):
        return stated
    return load_geometry(stated) if isinstance(stated, str) else geometry_from(stated)


def _lines(lines: Iterable[Line]) -> Iterator[bytes]:
    for index, line in enumerate(lines):
        text = json.dumps(line) if isinstance(line, Mapping) else line
        if not isinstance(text, str | bytes):
            words = "a line (str or bytes) or an event (a mapping) was expected"
            raise TypeError(f"trace[{index}]: {words}, not {type(line).__name__}")
        yield text.encode() if isinstance(text, str) else text


def _result(outcome: TraceResult) -> CheckResult:
    report = io.StringIO()
    check_report.write_text([outcome], report, quiet=True)
    fault = None if outcome.fault is None else str(outcome.fault)
    return CheckResult(
        check_report.verdict([outcome]),
        outcome.level,
        outcome.events,
        tuple(outcome.divergences),
        tuple(map(str, outcome.warnings)),
        fault,
        report.getvalue() + (f"{fault}\n" if fault else ""),
    )
