"""The files of /sys/firmware/memmap, three for each record: its first byte, its last byte and its type.

/sys/firmware/memmap/0/start:0x0                  `grep . /sys/firmware/memmap/*/*`
==> /sys/firmware/memmap/0/end <==                `head /sys/firmware/memmap/*/*`, the value in the next line
"""

from __future__ import annotations

import re

from memoracle.logs.map_forms.form import (
    Entry,
    Form,
    IncompleteError,
    RecordError,
    by_last_byte,
    whole_number,
)
from memoracle.logs.map_forms.type_words import FIRMWARE_FILES, MARKS, read_type

PARTS = ("start", "end", "type")
PATH = r"(?:memmap/|(?<![\w/.]))(\d+)/(start|end|type)"
GREP = re.compile(rf"{PATH}\s*:\s*(?:\d+:)?\s*(\S.*)")
HEAD = re.compile(rf"==>\s*\S{{0,200}}?{PATH}\s*<==\s*(.*)")
NUMBER = re.compile(r"0x([0-9a-f]{1,16})$", re.IGNORECASE)


class FirmwareFiles(Form):
    name = "sys-firmware"
    example = "/sys/firmware/memmap/0/start:0x0"
    hint = r"\d/(?:start|end|type)\b"
    stage = 4
    in_parts = True

    def __init__(self) -> None:
        self.index = ""
        self.parts: dict[str, str] = {}
        self.lines: dict[str, int] = {}

    def read(self, text: str, line: int) -> list[Entry]:
        found = HEAD.search(text) or GREP.search(text)
        if found is None:
            return []
        index, part, value = found[1], found[2], found[3].strip(MARKS)
        if not value:
            raise IncompleteError("no value")
        if self.parts and index != self.index:
            raise RecordError(f"record {self.index} has no {self.missing()}")
        if part in self.parts:
            raise RecordError(f"record {index} has two values of {part}")
        self.index = index
        self.parts[part], self.lines[part] = value, line
        if self.missing():
            return []
        parts, self.parts, self.lines = self.parts, {}, {}
        kind = read_type(parts["type"], FIRMWARE_FILES)
        if kind is None:
            raise RecordError("no type")
        record = by_last_byte(address(parts["start"]), address(parts["end"]), kind.kind)
        return [Entry(self.name, record, None, kind.warning, number=whole_number(index, 10))]

    def missing(self) -> str:
        return " and no ".join(part for part in PARTS if part not in self.parts)

    def unfinished(self) -> tuple[int, str] | None:
        if not self.parts:
            return None
        return max(self.lines.values()), f"record {self.index} has no {self.missing()}"


def address(text: str) -> int:
    """A file's number; raises RecordError."""
    found = NUMBER.match(text)
    if found is None:
        raise RecordError(f"no address: {text!r}")
    return whole_number(found[1])
