"""Replays one trace: event by event, each handed to the component that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

from msgspec import UNSET

from memoracle.diagnostics.divergence import Divergence, Finding, crashes
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.diagnostics.terms import terms_of
from memoracle.impl.kernel_half import KernelHalf
from memoracle.replay.boot import BootReplay
from memoracle.replay.common.ways import PARTING, QUOTE, Ways
from memoracle.replay.coverage import Coverage, stakes_of
from memoracle.replay.entries import EntryReplay
from memoracle.replay.frames.allocated_runs import AllocatedRuns
from memoracle.replay.frames.doubted_runs import RunDoubts
from memoracle.replay.frames.frame_limits import FrameLimits
from memoracle.replay.frames.frame_queries import FrameAnswers
from memoracle.replay.frames.frame_runs import FrameRuns
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.linked_doubts import LinkedDoubts
from memoracle.replay.heap.heap import HeapReplay
from memoracle.replay.misuse import Misuse
from memoracle.replay.pages.doubted_processes import DoubtedProcesses
from memoracle.replay.pages.frame_uses import FrameUses
from memoracle.replay.pages.kernel_pages import KernelPagesReplay
from memoracle.replay.pages.named_tables import NamedTables
from memoracle.replay.pages.page_queries import PageAnswers
from memoracle.replay.pages.pages import PageReplay
from memoracle.replay.pages.pml4 import TableReplay
from memoracle.replay.pages.withheld_frames import WithheldFrames
from memoracle.replay.ranges.range_queries import RangeAnswers
from memoracle.replay.ranges.ranges import RangeReplay
from memoracle.replay.ranges.run_queries import RunAnswers
from memoracle.replay.ranges.run_ranges import RunReplay
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry_keys import RUNS, UNDEFINED
from memoracle.spec.kernel_half import process_lives
from memoracle.trace import events
from memoracle.trace.decoding import (
    ANYTHING,
    EVENT,
    FAULTS,
    MalformedLine,
    UnknownOperation,
    checked,
    decode_event,
    misread,
    refuse_faults,
    refuse_repeated_keys,
    refuse_times,
)
from memoracle.trace.events import AnyEvent
from memoracle.trace.inputs import InputError
from memoracle.trace.numbers import BadNumber, number
from memoracle.trace.quoting import abridged, quoted
from memoracle.trace.repeated_keys import OUTLINE

MOST_SKIPPED = 100  # unknown operations that are counted by name
OTHERS = "some other name"

Line: TypeAlias = AnyEvent | events.Crash  # what a line says


class Replay:
    """One trace, replayed so far.

    events: how many were read.  skipped: of these, by operation as messages show it, how many were not checked because
    it is unknown.
    unjudged: how many came after a crash.  warnings: the line, and what was let pass there but is worth knowing.
    """

    def __init__(self, rules: Rules, path: str, ignore_unknown: bool = False) -> None:
        """path is for messages. ignore_unknown: an unknown operation is skipped instead of refused."""
        self.rules = rules
        self.path = path
        self.ignore_unknown = ignore_unknown
        self.events = 0
        self.skipped: dict[str, int] = {}
        self.unjudged = 0
        self.warnings: list[tuple[int, str]] = []
        self.answered: set[tuple[str, str, str]] = set()
        self.coverage = Coverage(rules.safe, stakes_of(rules.geometry))
        self.handlers: Handlers = {}
        self.ways = Ways(self.handlers, self.failed, self.coverage.events, self.coverage.failed)
        self.misuses: Misuses = {}
        self.terms = terms_of(rules.geometry)
        self.begin(rules)

    def begin(self, rules: Rules) -> None:
        """A machine starts."""
        self.rules = rules
        tables = KernelHalf()
        self.frames = FrameReplay(rules)
        self.frames.warnings = self.warnings
        runs = rules.geometry.range_allocator == RUNS
        self.ranges: RangeReplay | RunReplay = RunReplay(rules, tables) if runs else RangeReplay(rules, tables)
        self.pages = PageReplay(rules, tables, self.frames, self.ranges)
        self.kernel_pages = KernelPagesReplay(rules, self.frames, self.ranges, self.pages)
        self.processes = DoubtedProcesses(tables, self.frames, self.ranges, self.pages)
        self.tables = TableReplay(rules, self.frames, self.ranges, self.pages, self.processes)
        withheld = WithheldFrames(self.pages)
        of_runs = RunDoubts(self.frames)
        links = LinkedDoubts(self.frames, (self.kernel_pages, self.processes, self.pages.doubts, withheld, of_runs))
        self.links = links
        self.frames.was_free = withheld.was_free
        self.frames.spread, self.frames.most_missing = links.spread, links.most_missing
        self.ranges.spread = self.pages.spread = self.processes.spread = links.spread_to
        self.heap = heap = HeapReplay(rules, self.frames, self.ranges)
        self.refused_rightly: dict[type, Callable[[Any], None]] = {
            events.FrameFree: self.frames.refused_rightly,
            events.RangeFree: self.ranges.refused_rightly,
            events.HeapDelete: heap.refused_rightly,
        }
        has_runs = rules.geometry.has_runs_of_frames
        self.runs_of_frames = AllocatedRuns(rules, self.frames, of_runs) if has_runs else None
        allocated = () if self.runs_of_frames is None else (self.runs_of_frames,)
        for each in allocated:
            self.refused_rightly[events.FrameFree] = each.refused_rightly
        self.misuse = Misuse(rules, self.warnings, self.coverage)
        components = (
            self.frames,
            self.ranges,
            self.tables,
            self.pages,
            self.kernel_pages,
            heap,
            BootReplay(rules, self.frames),
            FrameLimits(rules, self.frames),
            FrameRuns(rules, self.frames),
            *allocated,
            FrameUses(rules, self.frames, self.pages),
            FrameAnswers(rules, self.frames),
            answers_of_ranges(rules, self.ranges),
            PageAnswers(rules, self.pages),
            EntryReplay(rules),
        )
        for component in components:
            self.handlers.update(component.handlers())
            self.misuses.update(component.misuses())
        self.ways.clear()
        for most in (self.frames, self.ranges, heap, *allocated):
            self.ways.plain.update(most.plain())
        self.handlers.update(NamedTables(rules, self.frames, self.pages).with_tables(self.handlers))
        for kind, violated in self.misuses.items():
            if self.misuse.may_succeed(kind):
                self.handlers[kind] = self.misuse.with_policy(self.handlers[kind], violated)
                self.ways.plain.pop(kind, None)
        self.handlers[events.Crash] = self.crashed

    def end(self) -> None:
        """Nothing more is replayed: what is large goes at once, since nothing that knows it is known to it any more."""
        self.ways.end()
        self.misuses.clear()
        self.refused_rightly.clear()
        self.let_go()

    def let_go(self) -> None:
        """No component is asked any more."""
        for each in (self.frames, self.ranges, self.pages, self.heap, self.links):
            each.end()

    @property
    def checked(self) -> int:
        return self.events - sum(self.skipped.values()) - self.unjudged

    def divergences(self, lines: Iterable[bytes]) -> Iterator[Divergence]:
        """The divergences of the events in these lines, the first of which is the one after the header.

        Raises InputError for a line that is no event.
        """
        decode: Callable[[bytes], Line | None] = EVENT.decode
        ways, known, counts = self.ways, self.ways.get, self.coverage.events
        lines_known, heads, tails = ways.lines, ways.heads, ways.tails
        first = self.rules.first_event
        line, closely = first - 1, False
        try:
            for line, text in enumerate(lines, first):
                if lines_known:
                    noted = lines_known.get(text)
                    if noted is not None:
                        replay, named, place, its_way = noted
                        if replay(named, place, line):
                            its_way.served += 1
                            continue
                if heads:
                    start, _, tail = text.partition(PARTING)
                    head = heads.get(start)
                    ends = None if head is None else head.ends
                    if ends is not None:
                        digits, _, end = tail.partition(QUOTE)
                        ending = ends.get(end)
                        if ending is not None:
                            replay, named, places, its_way = ending
                            at = places(digits)
                            if at is not None and replay(named, at, line):
                                its_way.served += 1
                                continue
                    elif head is not None:
                        frame = tails.get(tail)
                        if frame is not None and head.replay(frame, line):
                            head.count += 1
                            continue
                try:
                    event = decode(text)
                    way = known(text.translate(OUTLINE))
                    if way is None and not closely and isinstance(event, events.Event):
                        refuse_repeated_keys(text)
                        refuse_faults(event)
                        ways.remember(text, event)
                except FAULTS:
                    if b'"_' in text:  # a recorder that adds something to one line does so to all
                        decode, closely = self.looked_at_closely, True
                    event, way = self.looked_at_closely(text), None
                try:
                    if way is not None:
                        finding = way.replay(event, line)
                        way.count += 1
                        if way.is_noted:
                            ways.note(text, event, way)
                    elif event is not None:
                        finding = ways.of(event)(event, line)
                        counts[type(event)] += 1
                    else:
                        continue
                except BadNumber as number_fault:  # a name has one type where this is compiled
                    raise misread(text, number_fault) from None
                if finding is not None and event is not None and (said := self.named(event, finding)) is not None:
                    self.note(line - first + 1)
                    yield self.at(line, text, said)
        except MalformedLine as fault:
            line -= 1  # this one was no event
            raise InputError(self.path, line + 1, fault.at(line + 1)) from None
        finally:
            self.note(line - first + 1)
            self.note_exhaustion()

    def note(self, events: int) -> None:
        """So many were read."""
        self.events = events
        self.ways.count()

    def step(self, event: Line, line: int) -> Finding | None:
        """What is found of one event, which the line of this number says; raises BadNumber and MalformedLine."""
        kind = type(event)
        if isinstance(event, events.Crash) or event.error is UNSET:
            finding = self.handlers[kind](event, line)
        else:
            finding = self.failed(event, line)
        self.coverage.events[kind] += 1
        return None if finding is None else self.named(event, finding)

    def named(self, event: Line, finding: Finding) -> Finding | None:
        """What is to be said of a finding, if it is to be named."""
        if not self.is_new(event, finding):
            return None
        kind = type(event)
        self.suppose(event, finding)
        self.coverage.broken[kind, finding.clause] += 1
        return replace(finding, says=self.in_terms(kind, finding.says))

    def at(self, line: int, text: bytes, finding: Finding) -> Divergence:
        """A finding where it stands in the trace."""
        return Divergence(self.path, line, abridged(checked(ANYTHING, text)), finding)

    def note_exhaustion(self) -> None:
        """Notes what ran out, for what was exercised."""
        self.coverage.frames_ran_out |= self.frames.ran_out
        self.coverage.ranges_ran_out |= self.ranges.ran_out

    def failed(self, event: AnyEvent, line: int) -> Finding | None:
        """A call that was refused: rightly, if the law refuses it as it was made; else it depends on what was left."""
        kind = type(event)
        self.coverage.failed[kind] += 1
        violated = self.misuses.get(kind)
        clause = None if violated is None else violated(event, line)
        if clause is None:
            finding, process = self.handlers[kind](event, line), number(getattr(event, "process", 0))
            if finding is None or process not in self.processes.supposed:
                return finding
            self.tables.suppose_no_more(process, line)
            return None
        self.coverage.broken[kind, clause.name] += 1
        if kind in self.refused_rightly:
            self.refused_rightly[kind](event)
        return None

    def suppose(self, event: Line, finding: Finding) -> None:
        """A process that does not exist is taken to exist where an operation of it succeeded, until one is refused."""
        process = number(getattr(event, "process", 0))
        if finding.clause == process_lives.name and process in self.tables.tables.live:
            self.processes.supposed.add(process)

    def is_new(self, event: Line, finding: Finding) -> bool:
        """Whether a finding is to be named: the state it is about is known, and no answer has shown the same before."""
        if isinstance(event, events.Crash):
            return True
        told = finding.clause, finding.message, repr(event.result) if isinstance(event, events.RangeList) else ""
        if told in self.answered or not self.misuse.is_judged(event):
            return False
        if isinstance(event, events.QUERIES):
            self.answered.add(told)
        return True

    # Crashes

    def crashed(self, crash: events.Crash, line: int) -> Finding | None:
        """The implementation died; until it starts again nothing is judged."""
        event = crash.event
        clause = self.violated_by(event, line)
        self.coverage.events[type(event)] += 1
        self.coverage.failed[type(event)] += 1
        self.handlers.update(dict.fromkeys(self.handlers, self.unjudged_event))
        self.handlers[events.Boot] = self.restarted
        self.ways.clear()
        self.ways.plain.clear()
        self.misuses.clear()
        self.warnings.append((line, "it crashed: what follows is not judged before the next `boot`"))
        if self.misuse.policy(event) == UNDEFINED and (clause is not None or self.pages.may_be_misuse(event)):
            return None
        refused = None if clause is None else self.in_terms(type(event), clause.says)
        return crashes(events.operation_of(event), crash.text, refused)

    def in_terms(self, kind: type, says: str) -> str:
        """What the law says, in the terms of what an event of this kind is about."""
        terms = self.terms.get(kind)
        return says if terms is None else terms.of(says)

    def violated_by(self, event: AnyEvent, line: int) -> Clause | None:
        """What the law has against a call; at every level against one of a process that does not exist."""
        if number(getattr(event, "process", 0)) not in self.tables.tables.live:
            return process_lives
        violated = self.misuses.get(type(event))
        return None if violated is None else violated(event, line)

    def unjudged_event(self, event: AnyEvent | events.Crash, line: int) -> None:
        self.unjudged += 1
        self.coverage.events[type(event)] -= 1  # it is counted as every event is, but exercises nothing
        if not isinstance(event, events.Crash) and not event.succeeded:
            self.coverage.failed[type(event)] -= 1

    def restarted(self, event: events.Boot, line: int) -> Finding | None:
        """The machine starts again after a crash: nothing is left of what was before."""
        self.note_exhaustion()
        self.let_go()
        self.begin(replace(self.rules, first_event=line))
        return self.handlers[events.Boot](event, line)

    def looked_at_closely(self, text: bytes) -> Line | None:
        """The event of a line that was refused at first sight, or None if it is to be skipped; raises MalformedLine."""
        refuse_times(text)
        return self.read(text)

    def read(self, text: bytes) -> Line | None:
        """The event of a line, or None if it is to be skipped; raises MalformedLine."""
        try:
            return decode_event(text)
        except UnknownOperation as fault:
            if not self.ignore_unknown:
                raise
            op = quoted(fault.op) if len(self.skipped) < MOST_SKIPPED or quoted(fault.op) in self.skipped else OTHERS
            self.skipped[op] = self.skipped.get(op, 0) + 1
            return None


def answers_of_ranges(rules: Rules, ranges: RangeReplay | RunReplay) -> RangeAnswers | RunAnswers:
    """What is asked of ranges, by what they are made of."""
    return RunAnswers(rules, ranges) if isinstance(ranges, RunReplay) else RangeAnswers(rules, ranges)
