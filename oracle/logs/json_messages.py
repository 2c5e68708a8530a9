"""The messages in logs that are JSON: `dmesg -J` and `journalctl -o json`, `json-pretty`, `json-sse`, `json-seq`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from memoracle.logs.json_entries import Entries

DMESG, JOURNAL = "dmesg's JSON", "the journal's JSON"
PEEKED = 40  # lines in which it is seen what an object is
BEGINS = re.compile(rb"^\s*(?:data:\s*)?\x1e?\s*\{\s*(?:$|\"(?:dmesg|_|MESSAGE|PRIORITY|SYSLOG))")
IS_DMESG = re.compile(rb'"dmesg"\s*:')
IS_JOURNAL = re.compile(
    rb'"(?:MESSAGE|__CURSOR|__REALTIME_TIMESTAMP|__MONOTONIC_TIMESTAMP|_BOOT_ID|_TRANSPORT|_MACHINE_ID)"\s*:'
)


def messages(path: str, lines: Iterator[bytes]) -> tuple[str | None, Iterator[bytes]]:
    """Which JSON a log is, and its messages as lines, each in the place of the line that it stands in.

    None and the same lines for any other input. Of a trace no more than the first line is read. path is for messages.
    The lines raise InputError where the JSON is damaged, or ends too early.
    """
    head = list(_first(lines))
    if not head or not BEGINS.match(head[-1]):
        return None, chain(head, lines)
    while len(head) < PEEKED and not _kind(head) and (line := next(lines, None)) is not None:
        head.append(line)
    kind = _kind(head)
    whole = chain(head, lines)
    return (kind, Entries(path, kind).read(whole)) if kind else (None, whole)


def _first(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines up to the first that is not blank."""
    for line in lines:
        yield line
        if line.strip():
            return


def _kind(head: list[bytes]) -> str | None:
    text = b"".join(head)
    if b'"op"' in text or b'"memoracle"' in text:
        return None
    if IS_DMESG.search(text):
        return DMESG
    return JOURNAL if IS_JOURNAL.search(text) else None
