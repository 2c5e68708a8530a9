"""What replays an event, found by the outline of its line, which tells which keys the line has, and of what kinds.

So whatever depends on these alone is asked once of each outline, and not once of each event.

Most lines about single frames need not even be decoded. A line has a head, which ends in its first number that is a
string, before the `x`, and a tail, which is the rest. Where a line was read that names nothing but a frame, at its very
end, its head says what is done, and its tail to which frame: so does a line with the head of one and the tail of
another.

Lines about blocks of a range name more, and need not be decoded where the whole line was read before. Where most lines
are not read again, a line about a block has a third part, its end, from the quote behind the number on: head and end
say all but at which address, and are read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from msgspec import UNSET

from memoracle.diagnostics.levels import Handler, Handlers
from memoracle.trace.events import Question
from memoracle.trace.repeated_keys import MOST_SHAPES, OUTLINE, may_be_remembered

PARTING = b"x"  # what follows a head
QUOTE = b'"'  # what follows the digits of a number
MOST_NOTED = 1 << 16  # tails
MOST_LINES = 1 << 14  # where there are more, most are not read again before long
LONGEST_LINE = 128  # bytes of one that is noted


class Brief(NamedTuple):
    """How events are replayed that name nothing but a frame.

    line: what a line is like whose tail names it.  frame: the frame of an event; None if there is none.
    replay: of a frame and a line; whether the event was replayed, and nothing is found. Else nothing has changed.
    """

    line: re.Pattern[bytes]
    frame: Callable[[Any], int | None]
    replay: Callable[[int, int], bool]


Places: TypeAlias = Callable[[bytes], int | None]


class Again(NamedTuple):
    """How events are replayed whose line was read before, or all of whose line but a number.

    named: what an event names, and at which place; None if its line is not to be noted.
    replay: of what is named, the place and the number of a line; whether the event was replayed, and nothing is found.
    Else nothing has changed.
    line: what a line is like whose first number that is a string is the address of the place; None if none is.
    places: of what is named, the place by the digits of its address; None if none begins there.
    """

    named: Callable[[Any], tuple[Any, int] | None]
    replay: Callable[[Any, int, int], bool]
    line: re.Pattern[bytes] | None = None
    places: Callable[[Any], Places] | None = None


class Plain(NamedTuple):
    """A handler of events that succeeded, and that say nothing but what it reads; of some things, just one.

    again: of such events whose line is known.  failed_again: of any that failed whose line is.
    """

    handler: Handler
    reads: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    brief: Brief | None = None
    again: Again | None = None
    failed_again: Again | None = None


PlainHandlers: TypeAlias = dict[type, Plain]  # by the event's type
Counts: TypeAlias = dict[type, int]  # likewise


class Way:
    """What replays events of this kind, all of whose lines have one outline.

    failed: whether they did.  is_noted: whether their lines are.
    count: of the events, since they were counted last, but for those whose lines were known: served.
    """

    __slots__ = ("again", "brief", "count", "failed", "is_noted", "kind", "replay", "served")

    def __init__(self, kind: type, failed: bool, replay: Handler, brief: Brief | None, again: Again | None) -> None:
        self.kind = kind
        self.failed = failed
        self.replay = replay
        self.brief = brief
        self.again = again
        self.is_noted = brief is not None or again is not None
        self.count = self.served = 0


# What replays the events whose lines have one head and one end: how; of what is named; at which place, by the digits of
# its address; and the way of such events, which counts them.
End: TypeAlias = tuple[Callable[[Any, int, int], bool], Any, Places, Way]


class Head:
    """What replays events of this kind, all of whose lines have one head, once their frame is known.

    count: of the events, since they were counted last.
    ends: by the ends of lines that have one, what replays their events; None if such lines have no end.
    """

    __slots__ = ("count", "ends", "kind", "replay")

    def __init__(self, kind: type, replay: Callable[[int, int], bool], ends: dict[bytes, End] | None = None) -> None:
        self.kind = kind
        self.replay = replay
        self.ends = ends
        self.count = 0


def over(*_: Any) -> Any:
    """In the place of what a replay calls, once it is over."""
    raise AssertionError("the replay is over")


class Ways(dict[bytes, Way]):
    """By the outlines of lines, how their events are replayed.

    handlers: of events that succeeded.  failed: of the others.  plain: of some of the first, at less cost.
    counts: by kind, how many events there were.  failures: how many of these failed.
    heads: by the heads of lines, how their events are replayed.  tails: by the tails of such lines, the frames.
    served: how many events were replayed by these.  notes: whether that is worth it.
    lines: by whole lines, what replays their events, what these name, and at which place.  ends: how many ends of lines
    there are.  lines_served: likewise, of both.  notes_lines: whether lines are noted; once that is not worth it, their
    ends are: notes_ends.
    """

    def __init__(self, handlers: Handlers, failed: Handler, counts: Counts, failures: Counts) -> None:
        super().__init__()
        self.handlers = handlers
        self.failed = failed
        self.counts = counts
        self.failures = failures
        self.plain: PlainHandlers = {}
        self.heads: dict[bytes, Head] = {}
        self.tails: dict[bytes, int] = {}
        self.served = 0
        self.notes = True
        self.lines: dict[bytes, tuple[Callable[[Any, int, int], bool], Any, int, Way]] = {}
        self.ends = 0
        self.lines_served = 0
        self.notes_lines = self.notes_ends = True

    def of(self, event: Any) -> Handler:
        """What replays an event."""
        plain = self.plain_of(event)
        if plain is not None:
            return plain.handler
        return self.handlers[type(event)] if event.error is UNSET else self.failed

    def plain_of(self, event: Any) -> Plain | None:
        """What replays it at less cost, if there is something."""
        plain = self.plain.get(type(event)) if event.error is UNSET else None
        return plain if plain is not None and is_plain(event, plain) else None

    def remember(self, line: bytes, event: Any) -> None:
        """From now on events whose lines have the outline of this one, which has no fault, are replayed as this one."""
        if may_be_remembered(line):
            if len(self) >= MOST_SHAPES:
                self.clear()
            failed = event.error is not UNSET
            plain = self.plain.get(type(event)) if failed else self.plain_of(event)
            brief = None if plain is None or failed else plain.brief
            if brief is not None and brief.line.fullmatch(line) is None:
                brief = None
            again = None if plain is None else plain.failed_again if failed else plain.again
            if again is not None and not self.may_note(again):
                again = None
            self[line.translate(OUTLINE)] = Way(type(event), failed, self.of(event), brief, again)

    def note(self, line: bytes, event: Any, way: Way) -> None:
        """From now on this line is known, or its head and its tail are."""
        if way.again is not None:
            self.note_line(line, event, way, way.again)
        brief = way.brief
        frame = None if brief is None or not self.notes else brief.frame(event)
        if brief is None or frame is None:
            return
        if len(self.tails) >= MOST_NOTED or len(self.heads) >= MOST_SHAPES:
            self.make_room()
        head, _, tail = line.partition(PARTING)
        if head not in self.heads:
            self.heads[head] = Head(way.kind, brief.replay)
        self.tails[tail] = frame

    def note_line(self, line: bytes, event: Any, way: Way, again: Again) -> None:
        """From now on this line is known, or its head and its end are."""
        named = again.named(event) if len(line) <= LONGEST_LINE else None
        if named is not None and len(self.lines) + self.ends >= MOST_LINES:
            self.make_room_for_lines()
        if named is not None and self.notes_lines:
            self.lines[line] = again.replay, *named, way
        elif named is not None and self.may_note(again):
            self.note_end(line, way, again, named[0])

    def may_note(self, again: Again) -> bool:
        """Whether lines of such events are noted, or their ends."""
        return self.notes_lines or (self.notes_ends and again.line is not None)

    def note_end(self, line: bytes, way: Way, again: Again, named: Any) -> None:
        start, _, tail = line.partition(PARTING)
        _, _, end = tail.partition(QUOTE)
        head = self.heads.get(start)
        ends = None if head is None else head.ends
        if (ends is not None and end in ends) or again.line is None or again.line.fullmatch(line) is None:
            return
        if ends is None:
            ends = {}
            self.heads[start] = Head(way.kind, over, ends)
        assert again.places is not None, "it says which line has an address"
        ends[end] = again.replay, named, again.places(named), way
        self.ends += 1

    def make_room_for_lines(self) -> None:
        """As `make_room`, of whole lines, or of their ends."""
        self.count()
        is_worth_it = self.lines_served >= len(self.lines) + self.ends
        if self.notes_lines:
            self.notes_lines = is_worth_it
        else:
            self.notes_ends = is_worth_it
        self.lines_served = self.ends = 0
        self.lines.clear()
        for start in [start for start, head in self.heads.items() if head.ends is not None]:
            del self.heads[start]
        for way in self.values():
            if way.again is not None and not self.may_note(way.again):
                way.again, way.is_noted = None, way.brief is not None

    def make_room(self) -> None:
        """What was noted goes; where it served for few events, nothing more is noted."""
        self.count()
        self.notes = self.served >= len(self.tails)
        self.served = self.ends = 0
        self.heads.clear()
        self.tails.clear()

    def clear(self) -> None:
        """Other ways may be taken from now on."""
        self.make_room()
        self.make_room_for_lines()
        self.notes = self.notes_lines = self.notes_ends = True
        super().clear()

    def end(self) -> None:
        """Nothing more is replayed: lets go of whoever does it."""
        self.clear()
        self.plain.clear()
        self.handlers.clear()
        self.failed = over

    def count(self) -> None:
        """Counts the events that were replayed."""
        for way in self.values():
            self.counts[way.kind] += way.count + way.served
            if way.failed:
                self.failures[way.kind] += way.served  # the others are counted where they are replayed
            self.lines_served += way.served
            way.count = way.served = 0
        for head in self.heads.values():
            self.counts[head.kind] += head.count
            self.served += head.count
            head.count = 0


def is_plain(event: Any, plain: Plain) -> bool:
    """Whether an event that succeeded has what is due, and says nothing but what such a handler reads."""
    has_answer = not isinstance(event, Question) or event.result is not None
    said = {name for name in event.__struct_fields__ if getattr(event, name) not in (UNSET, None)}
    return has_answer and said <= {*plain.reads, *plain.one_of} and len(said.intersection(plain.one_of)) <= 1


def line_with(key: str, last: bool = True) -> re.Pattern[bytes]:
    """A line whose first number that is a string has its first `x`, stands under a key, and comes last, or need not."""
    space = rb"[ \t\r\n]*"
    tail = rb'"0x[0-9a-fA-F]++"%b' % (rb"%b\}%b" % (space, space) if last else b".*")
    return re.compile(rb'[^x]*"%b"%b:%b%b' % (key.encode(), space, space, tail), re.DOTALL)
