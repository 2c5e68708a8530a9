"""What an input is: a trace, a log of kmem events, or a text with a memory map."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from memoracle.logs.json_messages import messages
from memoracle.logs.map_forms.table import KNOWN
from memoracle.logs.memory_maps import holds_maps
from memoracle.trace.formats import looks_like_trace
from memoracle.trace.inputs import InputError
from memoracle.trace.kmem import looks_like_kmem

JSONL, KMEM, E820 = "jsonl", "kmem", "e820"
FORMS = (JSONL, KMEM, E820)
HEAD = 5000  # lines: what a log's form is known by
HEAD_BYTES = 1 << 20  # after so many no further line is looked at
NO_MAP = "no record of a memory map"
NO_MAP_IN_TEXT = f"{NO_MAP}; these forms are known: {KNOWN}"
NEITHER = (
    "neither a trace, which begins with a header in JSON, nor a log of kmem events (of ftrace, trace-cmd or perf"
    f" script), nor a memory map ({KNOWN})"
)


class Recognised(NamedTuple):
    """form: None if an input is empty.  lines: of a log in JSON, its messages.  kind: of a log in JSON, which."""

    form: str | None
    lines: Iterator[bytes]
    kind: str | None = None


def recognise(path: str, lines: Iterator[bytes], stated: str | None = None) -> Recognised:
    """The form of an input, as stated or else by its content, and its lines again.

    path is for messages. Raises InputError for content of no known form.
    """
    first = next(lines, None)
    if first is None:
        return Recognised(None, lines)
    if stated == JSONL:
        return Recognised(stated, chain([first], lines))
    kind, lines = messages(path, chain([first], lines))
    if stated is not None:
        return Recognised(stated, lines, kind)
    if kind is None and looks_like_trace(first):
        return Recognised(JSONL, lines)
    head: list[bytes] = []
    size = 0
    while size < HEAD_BYTES and len(head) < HEAD and (line := next(lines, None)) is not None:
        head.append(line)
        size += len(line)
        if looks_like_kmem(line):  # no further one is waited for
            return Recognised(KMEM, chain(head, lines), kind)
    if holds_maps(head):
        return Recognised(E820, chain(head, lines), kind)
    raise InputError(path, 1, NEITHER)
