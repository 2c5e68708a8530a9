"""What replays an event, found by the outline of its line, which tells which keys the line has, and of what kinds.

So whatever depends on these alone is asked once of each outline, and not once of each event.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from msgspec import UNSET

from memoracle.diagnostics.levels import Handler, Handlers
from memoracle.trace.events import Question
from memoracle.trace.repeated_keys import MOST_SHAPES, OUTLINE, may_be_remembered


class Plain(NamedTuple):
    """A handler of events that succeeded, and that say nothing but what it reads; of some things, just one."""

    handler: Handler
    reads: tuple[str, ...]
    one_of: tuple[str, ...] = ()


PlainHandlers: TypeAlias = dict[type, Plain]  # by the event's type


class Ways(dict[bytes, Handler]):
    """By the outlines of lines, what replays their events.

    handlers: of events that succeeded.  failed: of the others.  plain: of some of the first, at less cost.
    """

    def __init__(self, handlers: Handlers, failed: Handler) -> None:
        super().__init__()
        self.handlers = handlers
        self.failed = failed
        self.plain: PlainHandlers = {}

    def of(self, event: Any) -> Handler:
        """What replays an event."""
        kind = type(event)
        if event.error is not UNSET:
            return self.failed
        plain = self.plain.get(kind)
        return plain.handler if plain is not None and is_plain(event, plain) else self.handlers[kind]

    def remember(self, line: bytes, way: Handler) -> None:
        """Events whose lines have the outline of this one, in which no key is repeated, are replayed in this way."""
        if may_be_remembered(line):
            if len(self) >= MOST_SHAPES:
                self.clear()
            self[line.translate(OUTLINE)] = way


def is_plain(event: Any, plain: Plain) -> bool:
    """Whether an event that succeeded has what is due, and says nothing but what such a handler reads."""
    has_answer = not isinstance(event, Question) or event.result is not None
    said = {name for name in event.__struct_fields__ if getattr(event, name) not in (UNSET, None)}
    return has_answer and said <= {*plain.reads, *plain.one_of} and len(said.intersection(plain.one_of)) <= 1
