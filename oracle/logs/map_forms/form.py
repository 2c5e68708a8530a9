"""What the readers of all forms share: a form recognises the records of its own in single lines of a text."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar, NamedTuple

from memoracle.impl.boot import TOP, Record

RESERVED = 2  # the ACPI specification has any type that it does not define treated like this one
DIGITS = 16  # of a number of 64 bits
DECIMAL_DIGITS = 20  # of the largest one
SURELY_PADDED = 12  # digits: with so many a number was printed in 16
SHOWN = 100  # characters of a faulty line


class Entry(NamedTuple):
    """One record as it stands in a text.

    label: what the text calls the map.  first: whether it is known to begin a map; None where the line does not say.
    warning: what had to be assumed to read it.  source: the file that the line is from, where `grep` says so.
    number: its own in its list, counted from 0, where the line has it.  part: of a map of several lists, which.
    """

    label: str
    record: Record
    first: bool | None = None
    warning: str = ""
    source: str = ""
    number: int | None = None
    part: str = ""


class RecordError(Exception):
    """A record that cannot be read; its text says what is wrong."""


class IncompleteError(RecordError):
    """A line begins a record, and does not end it: the rest may stand in the next line.

    entry: what the record is if the next line does not complete it, where that can be said.  certain: whether it is
    surely a record, so that it must not be passed over.
    """

    def __init__(self, message: str, entry: Entry | None = None, certain: bool = True) -> None:
        super().__init__(message)
        self.entry = entry
        self.certain = certain


class Form(ABC):
    """A form, made for one text; a subclass has the first three, and `read`.

    name: of the form and, unless a record's label says otherwise, of its maps.  example: a record.  hint: a pattern
    that every line with a record or a heading matches.  heading: what stands before a map.  stage: forms of a smaller
    stage are printed earlier while a machine boots.  in_parts: whether a line holds a part of a record only.
    in_kernel_log: whether the kernel prints it once, where it starts.  count: a line that says how many records a list
    has, as its groups `count` and, in a map of several lists, `part` have them.  beside: what is no record, but a line
    that stands among them and looks like one.  words: with which a record may begin, in lower case.
    """

    name: ClassVar[str]
    example: ClassVar[str]
    hint: ClassVar[str]
    heading: ClassVar[re.Pattern[str] | None] = None
    stage: ClassVar[int] = 0
    in_parts: ClassVar[bool] = False
    in_kernel_log: ClassVar[bool] = False
    count: ClassVar[re.Pattern[str] | None] = None
    beside: ClassVar[re.Pattern[str] | None] = None
    words: ClassVar[Collection[str]] = ()

    @abstractmethod
    def read(self, text: str, line: int) -> Sequence[Entry]:
        """The records that end in a line; raises IncompleteError, or RecordError for a record that makes no sense."""

    def called(self, text: str) -> str:
        """What messages call a record in this line."""
        return self.name

    def flaw(self, records: Sequence[Record]) -> str | None:
        """Why a whole map of this form cannot be believed, if so."""
        return None

    def unfinished(self) -> tuple[int, str] | None:
        """The line of a record that the text leaves unfinished, and what is missing."""
        return None


class OneLineForm(Form):
    """A form whose records stand in one line each.

    whole: a record.  begins: what a line has in which a record begins.  missing: of a line that has no more than that.
    """

    whole: ClassVar[re.Pattern[str]]
    begins: ClassVar[re.Pattern[str]]
    missing: ClassVar[str]

    def read(self, text: str, line: int) -> list[Entry]:
        if found := self.whole.search(text):
            return [self.entry(found)]
        if self.begins.search(text):
            raise IncompleteError(self.missing)
        return []

    @abstractmethod
    def entry(self, found: re.Match[str]) -> Entry:
        """The record that was found; raises RecordError if it makes no sense."""


def whole_number(digits: str, base: int = 16) -> int:
    """A number of at most 64 bits, hexadecimal if it begins with `0x`; raises RecordError.

    It may have any number of digits: Python refuses to read some thousands.
    """
    digits = digits.lower()
    base = 16 if digits.startswith("0x") else base
    significant = digits.removeprefix("0x").lstrip("0") or "0"
    if len(significant) > DECIMAL_DIGITS or (value := int(significant, base)) >= TOP:
        raise RecordError("a number has more than 64 bits")
    return value


def by_last_byte(start: int, last: int, kind: int) -> Record:
    """The record of bytes up to and including the last one; raises RecordError."""
    length = last + 1 - start
    if length == TOP:  # 64 bits cannot hold that length: the record is empty, and its last byte is number -1
        length = 0
    return checked(start, length, kind)


def by_end(start: int, end: int, kind: int) -> Record:
    """The record of bytes up to but not including the end; raises RecordError."""
    return checked(start, (end - start) % TOP if end == 0 else end - start, kind)  # 2^64 is printed as 0


def padded(one: str, other: str) -> tuple[int, int]:
    """Two hexadecimal numbers that are printed in 16 digits; raises IncompleteError where one has lost some.

    Shorter ones, which nobody padded, are read as they are.
    """
    if not len(one) == len(other) == DIGITS and max(len(one), len(other)) >= SURELY_PADDED:
        raise IncompleteError("a number has not its 16 digits")
    return whole_number(one), whole_number(other)


def check_size(record: Record, number: str, tenth: str | None, unit: str) -> None:
    """Refuses a record whose length in words, which may be rounded, is that of another; raises RecordError.

    tenth: the digit after the point, if there is one.  unit: `KB`, `MB` and so on, or `B`.
    """
    steps = 1 if tenth is None else 10
    size = 1024 ** " KMGTPE".index(unit[:-1].upper() or " ")
    said = whole_number(number, 10) * steps + int(tenth or 0)
    if abs(record.length * steps - said * size) >= size:
        raise RecordError(f"its range is not of {number}{'.' * (tenth is not None)}{tenth or ''} {unit}")


def checked(start: int, length: int, kind: int) -> Record:
    """A record of this length in bytes; raises RecordError."""
    if length < 0:
        raise RecordError("it ends before it starts")
    if start >= TOP or length >= TOP:
        raise RecordError("a number has more than 64 bits")
    return Record(start, length, kind)
