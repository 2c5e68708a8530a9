"""Whether a text ends within a record of a memory map: a log that was cut has no new line at its end."""

from __future__ import annotations

import re
from collections.abc import Set

NUMBERS = re.compile(r"[0-9a-f]+", re.IGNORECASE)
NUMBER_AT_END = re.compile(r"(?<!\w)(?:0x)?(?=[a-f]*\d)[0-9a-f]+$|\b0x$|[-,:=@(\[]\s*$", re.IGNORECASE)


class TextEnd:
    """The last two lines of a text that are not empty, as it is read.

    number, text: of the last one.  before: the number of the one before it.
    """

    def __init__(self) -> None:
        self.number = 0
        self.text = ""
        self.before = 0
        self.is_open = False  # whether the last line has no new line at its end, and the line before it has one
        self.was_ended = False

    def see(self, number: int, line: bytes) -> None:
        """Notes the next line."""
        ended = line.endswith(b"\n")
        self.is_open, self.was_ended = self.was_ended and not ended, ended
        if line.strip():
            self.before = self.number
            self.number, self.text = number, line.decode("utf-8", "replace").rstrip("\r\n")

    def warning(self, last_record: int, shapes: Set[str], names_are_known: bool, suspect: int) -> str | None:
        """What is to be said of a map whose last record stands in this line, if the text ends within a record.

        shapes: those of some lines with records.
        suspect: the number of a line after it that looks like a part of a record; 0 if none does.
        names_are_known: whether what that record calls its memory is one of the form's words, which was not cut.
        """
        if not self.is_open:
            return None
        if last_record == self.number and (NUMBER_AT_END.search(self.text) or not names_are_known):
            return f"line {self.number}: the text ends here, without a new line: the last record may be cut"
        if last_record == self.before and (
            any(each.startswith(shape(self.text)) for each in shapes) or suspect == self.number
        ):
            return f"line {self.number}: the text ends within this line, which may be a record of the map"
        return None


def shape(text: str) -> str:
    """A line whatever its numbers are."""
    return NUMBERS.sub("0", text)
