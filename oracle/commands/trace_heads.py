"""What the first events of a trace say of how all of it is to be checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from memoracle.concurrent.recording import has_times
from memoracle.trace.decoding import MalformedLine, decode_event
from memoracle.trace.events import Boot


def has_map(head: Sequence[bytes]) -> bool:
    """Whether a trace, whose first event this is, begins with a memory map of its own."""
    return any(map(is_boot, head))


def looked_ahead(lines: Iterator[bytes], wait: bool) -> tuple[Iterator[bytes], bool]:
    """The lines after a header, and whether operations of that trace overlap: whether they say when they were called.

    A `boot` that comes first need not. wait: whether to wait for what follows it.
    """
    head: list[bytes] = []
    for line in lines:
        head.append(line)
        if has_times(line):
            return chain(head, lines), True
        if not wait or not is_boot(line):
            break
    return chain(head, lines), False


def is_boot(line: bytes) -> bool:
    try:
        return isinstance(decode_event(line), Boot)
    except MalformedLine:
        return False
