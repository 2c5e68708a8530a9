"""A trace that diverges as a test."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from memoracle.drive.binding_file import load_binding
from memoracle.drive.library import Library
from memoracle.drive.log import ENCODE
from memoracle.drive.requests import INSTANCE, OTHERS, RESET, Request, requests_of
from memoracle.drive.trial import Plan
from memoracle.impl.boot import Record
from memoracle.report.check_report import TraceResult
from memoracle.reproducers.emit import reproducer
from memoracle.reproducers.failing_run import Event, FailingRun, ReproducerError, event_of, failing_run
from memoracle.reproducers.forms import TRACE
from memoracle.reproducers.recording import asked_again, least
from memoracle.reproducers.reproducer import Reproducer
from memoracle.spec.geometry import DEFAULT, PRESETS
from memoracle.trace.decoding import MalformedLine, decode_event
from memoracle.trace.events import OPERATIONS
from memoracle.trace.geometry import geometry_from, read_toml
from memoracle.trace.hexadecimal import in_numbers
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
        run, calls = _recorded(args, outcome, records, check)
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
            in_turns=binding.in_turns,
        )
        asked = asked_again(plan, run, _of_instances(calls) if binding.in_turns else None)
        return reproducer(args.emit, asked, binding, geometry)
    except ReproducerError as fault:
        return Reproducer(args.emit, None, f"no {args.emit} test can be written: {fault}")


def _recorded(
    args: argparse.Namespace, outcome: TraceResult, records: Sequence[Record] | None, check: Checks
) -> tuple[FailingRun, Sequence[bytes]]:
    """The trace up to its first divergence, with the geometry and the memory map that it was checked with.

    Besides it the lines of its calls, as they stand.
    """
    divergence = outcome.divergences[0]
    lines = islice(open_lines(outcome.path, args.max_line), outcome.first_line - 1, divergence.line)
    texts = [line for line in lines if line.strip()]
    if any(b'"_call"' in text for text in texts):
        raise ReproducerError("operations that overlap have no order in which they could be made again")
    header, *events = map(event_of, texts)
    del texts[0]
    if args.geometry is not None:
        header["geometry"] = args.geometry if args.geometry in PRESETS else read_toml(args.geometry)[1]
    head = [header]
    boots = [place for place, each in enumerate(events) if each["op"] == "boot"]
    if boots:  # the last of them: what came before it ended in a crash
        head.append(events[boots[-1]])
        del events[: boots[-1] + 1], texts[: boots[-1] + 1]
    elif records is not None:
        head.append({"op": "boot", "memory_map": [_record(each) for each in records]})
    if args.ignore_unknown:
        texts = [text for text, each in zip(texts, events, strict=True) if each["op"] in OPERATIONS]
        events = [each for each in events if each["op"] in OPERATIONS]
    if not events:
        raise ReproducerError("what is wrong is how a memory map was read, which no call shows")
    run = failing_run(map(ENCODE, head), map(ENCODE, events), divergence.finding, lambda each: check(map(ENCODE, each)))
    return run, texts


def _of_instances(lines: Sequence[bytes]) -> Sequence[Request]:
    """The calls of a trace that `drive` kept of one of several instances, with those that it notes of the others.

    `check` passes over such notes, so that nobody has read them yet.
    """
    try:
        found = []
        for line in lines:
            event = in_numbers(json.loads(line))
            others = event.get(OTHERS, [])
            if not isinstance(others, list) or not all(isinstance(each, dict) and "op" in each for each in others):
                raise MalformedLine("it is no list of events")
            others = [_of_instance(each) for each in others]
            found.append(ENCODE({**_of_instance(event), **({OTHERS: others} if others else {})}))
        return requests_of(found)
    except MalformedLine as fault:
        raise ReproducerError(f"{OTHERS}: what the trace says of other instances is no call: {fault}") from None


def _of_instance(event: Event) -> Event:
    """An event with the number of its instance, and without other keys that are the recorder's own."""
    kept = {key: value for key, value in event.items() if not key.startswith("_")}
    instance = event.get(INSTANCE, 0)
    if type(instance) is not int or instance < 0:
        raise MalformedLine(f"`{INSTANCE}` is no number of an instance")
    if kept["op"] != RESET:
        decode_event(ENCODE(kept))
    return {**kept, INSTANCE: instance}


def _record(record: Record) -> Event:
    return dict(record._asdict())
