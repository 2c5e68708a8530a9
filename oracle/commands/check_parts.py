"""One large trace, checked in parts at once: the ranges of processes, and all else.

What a process has of its range depends on no other component: on the machine's start, on which processes live, and on
the operations of that range. So one part replays all but the ranges of processes, and each other part the ranges of
some processes, chosen by the last digit of their numbers. Each part reads the whole file, and takes out at once the
lines that are others'. A line that a part does not know by its beginning makes it give up. The parts are believed only
where none of them finds anything: a divergence, a warning or a fault is left to a check in sequence, which words it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from memoracle.commands.check_inputs import Check
from memoracle.commands.check_spread import Files, checking, unit_of
from memoracle.concurrent.recording import has_times
from memoracle.diagnostics.levels import Rules
from memoracle.logs.recognise import JSONL, recognise
from memoracle.replay.coverage import Coverage
from memoracle.report.check_report import TraceResult
from memoracle.scaling.workers import Lost, Workers
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace import events
from memoracle.trace.files import is_file
from memoracle.trace.formats import FIRST_EVENT, read_header
from memoracle.trace.inputs import InputError, open_blocks

LEAST_BYTES = 1 << 22  # of a file that is worth it
MOST_PARTS = 11  # all else, and one for each last digit
REST = rb"[^\n]*(?:\n|\Z)"
NUMBER = rb"(?=[1-9])[0-9]*"  # of a process but the kernel, but for its last digit
OF_PROCESSES = rb'^\{"op": ?"range\.[a-z]+", ?"process": ?%s[0-9][,}]' % NUMBER + REST
ELSE = rb"(?:frame|page|pml4|pat|pte|heap|kernel_pages)\."
KNOWN = rb'^\{"op": ?"(?:range\.[a-z]+", ?"process": ?[1-9][0-9]*[,}]|boot"|process\.(?:create|exit)")' + REST
RANGES: tuple[type, ...] = (
    events.RangeAllocate,
    events.RangeReserve,
    events.RangeFree,
    events.RangeSize,
    events.RangeList,
)
DIGITS = b"0123456789"


@dataclass(frozen=True)
class Part:
    """A unit of work: one of so many parts of a file."""

    files: Files
    number: int
    count: int


@dataclass
class Replayed:
    """What came of a part. why_not: why the file cannot be checked in parts.  found: whether there is something to say.

    events: of the whole file, as far as it was read.
    """

    why_not: str = ""
    found: bool = False
    events: int = 0
    coverage: Coverage | None = None


class UnknownLineError(Exception):
    """A line whose part is not known by its beginning."""


def digits_of(number: int, count: int) -> bytes:
    """The last digits of the processes whose ranges are a part's."""
    return DIGITS[number - 1 :: count - 1]


def _of_others(part: Part) -> bytes:
    """Finds lines that are of no interest to a part that has ranges: others' ranges, the kernel's, and all else."""
    mine = digits_of(part.number, part.count)
    digits = bytes(each for each in DIGITS if each not in mine)
    number = rb"(?:0|%s[%s])" % (NUMBER, digits) if digits else b"0"
    return rb'^\{"op": ?"(?:range\.[a-z]+", ?"process": ?%s[,}]|%s)' % (number, ELSE) + REST


class Own:
    """The lines of a part, and how many lines were read for these."""

    def __init__(self, part: Part, blocks: Iterator[bytes]) -> None:
        self.is_rest, self.blocks, self.lines = part.number == 0, blocks, 0
        self.others = re.compile(OF_PROCESSES if self.is_rest else _of_others(part), re.MULTILINE)
        self.known = re.compile(KNOWN, re.MULTILINE)

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks:
            self.lines += block.count(b"\n") + (not block.endswith(b"\n"))
            kept = self.others.sub(b"", block)
            if not self.is_rest and self.known.sub(b"", kept):
                raise UnknownLineError
            yield from kept.splitlines(keepends=True)


def replayed(part: Part) -> Replayed:
    """Replays one part. It is what a worker does."""
    check, (path,) = checking(part.files), part.files.paths
    try:
        blocks = open_blocks(path)
        head, newline, rest = next(blocks, b"").partition(b"\n")
        form, _, kind = recognise(path, iter([head + newline]), check.args.input)
        if form != JSONL or kind is not None:
            return Replayed("it is no trace")
        header = read_header(path, head + newline, 1)
        if header.private_frames:
            return Replayed("its implementation takes frames without saying so")
        if has_times(rest.partition(b"\n")[0]):
            return Replayed("its operations overlap")
        geometry = check.geometry or check.geometry_of(path, header, 1)
        replay = check.replay(path, Rules(geometry, check.unchecked(path).level, False, FIRST_EVENT))
        own = Own(part, chain([rest] if rest else [], blocks))
        try:
            found = any(True for _ in replay.divergences(own))
        finally:
            replay.end()
    except UnknownLineError:
        return Replayed("a line says in another form which operation it is, or is of one that has a part in ranges")
    except (InputError, GeometryError):
        return Replayed(found=True)
    found = found or bool(replay.warnings or replay.skipped or replay.unjudged)
    return Replayed("", found, own.lines, replay.coverage)


def is_replayed(_: Part, found: object) -> bool:
    """Whether it is what comes of a part."""
    return isinstance(found, Replayed) and (bool(found.why_not) or found.found or found.coverage is not None)


def why_whole(check: Check, path: str) -> str:
    """Why a file is checked in sequence, as far as that is known before it is read; nothing if it may be in parts."""
    args = check.args
    for option in ("split", "ignore_unknown"):
        if getattr(args, option):
            return f"--{option.replace('_', '-')} is for one process"
    if check.memory_map is not None:
        return "--memory-map is for one process"
    try:
        is_large = is_file(path) and Path(path).stat().st_size >= LEAST_BYTES
    except OSError:
        is_large = False
    return "" if is_large else "it is no file, or a small one"


def in_parts(check: Check, path: str, workers: Workers) -> TraceResult | str:
    """What comes of a trace in which nothing is to be found; else why it is to be checked in sequence."""
    if words := why_whole(check, path):
        return words
    count = min(workers.count + 1, MOST_PARTS)  # all else is often less than a share
    parts = [Part(unit_of(check, [path]), number, count) for number in range(count)]
    done: dict[int, Replayed] = {}
    with closing(workers.done(replayed, parts, is_replayed)) as coming:
        for number, outcome in coming:
            if isinstance(outcome, Lost):
                return f"a part of it came to nothing ({outcome.reason})"
            if outcome.why_not or outcome.found:
                return outcome.why_not or "something is found in it, which is looked at in order"
            done[number] = outcome
    return joined(check.unchecked(path), [done[number] for number in range(count)])


def joined(outcome: TraceResult, parts: Sequence[Replayed]) -> TraceResult:
    """What comes of the whole. Of its processes' ranges each part counts its own; of all else the first counts all."""
    first, *others = parts
    outcome.events = outcome.checked = first.events
    outcome.coverage = coverage = first.coverage
    assert coverage is not None, "it was replayed"
    for each in others:
        assert each.coverage is not None, "it was replayed"
        for kind in RANGES:
            coverage.events[kind] += each.coverage.events[kind]
            coverage.failed[kind] += each.coverage.failed[kind]
        for (kind, clause), times in each.coverage.broken.items():
            if kind in RANGES:
                coverage.broken[kind, clause] += times
        coverage.ranges_ran_out |= each.coverage.ranges_ran_out
    return outcome
