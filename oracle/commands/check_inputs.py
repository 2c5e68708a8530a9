"""What `check` asks of each input: what it is, its geometry and memory map, and what its replay finds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import replace
from itertools import chain, islice

from msgspec import UNSET

from memoracle.commands import boot
from memoracle.commands.stated_geometry import stated_geometry
from memoracle.commands.trace_heads import has_map, looked_ahead
from memoracle.concurrent.decide import decide, replay_in_order
from memoracle.concurrent.recording import read_recording
from memoracle.console.counted import counted
from memoracle.console.options import (
    chosen_geometry,
    note,
)
from memoracle.console.output import identity
from memoracle.console.progress import progress
from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import EXACT, LEGAL, SAFE, Rules
from memoracle.diagnostics.warned import Warned
from memoracle.impl.boot import Record
from memoracle.logs.choice import of_kernel
from memoracle.logs.memory_maps import MemoryMap, read_maps
from memoracle.logs.recognise import E820, JSONL, KMEM, NO_MAP_IN_TEXT, recognise
from memoracle.replay.dispatch import Replay
from memoracle.replay.kmem.kmem import KmemReplay
from memoracle.report.check_report import TraceResult
from memoracle.report.kmem_report import gaps, not_told, passed_over
from memoracle.report.live_report import report_now
from memoracle.spec.geometry import DEFAULT, Geometry, preset
from memoracle.spec.geometry_keys import GeometryError
from memoracle.timeline.past import Checked
from memoracle.timeline.timeline import Handed, Watch
from memoracle.trace.events import Boot, MemoryRecord
from memoracle.trace.formats import FIRST_EVENT, geometry_of, read_header, split
from memoracle.trace.geometry import found_late
from memoracle.trace.inputs import STDIN, InputError, open_lines, shown
from memoracle.trace.interrupts import INTERRUPTS
from memoracle.trace.kmem import KmemLog
from memoracle.trace.spool import Spool

WORDS = {JSONL: "a trace, which has a `boot` of its own", E820: "a memory map"}  # what an input is that is no kmem log


def unwatched(replay: object, lines: Iterable[Handed]) -> Iterator[Handed]:
    return iter(lines)


class Check:
    """What one run asks of every trace.

    begun: is handed the replay of each before its first event, and asks it.  watch: hands the lines of its events on.
    keeps: whether inputs will be read once more.  spools: what was read then of those that can be read only once.
    geometry_of: what a header states.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        """Raises InputError and GeometryError."""
        self.args = args
        self.begun: Callable[[Replay], None] | None = None
        self.watch: Watch = unwatched
        self.keeps = False
        self.spools: dict[str, Spool] = {}
        self.made: tuple[Rules, Replay] | None = None
        self.geometry_of = stated_geometry
        self.geometry = chosen_geometry(args)
        self.memory_map: list[Record] | None = None
        if [*args.traces, args.memory_map].count(STDIN) > 1:
            raise InputError(STDIN, None, "standard input can be read only once")
        if args.follow and args.traces[1:]:
            raise InputError("--follow", None, "one input can be followed at a time")
        if args.follow and (args.executor is not None or args.jobs is not None):
            raise InputError("--follow", None, "what is followed is read by one process: --jobs is not for it")
        if args.from_boot and args.memory_map is None:
            raise InputError("--from-boot", None, "it needs the memory map of the machine: --memory-map LOG")
        if args.memory_map is not None:
            source = boot.read_source(args.memory_map, args.max_line)
            self.note_json(args.memory_map, source.kind)
            self.memory_map = self.records_of(args.memory_map, source.maps)
            if not self.memory_map:
                raise InputError(args.memory_map, None, NO_MAP_IN_TEXT)

    def outcomes(self) -> list[TraceResult]:
        """What comes of each trace; an interrupt ends the list with the trace that it came in."""
        outcomes: list[TraceResult] = []
        with INTERRUPTS.stop_reading():
            for path in self.args.traces:
                outcomes += self.outcomes_of(path)
                if outcomes[-1].interrupted:
                    break
        return outcomes

    def outcomes_of(self, path: str, lines: Iterator[bytes] | None = None) -> list[TraceResult]:
        """What comes of one file, which may hold several traces; what was found before a fault of its text stands.

        lines: those to read, where they are not the file's.
        """
        outcomes = [self.unchecked(path)]
        try:
            if lines is None:
                lines = open_lines(path, self.args.max_line, self.args.follow, self.spool_of(path))
            form, lines, kind = recognise(path, lines, self.args.input)
            if form is None:
                return outcomes
            if self.args.from_boot and form != KMEM:
                raise InputError(path, None, f"this is {WORDS[form]}: --from-boot is for kmem logs")
            self.note_json(path, kind)
            self.note_choice(path, form)
            check = {KMEM: self.check_kmem, E820: self.check_e820, JSONL: self.check_trace}[form]
            with nullcontext(lines) if self.args.follow else progress(self.args, path, lines) as watched:
                if form == JSONL and self.args.split:
                    self.check_each(outcomes, watched)
                else:
                    check(outcomes[0], watched)
        except InputError as fault:
            outcomes[-1].fault = outcomes[-1].fault or by_itself(fault)
        except KeyboardInterrupt:
            if not INTERRUPTS.asked:  # who calls this as a library has handlers of its own
                raise
            outcomes[-1].interrupted = True
        return outcomes

    def spool_of(self, path: str) -> Spool | None:
        """What keeps an input that can be read only once, if it will be read once more."""
        if not self.keeps or (path != STDIN and identity(path) is not None):
            return None
        return self.spools.setdefault(path, Spool())

    def watched(self, outcome: Checked, lines: Iterator[bytes], watch: Watch) -> None:
        """Checks a recording once more, and has its replay watched. Raises InputError."""
        once, several = copy(self), len(outcome.divergences) > 1
        once.args = argparse.Namespace(**{**vars(self.args), "quiet": True, "follow": False, "keep_going": several})
        once.begun = once.made = None
        once.watch = watch
        same = TraceResult(outcome.path, outcome.level, outcome.first_line, order=outcome.order)
        (once.check_kmem if outcome.is_log else once.check_trace)(same, lines)

    def again(self) -> Callable[[Iterator[bytes]], TraceResult]:
        """What is said of a trace that was made from one that was read, with its geometry and memory map."""
        plain = {"geometry": None, "memory_map": None, "from_boot": False, "input": JSONL, "split": False}
        once = Check(argparse.Namespace(**{**vars(self.args), **plain, "keep_going": False, "quiet": True}))
        once.geometry_of = geometry_of
        return lambda lines: once.outcomes_of(self.args.traces[0], lines)[0]

    def make_ready(self, path: str, header: bytes) -> None:
        """Makes what replays a trace with this header, the next one: a large machine's takes a while."""
        read = read_header(path, header, 1)
        rules = Rules(geometry_of(path, read, 1), self.args.level or LEGAL, read.private_frames, FIRST_EVENT)
        self.made = rules, self.replay(path, replace(rules))

    def unchecked(self, path: str, first_line: int = 1) -> TraceResult:
        return TraceResult(path, self.args.level or LEGAL, first_line)

    def check_each(self, outcomes: list[TraceResult], lines: Iterator[bytes]) -> None:
        """Replaces the only outcome by one for each trace; a fault of one is not the next one's."""
        path = outcomes.pop().path
        for first_line, trace in split(lines):
            outcomes.append(self.unchecked(path, first_line))
            try:
                self.check_trace(outcomes[-1], trace)
            except InputError as fault:
                outcomes[-1].fault = by_itself(fault)

    def check_trace(self, outcome: TraceResult, lines: Iterator[bytes]) -> None:
        path = outcome.path
        header = read_header(path, next(lines), outcome.first_line)
        geometry = self.geometry or self.geometry_of(path, header, outcome.first_line)
        if self.geometry is not None and header.geometry is not UNSET:
            note(self.args, f"memoracle: {self.args.geometry} replaces the geometry of {shown(path)}")
        rules = Rules(geometry, outcome.level, header.private_frames, outcome.first_line + 1)
        made, self.made = self.made, None
        replay = made[1] if made is not None and made[0] == rules else self.replay(path, replace(rules))
        if self.begun is not None:
            self.begun(replay)  # before a line is read: whoever makes calls up while they are read may ask it
        lines, overlap = looked_ahead(lines, wait=not self.args.follow and self.begun is None)
        if overlap:
            self.check_recording(outcome, rules, lines)
            return
        if self.memory_map is not None:
            lines = self.with_memory_map(path, replay, self.memory_map, lines)
        try:
            self.collect(outcome, replay.divergences(self.watch(replay, lines)))
        finally:
            outcome.events, outcome.checked = replay.events, replay.checked
            outcome.coverage = replay.coverage
            self.warn(outcome, replay, replay.skipped)
            replay.end()

    def check_recording(self, outcome: TraceResult, rules: Rules, lines: Iterator[bytes]) -> None:
        """A trace of which operations overlap: it is read whole, and conforms if some order of these does."""
        path = outcome.path
        if self.args.follow:
            words = "operations that overlap are judged together, once all of them are known: --follow is not for them"
            raise InputError(path, rules.first_event, words)
        reader, records = self.replay(path, rules), self.memory_map
        if records is not None:
            head = list(islice(lines, 1))
            lines = self.with_memory_map(path, reader, records, chain(head, lines))
            records = None if has_map(head) else records
        recording = read_recording(path, lines, rules.first_event, reader.read)

        def fresh() -> Replay:
            replay = self.replay(path, replace(rules))
            if records is not None:
                replay.frames.start(records)
            return replay

        if outcome.order:  # it was found before
            replay_in_order(fresh(), recording, outcome.order, self.watch)
            return
        decision = decide(path, recording, fresh, self.args.budget, self.args.keep_going)
        replay = decision.replay
        skipped = sum(reader.skipped.values())
        outcome.processors, outcome.unknown = recording.processors, decision.unknown
        outcome.events = len(recording.start) + len(recording.operations) + skipped
        outcome.checked = outcome.events - skipped - replay.unjudged
        outcome.coverage = replay.coverage
        outcome.order = decision.order if decision.divergences else ()
        self.warn(outcome, replay, reader.skipped)
        self.collect(outcome, decision.divergences)
        replay.end()
        reader.end()

    def warn(self, outcome: TraceResult, replay: Replay, skipped: Mapping[str, int]) -> None:
        """Takes over what is worth knowing of a trace."""
        outcome.warnings += [Warned(outcome.path, line, words) for line, words in replay.warnings]
        outcome.warnings += [
            Warned(outcome.path, None, f"skipped {counted(count, 'event')} of the unknown operation {op}")
            for op, count in skipped.items()
        ]

    def replay(self, path: str, rules: Rules) -> Replay:
        try:
            return Replay(rules, path, self.args.ignore_unknown)
        except GeometryError as fault:
            header = rules.first_event - 1 if self.geometry is None else None
            raise InputError(path, header, f"geometry: {found_late(self.args.geometry, fault)}") from None

    def with_memory_map(
        self, path: str, replay: Replay, records: list[Record], lines: Iterator[bytes]
    ) -> Iterator[bytes]:
        """The same lines; the map counts unless they begin with one of their own."""
        head = list(islice(lines, 1))
        if has_map(head):
            note(self.args, f"memoracle: {shown(path)} has a memory map of its own: {self.args.memory_map} is not used")
        else:
            replay.frames.start(records)
        return chain(head, lines)

    def note_json(self, path: str, kind: str | None) -> None:
        """Says that a log is JSON, if it is."""
        if kind is not None:
            note(self.args, f"memoracle: {shown(path)} is {kind}: the messages in it are read")

    def note_choice(self, path: str, form: str) -> None:
        """Says that --boot and --map choose nothing, if there are no memory maps that they could be about."""
        if form == E820 or self.memory_map is not None:
            return
        for option in ("boot", "map"):
            if (value := getattr(self.args, option)) is not None:
                words = f"there are no memory maps to choose from: --{option} {value} is not used"
                note(self.args, f"memoracle: {shown(path)}: {words}")

    def records_of(self, path: str, maps: Sequence[MemoryMap]) -> list[Record]:
        """The map that the kernel of a log ran with, or the one that was asked for; raises InputError."""
        taken = of_kernel(path, maps, self.args.boot, self.args.map)
        for warning in taken.warnings:
            note(self.args, f"memoracle: {shown(path)}: {warning}")
        if len(maps) > 1:
            words = f"the map {taken.name} of boot {taken.boot} (line {taken.line}), which its kernel ran with"
            if self.args.map is not None:
                words = f"the map {taken.name} of boot {taken.boot} (line {taken.line})"
            note(self.args, f"memoracle: {shown(path)} has {len(maps):,} memory maps: {words}, is taken")
        return taken.records

    def check_e820(self, outcome: TraceResult, lines: Iterator[bytes]) -> None:
        records = self.records_of(outcome.path, read_maps(outcome.path, lines))
        if not records:
            outcome.warnings.append(Warned(outcome.path, None, NO_MAP_IN_TEXT))
            return
        if self.args.memory_map is not None:
            raise InputError(outcome.path, None, "a boot log is a memory map itself: --memory-map is not for it")
        if self.args.follow:
            raise InputError(outcome.path, None, "a memory map is read as a whole: --follow is not for it")
        replay = self.replay(outcome.path, Rules(self.default_geometry(), outcome.level))
        replay.handlers[Boot](Boot(memory_map=[MemoryRecord(*record) for record in records]), FIRST_EVENT)
        replay.end()
        outcome.events = outcome.checked = 1

    def check_kmem(self, outcome: TraceResult, lines: Iterator[bytes]) -> None:
        path = outcome.path
        outcome.level, outcome.is_log = self.level_of_kmem(path), True
        words = f" against the memory map of {shown(self.args.memory_map)}, in pages of 4 KiB"
        against = words if self.args.from_boot else ""
        note(self.args, f"memoracle: {shown(path)} is a kmem log, checked at level {outcome.level}{against}")
        replay = KmemReplay(path, self.memory_map, outcome.level)
        log = KmemLog(path, self.watch(replay, lines))
        try:
            self.collect(outcome, replay.divergences(log))
        finally:
            outcome.events = outcome.checked = replay.events
            told = (*passed_over(log), *gaps(log), *not_told(replay.slab))
            outcome.warnings += [Warned(path, None, words) for words in told]
            replay.end()

    def level_of_kmem(self, path: str) -> str:
        """The level at which a kmem log is checked; raises InputError for options that are not for one."""
        level: str | None = self.args.level
        if level == EXACT:
            words = "which block a kernel picks depends on lists that no event shows"
            raise InputError(path, None, f"a kmem log is no trace: it can't be checked at level exact, since {words}")
        if level == LEGAL and not self.args.from_boot:
            words = "--from-boot is for one that begins with the machine"
            raise InputError(path, None, f"a kmem log starts mid-run: it can't be checked at level legal; {words}")
        if self.args.geometry is not None:
            words = "counts in pages of 4 KiB here" if self.args.from_boot else "is of a machine of any size"
            raise InputError(path, None, f"a kmem log {words}: --geometry is not for it")
        if self.memory_map is not None and not self.args.from_boot:
            words = "--memory-map is not for it, but with --from-boot"
            raise InputError(path, None, f"a kmem log starts mid-run, on a machine of any size: {words}")
        return level or (LEGAL if self.args.from_boot else SAFE)

    def collect(self, outcome: TraceResult, divergences: Iterable[Divergence]) -> None:
        for divergence in divergences:
            outcome.divergences.append(divergence)
            is_read = not self.args.follow or report_now(self.args, divergence)
            if not (self.args.keep_going and is_read):
                outcome.stopped = True
                return

    def default_geometry(self) -> Geometry:
        return self.geometry or preset(DEFAULT)


def by_itself(fault: InputError) -> InputError:
    """A fault without the frames that it came through, which know what was replayed."""
    fault.__context__ = None
    return fault.with_traceback(None)
