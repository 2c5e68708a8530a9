"""The messages in logs that are JSON: `dmesg -J` and `journalctl -o json`, `json-pretty`, `json-sse`, `json-seq`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain

DMESG, JOURNAL = "dmesg's JSON", "the journal's JSON"
PEEKED = 40  # lines in which it is seen what an object is
BEGINS = re.compile(rb"^\s*(?:data:\s*)?\x1e?\s*\{\s*(?:$|\"(?:dmesg|_|MESSAGE|PRIORITY|SYSLOG))")
IS_DMESG = re.compile(rb'"dmesg"\s*:')
IS_JOURNAL = re.compile(
    rb'"(?:MESSAGE|__CURSOR|__REALTIME_TIMESTAMP|__MONOTONIC_TIMESTAMP|_BOOT_ID|_TRANSPORT|_MACHINE_ID)"\s*:'
)
STRING = rb'"(?:[^"\\]|\\.)*"'
BYTES = rb"\[[\d,\s]*\]"
MESSAGE = re.compile(rb'"(?:msg|MESSAGE)"\s*:\s*(' + STRING + rb"|" + BYTES + rb")")


def messages(lines: Iterator[bytes]) -> tuple[str | None, Iterator[bytes]]:
    """Which JSON a log is, and its messages as lines, each in the place of the line that it stands in.

    None and the same lines for any other input. Of a trace no more than the first line is read.
    """
    head = list(_first(lines))
    if not head or not BEGINS.match(head[-1]):
        return None, chain(head, lines)
    while len(head) < PEEKED and not _kind(head) and (line := next(lines, None)) is not None:
        head.append(line)
    kind = _kind(head)
    whole = chain(head, lines)
    return (kind, _read(whole)) if kind else (None, whole)


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


def _read(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        found = [_said(each[1]) for each in MESSAGE.finditer(line)]
        yield b"\r".join(each.replace(b"\n", b"\r") for each in found) + b"\n"


def _said(text: bytes) -> bytes:
    """The text of a message, which the journal writes as an array of bytes where it is not UTF-8."""
    try:
        value = json.loads(text)
        return value.encode("utf-8", "replace") if isinstance(value, str) else bytes(value)
    except ValueError:
        return b""
