"""The BIOS's map, as SeaBIOS and FreeBSD print it.

  3: 0000000000100000 - 000000007f7ff000 = 1 RAM                     SeaBIOS: the end
SMAP type=01 base=0000000000100000 len=000000007fedb000              FreeBSD: the length
"""

from __future__ import annotations

import re

from memoracle.impl.boot import USABLE
from memoracle.logs.map_forms.form import (
    Entry,
    Form,
    IncompleteError,
    OneLineForm,
    RecordError,
    by_end,
    checked,
    padded,
    whole_number,
)

SEABIOS = re.compile(r"(?<![\w:])(\d+): ([0-9a-f]{8,}) - ([0-9a-f]{8,})\s+=\s+(\d+)\s+(\w+)", re.IGNORECASE)
SEABIOS_BEGINS = re.compile(r"(?<![\w:])\d+: [0-9a-f]{2,}(?: -.*|\s*)$", re.IGNORECASE)


class SeaBios(Form):
    name = "seabios"
    example = "  3: 0000000000100000 - 000000007f7ff000 = 1 RAM"
    hint = r"\d: [0-9a-f]{2,}(?: -|\s*$)|e820 map has"
    heading = count = re.compile(r"e820 map has (?P<count>\d+) items")

    def __init__(self) -> None:
        self.seen = False  # whether a heading or a record was: others print the beginning of one

    def read(self, text: str, line: int) -> list[Entry]:
        self.seen = self.seen or self.heading.search(text) is not None
        if found := SEABIOS.search(text):
            kind = whole_number(found[4], 10)
            if (kind == USABLE) != (found[5].upper() == "RAM"):
                raise RecordError(f"type {kind} is not {found[5]!r}")
            record = by_end(*padded(found[2], found[3]), kind)
            self.seen = True
            number = whole_number(found[1], 10)
            return [Entry(self.name, record, number == 0, number=number)]
        if SEABIOS_BEGINS.search(text):
            raise IncompleteError("no range of addresses with its type", certain=self.seen or " - " in text)
        return []


class FreeBsd(OneLineForm):
    name = "smap"
    example = "SMAP type=01 base=0000000000100000 len=000000007fedb000"
    hint = r"SMAP"
    stage = 3
    whole = re.compile(
        r"\bSMAP type=([0-9a-f]{2,8})(?:,? x?attr=[0-9a-f]+)?,? base=(?:0x)?([0-9a-f]{1,16}),?"
        r" len=(?:0x)?([0-9a-f]{1,16})(?![0-9a-z])",
        re.IGNORECASE,
    )
    begins = re.compile(r"\bSMAP type=", re.IGNORECASE)
    missing = "no base and length"

    def entry(self, found: re.Match[str]) -> Entry:
        return Entry(self.name, checked(*padded(found[2], found[3]), whole_number(found[1])))
