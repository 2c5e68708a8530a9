"""The program's standard streams, any of which may be closed, full, or no longer read.

What is said on standard error is no part of a verdict: where it cannot be written, it is dropped.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

from memoracle.trace.quoting import MOST_KEPT, escaped, shortened


def open_missing() -> None:
    """Takes the place of each standard stream that is closed, so that no file which is opened later does.

    Of standard input only the number is taken: whoever reads it must learn that it is closed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a report may have characters that the terminal lacks


def say(message: str) -> None:
    """Says something on one line of standard error, if that can be written."""
    write_error(f"{escaped(shortened(message, 2 * MOST_KEPT))}\n")


def write_error(text: str) -> None:
    """Writes lines on standard error, if that is possible."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Drops what is left in a stream's buffer, and whatever is written later: Python would complain while it exits."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):  # a stream without a file
        return
