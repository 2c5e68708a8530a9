"""A trace that diverges as a test."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from memoracle.drive.binding_file import load_binding
from memoracle.drive.library import Library
from memoracle.drive.log import ENCODE
from memoracle.drive.trial import Plan
from memoracle.impl.boot import Record
from memoracle.report.check_report import TraceResult
from memoracle.reproducers.emit import reproducer
from memoracle.reproducers.failing_run import Event, FailingRun, ReproducerError, event_of, failing_run
from memoracle.reproducers.forms import TRACE
from memoracle.reproducers.recording import asked_again, least
from memoracle.reproducers.reproducer import Reproducer
from memoracle.spec.geometry import DEFAULT, PRESETS
from memoracle.trace.events import OPERATIONS
from memoracle.trace.geometry import geometry_from, read_toml
from memoracle.trace.inputs import open_lines

Checks = Callable[[Iterator[bytes]], TraceResult]


def of_recordings(
    args: argparse.Namespace, outcomes: Sequence[TraceResult], records: Sequence[Record] | None, check: Checks
) -> Reproducer | None:
    """The first divergence as a test; None if there is none.

    records: of the memory map that --memory-map has.  check: what `check` says of lines.
    """
    outcome = next((each for each in outcomes if each.divergences), None)
    if outcome is None:
        return None
    try:
        if outcome.coverage is None:
            raise ReproducerError("a log has no calls that could be made again")
        run = _recorded(args, outcome, records, check)
        geometry = geometry_from(run.head[0].get("geometry", DEFAULT))
        if args.emit == TRACE:
            return reproducer(TRACE, least(run), None, geometry)
        binding = load_binding(args.binding)
        heads = tuple(dict[str, object](each) for each in run.head)
        plan = Plan(
            args.binding,
            Library(binding).start,
            heads,
            lambda lines, begun=None: check(lines),
            forks=True,
            called=binding,
        )
        return reproducer(args.emit, asked_again(plan, run), binding, geometry)
    except ReproducerError as fault:
        return Reproducer(args.emit, None, f"no {args.emit} test can be written: {fault}")


def _recorded(
    args: argparse.Namespace, outcome: TraceResult, records: Sequence[Record] | None, check: Checks
) -> FailingRun:
    """The trace up to its first divergence, with the geometry and the memory map that it was checked with."""
    divergence = outcome.divergences[0]
    lines = islice(open_lines(outcome.path, args.max_line), outcome.first_line - 1, divergence.line)
    texts = [line for line in lines if line.strip()]
    if any(b'"_call"' in text for text in texts):
        raise ReproducerError("operations that overlap have no order in which they could be made again")
    header, *events = map(event_of, texts)
    if args.geometry is not None:
        header["geometry"] = args.geometry if args.geometry in PRESETS else read_toml(args.geometry)[1]
    head = [header]
    boots = [place for place, each in enumerate(events) if each["op"] == "boot"]
    if boots:  # the last of them: what came before it ended in a crash
        head.append(events[boots[-1]])
        del events[: boots[-1] + 1]
    elif records is not None:
        head.append({"op": "boot", "memory_map": [_record(each) for each in records]})
    if args.ignore_unknown:
        events = [each for each in events if each["op"] in OPERATIONS]
    if not events:
        raise ReproducerError("what is wrong is how a memory map was read, which no call shows")
    return failing_run(
        map(ENCODE, head), map(ENCODE, events), divergence.finding, lambda each: check(map(ENCODE, each))
    )


def _record(record: Record) -> Event:
    return dict(record._asdict())
