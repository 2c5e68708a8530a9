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
    MalformedLine,
    UnknownOperation,
    checked,
    decode_event,
    misread,
)
from memoracle.trace.events import AnyEvent, BadNumber
from memoracle.trace.formats import FIRST_EVENT
from memoracle.trace.inputs import InputError


class Replay:
    """One trace, replayed so far.

    events: how many were read.  skipped: of these, by operation, how many were not checked because it is unknown.
    """

    def __init__(self, rules: Rules, path: str, ignore_unknown: bool = False) -> None:
        """path is for messages. ignore_unknown: an unknown operation is skipped instead of refused."""
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
        handlers = self.handlers
        line = FIRST_EVENT - 1
        try:
            for line, text in enumerate(lines, FIRST_EVENT):
                try:
                    event = decode(text)
                except FAULTS:
                    if b'"_' in text:  # a recorder that adds something to one line does so to all
                        decode = self.looked_at_closely
                    event = self.looked_at_closely(text)
                if event is None:
                    continue
                try:
                    finding = handlers[type(event)](event, line)
                except BadNumber as fault:
                    raise misread(text, fault) from None
                if finding is not None:
                    self.events = line - FIRST_EVENT + 1
                    yield Divergence(self.path, line, checked(ANYTHING, text), finding)
        except MalformedLine as fault:
            line -= 1  # this one was no event
            raise InputError(self.path, line + 1, str(fault)) from None
        finally:
            self.events = line - FIRST_EVENT + 1

    def looked_at_closely(self, text: bytes) -> AnyEvent | None:
        """The event of a line that was refused at first sight, or None if it is to be skipped; raises MalformedLine."""
        try:
            return decode_event(text)
        except UnknownOperation as fault:
            if not self.ignore_unknown:
                raise
            self.skipped[fault.op] = self.skipped.get(fault.op, 0) + 1
            return None
