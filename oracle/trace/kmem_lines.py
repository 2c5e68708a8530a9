"""Which event of Linux's tracers a line is: what follows the time, or else what a line without a time begins with.

A program, and the kernel, may print any text into a trace (`trace_marker`, `trace_printk`); what looks like an event in
such text is none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ALLOC, FREE = "alloc", "free"
KINDS = {b"mm_page_alloc": ALLOC, b"mm_page_free": FREE, b"mm_page_free_direct": FREE}
# Of the allocator of objects, and what follows their names: `trace_printk` prints a function's name in the same place.
SLAB_KINDS = {
    b"kmalloc": ALLOC,
    b"kmalloc_node": ALLOC,
    b"kmem_cache_alloc": ALLOC,
    b"kmem_cache_alloc_node": ALLOC,
    b"kfree": FREE,
    b"kmem_cache_free": FREE,
}
CALL_SITE = re.compile(rb":\s+(?:\([^()\s]*\)\s+)?\(?call_site=")
EVENT = rb"(" + b"|".join(KINDS) + rb"|(?:" + b"|".join(SLAB_KINDS) + rb")(?=" + CALL_SITE.pattern + rb")):(?:\s|$)"
NAME = re.compile(rb"(?:^|[\s:])" + EVENT)
ANOTHER = re.compile(EVENT)  # where a newline is lost, the name may join a word
# What follows a time: of perf, a period; the system; the name. Of `trace_printk`, the function stands in its place.
AFTER_COLON = re.compile(rb":\s+(?:\d+\s+)?(?:\w+:)?(\w+(?:[.+][^\s:]*)?):(?:\s|$)")
# Seconds, a counter's ticks, or microseconds, which may have a mark for a delay.
TIME = re.compile(rb"(?<![\w.])\d+(?:\.\d+)?(?:[un]s)?[ +!#*@$]?$")
LONGEST_TIME = 40
PRINTERS = {b"tracing_mark_write", b"print", b"bprint", b"bputs"}  # the events of text
PRINTER = re.compile(rb"(?:^|[\s:])(" + b"|".join(sorted(PRINTERS)) + rb"):\s")
# Of ftrace, trace-cmd (each may not know how many) and perf; then of ftrace, that what happened on a CPU until now was
# overwritten.
LOST = re.compile(
    rb"\[LOST (?:\d+ )?EVENTS\]|\[(?:\d+ )?EVENTS DROPPED\]|PERF_RECORD_LOST(?:_SAMPLES)?\s+lost\s+0*[1-9]"
    rb"|# CPU \d+ buffer started #+"
)
LOST_WORDS = (b"LOST", b"DROPPED", b"buffer started")


class TwoEventsError(Exception):
    """A line has two events; the text says which."""


class Line(NamedTuple):
    """What a line says.

    event: the name of one that allocates or frees pages or objects; None of a line without such an event.  fields: the
    event's.  other: the name of another event.  lost_before, lost_after: whether the tracer says, before or after the
    event, that it lost events.
    """

    event: bytes | None
    fields: bytes
    other: bytes | None
    lost_before: bool
    lost_after: bool


def read_line(line: bytes) -> Line:
    """Raises TwoEventsError for a line with two events of which one allocates or frees: it lost its newline."""
    timed = [event for event in AFTER_COLON.finditer(line) if follows_time(line, event)]
    places = [*timed[:1], *filter(None, (NAME.search(line), printer_in(line)))]
    found = min(places, key=lambda place: place.start(), default=None)
    if found is None:
        return Line(None, b"", None, lost_in(line, 0, len(line)), False)
    name = found[1]
    is_text = name in PRINTERS
    before = lost_in(line, 0, found.start())
    after = not is_text and lost_in(line, found.end(1), len(line))
    later = [event for event in timed if event.start() > found.start()]
    if not allocates_or_frees(line, found):
        hidden = next((event for event in later if allocates_or_frees(line, event)), None)
        if hidden and not is_text:
            raise TwoEventsError(f"{name.decode()} and {hidden[1].decode()}")
        return Line(None, b"", name, before, after)
    if another := ANOTHER.search(line, found.end(1) + 1):
        raise TwoEventsError(f"{name.decode()} and {another[1].decode()}")
    end = later[0].start() if later else len(line)
    return Line(name, line[found.end(1) + 1 : end], None, before, after)


def allocates_or_frees(line: bytes, event: re.Match[bytes]) -> bool:
    """Whether this is an event of pages or objects, and not text that only has its name."""
    name = event[1]
    return name in KINDS or (name in SLAB_KINDS and CALL_SITE.match(line, event.end(1)) is not None)


def follows_time(line: bytes, event: re.Match[bytes]) -> bool:
    return TIME.search(line, max(event.start() - LONGEST_TIME, 0), event.start()) is not None


def printer_in(line: bytes) -> re.Match[bytes] | None:
    """The event of text, looked for only in a line that may have it: most have none."""
    return PRINTER.search(line) if any(name in line for name in PRINTERS) else None


def lost_in(line: bytes, start: int, end: int) -> bool:
    """Whether the tracer says there that it lost events, looked for in the same way."""
    return any(word in line for word in LOST_WORDS) and LOST.search(line, start, end) is not None
