"""The map that a Multiboot loader hands over, as GRUB's `lsmmap` and the example kernel of the specification print it.

base_addr = 0x100000, length = 0x7ee0000, available RAM
 size = 0x14, base_addr = 0x0100000, length = 0x06f0000, type = 0x1
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memoracle.impl.boot import Record
from memoracle.logs.map_forms.form import Entry, Form, IncompleteError, checked, whole_number
from memoracle.logs.map_forms.type_words import GRUB, with_type

NUMBER = r"0x([0-9a-f]{1,16})(?![0-9a-z])"
WHOLE = re.compile(rf"\bbase_addr\s*[=:]\s*{NUMBER},\s*length\s*[=:]\s*{NUMBER}(?:,\s*(.*)|\s*$)", re.IGNORECASE)
BEGINS = re.compile(r"\bbase_addr\s*[=:]\s*0x", re.IGNORECASE)
NUMBERED = re.compile(r"type\s*[=:]?\s*(0x[0-9a-f]+|\d+)(?![0-9a-z])", re.IGNORECASE)
LOW_DIGITS = 8  # of the low half of a number


class Multiboot(Form):
    """The oldest example kernel prints the two halves of a number without padding: `0x%x%x`.

    Then the first digit is the high half's, a zero, of each number below 4 GiB. Of one above it cannot be said which
    digits are whose.
    """

    name = "lsmmap"
    example = "base_addr = 0x100000, length = 0x7ee0000, available RAM"
    hint = r"(?:size\s*=\s*(?:0x)?[0-9a-f]{1,16},\s*)?base_addr"
    stage = 1

    def __init__(self) -> None:
        self.halves = False
        self.unclear = ""

    def read(self, text: str, line: int) -> list[Entry]:
        found = WHOLE.search(text)
        if found is None or found[3] is None:
            if BEGINS.search(text):
                raise IncompleteError("no start, length and type")
            return []
        for digits in (found[1], found[2]):
            self.halves |= 1 < len(digits) <= LOW_DIGITS and digits[0] == "0"
            if digits[0] != "0":
                self.unclear = self.unclear or digits
        record = checked(whole_number(found[1]), whole_number(found[2]), 0)
        if number := NUMBERED.match(found[3]):
            return [Entry(self.name, record._replace(type=whole_number(number[1], 10)))]
        return [with_type(self.name, record, found[3], GRUB)]

    def flaw(self, records: Sequence[Record]) -> str | None:
        if self.halves and self.unclear:
            return f"its numbers are printed in two halves without padding, so that 0x{self.unclear} is unclear"
        return None
