"""Replays one trace: event by event, each handed to the component that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import Rules
from memoracle.impl.kernel_half import KernelHalf
from memoracle.replay.entries import EntryReplay
from memoracle.replay.frames import FrameReplay
from memoracle.replay.heap import HeapReplay
from memoracle.replay.kernel_pages import KernelPagesReplay
from memoracle.replay.page_queries import PageAnswers
from memoracle.replay.pages import PageReplay
from memoracle.replay.pml4 import TableReplay
from memoracle.replay.ranges import RangeReplay
from memoracle.trace.decoding import (
    ANYTHING,
    EVENT,
    FAULTS,
    REPEATED,
    MalformedLine,
    UnknownOperation,
    checked,
    decode_event,
    misread,
    refuse_repeated_keys,
)
from memoracle.trace.events import AnyEvent, BadNumber
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import abridged, quoted
from memoracle.trace.repeated_keys import HEXADECIMAL

MOST_SKIPPED = 100  # unknown operations that are counted by name
OTHERS = "some other name"


class Replay:
    """One trace, replayed so far.

    events: how many were read.  skipped: of these, by operation as messages show it, how many were not checked because
    it is unknown.
    """

    def __init__(self, rules: Rules, path: str, ignore_unknown: bool = False) -> None:
        """path is for messages. ignore_unknown: an unknown operation is skipped instead of refused."""
        self.rules = rules
        self.path = path
        self.ignore_unknown = ignore_unknown
        self.events = 0
        self.skipped: dict[str, int] = {}
        tables = KernelHalf()
        self.frames = FrameReplay(rules)
        self.ranges = RangeReplay(rules, tables)
        self.pages = PageReplay(rules, tables, self.frames, self.ranges)
        self.kernel_pages = KernelPagesReplay(rules, self.frames, self.ranges, self.pages)
        self.tables = TableReplay(rules, tables, self.frames, self.ranges, self.pages)
        self.handlers = self.frames.handlers() | self.ranges.handlers() | self.tables.handlers()
        self.handlers |= HeapReplay(rules, self.frames, self.ranges).handlers()
        self.handlers |= self.pages.handlers() | self.kernel_pages.handlers()
        self.handlers |= PageAnswers(rules, self.pages).handlers() | EntryReplay(rules).handlers()

    @property
    def checked(self) -> int:
        return self.events - sum(self.skipped.values())

    def divergences(self, lines: Iterable[bytes]) -> Iterator[Divergence]:
        """The divergences of the events in these lines, the first of which is the one after the header.

        Raises InputError for a line that is no event.
        """
        decode: Callable[[bytes], AnyEvent | None] = EVENT.decode
        handlers, shapes = self.handlers, REPEATED.events
        first = self.rules.first_event
        line, closely = first - 1, False
        try:
            for line, text in enumerate(lines, first):
                try:
                    event = decode(text)
                    if not closely and text.translate(None, HEXADECIMAL) not in shapes:
                        refuse_repeated_keys(text)
                except FAULTS:
                    if b'"_' in text:  # a recorder that adds something to one line does so to all
                        decode, closely = self.looked_at_closely, True
                    event = self.looked_at_closely(text)
                if event is None:
                    continue
                try:
                    finding = handlers[type(event)](event, line)
                except BadNumber as fault:
                    raise misread(text, fault) from None
                if finding is not None:
                    self.events = line - first + 1
                    yield Divergence(self.path, line, abridged(checked(ANYTHING, text)), finding)
        except MalformedLine as fault:
            line -= 1  # this one was no event
            raise InputError(self.path, line + 1, fault.at(line + 1)) from None
        finally:
            self.events = line - first + 1

    def looked_at_closely(self, text: bytes) -> AnyEvent | None:
        """The event of a line that was refused at first sight, or None if it is to be skipped; raises MalformedLine."""
        try:
            return decode_event(text)
        except UnknownOperation as fault:
            if not self.ignore_unknown:
                raise
            op = quoted(fault.op) if len(self.skipped) < MOST_SKIPPED or quoted(fault.op) in self.skipped else OTHERS
            self.skipped[op] = self.skipped.get(op, 0) + 1
            return None
