"""What a report is drawn on: a terminal of any width, or a file, where a line ends with its text."""

from __future__ import annotations

import re
from typing import IO, TextIO, cast

from rich.console import Console

from memoracle.trace.quoting import without_line_commands

FILE_WIDTH = 120  # columns of a report that no terminal shows
PADDING = re.compile(" +(?=\n)")


class Unpadded:
    """A file that is written to without the blanks that fill up lines, and without what a CI runner would obey."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.encoding = out.encoding  # what cannot be encoded is drawn with plainer lines

    def write(self, text: str) -> None:
        self.out.write(without_line_commands(PADDING.sub("", text)))

    def flush(self) -> None:
        self.out.flush()


def console_on(out: TextIO) -> Console:
    """A console that prints what it is given as it stands."""
    if out.isatty():
        return Console(file=out, highlight=False, markup=False, emoji=False)
    file = cast(IO[str], Unpadded(out))
    return Console(file=file, highlight=False, markup=False, emoji=False, width=FILE_WIDTH)
